"""A request rewritten, text for text: what stands for each find, and what is said of them."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from hookline import PolicyViolation, Request
from hookline_plugins.policy.redact.placeholders import Found, Placeholders

if TYPE_CHECKING:
    from hookline_plugins.policy.redact.recognise import Recognition

__all__ = ["counted", "holds", "labelled", "rewritten"]


def rewritten(
    request: Request, known: "Recognition", placeholders: Placeholders, *, replaces: bool
) -> Request:
    """Return a request without what must not leave.

    Args:
        request: as the caller made it.
        known: what must not.
        placeholders: of this request; counts are taken there, masked or not.
        replaces: whether placeholders stand for the finds, or the names of their kinds.

    """

    def say(text: str) -> str:
        found = known.find(text)
        if not found and "[" not in text:  # nearly always
            placeholders.said.add(text)
            return text
        if replaces:
            new = placeholders.replaced(text, found, known.labels)
        else:
            placeholders.counts.update(each.kind for each in found)
            new = labelled(text, found, known.labels)
        placeholders.said.add(new)
        return new

    # What stays the same from turn to turn first, so that it keeps its numbers.
    changed = request.map_text(say, where="tools") if request.tools else request
    if isinstance(request.system, str):  # as below, without a look at every message
        system = say(request.system)
        changed = changed if system == request.system else changed.evolve(system=system)
    elif request.system:
        changed = changed.map_text(say, where="system")
    return _other_texts(changed, say).map_text(
        say, where=("messages", "tool_results", "documents", "tool_inputs")
    )


def labelled(text: str, found: tuple[Found, ...], label_of: Mapping[str, str]) -> str:
    """Return a text with the name of its kind in the place of each find."""
    for each in reversed(found):
        text = f"{text[: each.start]}[{label_of[each.kind]}]{text[each.end :]}"
    return text


def holds(what: str, kinds: Counter[str]) -> PolicyViolation:
    """Return the refusal of what holds something that may not leave."""
    return PolicyViolation(
        f"{what} holds {counted(kinds)}, which may not leave; take it out", rule=next(iter(kinds))
    )


def counted(counts: Mapping[str, int]) -> str:
    """Return counts in words: ``2 mail, 1 card``."""
    most_first = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {kind}" for kind, count in most_first)


def _other_texts(request: Request, say: Callable[[str], str]) -> Request:
    """Rewrite the texts that are the caller's own and no part of the conversation."""
    changes: dict[str, Any] = {}
    if request.metadata:
        metadata = {
            key: say(value) if isinstance(value, str) else value
            for key, value in request.metadata.items()
        }
        if metadata != request.metadata:
            changes["metadata"] = metadata
    if request.stop_sequences:
        sequences = tuple(map(say, request.stop_sequences))
        if sequences != request.stop_sequences:
            changes["stop_sequences"] = sequences
    return request.evolve(**changes) if changes else request
