"""The call of the tool that takes the answer, made into the text that it stands for.

So nobody further out, a filter, a cache or a conversation, has to know in which way the model was asked.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator

from hookline import Block, Response, TextBlock, ToolUseBlock
from hookline.plugin import Relay, close
from hookline.values import (
    ContentBlockDelta,
    ContentBlockStart,
    ContentBlockStop,
    Event,
    InputJSONDelta,
    MessageDelta,
    TextDelta,
    thaw,
)
from hookline.wire import dumps

__all__ = ["answer_as_text"]


def answer_as_text(response: Response, name: str) -> Response:
    """Return a response in which calls of a tool are texts.

    Args:
        response: whole, or a stream that has begun.
        name: of the tool.

    """
    if response.events is not None:
        return response.evolve(events=Relay(response.events, _passed(response.events, name)))
    content = tuple(_text(block, name) for block in response.content)
    if content == response.content:
        return response
    others = any(isinstance(block, ToolUseBlock) for block in content)
    reason = response.stop_reason if others else _ended(response.stop_reason)
    return response.evolve(content=content, stop_reason=reason)


def _text(block: Block, name: str) -> Block:
    if not isinstance(block, ToolUseBlock) or block.name != name:
        return block
    return TextBlock(block.invalid_json or dumps(thaw(block.input)).decode())


def _ended(reason: str | None) -> str | None:
    return "end_turn" if reason == "tool_use" else reason


class _Texts:
    """Turns the events of such calls into those of texts; holds nothing back."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._ours: set[int] = set()
        self._others = False
        self._brought = ""  # an input that came with the block's start, unless deltas follow

    def feed(self, event: Event) -> Iterator[Event]:
        if isinstance(event, ContentBlockStart) and isinstance(event.content_block, ToolUseBlock):
            yield self._begun(event, event.content_block)
        elif isinstance(event, ContentBlockDelta) and event.index in self._ours:
            self._brought = ""
            yield _as_text(event)
        elif isinstance(event, ContentBlockStop) and event.index in self._ours and self._brought:
            yield ContentBlockDelta(event.index, TextDelta(self._brought))
            self._brought = ""
            yield event
        elif isinstance(event, MessageDelta) and self._ours and not self._others:
            reason = _ended(event.delta.stop_reason)
            yield event.evolve(delta=event.delta.evolve(stop_reason=reason))
        else:
            yield event

    def _begun(self, event: ContentBlockStart, block: ToolUseBlock) -> Event:
        if block.name != self._name:
            self._others = True
            return event
        self._ours.add(event.index)
        self._brought = dumps(thaw(block.input)).decode() if block.input else ""
        return event.evolve(content_block=TextBlock(""))


def _as_text(event: ContentBlockDelta) -> Event:
    if not isinstance(event.delta, InputJSONDelta):
        return event
    return event.evolve(delta=TextDelta(event.delta.partial_json))


async def _passed(source: AsyncIterator[Event], name: str) -> AsyncGenerator[Event, None]:
    texts = _Texts(name)
    try:
        async for event in source:
            for each in texts.feed(event):
                yield each
    finally:
        await close(source)
