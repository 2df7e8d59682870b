"""A message as server-sent events, in the documented order."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from hookline.simulator import json
from hookline.simulator.exchange import Cut, Part, Pause
from hookline.simulator.measures.tokens import count, split
from hookline.simulator.rules import betas as beta
from hookline.simulator.scenario import Rule

_TOKENS_A_DELTA: Final = 3
_JSON_CHARACTERS_A_DELTA: Final = 24


def events_of(
    message: Mapping[str, Any], rule: Rule, betas: frozenset[str] = frozenset()
) -> Iterator[dict[str, Any]]:
    """Cut a message into its events.

    Args:
        message: The message as a plain call would return it.
        rule: For the size of the deltas and unknown events.
        betas: The request's beta headers.

    Yields:
        dict: The events from ``message_start`` to ``message_stop``.

    """
    usage = message["usage"]
    hops = [block["from"]["model"] for block in message["content"] if block["type"] == "fallback"]
    start = {
        **message,
        "model": hops[0] if hops else message["model"],  # a fallback is not known yet
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "usage": {
            **usage,
            "output_tokens": min(1, usage["output_tokens"]),
            "output_tokens_details": None,
        },
    }
    yield {"type": "message_start", "message": start}
    yield {"type": "ping"}
    if rule.unknown_event is not None:
        yield {"type": "simulated_unknown_event", **rule.unknown_event}
    for index, block in enumerate(message["content"]):
        opened, deltas = _parts(block, rule)
        if block["type"] == "thinking" and not betas.isdisjoint(beta.THINKING_COUNT):
            deltas = [_with_estimate(delta) for delta in deltas]
        yield {"type": "content_block_start", "index": index, "content_block": opened}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {
        "type": "message_delta",
        "delta": {name: message[name] for name in _AT_THE_END if name in message},
        "usage": {name: usage.get(name) for name in _CUMULATIVE},
    }
    yield {"type": "message_stop"}


_AT_THE_END: Final = ("stop_reason", "stop_sequence", "stop_details", "container")
_CUMULATIVE: Final = (
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "output_tokens_details",
    "server_tool_use",
)


def stream_of(
    message: Mapping[str, Any], rule: Rule, betas: frozenset[str] = frozenset()
) -> Iterator[Part]:
    """Write a message as an event stream, with the faults that a rule asks for.

    Args:
        message: The message.
        rule: The faults.
        betas: The request's beta headers.

    Yields:
        Part: frames, pauses, and the cut.

    """
    for sent, event in enumerate(events_of(message, rule, betas)):
        if rule.cut_after is not None and sent >= rule.cut_after:
            yield Cut()
            return
        if rule.error_event is not None and sent >= rule.error_after:
            yield frame({"type": "error", "error": dict(rule.error_event)})
            return
        if rule.drip and sent:
            yield Pause(rule.drip)
        yield frame(event)


def frame(event: Mapping[str, Any]) -> bytes:
    """Return one event as bytes."""
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event))


def _with_estimate(delta: dict[str, Any]) -> dict[str, Any]:
    """Add the running estimate that clients show as progress."""
    if delta["type"] != "thinking_delta":
        return delta
    return {**delta, "estimated_tokens": count(delta["thinking"])}


def _parts(block: Mapping[str, Any], rule: Rule) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    match block["type"]:
        case "text":
            cited = block.get("citations")
            opened = {**block, "text": ""}
            if cited:
                opened["citations"] = []
            deltas = [{"type": "text_delta", "text": text} for text in _chunks(block["text"], rule)]
            deltas += ({"type": "citations_delta", "citation": item} for item in cited or ())
            return opened, deltas
        case "thinking":
            deltas = [
                {"type": "thinking_delta", "thinking": text}
                for text in _chunks(block["thinking"], rule)
            ]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
            return {**block, "thinking": "", "signature": ""}, deltas
        case "tool_use" | "server_tool_use" | "mcp_tool_use":
            text = json.dumps(block["input"]).decode() if block["input"] else ""
            size = rule.chunk or _JSON_CHARACTERS_A_DELTA
            pieces = ["", *_slices(text, size)]  # the first fragment is empty, as the API's is
            return {**block, "input": {}}, [
                {"type": "input_json_delta", "partial_json": piece} for piece in pieces
            ]
        case "compaction":
            delta = {
                key: value
                for key, value in block.items()
                if key in ("content", "encrypted_content")
            }
            return {**block, "content": None}, [{"type": "compaction_delta", **delta}]
        case _:
            return dict(block), []  # results of server tools arrive whole


def _chunks(text: str, rule: Rule) -> list[str]:
    if rule.chunk:
        return _slices(text, rule.chunk)
    tokens = split(text)
    return [
        "".join(tokens[start : start + _TOKENS_A_DELTA])
        for start in range(0, len(tokens), _TOKENS_A_DELTA)
    ]


def _slices(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]
