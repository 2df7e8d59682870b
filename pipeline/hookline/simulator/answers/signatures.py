"""Signatures of thinking blocks and of compactions: made when a block is sent, verified when it comes back.

A signature covers the text and the model; whether the conversation before it is the same too is
judged for the models whose blocks are bound to their prefix, and only where the request sets
``thinking.block_binding`` (the API enforces it by account age otherwise, which has no meaning here).
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hookline.simulator import json
from hookline.simulator.answers.fingerprint import fingerprint
from hookline.simulator.errors import invalid
from hookline.simulator.measures.tokens import blocks_of
from hookline.simulator.rules.request import Checked

_KEY: Final = b"hookline simulator"  # not a secret: it keeps honest clients honest
_MODEL_MARK: Final = "sim1"


def sign_thinking(text: str, checked: Checked) -> dict[str, Any]:
    """Return a thinking block as the request's ``display`` wants it.

    Args:
        text: The thinking.
        checked: The request it answers.

    Returns:
        The block with its signature; the text is empty where it is omitted.

    """
    config = checked.body.get("thinking") or {}
    default = "omitted" if checked.facts.sampling == "rejected" else "summarized"  # 4.7 and later
    shown = "" if (config.get("display") or default) == "omitted" else text
    prefix = _prefix_digest(checked.body, len(checked.body["messages"]))
    return {
        "type": "thinking",
        "thinking": shown,
        "signature": _signature(shown, checked.facts.id, prefix),
    }


def sign_summary(text: str, checked: Checked) -> dict[str, Any]:
    """Return a compaction block.

    Args:
        text: The summary.
        checked: The request that it sums up.

    Returns:
        The block with its signature, to be sent back as it is.

    """
    return {
        "type": "compaction",
        "content": text,
        "signature": _signature(text, checked.facts.id, ""),
    }


def check_signatures(checked: Checked) -> tuple[dict[str, Any], ...]:
    """Verify the thinking blocks and the compactions that came back.

    Args:
        checked: A request that is valid otherwise.

    Returns:
        What the API reports as ``input_transformations``: blocks that it dropped.

    Raises:
        ApiError: 400, a block was changed or stands in another conversation.

    """
    dropped: list[dict[str, Any]] = []
    binding = (checked.body.get("thinking") or {}).get("block_binding")
    messages: Sequence[Mapping[str, Any]] = checked.body["messages"]
    spoken = [n for n, message in enumerate(messages) if message["role"] == "assistant"]
    latest = spoken[-1] if spoken else -1
    for position, message in enumerate(messages):
        for place, block in enumerate(blocks_of(message["content"])):
            where = f"messages.{position}.content.{place}"
            if block["type"] == "compaction":
                _check_summary(block, where)
            if block["type"] != "thinking":
                continue
            model, prefix, genuine = _read(block["signature"], block["thinking"])
            if not genuine and model and position == latest:
                raise invalid(_MODIFIED.format(where=where))
            if not genuine:
                raise invalid(f"{where}: Invalid `signature` in `thinking` block")
            if model != checked.facts.id:
                dropped.append(_dropped(where, "model_binding_mismatch"))
            elif (
                checked.facts.prefix_binding
                and binding is not None
                and prefix != _prefix_digest(checked.body, position)
            ):
                if binding.get("prefix_mismatch_behavior") != "drop_block":
                    raise invalid(_BOUND.format(where=where))
                dropped.append(_dropped(where, "prefix_binding_mismatch"))
    return tuple(dropped)


_MODIFIED: Final = (
    "{where}: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be "
    "modified. These blocks must remain as they were in the original response."
)
_BOUND: Final = (  # the facts give the content of this text, not its wording
    "{where}: Invalid `signature` in `thinking` block: the block is bound to a different "
    'conversation. Set `thinking.block_binding.prefix_mismatch_behavior` to "drop_block" (beta '
    "header thinking-binding-controls-2026-08-01) to drop such blocks. The first mismatch is in "
    "what comes before this block."
)


def _check_summary(block: Mapping[str, Any], where: str) -> None:
    signature = block.get("signature")
    if signature is None:  # the older edit signs nothing
        return
    _, _, genuine = _read(signature, block.get("content") or "")
    if not genuine:  # wording approximate
        raise invalid(
            f"{where}: Invalid `signature` in `compaction` block",
            details={"error_code": "compaction_signature_invalid"},
        )


def _dropped(where: str, reason: str) -> dict[str, Any]:
    return {"type": "thinking_dropped", "path": where, "reason": reason}


def _signature(text: str, model: str, prefix: str) -> str:
    payload = json.dumps({"v": _MODEL_MARK, "model": model, "prefix": prefix})
    mac = hmac.new(_KEY, payload + b"\x00" + text.encode("utf-8", "surrogatepass"), hashlib.sha256)
    return base64.b64encode(mac.digest() + payload).decode("ascii")


def _read(signature: str, text: str) -> tuple[str, str, bool]:
    try:
        payload = json.loads(base64.b64decode(signature, validate=True)[32:])
        model, prefix = payload["model"], payload["prefix"]
    except (ValueError, KeyError, TypeError):
        return "", "", False
    expected = _signature(text, model, prefix)
    return model, prefix, hmac.compare_digest(expected.encode(), signature.encode())


def _prefix_digest(body: Mapping[str, Any], until: int) -> str:
    said = [[message["role"], message["content"]] for message in body["messages"][:until]]
    return fingerprint(body.get("system"), body.get("tools"), *said)
