"""From a stream of events to the response that the plain call would have given.

It works on the JSON of a block: what grew in a stream is put into the fields of the block as it
began, and the result is read like any other block. So blocks of types that we do not know grow by
the same rules, and nothing is lost. Pieces are kept in lists and joined once: the work is linear in
the length of the reply. The way back is in `replay`.

What an assembler took in silently although it does not belong would be text that one reader sees
and another does not. So it refuses it; `event_order` mends what can be mended before.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from hookline.errors import DecodeError
from hookline.values.blocks import (
    INVALID_JSON,
    Block,
    CompactionBlock,
    FallbackBlock,
    MCPToolUseBlock,
    ServerToolUseBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
    UnknownBlock,
)
from hookline.values.events import (
    CitationsDelta,
    CompactionDelta,
    ContentBlockDelta,
    ContentBlockStart,
    ContentBlockStop,
    Delta,
    Event,
    InputJSONDelta,
    MessageDelta,
    MessageStart,
    MessageStop,
    Ping,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    UnknownDelta,
)
from hookline.values.messages import Response
from hookline.values.tools.input import tool_input
from hookline.wire import json
from hookline.wire.codec import (
    structure_block,
    structure_response,
    unstructure,
)

__all__ = ["Assembler", "assemble_block", "grows_by"]

# The deltas that each class of block grows by; on blocks of unknown type all are applied.
_GROWS_BY: Final[Mapping[type[Block], tuple[type[Delta], ...]]] = {
    TextBlock: (TextDelta, CitationsDelta),
    ThinkingBlock: (ThinkingDelta, SignatureDelta),
    ToolUseBlock: (InputJSONDelta,),
    ServerToolUseBlock: (InputJSONDelta,),
    MCPToolUseBlock: (InputJSONDelta,),
    CompactionBlock: (CompactionDelta,),
    UnknownBlock: (
        TextDelta,
        CitationsDelta,
        ThinkingDelta,
        SignatureDelta,
        InputJSONDelta,
        CompactionDelta,
        UnknownDelta,
    ),
}
# Fields of the message that the API may send beside the delta of `message_delta`.
_BESIDE_THE_DELTA: Final = ("context_management", "input_transformations", "diagnostics")


def grows_by(block: Block) -> tuple[type[Delta], ...]:
    """Return the classes of deltas that a block grows by (facts 6.2)."""
    return _GROWS_BY.get(type(block), ())


def _overlay(data: dict[str, Any], patch: Mapping[str, Any]) -> None:
    """Set fields; a null never hides a value (facts 6.3)."""
    for key, value in patch.items():
        if value is not None or key not in data:
            data[key] = value


def _tool_input(raw: str) -> Mapping[str, Any]:
    try:
        value = json.loads_unique(raw.encode("utf-8", "surrogatepass"))
    except (json.JSONDecodeError, RecursionError):
        return {INVALID_JSON: raw}
    return value if isinstance(value, dict) else tool_input(raw)


class _OpenBlock:
    """A block as it began, and what came since."""

    def __init__(self, start: Block) -> None:
        self.start = start
        self.allowed = grows_by(start)
        self.text: list[str] = []  # by far the most pieces
        self.others: list[Delta] = []

    def add(self, delta: Delta) -> None:
        if type(delta) not in self.allowed:
            if isinstance(delta, UnknownDelta):
                return  # facts 6.6: ignored where the block is known
            raise DecodeError(f"a {self.start.type} block does not grow by a {delta.type}", "")
        if isinstance(delta, TextDelta):
            self.text.append(delta.text)
        else:
            self.others.append(delta)

    def build(self) -> Block:
        if not self.text and not self.others:
            return self.start
        data = unstructure(self.start)
        strings: dict[str, list[str]] = {"text": self.text} if self.text else {}
        for delta in self.others:
            if isinstance(delta, CitationsDelta):
                # An explicit null, or none at all, becomes a list with the first citation.
                data["citations"] = data.get("citations") or []
                data["citations"].append(unstructure(delta.citation))
                continue
            patch = unstructure(delta)
            del patch["type"]
            if isinstance(delta, CompactionDelta):
                _overlay(data, patch)
                continue
            for key, value in patch.items():
                if isinstance(value, str):
                    strings.setdefault(key, []).append(value)
                else:
                    _overlay(data, {key: value})
        self._grow(data, strings)
        return structure_block(data)

    @staticmethod
    def _grow(data: dict[str, Any], strings: dict[str, list[str]]) -> None:
        raw = "".join(strings.pop("partial_json", ()))
        if raw.strip():  # a tool without parameters may stream nothing but ""
            data["input"] = _tool_input(raw)
        for key, pieces in strings.items():
            before = data.get(key)
            data[key] = (before if isinstance(before, str) else "") + "".join(pieces)


class Assembler:
    """Puts a response together from its events.

    Tool input that turns out to be no JSON object, because the stream ended within it or the tool
    streams raw text, becomes ``{"INVALID_JSON": raw}``; `ToolUseBlock.invalid_json` tells.
    Events of unknown types are ignored, and so are pings and errors: those are for the caller.
    Blocks stand in the order in which they began.

    Attributes:
        complete: whether ``message_stop`` has come.

    """

    def __init__(self) -> None:
        self.complete = False
        self._start: Response | None = None
        self._head: dict[str, Any] = {}  # the response's JSON without the content
        self._blocks: dict[int, Block | _OpenBlock] = {}

    def feed(self, event: Event) -> None:
        """Take in the next event.

        Args:
            event: any event.

        Raises:
            DecodeError: it does not belong here by the order of the protocol (facts 6.2). What
                came before stands, as if the event had not been fed.

        """
        if isinstance(event, ContentBlockDelta):
            block = self._blocks.get(event.index)
            if not isinstance(block, _OpenBlock):
                raise self._misplaced(event, event.index, "is not open")
            delta = event.delta
            if type(delta) is TextDelta and TextDelta in block.allowed:
                block.text.append(delta.text)  # as nearly all of them; a call costs more
            else:
                block.add(delta)
        elif isinstance(event, ContentBlockStart):
            self._begin_block(event)
        elif isinstance(event, ContentBlockStop):
            self._end_block(event)
        elif isinstance(event, MessageStart):
            self._begin(event)
        elif isinstance(event, MessageDelta):
            self._change(event)
        elif isinstance(event, MessageStop):
            self.complete = True

    def _begin(self, event: MessageStart) -> None:
        if self._start is not None:
            raise DecodeError("a second message_start in one stream")
        self._start = event.message
        self._head = unstructure(event.message)
        self._blocks = dict(enumerate(event.message.content))

    def _begin_block(self, event: ContentBlockStart) -> None:
        if self._start is None:
            raise self._misplaced(event, event.index, "comes before message_start")
        if self.complete or event.index in self._blocks:
            when = "comes after message_stop" if self.complete else "has begun already"
            raise self._misplaced(event, event.index, when)
        self._blocks[event.index] = _OpenBlock(event.content_block)

    def _end_block(self, event: ContentBlockStop) -> None:
        block = self._blocks.get(event.index)
        if not isinstance(block, _OpenBlock):
            raise self._misplaced(event, event.index, "is not open")
        self._blocks[event.index] = block.build()

    @staticmethod
    def _misplaced(event: Event, index: int, why: str) -> DecodeError:
        return DecodeError(f"{event.type} for a block that {why}", f"$.content[{index}]")

    def _change(self, event: MessageDelta) -> None:
        _overlay(self._head, unstructure(event.delta))
        usage = unstructure(event.usage) if event.usage is not None else {}
        if usage:
            known = self._head.get("usage")
            totals = dict(known) if isinstance(known, dict) else {}
            _overlay(totals, usage)
            self._head["usage"] = totals
        _overlay(self._head, {k: v for k, v in event.extra.items() if k in _BESIDE_THE_DELTA})

    @property
    def response(self) -> Response:
        """The whole response.

        Raises:
            DecodeError: ``message_start`` or ``message_stop`` has not come.

        """
        if not self.complete or self._start is None:
            missing = "message_stop" if self._start is not None else "message_start"
            raise DecodeError(f"the stream had no {missing}; partial() gives what has arrived", "")
        return self.partial()

    def partial(self) -> Response:
        """Build what has arrived so far; costs as much as the reply is long.

        Returns:
            A response whose ``stop_reason`` is None unless it has come already.

        """
        if self._start is None:
            return Response()
        content = [
            block.build() if isinstance(block, _OpenBlock) else block
            for block in self._blocks.values()
        ]
        response = structure_response({**self._head, "content": []})
        return response.evolve(
            model=_served_by(content) or response.model,
            content=content,
            status=self._start.status,
            headers=self._start.headers,
        )


def _served_by(content: Iterable[Block]) -> str | None:
    """Return the model that a fallback at the API went to last; a stream begins with the first one."""
    hops = [block.to.get("model") for block in content if isinstance(block, FallbackBlock)]
    return hops[-1] if hops and isinstance(hops[-1], str) else None


def assemble_block(events: Iterable[Event]) -> Block:
    """Put one content block together.

    Args:
        events: its ``ContentBlockStart``, then its deltas; other events are ignored.

    Returns:
        The block as it is at the last event.

    Raises:
        DecodeError: the first event is not a ``ContentBlockStart``.

    """
    arriving = iter(events)
    first = next(arriving, Ping())
    if not isinstance(first, ContentBlockStart):
        raise DecodeError("a block's events begin with content_block_start", "")
    block = _OpenBlock(first.content_block)
    for event in arriving:
        if isinstance(event, ContentBlockDelta):
            block.add(event.delta)
    return block.build()
