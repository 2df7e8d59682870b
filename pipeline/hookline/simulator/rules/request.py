"""All the checks of a request, in the API's order."""

from collections.abc import Mapping
from typing import Any, Literal

from attrs import frozen

from hookline.models import ModelFacts, ModelTable
from hookline.simulator.errors import invalid, not_found
from hookline.simulator.measures.vision import Picture
from hookline.simulator.rules import betas as beta
from hookline.simulator.rules.cache import check_cache
from hookline.simulator.rules.fields import COUNT_TOKENS, CREATE
from hookline.simulator.rules.media import Shelf, check_media
from hookline.simulator.rules.model import (
    check_citations,
    check_output,
    check_sampling,
    check_thinking,
)
from hookline.simulator.rules.tools import check_tools
from hookline.simulator.rules.turns import check_turns

Endpoint = Literal["create", "count", "batch"]


@frozen(eq=False)
class Checked:
    """A request that the API would take.

    Args:
        body: The JSON.
        facts: Its model.
        version: Its ``anthropic-version``.
        betas: Its beta headers.
        pictures: What each image holds, by the ``id()`` of its source.

    """

    body: Mapping[str, Any]
    facts: ModelFacts
    version: str
    betas: frozenset[str]
    pictures: Mapping[int, Picture | None]


def validate(
    body: Any,
    *,
    version: str,
    betas: frozenset[str],
    models: ModelTable,
    shelf: Shelf,
    endpoint: Endpoint = "create",
) -> Checked:
    """Check a request as strictly as the API does.

    Args:
        body: Any JSON value.
        version: The ``anthropic-version`` header.
        betas: The beta headers.
        models: The models there are.
        shelf: Files and URLs.
        endpoint: ``create``, ``count`` (count_tokens) or ``batch`` (an item of a batch).

    Returns:
        The request and what was found out about it.

    Raises:
        ApiError: The first rule that it breaks.

    """
    shape = COUNT_TOKENS if endpoint == "count" else CREATE
    shape.check(body, "", betas)
    facts = models.exact(body["model"])
    if facts is None or facts.retired:
        raise not_found(f"model: {body['model']}")
    check_sampling(body, facts, version)
    check_output(body, facts, betas, batch=endpoint == "batch")
    check_thinking(body, facts, betas)
    if endpoint == "batch" and body["max_tokens"] < 1:
        raise invalid("max_tokens: must be greater than or equal to 1")
    credit = "fallback_credit_token" in body and not betas.isdisjoint(beta.FALLBACK_CREDIT)
    check_turns(body, facts, version, credit_retry=credit)
    check_tools(body, facts, betas)
    check_cache(body)
    check_citations(body)
    pictures = check_media(body, facts, shelf)
    return Checked(body, facts, version, betas, pictures)
