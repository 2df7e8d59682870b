"""Values made of JSON: whole, or those fields of a request that a person wrote as dicts."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from hookline.errors import DecodeError, InputError
from hookline.values.blocks import Block, CacheControl
from hookline.values.conversion.rules import Misfit, converter
from hookline.values.messages import Message
from hookline.values.tools.definitions import ToolChoice, ToolSpec

__all__ = ["structure_field", "structure_hook", "structured_as"]


@cache
def structure_hook(cls: Any) -> Callable[[Any, Any], Any]:
    """Return what makes a class of its JSON."""
    return converter().get_structure_hook(cls)


def structured_as(data: Any, cls: Any) -> Any:
    """Make a value of a class of its JSON.

    Raises:
        DecodeError: it does not have the shape that the class promises; says where.

    """
    try:
        return structure_hook(cls)(data, cls)
    except Misfit as misfit:
        raise DecodeError(misfit.text, f"${misfit.path}") from None
    except InputError as error:
        raise DecodeError(str(error)) from None
    except RecursionError:
        raise DecodeError("nested too deeply") from None


# What an item of each of these fields is, or the field itself.
_WRITTEN: Final[Mapping[str, Any]] = {
    "messages": Message,
    "system": Block,
    "tools": ToolSpec,
    "tool_choice": ToolChoice,
    "cache_control": CacheControl,
}


def structure_field(name: str, value: Any) -> Any:
    """Read a field of a request that a person wrote, wholly or in part, as JSON.

    Args:
        name: one of those that hold values of the data model.
        value: a dict, or a list in which some items are dicts.

    Returns:
        The same with a value of the data model in the place of each dict.

    Raises:
        InputError: a dict of another shape; the text says where.

    """
    where = f"Request.{name}"
    if isinstance(value, Mapping):
        return _written(value, _WRITTEN[name], where)
    return [
        _written(item, _WRITTEN[name], f"{where}[{index}]") if isinstance(item, Mapping) else item
        for index, item in enumerate(value)
    ]


def _written(value: Mapping[str, Any], cls: Any, where: str) -> Any:
    try:
        return structured_as(dict(value), cls)
    except DecodeError as error:
        raise InputError(f"{where}{str(error).removeprefix('$')}") from None
