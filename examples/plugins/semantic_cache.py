"""Answers a question that means the same as an earlier one of the same user, without asking again."""

import re
import threading

from attrs import define, field

from hookline import CallNext, Request, Response, Turn, hookimpl
from hookline.plugin import Book, Layer, option


def _meaning(text: str) -> frozenset[str]:
    """Return the words that carry a question; put an embedding here."""
    return frozenset(re.findall(r"\w+", text.lower())) - {"the", "a", "an", "please", "is"}


@define
class SemanticCache:
    """Keeps answers by meaning, for each user, model and system prompt apart.

    Attributes:
        alike: how many of the words two questions share to mean the same, from 0 to 1.

    """

    contract = ">=1,<2"
    layer = Layer.CACHE
    alike: float = field(default=0.9, metadata=option(harmless=True, least=0, most=1))
    _kept: Book[object, list[tuple[frozenset[str], Response]]] = field(
        factory=Book, init=False, repr=False
    )
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        """Answer from memory, or ask and remember; only single questions of text alone."""
        single = len(request.messages) == 1 and isinstance(request.messages[0].content, str)
        if not single or request.tools or not turn.asks_model:
            return await call_next(request)
        meaning = _meaning(request.messages[0].text)
        # Everything but the question must be the same.
        rest = repr(request.evolve(messages=[{"role": "user", "content": "?"}]))
        key = (turn.principal, turn.account, str(request.system), rest)
        with self._lock:
            kept = self._kept.get(key, list)
            found = next((answer for words, answer in kept if self._same(words, meaning)), None)
        if found is not None:
            turn.trace.note("semantic-cache", "answered from memory")
            return found
        response = await call_next(request)
        if response.events is None and response.stop_reason == "end_turn":
            with self._lock:
                kept.append((meaning, response))
        return response

    def _same(self, one: frozenset[str], two: frozenset[str]) -> bool:
        return bool(one) and len(one & two) / len(one | two) >= self.alike
