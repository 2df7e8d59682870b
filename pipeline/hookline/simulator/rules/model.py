"""The rules that depend on the model: caps, thinking, sampling, effort, structured output."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hookline.models import EFFORTS, ModelFacts
from hookline.simulator.errors import ApiError, invalid
from hookline.simulator.measures.tokens import blocks_of
from hookline.simulator.rules import betas as beta
from hookline.simulator.rules.fields import SAMPLING
from hookline.simulator.rules.schema import check_schema
from hookline.simulator.rules.turns import NEW_VERSION

_BATCH_LONG_OUTPUT: Final = 300_000


def check_sampling(body: Mapping[str, Any], facts: ModelFacts, version: str) -> None:
    """Check temperature, top_p and top_k by API version and model.

    Args:
        body: A request of the right shape.
        facts: The model.
        version: The ``anthropic-version`` header.

    Raises:
        ApiError: 400 with the API's text.

    """
    given = {name: body[name] for name in SAMPLING if name in body}
    if version == NEW_VERSION:
        for name in given:
            raise invalid(f"{name}: Extra inputs are not permitted")
    if facts.sampling == "rejected" and facts.confirmed("sampling"):
        for name, value in given.items():
            if name == "top_k" or value != 1:  # 1 is the default of the other two
                raise invalid(f"`{name}` is deprecated for this model.")
    if facts.sampling == "one_of" and {"temperature", "top_p"} <= given.keys():
        raise invalid("`temperature` and `top_p` cannot both be specified for this model.")
    if (body.get("thinking") or {}).get("type") in ("enabled", "adaptive"):
        if given.get("temperature", 1) != 1:
            raise invalid(
                "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode"
            )
        if "top_k" in given:
            raise invalid("top_k must be unset when thinking is enabled or in adaptive mode")


def check_output(
    body: Mapping[str, Any],
    facts: ModelFacts,
    betas: frozenset[str],
    *,
    batch: bool,
) -> None:
    """Check ``max_tokens``, ``stop_sequences``, effort, speed and the output format.

    Args:
        body: A request of the right shape.
        facts: The model.
        betas: The request's beta headers.
        batch: Whether it is a batch item.

    Raises:
        ApiError: 400 with the API's text.

    """
    limit = facts.max_output
    if batch and not betas.isdisjoint(beta.OUTPUT_300K):
        limit = max(limit, _BATCH_LONG_OUTPUT)
    asked = body.get("max_tokens", 0)
    if asked > limit and facts.confirmed("max_output"):
        raise invalid(
            f"max_tokens: {asked} > {limit}, which is the maximum allowed number of output tokens "
            f"for {body['model']}"
        )
    for sequence in body.get("stop_sequences") or ():
        if not sequence.strip():
            raise invalid("stop_sequences: each stop sequence must contain non-whitespace")
    _check_speed(body, facts, betas)
    _check_format(body)
    if body.get("compaction") and body.get("context_management"):  # wording approximate
        raise invalid("compaction: cannot be used together with `context_management`")
    edits = (body.get("context_management") or {}).get("edits") or ()
    if any(edit["type"].startswith("clear_thinking") for edit in edits[1:]):
        raise invalid(  # wording approximate
            "context_management.edits: `clear_thinking_20251015` must be listed first"
        )
    _check_effort(body, facts)


def check_thinking(body: Mapping[str, Any], facts: ModelFacts, betas: frozenset[str]) -> None:
    """Check ``thinking`` against what the model accepts.

    Args:
        body: A request of the right shape.
        facts: The model.
        betas: The request's beta headers.

    Raises:
        ApiError: 400 with the API's text.

    """
    thinking = body.get("thinking")
    if thinking is None:
        return
    kind = thinking["type"]
    if kind not in facts.thinking and facts.confirmed("thinking"):
        raise _unsupported(kind, facts)
    if kind == "enabled" and body.get("max_tokens", math.inf) <= thinking["budget_tokens"]:
        raise invalid("`max_tokens` must be greater than `thinking.budget_tokens`")
    if thinking.get("display") == "updates" and betas.isdisjoint(beta.DISPLAY_UPDATES):
        raise invalid(f"thinking.{kind}.display: Input should be 'summarized' or 'omitted'")


def _unsupported(kind: str, facts: ModelFacts) -> ApiError:
    if kind == "adaptive":
        return invalid("adaptive thinking is not supported on this model")
    if kind == "between_tools":
        return invalid('"thinking.type.between_tools" is not supported for this model.')
    text = (
        f'"thinking.type.{kind}" is not supported for this model. Use "thinking.type.adaptive" '
        'and "output_config.effort" to control thinking behavior.'
    )
    if kind == "disabled" and "between_tools" in facts.thinking:
        text += ' To turn thinking off, use "thinking.type.between_tools".'  # wording approximate
    return invalid(text)


def _check_effort(body: Mapping[str, Any], facts: ModelFacts) -> None:
    effort = (body.get("output_config") or {}).get("effort")
    if effort is None:
        return
    if effort not in facts.effort and facts.confirmed("effort"):  # wording approximate
        allowed = ", ".join(facts.effort) or "none"
        raise invalid(
            f"output_config.effort: '{effort}' is not supported for this model. Supported: {allowed}"
        )
    quiet = (body.get("thinking") or {}).get("type") in ("disabled", "between_tools")
    limit = facts.quiet_effort
    if quiet and limit is not None and EFFORTS.index(effort) > EFFORTS.index(limit):
        raise invalid(  # wording approximate
            f"output_config.effort: '{effort}' needs thinking; without it the highest is '{limit}'"
        )


def _check_speed(body: Mapping[str, Any], facts: ModelFacts, betas: frozenset[str]) -> None:
    if body.get("speed") != "fast" or facts.fast_mode in ("ga", "ignored"):
        return
    if facts.fast_mode == "no" or betas.isdisjoint(beta.FAST_MODE):
        raise invalid("speed: 'fast' is not supported for this model")  # wording approximate


def _check_format(body: Mapping[str, Any]) -> None:
    wanted = (body.get("output_config") or {}).get("format") or body.get("output_format")
    if not wanted:
        return
    check_schema(wanted.get("schema"), "output_config.format.schema")
    if any(_citing(body["messages"])):  # wording approximate
        raise invalid("output_config.format: incompatible with citations")


def check_citations(body: Mapping[str, Any]) -> None:
    """Check that citations are on for all documents and search results, or for none.

    Args:
        body: A request of the right shape.

    Raises:
        ApiError: 400; the wording is approximate.

    """
    if len(set(_citing(body["messages"]))) > 1:
        raise invalid("messages: citations must be enabled on all documents or on none")


def _citing(messages: Any) -> Iterator[bool]:
    """Yield, for each document and search result, whether it wants citations."""
    for message in messages:
        for block in blocks_of(message["content"]):
            if block["type"] in ("document", "search_result"):
                yield bool((block.get("citations") or {}).get("enabled"))
