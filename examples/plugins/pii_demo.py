"""Personal data goes out as placeholders, and comes back as what it was."""

import re

from attrs import field, frozen

from hookline import CallNext, Request, Response, StreamFilter, Turn, hookimpl
from hookline.plugin import Layer, TurnState

_LONGEST = 24  # characters of a placeholder


class _Table:
    """The placeholders of one turn."""

    def __init__(self) -> None:
        self.hidden: dict[str, str] = {}

    def placeholder(self, found: re.Match[str]) -> str:
        return self.hidden.setdefault(found[0], f"[PERSONAL_{len(self.hidden) + 1}]")

    def restored(self, text: str) -> str:
        known = {placeholder: value for value, placeholder in self.hidden.items()}
        return re.sub(r"\[PERSONAL_\d+\]", lambda found: known.get(found[0], found[0]), text)


@frozen
class PIIDemo:
    """Hides e-mail addresses and card numbers from the model, and shows them to the user again.

    Attributes:
        patterns: regular expressions of what is hidden.

    """

    name = "pii-demo"
    contract = ">=1,<2"
    layer = Layer.REDACT
    mirrored = True
    patterns: tuple[str, ...] = field(
        default=(r"[\w.+-]+@[\w-]+\.[\w.-]+\w", r"\b(?:\d[ -]?){13,19}\b")
    )
    _table = TurnState(_Table)

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        """Hide it on the way out, wherever it stands."""
        table, pattern = self._table[turn], re.compile("|".join(self.patterns))
        return await call_next(request.map_text(lambda text: pattern.sub(table.placeholder, text)))

    @hookimpl
    def filter_stream(self, turn: Turn) -> StreamFilter:
        """Put it back, in streams too."""
        return StreamFilter.deltas(self._table[turn].restored, look_behind=_LONGEST)
