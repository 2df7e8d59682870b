"""How a prefill is done: a decision about the model and the server at hand, taken for each attempt."""

import json
from collections.abc import Mapping
from typing import Any, Final

from hookline import InputError, Message, Request, TextBlock, Turn
from hookline.profiles import profile_of
from hookline.values import PrefillMode, PrefillWay

__all__ = [
    "INSTRUCTION",
    "SMALL",
    "continues",
    "instructed",
    "placed",
    "takes_schema",
    "trailing_words",
    "with_instruction",
]

INSTRUCTION: Final = (
    "Your reply has already been started with the words between the tags. Write only what comes "
    "directly after them, as their continuation; do not repeat them and do not comment on them.\n"
    "<reply_so_far>{words}</reply_so_far>"
)
SMALL: Final = 32  # tokens; with more, what a repeat takes of them is no matter
_PREAMBLE: Final = 64
_THOUGHTS: Final = 1024


def trailing_words(request: Request) -> tuple[Request, str] | None:
    """Return a request that ends in an assistant's words with those words apart, and the words.

    A turn that ends in a tool call or in the result of a server tool is none: it is to be answered
    or continued by itself (facts 4.2). Nor is one that a fallback credit continues.
    """
    if not request.messages or request.messages[-1].role != "assistant":
        return None
    if request.fallback_credit_token is not None:
        return None
    *earlier, last = request.messages
    blocks = last.blocks
    count = 0
    while count < len(blocks) and isinstance(blocks[-1 - count], TextBlock):
        count += 1
    words = "".join(
        block.text for block in blocks[len(blocks) - count :] if isinstance(block, TextBlock)
    )
    if not words.strip():
        return None
    before = blocks[: len(blocks) - count]
    kept = (*earlier, last.evolve(content=before)) if before else tuple(earlier)
    return request.evolve(messages=(*kept, Message("assistant", words))), words


def continues(turn: Turn, request: Request) -> bool:
    """Say whether the server at hand lets the model continue a final assistant message.

    Models that the table does not know run on other servers, whose chat templates mostly do.
    """
    facts = turn.models.get(request.model)
    profile = profile_of(turn.destination)
    if facts is not None and facts.line is not None and not profile.claude:
        facts = None  # a name that somebody gave a model of another kind
    thinking = (request.thinking or {}).get("type")
    thinks = thinking not in (None, "disabled") if facts is None else facts.thinks(thinking)
    if thinks or _format(turn, request):
        return False  # facts 4.3: incompatible with thinking and with structured output
    return facts is None or facts.prefill


def placed(
    turn: Turn, request: Request, words: str, asked: PrefillMode, *, given: bool = True
) -> tuple[PrefillWay, Request]:
    """Put the words in the model's mouth, as model and server at hand take them.

    Args:
        turn: with the destination as it is now.
        request: ends in the words, as an assistant message of their own.
        words: the words.
        asked: the mode that was asked for.
        given: whether the caller wrote them as ``prefill=``, and not in ``messages``.

    Returns:
        What is done, and the request that does it.

    Raises:
        InputError: it cannot be done so.

    """
    mode = _mode(turn, request, words, asked)
    without = request.evolve(messages=request.messages[:-1])
    if mode == "structured":
        return mode, without
    if mode == "instructed":
        return mode, instructed(turn, without, words)
    if words == words.rstrip() or profile_of(turn.destination).trailing_space:
        return mode, request
    if given:
        raise InputError(
            f"the prefill ends in whitespace, which {request.model} refuses; end it with the last "
            f"word: {words.rstrip()[-30:]!r}"
        )
    return mode, without.append(Message("assistant", words.rstrip()))


def _mode(turn: Turn, request: Request, words: str, asked: PrefillMode) -> PrefillWay:
    if asked in ("native", "error"):
        if not continues(turn, request):
            raise InputError(
                f"{request.model} does not continue an assistant message (prefill) in this request. "
                'Use prefill_mode="auto" or "instructed", which tells the model to continue from '
                "the words; or a model up to 4.5, without thinking and structured output"
            )
        return "native"
    if asked == "structured" or (
        asked == "auto" and turn.options.output and _format(turn, request)
    ):
        if _opens(words, _format(turn, request)):
            return "structured"
        raise InputError(
            "output= and this prefill= exclude each other: the schema decides how the reply begins, "
            "and it does not begin so"
            if _format(turn, request)
            else 'prefill_mode="structured" needs output=: the schema makes the reply begin so'
        )
    if asked == "auto" and continues(turn, request):
        return "native"
    return "instructed"


def takes_schema(turn: Turn, request: Request) -> bool:
    """Say whether the server at hand holds the model to ``output_config.format``."""
    if not profile_of(turn.destination).output_config:
        return False  # whatever the model is called there
    facts = turn.models.get(request.model)
    return request.model.startswith("claude-") or (facts is not None and facts.line is not None)


def _format(turn: Turn, request: Request) -> Mapping[str, Any] | None:
    """Return what binds the reply to a schema, if anything does."""
    wanted = (request.output_config or {}).get("format")
    return wanted if isinstance(wanted, Mapping) and takes_schema(turn, request) else None


def _opens(words: str, wanted: Mapping[str, Any] | None) -> bool:
    """Say whether every JSON of a schema begins with the words, white space aside.

    Required properties come first, in the order of the schema (facts 11), so the first key is known.
    """
    schema = (wanted or {}).get("schema")
    if not isinstance(schema, Mapping) or schema.get("type") != "object":
        return False
    names = schema.get("properties") or {}
    required = [name for name in names if name in (schema.get("required") or ())]
    sure = "{" + (json.dumps(required[0]) + ":" if required else "")
    return sure.startswith("".join(words.split()))


def instructed(turn: Turn, request: Request, words: str) -> Request:
    """Tell the model to continue from the words.

    Where few tokens were asked for, more are: the model may repeat the words, and think, before it
    comes to what was wanted. What is too much is cut here.
    """
    told = with_instruction(request, INSTRUCTION.format(words=words))
    room = request.max_tokens
    if 0 < room <= SMALL:
        facts = turn.models.get(request.model)
        room += len(words) // 2 + _PREAMBLE
        thinking = (request.thinking or {}).get("type")
        room += _THOUGHTS if facts is not None and facts.thinks(thinking) else 0
    return told.evolve(max_tokens=room)


def with_instruction(request: Request, text: str) -> Request:
    """Tell the model at the end of the last user message, so that the prompt's beginning stays."""
    instruction = TextBlock(text)
    if not request.messages or request.messages[-1].role != "user":
        return request.append(Message("user", (instruction,)))
    *earlier, last = request.messages
    told = last.evolve(content=(*last.blocks, instruction))
    return request.evolve(messages=(*earlier, told))
