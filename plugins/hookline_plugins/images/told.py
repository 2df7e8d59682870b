"""What is said of images and documents: in errors, to the model, and in the trace."""

from typing import Final

from hookline import InputError, Request, Turn
from hookline.values import Attachment, Block, TextBlock, surveyed, total_tokens
from hookline_plugins.images.plan import CROWD, side_for
from hookline_plugins.images.walk import Placed

__all__ = ["NOTHING", "note_made", "note_tokens", "refusal", "words"]

NOTHING: Final = TextBlock("[An image that could not be used was left out.]")
_TOLD: Final = 5  # bad images that one error describes


def refusal(bad: list[tuple[Placed, InputError]]) -> InputError:
    """Name every bad one, by number, place and source."""
    lines = [f"{_what(each.block)}: {error} ({each.label}, {each.place})" for each, error in bad]
    more = [f"and {len(bad) - _TOLD} more"] if len(bad) > _TOLD else []
    return InputError("; ".join([*lines[:_TOLD], *more]))


def words(block: Block, error: InputError) -> TextBlock:
    """Say what stood here, to the model: nothing of paths and addresses."""
    reason = str(error) if not isinstance(block, Attachment) or block.kind == "bytes" else ""
    text = f"[This {block.type} could not be used{f': {reason}' if reason else ''}.]"
    return TextBlock(text, cache_control=getattr(block, "cache_control", None))


def _what(block: Block) -> str:
    if isinstance(block, Attachment):
        return repr(block)
    return f"the {block.type} block of a message"


def note_made(turn: Turn, made: int, side: int) -> None:
    """Say in the trace how many images are not sent as they were given, and whether the crowd is why."""
    if made:
        crowd = f"; a request of more than {CROWD} may have {side:,} pixels a side"
        text = f"{made} scaled down or converted"
        turn.trace.note("images", text + (crowd if side < side_for(1) else ""))


def note_tokens(turn: Turn, request: Request) -> None:
    """Say in the trace what is about to be paid."""
    media = surveyed(request, turn.models.get(request.model))
    known = [each for each in media if each.tokens is not None]
    if known:
        count = f"{len(known)} of {len(media)} images and documents"
        turn.trace.note("images", f"{count}: {total_tokens(media)} tokens")
