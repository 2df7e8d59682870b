"""What a server's own list of models tells of them, as facts: context and modalities, where it says so.

The list of the Messages API has its names for them (facts 9.4), llama.cpp, vLLM, LM Studio and routers
have others; who says nothing is believed nothing.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias, get_args

from attrs import evolve

from hookline.models import ModelFacts, Status, load_models

if TYPE_CHECKING:
    from hookline.endpoints.models import ModelInfo

__all__ = ["facts_of", "refreshed_facts"]

_Path: TypeAlias = tuple[str, ...]

# The first that is there counts: what is served before what the model was trained for, which bounds it.
_CONTEXT: Final[tuple[_Path, ...]] = (
    ("max_input_tokens",),
    ("max_model_len",),  # vLLM
    ("loaded_context_length",),  # LM Studio
    ("max_context_length",),
    ("context_length",),  # routers
    ("meta", "n_ctx"),  # llama.cpp
    ("meta", "n_ctx_train"),
)
_OUTPUT: Final[tuple[_Path, ...]] = (
    ("max_tokens",),
    ("top_provider", "max_completion_tokens"),
)
_MODALITIES: Final[tuple[_Path, ...]] = (
    ("input_modalities",),
    ("architecture", "input_modalities"),
)
_EPOCH: Final = 1970  # what stands for "nobody knows"
_SEES: Final[_Path] = ("capabilities", "image_input", "supported")


def facts_of(info: "ModelInfo") -> ModelFacts | None:
    """Return what a server tells of a model that matters here.

    Args:
        info: an entry of its list.

    Returns:
        The facts, of which ``told`` names those that the server gave; None if it gave none.

    Example:
        >>> facts_of(line.models.get("ants-7b")).context
        8192

    """
    entry: Mapping[str, Any] = {
        "max_input_tokens": info.max_input_tokens,
        "max_tokens": info.max_tokens,
        "capabilities": info.capabilities,
        **info.extra,
    }
    told: dict[str, Any] = {
        name: number
        for name, paths in (("context", _CONTEXT), ("max_output", _OUTPUT))
        if (number := next(_numbers(entry, paths), None)) is not None
    }
    if _blind(entry):
        told["vision"] = None
    if not told:
        return None
    if info.display_name:
        told["display_name"] = info.display_name
    return ModelFacts(id=info.id, told=tuple(told), **told)


def _at(entry: Any, path: _Path) -> Any:
    for name in path:
        entry = entry.get(name) if isinstance(entry, Mapping) else None
    return entry


def _numbers(entry: Mapping[str, Any], paths: Iterable[_Path]) -> Iterator[int]:
    for path in paths:
        number = _at(entry, path)
        if isinstance(number, int) and not isinstance(number, bool) and number > 0:
            yield number


def _blind(entry: Mapping[str, Any]) -> bool:
    """Tell whether the server says that the model takes no images."""
    if _at(entry, _SEES) is False:
        return True
    lists = [_at(entry, path) for path in _MODALITIES]
    told = next((each for each in lists if isinstance(each, tuple) and each), ())
    return bool(told) and "image" not in told


def refreshed_facts(info: "ModelInfo", known: ModelFacts | None) -> ModelFacts | None:
    """Return the facts of a model as its server tells them now.

    Args:
        info: an entry of the server's list.
        known: what the table says of it, whose word counts for all that the list does not tell.

    Returns:
        The facts. Of a Claude that nobody knew yet, what the list does not tell is taken for what the newest
        models have, and marked as unconfirmed: it may warn, never refuse. None if the list tells nothing.

    """
    told = facts_of(info)
    changes: dict[str, Any] = {} if told is None else {n: getattr(told, n) for n in told.told}
    changes |= {
        name: value
        for name, value in (
            ("status", info.lifecycle if info.lifecycle in get_args(Status) else None),
            ("retires", _day(info.retires_at)),
            ("released", _day(info.created_at)),
            ("thinking", _supported(info, ("thinking", "types"))),
            ("effort", _supported(info, ("effort",))),
        )
        if value is not None
    }
    if known is not None:
        changes.pop("released", None)  # the list has the day on which it appeared there
        for name in ("thinking", "effort"):
            if {*changes.get(name, ())} == {*getattr(known, name)}:
                changes.pop(name, None)  # in another order
        if _at(info.capabilities, _SEES[1:]) is True and known.vision is None:
            changes.pop("vision", None)
        return evolve(known, **changes)
    if info.line is None:
        return told
    vision = changes.pop("vision", load_models().require(_NEWEST).vision)
    thinking = changes.get("thinking", ("adaptive",))
    return ModelFacts(
        id=info.id,
        line=info.line,
        vision=vision,
        sampling="rejected",
        forced_tool_choice=False,
        thinking_omitted="off" if "disabled" in thinking else "on",
        unconfirmed=tuple(name for name in _GUESSED if name not in changes),
        **changes,
    )


_NEWEST: Final = "claude-opus-5-5"  # from it, what an unknown Claude is taken to see
_GUESSED: Final = (
    *("context", "max_output", "thinking", "thinking_omitted", "effort", "quiet_effort", "vision"),
    *("sampling", "forced_tool_choice", "prefill", "min_cacheable", "system_role"),
    *("system_directive", "fast_mode", "refused_tools"),
)


def _day(moment: str | None) -> dt.date | None:
    """Return the day of an RFC 3339 moment; None for what is none, or stands for none."""
    try:
        day = dt.date.fromisoformat((moment or "")[:10])
    except ValueError:
        return None
    return day if day.year > _EPOCH else None


def _supported(info: "ModelInfo", path: _Path) -> tuple[str, ...] | None:
    """Return the names below a capability that are supported; None where it says nothing."""
    found = _at(info.capabilities, path)
    if not isinstance(found, Mapping):
        return None
    leaves = {name: leaf for name, leaf in found.items() if isinstance(leaf, Mapping)}
    return tuple(name for name, leaf in leaves.items() if leaf.get("supported") is True)
