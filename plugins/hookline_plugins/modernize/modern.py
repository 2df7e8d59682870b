"""A request made valid for a model: all rules, in order. The plugin and the command both stand on this."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from attrs import evolve, frozen

from hookline import DecodeError, Request
from hookline.models import ModelFacts, ModelTable
from hookline.wire import structure_request, unstructure
from hookline_plugins.modernize import successors
from hookline_plugins.modernize.betas import BETAS
from hookline_plugins.modernize.content import CONTENT
from hookline_plugins.modernize.for_model import COOL, FOR_MODEL, QUIET, WISHES
from hookline_plugins.modernize.prompts import PROMPTS
from hookline_plugins.modernize.rules import Case, Change, Rule, applied

__all__ = ["REMEMBERED", "RULES", "Wanted", "asked_in_words", "modernized", "modernized_json"]

NEWEST_VERSION: Final = "2026-10-21"

REMEMBERED: Final[tuple[Rule, ...]] = (*PROMPTS, *CONTENT, QUIET, COOL, *FOR_MODEL, *BETAS)
RULES: Final[tuple[Rule, ...]] = (*REMEMBERED, *WISHES)
"""Every rule, in the order in which they are applied; the model comes before them."""

# Where the names of betas stand in a file: in the arguments of the SDK, and in a body for Bedrock.
_BETA_KEYS: Final = ("betas", "anthropic_beta")
_PREFILL: Final = (
    "the model refuses a last assistant message, facts 4.2; the plugin prefill says it in words"
)


@frozen(kw_only=True)
class Wanted:
    """What requests are made valid for.

    Attributes:
        models: what is known of models.
        model: the one that all of them shall go to; None for their own, or its successor.
        name: how that one is spelled; empty for its id.
        allow_price: take a successor whose price differs by more than half.
        version: the ``anthropic-version`` that they go out with.
        today: the day by which models are gone; None to go by the table alone.

    """

    models: ModelTable
    model: ModelFacts | None = None
    name: str = ""
    allow_price: bool = False
    version: str = NEWEST_VERSION
    today: dt.date | None = None


def modernized(
    request: Request, wanted: Wanted, rules: tuple[Rule, ...] = RULES
) -> tuple[Request, tuple[Change, ...]]:
    """Make a request valid.

    Args:
        request: written for any model.
        wanted: what it shall be valid for.
        rules: those to apply, after the model has been chosen.

    Returns:
        The request, the same one if there was nothing to do, and one line for each change.

    """
    move = successors.move_of(request.model, wanted.models, chosen=wanted.model, today=wanted.today)
    old = successors.known_as(request.model, wanted.models)
    request, changes = _moved(request, move, wanted)
    facts = _claude(request.model, wanted.models)
    moved = facts is not None and facts is not old
    case = Case(facts=facts, made_for=old, moved=moved, version=wanted.version)
    request, more = applied(rules, request, case)
    return request, (*changes, *more)


def asked_in_words(request: Request, wanted: Wanted) -> tuple[Request, tuple[Change, ...]]:
    """Apply the rules whose result is for the wire only: what is asked for in words."""
    case = Case(facts=_claude(request.model, wanted.models), version=wanted.version)
    return applied(WISHES, request, case)


def _claude(model: str, models: ModelTable) -> ModelFacts | None:
    """Return the facts of a model of Claude's; of others nothing is known that could be a rule."""
    facts = models.get(model)
    return facts if facts is not None and facts.line is not None else None


def _moved(
    request: Request, move: "successors.Move | None", wanted: Wanted
) -> tuple[Request, tuple[Change, ...]]:
    if move is None:
        return request, ()
    chosen = move.fact == successors.CHOSEN
    taken = chosen or not move.dear or wanted.allow_price
    name = (chosen and wanted.name) or move.new.id
    what = f"{request.model} is {name}"
    if move.prices:
        what += f"; {move.prices}{', by more than half' if move.dear else ''}"
    if not taken:
        what = f"{request.model} could be {move.new.id}; {move.prices}, so take it with allow_price"
    change = Change(rule="model", where="model", what=what, fact=move.fact, done=taken)
    return (request.evolve(model=name) if taken else request), (change,)


def modernized_json(
    body: Mapping[str, Any], wanted: Wanted
) -> tuple[dict[str, Any], tuple[Change, ...]]:
    """Make the JSON of a request valid.

    Args:
        body: as it goes to ``/v1/messages``, or went to ``/v1/complete``; ``betas`` may stand in it.
        wanted: what it shall be valid for.

    Returns:
        The JSON, equal to ``body`` if there was nothing to do, and one line for each change. One that
        is not done is for the user to decide.

    Raises:
        DecodeError: it is no request.

    """
    bare = {name: value for name, value in body.items() if name not in _BETA_KEYS}
    if "messages" not in bare:
        if not isinstance(bare.get("prompt"), str):
            raise DecodeError("it has neither `messages` nor a `prompt`", path="")
        bare = {"max_tokens": 1, **bare, "messages": []}
    request = structure_request(bare)
    key = next((name for name in _BETA_KEYS if body.get(name)), _BETA_KEYS[0])
    betas = body.get(key) or ()
    if not isinstance(betas, list | tuple) or not all(isinstance(each, str) for each in betas):
        raise DecodeError("betas must be a list of names", path=key)
    request = request.evolve(betas=tuple(betas))
    there, told = _elsewhere(request, wanted)
    modern, changes = modernized(request, there)
    changes = (*told, *changes)
    if not any(change.done for change in changes):
        return dict(body), (*changes, *_left(modern, wanted))
    result = unstructure(modern)
    if modern.betas:
        result[key] = list(modern.betas)
    return result, (*changes, *_left(modern, wanted))


def _elsewhere(request: Request, wanted: Wanted) -> tuple[Wanted, tuple[Change, ...]]:
    """Keep a model that another platform spells: its days are that platform's; tell if the API's are over."""
    facts = successors.spelled_elsewhere(request.model, wanted.models)
    if facts is None or wanted.model is not None:
        return wanted, ()
    wanted = evolve(wanted, model=facts)
    if not successors.is_gone(facts, wanted.today):
        return wanted, ()
    what = f"{request.model} is {facts.id} of another platform, left as it is; see whether it still answers there"
    return wanted, (
        Change(rule="model", where="model", what=what, fact=successors.RETIRED, done=False),
    )


def _left(request: Request, wanted: Wanted) -> tuple[Change, ...]:
    """Tell of a prefill, which is another plugin's, where the model refuses one."""
    facts, last = wanted.models.get(request.model), request.messages[-1:]
    if facts is None or facts.prefill or not last or last[0].role != "assistant":
        return ()
    if any(block.type != "text" for block in last[0].blocks):
        return ()
    where = f"messages.{len(request.messages) - 1}"
    what = "a prefill, left as it is"
    return (Change(rule="prefill", where=where, what=what, fact=_PREFILL, done=False),)
