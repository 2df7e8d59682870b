"""What was said, summed up by a model: asked inside the same turn, through everything that a request passes."""

import json
from collections.abc import Iterator, Sequence
from typing import Final

from hookline import Block, CallNext, Message, Request, TextBlock, ToolResultBlock, Turn
from hookline.models import ModelFacts, cost
from hookline.plugin import estimate_message, whole
from hookline.values import ToolUseBlock, thaw

__all__ = ["as_message", "is_summary", "pieces", "price_of", "summed_up"]

_ASKED: Final = (
    "Sum up the conversation below for somebody who will go on with it and sees nothing else of it. Keep names, "
    "numbers, decisions, open questions, and what the user wants. Write the summary alone."
)
_BEGINS: Final = "<summary_of_the_conversation_so_far>"
_ENDS: Final = "</summary_of_the_conversation_so_far>"


def as_message(summary: str) -> Message:
    """Return a summary as what stands in the place of what it sums up."""
    return Message("user", f"{_BEGINS}\n{summary}\n{_ENDS}")


def is_summary(message: Message) -> bool:
    """Say whether a message is such a summary."""
    return isinstance(message.content, str) and message.content.startswith(_BEGINS)


def pieces(
    messages: Sequence[Message], most: float, facts: ModelFacts | None
) -> Iterator[list[Message]]:
    """Yield the messages in runs of about ``most`` tokens."""
    run: list[Message] = []
    size = 0.0
    for message in messages:
        each = estimate_message(message, facts)
        if run and size + each > most:
            yield run
            run, size = [], 0.0
        run.append(message)
        size += each
    if run:
        yield run


def price_of(messages: Sequence[Message], longest: int, facts: ModelFacts | None) -> str:
    """Return in words what a summary would about cost; empty where the price is not known.

    Args:
        messages: to be summed up.
        longest: tokens of the summary.
        facts: of the model that would be asked.

    """
    if facts is None:
        return ""
    read = round(sum(estimate_message(each, facts) for each in messages))
    price = cost(facts, input_tokens=read, output_tokens=longest)
    return "" if price is None else f", for about USD {price:.6f}"


async def summed_up(
    turn: Turn,
    request: Request,
    messages: Sequence[Message],
    earlier: str,
    call_next: CallNext,
) -> str:
    """Ask for a summary.

    Args:
        turn: the turn; its trace has the attempt, and its cost holds the summary's.
        request: asks; its own message is replaced.
        messages: what is to be summed up.
        earlier: the summary of what was before them; empty for nothing.
        call_next: the layers inside.

    Returns:
        The summary; empty if the model gave none.

    """
    said = "\n\n".join(map(_written, messages))
    before = f"{_BEGINS}\n{earlier}\n{_ENDS}\n\n" if earlier else ""
    words = f"{_ASKED}\n\n<conversation>\n{before}{said}\n</conversation>"
    response = await whole(await call_next(request.evolve(messages=(Message("user", words),))))
    usage = response.usage
    paid = turn.models.price([(response.model, usage)])
    price = f", USD {paid:.6f}" if paid is not None else ""
    turn.trace.note(
        "trim",
        f"{len(messages)} messages summed up by {response.model}: {usage.total_input} tokens read, "
        f"{usage.output_tokens} written{price}",
    )
    return "" if response.stop_reason == "refusal" else response.text.strip()


def _written(message: Message) -> str:
    if is_summary(message):
        return message.text
    return f"{message.role}: " + "\n".join(map(_in_words, message.blocks))


def _in_words(block: Block) -> str:
    if isinstance(block, TextBlock):
        return block.text
    if isinstance(block, ToolUseBlock):
        return f"[calls {block.name} with {json.dumps(thaw(block.input), ensure_ascii=False)}]"
    if isinstance(block, ToolResultBlock):
        content = block.content
        told = content if isinstance(content, str) else " ".join(map(_in_words, content or ()))
        return f"[result: {told}]"
    return f"[{block.type}]"
