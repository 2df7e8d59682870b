"""A call, checked: the request that it describes, and what is no field of a request."""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from hookline.errors import InputError
from hookline.send_options.message import Input, as_history, as_part, new_message
from hookline.send_options.options import (
    betas_of,
    breakpoints_of,
    check_names,
    on_progress_of,
    prefill_mode_of,
    prefill_of,
    principal_of,
    read_plain,
    table_of,
    timeout_of,
)
from hookline.send_options.tools import split_tools
from hookline.turn import TurnOptions
from hookline.values.blocks import Block
from hookline.values.brief import brief
from hookline.values.frozen import EMPTY
from hookline.values.messages import Request
from hookline.values.principal import Principal

if TYPE_CHECKING:
    from hookline.config import Settings
    from hookline.models import ModelFacts, ModelTable

__all__ = ["Call", "check_model", "prepare", "request_fields"]


@frozen
class Call:
    """What a caller wants of one turn.

    Attributes:
        request: begins with the new message.
        options: what is not a field of the request.
        timeout: seconds for the turn, or None for the pipeline's default.
        context: the caller's own facts of this call.
        principal: on whose behalf, if the call says so.

    """

    request: Request
    options: TurnOptions
    timeout: float | None
    context: Mapping[str, Any]
    principal: Principal | None = None


_OURS: Final = frozenset(
    {
        *("messages", "prefill", "prefill_mode", "images", "output", "tools"),
        *("timeout", "context", "principal", "on_progress", "cache_breakpoints"),
    }
)
_READ_BY_WIRE: Final = ("system", "tool_choice", "cache_control")
_NOTHING_ELSE: Final = TurnOptions()
_PLACES_BREAKPOINTS: Final = TurnOptions(places_breakpoints=True)


def prepare(
    settings: "Settings",
    models: "ModelTable",
    blank: Request,
    message: Input,
    given: Mapping[str, Any],
    *,
    strict: bool,
) -> Call:
    """Check what a caller wrote and make the request it describes.

    Args:
        settings: the pipeline's defaults.
        models: known models.
        blank: a request with the pipeline's defaults, and nothing else. It is evolved, since that
            converts and checks only what a call says, and a call says little.
        message: the new message.
        given: ``SendOptions``.
        strict: whether the server has Anthropic's models and no others.

    Raises:
        InputError: an unknown parameter, a value of a wrong kind, an empty message, a bad prefill,
            an unknown model.

    """
    check_names(given)
    model = given.get("model")
    check_model(settings, models, blank.model if model is None else model, strict=strict)
    if not given:
        alone = breakpoints_of(settings.cache_breakpoints)
        options = _PLACES_BREAKPOINTS if alone else _NOTHING_ELSE
        return Call(blank.evolve(messages=(new_message(message),)), options, None, EMPTY)
    history = as_history(given.get("messages"))
    new = new_message(message, given.get("images"), optional=bool(history))
    definitions, functions = split_tools(given.get("tools"))
    context = table_of("context", given.get("context"))
    fields = request_fields(given)
    fields["messages"] = (new,) if new else ()
    if definitions:
        fields["tools"] = definitions
    try:
        request = blank.evolve(**fields)
    except InputError as error:
        # The frames below hold all fields, credentials among them, and a traceback would show them.
        raise error.with_traceback(None) from error.__cause__
    finally:
        fields.clear()
    return Call(
        request,
        TurnOptions(
            history=history,
            prefill=prefill_of(given.get("prefill")),
            prefill_mode=prefill_mode_of(given.get("prefill_mode", "auto")),
            tools=functions,
            output=given.get("output"),
            places_breakpoints=breakpoints_of(
                given.get("cache_breakpoints", settings.cache_breakpoints)
            ),
            on_progress=on_progress_of(given.get("on_progress")),
        ),
        timeout_of(given.get("timeout")),
        MappingProxyType(dict(context)) if context else EMPTY,
        principal_of(given.get("principal")),
    )


def request_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a request that options name, ready for ``Request.evolve``.

    Tools are not among them: some are functions, see ``split_tools``.
    """
    return {
        name: _field(name, value)
        for name, value in given.items()
        if name not in _OURS and value is not None
    }


def _field(name: str, value: Any) -> Any:
    """Read a field that was written as plain JSON; everything else goes to the model as it is."""
    if name == "stop_sequences" and isinstance(value, str):
        raise InputError('stop_sequences takes a list: stop_sequences=["…"]')
    if name == "betas":
        return betas_of(value)
    plain = isinstance(value, Mapping) or (isinstance(value, list | tuple) and name == "system")
    if name not in _READ_BY_WIRE or not plain:
        return value
    from hookline.wire.codec import structure_request  # noqa: PLC0415 -- loads cattrs

    if name == "system":
        value = [
            {"type": "text", "text": part} if isinstance(part, str) else part for part in value
        ]
        if any(isinstance(part, Block) for part in value):
            return tuple(as_part(part) for part in value)
    body = {"model": "", "max_tokens": 0, "messages": [], name: value}
    return getattr(read_plain(name, structure_request, body), name)


def check_model(settings: "Settings", models: "ModelTable", model: Any, *, strict: bool) -> None:
    """Refuse a name that cannot be right; other servers have models of their own.

    Args:
        settings: the pipeline's.
        models: known models.
        model: what was asked for.
        strict: whether the server has Anthropic's models and no others.

    Raises:
        InputError: no name, or one that no model of this server has.

    """
    if not isinstance(model, str) or not model:
        raise InputError(f"model must be the id of a model, not {brief(model)}")
    known = models.exact(model) if strict else models.get(model)
    if settings.unknown_models == "allow" or known is not None:
        return
    if not strict and not model.startswith("claude-"):
        return
    near = _like(models, model)
    hint = f"did you mean {near!r}? " if near else ""
    raise InputError(
        f"unknown model {model!r}; {hint}`hookline models` lists those that Hookline knows. For a "
        'newer one set unknown_models = "allow", or tell its facts: [models."…"] in hookline.toml'
    )


def _like(models: "ModelTable", model: str) -> str | None:
    """Return the model that was meant, or probably was: a near name, else the newest of that family."""
    from difflib import get_close_matches  # noqa: PLC0415 -- only for the text of an error

    spelled = models.get(model)  # as a cloud spells it
    meant = models if spelled is None else (spelled,)
    names = [name for facts in meant for name in (*facts.aliases, facts.id)]
    if spelled is not None:
        return get_close_matches(model, names, 1, cutoff=0)[0]
    near = get_close_matches(model, names, 1, cutoff=0.7)
    if near:
        return near[0]
    words = {*model.lower().replace(".", "-").split("-")}
    family = [facts for facts in models if words <= {*facts.id.split("-")} and not facts.retired]
    return max(family, key=_release).id if family else None


def _release(facts: "ModelFacts") -> date:
    return facts.released or date.min
