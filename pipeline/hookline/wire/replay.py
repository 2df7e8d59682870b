"""A response that is already there, as the events of a stream: the way back from `assembler`."""

from collections.abc import AsyncGenerator, Iterator
from typing import Any, Final

from hookline.values.blocks import (
    Block,
    CompactionBlock,
    MCPToolUseBlock,
    ServerToolUseBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
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
    MessageStart,
    MessageStop,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
)
from hookline.values.messages import Response
from hookline.wire import json
from hookline.wire.codec import structure_block, structure_event, structure_response, unstructure

__all__ = ["events_of", "events_of_block", "replayed"]

# What `message_delta` may set, and `message_start` therefore shows as null (facts 6.2).
_SET_AT_THE_END: Final = ("stop_reason", "stop_sequence", "stop_details", "container")


async def replayed(response: Response) -> AsyncGenerator[Event, None]:
    """Yield the events of ``events_of`` where a stream is read: for an answer out of a cache, say.

    Args:
        response: one that is whole.

    """
    for event in events_of(response):
        yield event


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
