"""What the simulator answers: content blocks, why it stopped, and how much that cost.

No model is asked. A rule of the scenario decides; without one the reply says what it is and what
it was given, so that a test can see a wrong image, a lost turn or a doubled prefill.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import evolve

from hookline.simulator import json
from hookline.simulator.answers.calls import RESULTS, calls_of
from hookline.simulator.answers.citations import cite
from hookline.simulator.answers.compaction import compacted
from hookline.simulator.answers.cut import Draft, cut
from hookline.simulator.answers.instance import instance_of
from hookline.simulator.answers.signatures import sign_thinking
from hookline.simulator.identity import Identity
from hookline.simulator.measures.tokens import blocks_of
from hookline.simulator.rules.request import Checked
from hookline.simulator.scenario import Rule

_SHOWN: Final = 200
_OPTION: Final = re.compile(r"\(([A-Z])\)")
_THINKING_ON: Final = ("adaptive", "enabled")


def draft(checked: Checked, rule: Rule, identity: Identity, total: int) -> Draft:
    """Compose the reply to a request.

    Args:
        checked: The request.
        rule: What the scenario wants.
        identity: Where ids come from.
        total: The input tokens, which leave so much room in the context window.

    Returns:
        The reply, cut at stop sequences and at ``max_tokens``.

    """
    if checked.body.get("compaction"):
        return compacted(checked, _short(last_user_text(checked.body)))
    wanted = _thinking(checked, rule) + _content(checked, rule)
    body = checked.body
    limit, room = int(body["max_tokens"]), checked.facts.context - total
    result = cut(wanted, min(limit, room), body.get("stop_sequences") or ())
    if result.stop_reason == "max_tokens" and room < limit:
        result = evolve(result, stop_reason="model_context_window_exceeded")
    # Servers that repeat the prefill put it before what was generated: it takes no tokens.
    prefill = prefill_of(body) if rule.echo_prefill else ""
    said = _with_echo(result.blocks, prefill) if prefill else result.blocks
    blocks = tuple(_finish(block, place, checked, identity) for place, block in enumerate(said))
    reason = rule.stop_reason or result.stop_reason
    return evolve(result, blocks=blocks, stop_reason=reason)


def last_user_text(body: Mapping[str, Any]) -> str:
    """Return the text of the last user turn, that of its tool results included."""
    texts: list[str] = []
    for message in reversed(body["messages"]):
        if message["role"] == "user":
            texts.insert(0, _text_of(message["content"]))
        elif texts:
            break
    return "\n".join(texts)


def prefill_of(body: Mapping[str, Any]) -> str:
    """Return the words put into the reply's mouth, or an empty string."""
    last = body["messages"][-1]
    blocks = blocks_of(last["content"])
    # A paused turn ends in a server tool's block; going on with it is no prefill.
    if last["role"] != "assistant" or not blocks or blocks[-1]["type"] != "text":
        return ""
    return "".join(block["text"] for block in blocks if block["type"] == "text")


def _text_of(content: Any) -> str:
    found = []
    for block in blocks_of(content):
        if block["type"] == "text":
            found.append(block["text"])
        elif block["type"] == "tool_result" and block.get("content"):
            found.append(_text_of(block["content"]))
    return "\n".join(found)


def _thinking(checked: Checked, rule: Rule) -> list[dict[str, Any]]:
    config = checked.body.get("thinking") or {}
    text = rule.thinking
    # A rule that says what is answered says what is thought; one about the how of it does not.
    scripted = rule.reply is not None or rule.tool_use or rule.stop_reason is not None
    if text is None and config.get("type") in _THINKING_ON and not scripted:
        text = "The simulator does not think; this text stands where thinking would be."
    return [] if text is None else [{"type": "thinking", "thinking": text}]


def _content(checked: Checked, rule: Rule) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    prefill = prefill_of(checked.body)
    calls = calls_of(checked.body, rule)
    if isinstance(rule.reply, tuple):
        blocks += (dict(block) for block in rule.reply)
    elif rule.reply is not None:
        blocks.append({"type": "text", "text": rule.reply})
    elif not any(block["type"] == "tool_use" for block in calls) and rule.stop_reason != "refusal":
        return [
            *calls,
            *_default(checked, prefill),
        ]  # what ran at the server is in the text already
    return blocks + calls


def _with_echo(blocks: Sequence[dict[str, Any]], prefill: str) -> Sequence[dict[str, Any]]:
    for place, block in enumerate(blocks):
        if block["type"] == "text":
            echoed = {**block, "text": prefill + block["text"]}
            return [*blocks[:place], echoed, *blocks[place + 1 :]]
    return [{"type": "text", "text": prefill}, *blocks]


def _default(checked: Checked, prefill: str) -> list[dict[str, Any]]:
    body = checked.body
    wanted = (body.get("output_config") or {}).get("format") or body.get("output_format")
    if wanted:
        text = json.dumps(instance_of(wanted["schema"])).decode()
        return [{"type": "text", "text": text}]
    said = last_user_text(body)
    if prefill:
        seen = "".join(f"\n{line}" for line in _image_lines(checked))
        return [{"type": "text", "text": _continuation(prefill, said) + seen}]
    lines = [
        "This is the Hookline simulator; no model has read this.",
        f"You said: {_short(said)}" if said else "You sent no text.",
        *_image_lines(checked),
    ]
    return [{"type": "text", "text": "\n".join(lines)}, *cite(body)]


def _continuation(prefill: str, said: str) -> str:
    options = _OPTION.findall(said)
    if prefill.endswith("(") and options:
        return f"{options[-1]}), says the Hookline simulator: it always takes the last option."
    space = "" if prefill.endswith(("(", "[", "{", '"', "'", "\n")) else " "
    return f"{space}… and so on, says the Hookline simulator. You said: {_short(said)}"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"


def _image_lines(checked: Checked) -> list[str]:
    lines = []
    for number, source in enumerate(_image_sources(checked.body), start=1):
        picture = checked.pictures.get(id(source))
        if picture is None:
            lines.append(f"Image {number}: {source['url']}, which the simulator does not fetch.")
        else:
            lines.append(f"Image {number}: {picture.describe()}.")
    return lines


def _image_sources(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []

    def visit(content: Any) -> None:
        for block in blocks_of(content):
            if block["type"] == "image":
                found.append(block["source"])
            elif block["type"] == "tool_result" and isinstance(block.get("content"), list):
                visit(block["content"])
            elif block["type"] == "document" and block["source"]["type"] == "content":
                visit(block["source"]["content"])

    for message in body["messages"]:
        visit(message["content"])
    return found


def _finish(
    block: dict[str, Any], place: int, checked: Checked, identity: Identity
) -> dict[str, Any]:
    """Give a block the fields that only the server can know: ids, signatures."""
    match block["type"]:
        case "tool_use":
            made = {"type": "tool_use", "id": identity.make("toolu", str(place)), **block}
            return made if "caller" in made else {**made, "caller": {"type": "direct"}}
        case "server_tool_use":
            return {"type": "server_tool_use", "id": identity.make("srvtoolu", str(place)), **block}
        case kind if kind in RESULTS and "tool_use_id" not in block:  # stands behind its call
            of_it = identity.make("srvtoolu", str(place - 1))
            return {"type": kind, "tool_use_id": of_it, **block}
        case "thinking" if "signature" not in block:
            return sign_thinking(block["thinking"], checked)
        case _:
            return block
