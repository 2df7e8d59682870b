"""How a prefill is done: a decision about the model and the server at hand, taken for each attempt."""

import json
from collections.abc import Mapping
from typing import Any, Final

from hookline import APIError, InputError, Message, Request, TextBlock, Turn
from hookline.models import ModelFacts
from hookline.values import PrefillMode, PrefillWay

__all__ = [
    "SMALL",
    "continued",
    "continues",
    "instructed",
    "placed",
    "refuses_prefill",
    "stops_within",
    "takes_schema",
    "trailing_words",
    "with_instruction",
]

# To write the words first fixes what follows them, white space included: "Hello", told to be continued, comes
# back as "there", and told to be begun with as "Hello there".
_BEGIN: Final = (
    "Begin your reply with exactly the words between the tags, character for character: no "
    "introduction, no quotation marks and no code fence before them. Then go on from there.\n"
    "<reply_so_far>{words}</reply_so_far>"
)
_CONTINUE: Final = (
    "Your reply has already been started with the words between the tags. Write only what comes "
    "directly after them, as their continuation; do not repeat them and do not comment on them.\n"
    "<reply_so_far>{words}</reply_so_far>"
)
SMALL: Final = 32  # tokens; with more, what a repeat takes of them is no matter
_LONG: Final = 400  # characters; longer words are not worth being paid for twice
_PREAMBLE: Final = 64
_THOUGHTS: Final = 1024
_BAD_REQUEST: Final = 400
_REFUSALS: Final = ("prefill", "end with a user message")  # facts 4.2


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


def continues(turn: Turn, request: Request) -> bool | None:
    """Say whether the server at hand lets the model continue a final assistant message.

    Returns:
        None where nobody knows: of a Claude that is not in the table. Models of other kinds run on other
        servers, whose chat templates mostly do (facts 4.2).

    """
    if turn.learned("prefill", request.model) is False:
        return False
    facts = _claude(turn, request.model)
    thinking = (request.thinking or {}).get("type")
    thinks = thinking not in (None, "disabled") if facts is None else facts.thinks(thinking)
    if thinks or _format(turn, request):
        return False  # facts 4.3: incompatible with thinking and with structured output
    if facts is not None:
        return facts.prefill
    registered = turn.models.get(request.model)
    if registered is not None and registered.line is None and registered.confirmed("prefill"):
        return registered.prefill
    return None if _may_be_claude(turn, request.model) else True


def _claude(turn: Turn, model: str) -> ModelFacts | None:
    """Return the facts of a Claude; None of any other model, and where a server calls others so."""
    facts = turn.models.get(model) if turn.profile.claude else None
    return facts if facts is not None and facts.line is not None else None


def _may_be_claude(turn: Turn, model: str) -> bool:
    profile = turn.profile
    return profile.all_rules or (profile.claude and turn.models.is_claude(model))


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
    within = stops_within(request, words)
    others = tuple(each for each in request.stop_sequences or () if each not in within)
    without = request.evolve(messages=request.messages[:-1], stop_sequences=others or None)
    if mode == "structured":
        return mode, without
    if mode == "instructed":
        return mode, instructed(turn, without, words)
    spaced = turn.profile.trailing_space or not _may_be_claude(turn, request.model)
    if words == words.rstrip() or spaced:
        return mode, request
    if given:
        raise InputError(
            f"the prefill ends in whitespace, which {request.model} refuses; end it with the last "
            f"word: {words.rstrip()[-30:]!r}"
        )
    return mode, without.append(Message("assistant", words.rstrip()))


def _mode(turn: Turn, request: Request, words: str, asked: PrefillMode) -> PrefillWay:
    able = continues(turn, request)
    if asked == "native" and able is not False:
        return "native"
    if asked in ("native", "error"):
        if able:
            return "native"
        does = "does not continue" if able is False else "is unknown here; it may not continue"
        raise InputError(
            f"{request.model} {does} an assistant message (prefill) in this request. "
            'Use prefill_mode="auto" or "instructed", which tells the model to begin with '
            "the words; or a model up to 4.5, without thinking and structured output"
        )
    wanted = _format(turn, request)
    if asked == "structured" or (asked == "auto" and wanted):
        if _opens(words, wanted):
            return "structured"
        if asked == "structured" or turn.options.output:
            raise InputError(
                "output= and this prefill= exclude each other: the schema decides how the reply "
                "begins, and it does not begin so"
                if wanted
                else 'prefill_mode="structured" needs output=, and a server that takes its schema: it '
                "makes the reply begin so"
            )
    return "native" if asked == "auto" and able else "instructed"


def stops_within(request: Request, words: str) -> tuple[str, ...]:
    """Return the stop sequences that a model would come to while it repeats the words.

    They are for what follows the words; sent to a model that writes these itself, they would end its reply
    there. So they are not sent, and the answer is cut here.
    """
    return tuple(each for each in request.stop_sequences or () if each and each in words)


def refuses_prefill(error: APIError) -> bool:
    """Tell whether an error says that the model does not continue an assistant message (facts 4.2)."""
    text = error.message.lower()
    return error.status == _BAD_REQUEST and any(each in text for each in _REFUSALS)


def takes_schema(turn: Turn, request: Request) -> bool:
    """Say whether the server at hand holds the model to ``output_config.format``."""
    if not turn.profile.output_config:
        return False  # whatever the model is called there
    return turn.models.is_claude(request.model)


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
    """Tell the model to begin its reply with the words.

    Where the words are much of the tokens that were asked for, more are: the model writes them again, and
    may think, before it comes to what was wanted. What is too much is cut here.
    """
    told = with_instruction(
        request, (_CONTINUE if len(words) > _LONG else _BEGIN).format(words=words)
    )
    wanted = request.max_tokens
    repeat = len(words) // 2
    room = repeat if 0 < wanted < repeat * 4 else 0
    facts = turn.models.get(request.model)
    if 0 < wanted <= SMALL:
        thinking = (request.thinking or {}).get("type")
        thinks = facts is not None and facts.thinks(thinking)
        room = repeat + _PREAMBLE + (_THOUGHTS if thinks else 0)
    most = max(wanted, facts.max_output) if facts is not None else wanted + room
    return told.evolve(max_tokens=min(wanted + room, most))


def continued(request: Request, words: str) -> Request:
    """Tell the model to go on from words that are its own, however many they are."""
    return with_instruction(request, _CONTINUE.format(words=words))


def with_instruction(request: Request, text: str) -> Request:
    """Tell the model at the end of the last user message, so that the prompt's beginning stays.

    System messages may stand behind that one, and no user's behind them (facts 2.4).
    """
    instruction = TextBlock(text)
    messages = list(request.messages)
    place = len(messages) - 1
    while place >= 0 and messages[place].role == "system":
        place -= 1
    if place < 0 or messages[place].role != "user":
        return request.append(Message("user", (instruction,)))
    last = messages[place]
    messages[place] = last.evolve(content=(*last.blocks, instruction))
    return request.evolve(messages=tuple(messages))
