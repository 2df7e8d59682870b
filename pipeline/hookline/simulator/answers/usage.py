"""The ``usage`` of a reply."""

from typing import Any

from hookline.simulator.answers.cache import Cached
from hookline.simulator.answers.cut import Draft
from hookline.simulator.rules.request import Checked


def usage_of(
    checked: Checked, made: Draft, total: int, cached: Cached, tier: str
) -> dict[str, Any]:
    """Return the usage object.

    Args:
        checked: The request.
        made: The reply.
        total: All input tokens, as count_tokens would say.
        cached: What the prompt cache did.
        tier: ``standard`` or ``batch``.

    Returns:
        The JSON; ``input_tokens`` and the two cache counts add up to ``total``.

    """
    speed = (
        "fast"
        if checked.body.get("speed") == "fast" and checked.facts.fast_mode != "ignored"
        else "standard"
    )
    return {
        "input_tokens": total - cached.read - cached.written,
        "cache_creation_input_tokens": cached.written,
        "cache_read_input_tokens": cached.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": cached.written_5m,
            "ephemeral_1h_input_tokens": cached.written_1h,
        },
        "output_tokens": made.tokens,
        "output_tokens_details": {"thinking_tokens": made.thinking_tokens},
        "server_tool_use": None,
        "service_tier": tier,
        "inference_geo": checked.body.get("inference_geo") or "global",
        "speed": speed,
    }
