"""The prompt cache, as far as usage shows it: what was written, what was read."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

from attrs import frozen

from hookline.simulator import json
from hookline.simulator.measures.tokens import Part
from hookline.simulator.rules.request import Checked

_LOOKBACK: Final = 20
_LIFE: Final = {"5m": 300.0, "1h": 3600.0}


@frozen
class Cached:
    """What the cache did for one request, in tokens.

    Args:
        read: Found in the cache.
        written_5m: Written for five minutes.
        written_1h: Written for an hour.

    """

    read: int = 0
    written_5m: int = 0
    written_1h: int = 0

    @property
    def written(self) -> int:
        """All that was written."""
        return self.written_5m + self.written_1h


class PromptCache:
    """Remembers prefixes. The caller holds the lock.

    Args:
        clock: Seconds since 1970.

    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._expires: dict[bytes, float] = {}

    def account(self, parts: Sequence[Part], checked: Checked, total: int) -> Cached:
        """Read and write the prefixes of one request.

        Args:
            parts: The request in the order of hashing.
            checked: The request.
            total: All its input tokens.

        Returns:
            The counts; nothing for a request without breakpoints or below the model's minimum.

        """
        marks = _breakpoints(parts, checked)
        if not marks:
            return Cached()
        now = self._clock()
        self._expires = {key: end for key, end in self._expires.items() if end > now}
        prefixes = _prefixes(parts, checked)
        longest = min(prefixes[max(marks)][1], total)
        if longest < checked.facts.min_cacheable:
            return Cached()
        read = 0
        for mark in marks:
            for place in range(mark, max(-1, mark - _LOOKBACK), -1):
                key, tokens = prefixes[place]
                if key in self._expires:
                    read = max(read, tokens)
                    self._expires[key] = max(self._expires[key], now + _LIFE[marks[mark]])
                    break
        written = {"5m": 0, "1h": 0}
        done = read
        for mark in sorted(marks):
            key, tokens = prefixes[mark]
            if tokens > done:
                written[marks[mark]] += tokens - done
                done = tokens
            self._expires[key] = max(self._expires.get(key, 0.0), now + _LIFE[marks[mark]])
        return Cached(read, written["5m"], written["1h"])


def _breakpoints(parts: Sequence[Part], checked: Checked) -> dict[int, str]:
    marks = {place: part.ttl for place, part in enumerate(parts) if part.ttl is not None}
    automatic = checked.body.get("cache_control")
    if automatic and parts:
        marks.setdefault(len(parts) - 1, automatic.get("ttl") or "5m")
    return marks


def _prefixes(parts: Sequence[Part], checked: Checked) -> list[tuple[bytes, int]]:
    """Return, for each part, the hash and the tokens of everything up to it."""
    digest = hashlib.sha256(checked.facts.id.encode())
    body = checked.body
    settings = {
        "messages": [body.get("tool_choice"), body.get("thinking")],
        "system": body.get("speed"),
    }
    found: list[tuple[bytes, int]] = []
    tokens, section = 0, ""
    for part in parts:
        if part.section != section:  # a new setting spoils its own section and what follows
            section = part.section
            digest.update(json.dumps([section, settings.get(section)]))
        digest.update(json.dumps(part.content))
        tokens += part.tokens
        found.append((digest.digest(), tokens))
    return found
