"""Where a reply ends: at a stop sequence, or where its tokens run out."""

from collections.abc import Sequence
from typing import Any

from attrs import define, field, frozen

from hookline.simulator.measures.tokens import block_tokens, split


@frozen
class Draft:
    """A reply before it is written as JSON.

    Args:
        blocks: The content.
        stop_reason: Why it ended.
        stop_sequence: The one that matched, if any.
        tokens: Output tokens.
        thinking_tokens: Those of them that are thinking.

    """

    blocks: tuple[dict[str, Any], ...]
    stop_reason: str
    stop_sequence: str | None
    tokens: int
    thinking_tokens: int


@define
class _Meter:
    """What has been written so far."""

    room: int
    kept: list[dict[str, Any]] = field(factory=list)
    used: int = 0
    thinking: int = 0

    def end(self, reason: str, stop: str | None = None) -> Draft:
        return Draft(tuple(self.kept), reason, stop, self.used, self.thinking)

    def write(self, block: dict[str, Any], stops: Sequence[str]) -> Draft | None:
        """Add a block; return the finished reply when it ends in this one."""
        if self.room == 0:
            return self.end("max_tokens")
        if block["type"] in ("text", "thinking"):
            return self._write_text(block, stops if block["type"] == "text" else ())
        cost = block_tokens(block, {})
        if cost > self.room:
            if block["type"] == "tool_use":  # cut short: what stands there is not to be run
                self.kept.append({**block, "input": {}})
            self._spend(self.room)
            return self.end("max_tokens")
        self.kept.append(block)
        self._spend(cost)
        return None

    def _write_text(self, block: dict[str, Any], stops: Sequence[str]) -> Draft | None:
        name = block["type"]  # the field is called as the block is
        text, stop = _until_stop(block[name], stops)
        tokens = split(text)
        shown = tokens[: self.room]
        complete = len(shown) == len(tokens)
        if shown:
            self.kept.append({**block, name: "".join(shown)})
        self._spend(len(shown))
        if name == "thinking":
            self.thinking += len(shown)
        if not complete:
            return self.end("max_tokens")
        return None if stop is None else self.end("stop_sequence", stop)

    def _spend(self, tokens: int) -> None:
        self.room -= tokens
        self.used += tokens


def cut(blocks: Sequence[dict[str, Any]], limit: int, stops: Sequence[str]) -> Draft:
    """Cut a reply where a stop sequence matches or the tokens run out, whichever is first.

    Args:
        blocks: The whole reply.
        limit: Most tokens; 0 gives an empty reply, which only warms the cache.
        stops: The stop sequences.

    Returns:
        The reply as it is sent.

    """
    meter = _Meter(limit)
    if limit == 0:
        return meter.end("max_tokens")
    for block in blocks:
        ended = meter.write(block, stops)
        if ended is not None:
            return ended
    calls = any(block["type"] == "tool_use" for block in meter.kept)
    return meter.end("tool_use" if calls else "end_turn")


def _until_stop(text: str, stops: Sequence[str]) -> tuple[str, str | None]:
    """Return the text before the first stop sequence, and the one that was found."""
    found = [(place, stop) for stop in stops if (place := text.find(stop)) >= 0]
    if not found:
        return text, None
    place, stop = min(found, key=lambda item: item[0])
    return text[:place], stop
