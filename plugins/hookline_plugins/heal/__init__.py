"""The plugin ``heal``: a history that the API would refuse is mended, visibly.

What a history needs whoever gets it is done in ``build_history`` (``healing``), so that a conversation
remembers it mended; what one model or server needs is done in ``send``, for each attempt (``fitting``). Thoughts
are bound to who thought them, and nobody can tell that from the outside: where a server refuses one, the request
goes out once more without, and that server is never sent those again.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field, frozen

from hookline import APIError, CallNext, Request, Response, Turn, hookimpl
from hookline.plugin import Book, option
from hookline_plugins.heal.fitting import fitted, without_thoughts
from hookline_plugins.heal.healing import heal
from hookline_plugins.heal.repairs import Repair, Unhealable, told

if TYPE_CHECKING:
    import click

__all__ = ["Heal", "Repair", "Unhealable", "heal"]

_BAD_REQUEST: Final = 400
_MOST_MARKS: Final = 1000


@define
class _Refused:
    """Marks of the thoughts that one server has refused, the newest of them."""

    marks: OrderedDict[bytes, None] = field(factory=OrderedDict)

    def add(self, marks: frozenset[bytes]) -> None:
        for mark in sorted(marks):
            self.marks[mark] = None
        while len(self.marks) > _MOST_MARKS:
            self.marks.popitem(last=False)


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
    _refused: Book[tuple[str, str, str], _Refused] = field(init=False, factory=Book, repr=False)

    @hookimpl
    def build_history(self, turn: Turn, request: Request) -> Request | None:
        """Mend the history.

        Raises:
            Unhealable: it cannot be mended, or shall not be.

        """
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
        sent, repairs = fitted(request, claude, profile, refused.marks)
        if repairs and self.strict:
            raise Unhealable(f"{request.model} would refuse this history: {told(repairs)}")
        _tell(turn, repairs)
        try:
            return await call_next(sent)
        except APIError as error:
            bare, marks = without_thoughts(sent)
            if self.strict or not marks or not _about_thoughts(error):
                raise
            refused.add(marks)
            turn.trace.note("heal", f"sent again without thoughts: {error.message}")
        return await call_next(bare)

    @hookimpl
    def register_commands(self, register: "Callable[[click.Command], None]") -> None:
        """Add ``hookline heal``."""
        from hookline_plugins.heal.command import command  # noqa: PLC0415 -- click is an extra

        register(command)


def _about_thoughts(error: APIError) -> bool:
    text: Any = error.message
    return (
        error.status == _BAD_REQUEST
        and "thinking" in text
        and ("signature" in text or "cannot be modified" in text)
    )


def _tell(turn: Turn, repairs: tuple[Repair, ...]) -> None:
    if repairs:
        turn.trace.note("heal", told(repairs))
