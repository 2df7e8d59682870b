"""What a server's own list of models tells of them, as facts: context and modalities, where it says so.

The list of the Messages API has its names for them (facts 9.4), llama.cpp, vLLM, LM Studio and routers
have others; who says nothing is believed nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from hookline.models import ModelFacts

if TYPE_CHECKING:
    from hookline.endpoints.models import ModelInfo

__all__ = ["facts_of"]

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
