"""From a stream of events to the response that the plain call would have given, and back.

Both work on the JSON of a block: what grew in a stream is put into the fields of the block as it
began, and the result is read like any other block. So blocks of types that we do not know grow by
the same rules, and nothing is lost. Pieces are kept in lists and joined once: the work is linear in
the length of the reply.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from hookline.errors import DecodeError
from hookline.values.blocks import (
    INVALID_JSON,
    Block,
    CompactionBlock,
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
from hookline.wire import json
from hookline.wire.codec import (
    structure_block,
    structure_event,
    structure_response,
    unstructure,
)

__all__ = ["Assembler", "assemble_block", "events_of", "events_of_block"]

# The deltas that each class of block grows by. Others are ignored (facts 6.6), except on blocks of
# unknown type, where all are applied.
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
# What `message_delta` may set, and `message_start` therefore shows as null (facts 6.2).
_SET_AT_THE_END: Final = ("stop_reason", "stop_sequence", "stop_details", "container")
# Fields of the message that the API may send beside the delta of `message_delta`.
_BESIDE_THE_DELTA: Final = ("context_management", "input_transformations", "diagnostics")


def _overlay(data: dict[str, Any], patch: Mapping[str, Any]) -> None:
    """Set fields; a null never hides a value (facts 6.3)."""
    for key, value in patch.items():
        if value is not None or key not in data:
            data[key] = value


def _tool_input(raw: str) -> Mapping[str, Any]:
    try:
        value = json.loads(raw)
    except (json.JSONDecodeError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {INVALID_JSON: raw}


class _OpenBlock:
    """A block as it began, and what came since."""

    def __init__(self, start: Block) -> None:
        self.start = start
        self.allowed = _GROWS_BY.get(type(start), ())
        self.text: list[str] = []  # by far the most pieces
        self.others: list[Delta] = []

    def add(self, delta: Delta) -> None:
        if type(delta) not in self.allowed:
            return
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

        """
        if isinstance(event, ContentBlockDelta):
            block = self._blocks.get(event.index)
            if isinstance(block, _OpenBlock):
                block.add(event.delta)
        elif isinstance(event, ContentBlockStart):
            self._blocks[event.index] = _OpenBlock(event.content_block)
        elif isinstance(event, ContentBlockStop):
            block = self._blocks.get(event.index)
            if isinstance(block, _OpenBlock):
                self._blocks[event.index] = block.build()
        elif isinstance(event, MessageStart):
            self._start = event.message
            self._head = unstructure(event.message)
            self._blocks = {
                index: _OpenBlock(block) for index, block in enumerate(event.message.content)
            }
        elif isinstance(event, MessageDelta):
            self._change(event)
        elif isinstance(event, MessageStop):
            self.complete = True

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
            for _, block in sorted(self._blocks.items())
        ]
        response = structure_response({**self._head, "content": []})
        return response.evolve(
            content=content, status=self._start.status, headers=self._start.headers
        )


def events_of(response: Response) -> Iterator[Event]:
    """Stream a response that is already there.

    Args:
        response: any response.

    Yields:
        Its events in the documented order, each text in one delta. An `Assembler` makes an equal
        response of them.

    """
    data = unstructure(response)
    final = {key: data[key] for key in _SET_AT_THE_END if data.get(key) is not None}
    start = {**data, **dict.fromkeys(final), "content": []}
    usage = data.get("usage")
    if isinstance(usage, dict) and isinstance(usage.get("output_tokens"), int):
        start["usage"] = {**usage, "output_tokens": min(1, usage["output_tokens"])}
    yield MessageStart(
        structure_response(start).evolve(status=response.status, headers=response.headers)
    )
    for index, block in enumerate(response.content):
        yield from events_of_block(index, block)
    # Read as an event, because a value that does not fit its field must survive here too.
    totals = {"usage": usage} if isinstance(usage, dict) else {}
    yield structure_event({"type": "message_delta", "delta": final, **totals})
    yield MessageStop()


def events_of_block(index: int, block: Block) -> Iterator[Event]:
    """Stream one content block that is already there.

    Args:
        index: its position in the response.
        block: any block.

    Yields:
        Its start, its deltas and its stop.

    """
    begun, deltas = _taken_apart(block)
    yield ContentBlockStart(index, begun)
    for delta in deltas:
        yield ContentBlockDelta(index, delta)
    yield ContentBlockStop(index)


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


def _taken_apart(block: Block) -> tuple[Block, list[Delta]]:
    """Split a block into how it begins and the deltas that complete it."""
    deltas: list[Delta] = []
    empty: dict[str, Any] = {}
    if isinstance(block, TextBlock):
        empty["text"] = ""
        deltas = [TextDelta(block.text)]
        if block.citations:
            empty["citations"] = []
            deltas += [CitationsDelta(citation) for citation in block.citations]
    elif isinstance(block, ThinkingBlock):
        empty = {"thinking": "", "signature": ""}
        # Thinking that is not shown streams only its signature.
        deltas = [ThinkingDelta(block.thinking)] if block.thinking else []
        deltas.append(SignatureDelta(block.signature))
    elif isinstance(block, ToolUseBlock | ServerToolUseBlock | MCPToolUseBlock):
        empty["input"] = {}
        raw = json.dumps(block.input).decode() if block.input else ""
        deltas = [InputJSONDelta(raw)]
    elif isinstance(block, CompactionBlock) and block.content is not None:
        empty["content"] = None
        deltas = [CompactionDelta(block.content)]
    if not deltas:
        return block, []
    return structure_block({**unstructure(block), **empty}), deltas
