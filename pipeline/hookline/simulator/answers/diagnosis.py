"""``diagnostics``: why the prompt cache could not reuse what an earlier request had written (facts 7.3)."""

from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen

from hookline.simulator.answers.fingerprint import fingerprint

_MOST_KEPT: Final = 1_000

# In the order in which the API looks: the first difference is the reason.
_REASONS: Final = (
    ("model_changed", ("model", "speed")),
    ("system_changed", ("system",)),
    ("tools_changed", ("tools",)),
)
_OTHERS: Final = ("thinking", "tool_choice")  # they change the prompt too, and have no reason


@frozen
class _Seen:
    parts: Mapping[str, str]
    messages: tuple[str, ...]
    others: str
    tokens: int


class Diagnoses:
    """Remembers what requests said, by the id of their answer. The caller holds the lock."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def of(self, body: Mapping[str, Any], message_id: str, tokens: int) -> dict[str, Any] | None:
        """Compare a request with the one it names, and remember it.

        Args:
            body: A request with ``diagnostics``.
            message_id: The id of its answer.
            tokens: Its input tokens.

        Returns:
            The answer's ``diagnostics``: None where nothing is to be said.

        """
        now = _seen(body, tokens)
        self._seen[message_id] = now
        while len(self._seen) > _MOST_KEPT:
            del self._seen[next(iter(self._seen))]
        named = body["diagnostics"].get("previous_message_id")
        if named is None:
            return None
        before = self._seen.get(named)
        reason = _missed(before, now) if before else {"type": "previous_message_not_found"}
        return None if reason is None else {"cache_miss_reason": reason}


def _seen(body: Mapping[str, Any], tokens: int) -> _Seen:
    return _Seen(
        {reason: fingerprint(*map(body.get, names)) for reason, names in _REASONS},
        tuple(fingerprint(message) for message in body["messages"]),
        fingerprint(*map(body.get, _OTHERS)),
        tokens,
    )


def _missed(before: _Seen, now: _Seen) -> dict[str, Any] | None:
    for reason, _ in _REASONS:
        if before.parts[reason] != now.parts[reason]:
            return {"type": reason, "cache_missed_input_tokens": before.tokens}
    if now.messages[: len(before.messages)] != before.messages:
        return {"type": "messages_changed", "cache_missed_input_tokens": before.tokens}
    return {"type": "unavailable"} if before.others != now.others else None
