"""The plugin ``heal``: a history that the API would refuse is mended, visibly.

What a history needs whoever gets it is done in ``build_history`` (``healing``), so that a conversation
remembers it mended; what one model or server needs is done in ``send``, for each attempt (``fitting``). Thoughts
are bound to who thought them, and which blocks a server reads hangs on its version and on betas; nobody can tell
that from the outside: where a server refuses one, the request goes out once more without, and that server is never
sent those again.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypeVar

from attrs import define, field, frozen

from hookline import APIError, CallNext, Message, Request, Response, Turn, hookimpl
from hookline.plugin import Book, TurnState, checks_options, option
from hookline_plugins.heal.fitting import fitted, marks_in
from hookline_plugins.heal.healing import heal
from hookline_plugins.heal.repairs import Repair, Unhealable, told
from hookline_plugins.heal.sound import sound

if TYPE_CHECKING:
    import click

__all__ = ["Heal", "Repair", "Unhealable", "heal"]

T = TypeVar("T")

_BAD_REQUEST: Final = 400
_MOST_MARKS: Final = 1000
_MOST_REFUSALS: Final = 8
_TAG: Final = re.compile(r"messages\.\d+\.content\.\d+: Input tag '(\w+)' found using 'type'")


@define
class _Refused:
    """What one server has refused: marks of thoughts, the newest of them, and types of blocks."""

    marks: OrderedDict[bytes, None] = field(factory=OrderedDict)
    types: OrderedDict[str, None] = field(factory=OrderedDict)

    def learn(self, sent: Request, error: APIError) -> bool:
        """Learn from a refusal; say whether there is something to leave out the next time."""
        if error.status != _BAD_REQUEST:
            return False
        tag = _TAG.search(error.message)
        if tag is not None:
            there = any(b.type == tag[1] for m in sent.messages for b in m.blocks)
            return there and _keep(self.types, [tag[1]])
        if not _about_thoughts(error):
            return False
        return _keep(self.marks, sorted(marks_in(sent)))


def _keep(book: OrderedDict[T, None], new: Sequence[T]) -> bool:
    for each in new:
        book[each] = None
    while len(book) > _MOST_MARKS:
        book.popitem(last=False)
    return bool(new)


@checks_options
@frozen(eq=False)
class Heal:
    """Mends the conversation so far.

    Calls without results and results without calls, cut calls, blank texts and empty messages, system and
    leading assistant messages where they cannot stand, thoughts of other models, too many images and
    cache breakpoints, half characters of stored text. Always the same for the same history; what
    stands before the first fault is not touched. The trace says what was done.

    Attributes:
        strict: refuse such a history instead, and say what is wrong with it.

    """

    last = True
    after = ("history",)
    before = ("output",)
    strict: bool = field(default=False, metadata=option(harmless=True))
    seen = TurnState[tuple[Message, ...]](tuple)  # what was found sound in this turn
    _refused: Book[tuple[str, str, str], _Refused] = field(init=False, factory=Book, repr=False)

    @hookimpl
    def build_history(self, turn: Turn, request: Request) -> Request | None:
        """Mend the history.

        Raises:
            Unhealable: it cannot be mended, or shall not be.

        """
        if sound(request.messages):
            self.seen[turn] = request.messages
            return None
        healed = heal(request.messages, stored=len(turn.options.history), lift=False)
        if not healed.repairs:
            return None
        if self.strict:
            raise Unhealable(
                f"the API would refuse this history: {told(healed.repairs)}. Mend it, or let "
                "the plugin heal do so: [plugins.heal] strict = false"
            )
        _tell(turn, healed.repairs)
        return request.evolve(messages=healed.messages)

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        """Send the history as the model and the server at hand take it."""
        profile = turn.profile
        facts = turn.models.get(request.model)
        claude = facts if facts is not None and facts.line is not None and profile.claude else None
        key = (turn.upstream, turn.account, request.model)
        refused = self._refused.get(key, _Refused)
        for number in count(1):
            sent, repairs = fitted(
                request,
                claude,
                profile,
                refused=refused.marks,
                unread=refused.types,
                betas=turn.betas,
                prefill=_words(turn, request),
                seen=self.seen[turn] is request.messages,
            )
            if repairs and self.strict:
                raise Unhealable(f"{request.model} would refuse this history: {told(repairs)}")
            _tell(turn, repairs)
            try:
                return await call_next(sent)
            except APIError as error:
                last = self.strict or number > _MOST_REFUSALS
                if last or not refused.learn(sent, error):
                    raise
                turn.trace.note("heal", f"sent again without what was refused: {error.message}")
        raise AssertionError  # count() never ends

    @hookimpl
    def register_commands(self, register: "Callable[[click.Command], None]") -> None:
        """Add ``hookline heal``."""
        from hookline_plugins.heal.command import command  # noqa: PLC0415 -- click is an extra

        register(command)


def _words(turn: Turn, request: Request) -> str:
    """Return the prefill as it leaves, which a layer outside may have edited; "" for none."""
    last = request.messages[-1] if request.messages else None
    if turn.prefill is None or last is None or last.role != "assistant":
        return ""
    return last.content if isinstance(last.content, str) else ""


def _about_thoughts(error: APIError) -> bool:
    text: Any = error.message
    return "thinking" in text and ("signature" in text or "cannot be modified" in text)


def _tell(turn: Turn, repairs: tuple[Repair, ...]) -> None:
    if repairs:
        turn.trace.note("heal", told(repairs))
