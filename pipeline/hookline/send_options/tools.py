"""Tools as callers write them: functions, definitions, and definitions with a function."""

from collections.abc import Mapping
from typing import Any

from hookline.errors import InputError
from hookline.send_options.options import list_of, read_plain
from hookline.turn import BoundTool
from hookline.values.tools.definitions import Tool, ToolSpec

__all__ = ["bind_tool", "split_tools"]


def split_tools(tools: Any) -> tuple[tuple[ToolSpec, ...], tuple[BoundTool, ...]]:
    """Part definitions, which go into the request, from functions, which a plugin describes.

    Raises:
        InputError: no list, or one that holds something else.

    """
    definitions: list[ToolSpec] = []
    functions: list[BoundTool] = []
    for index, tool in enumerate(list_of("tools", tools, "functions and definitions")):
        if isinstance(tool, ToolSpec):
            definitions.append(tool)
        elif isinstance(tool, Mapping):
            definitions.append(_definition(tool, f"tools[{index}]"))
        elif callable(tool):
            functions.append(bind_tool(tool))
        else:
            raise InputError(
                f"tools[{index}] must be a function, a Tool or a dict, not {type(tool).__name__}"
            )
    return tuple(definitions), tuple(functions)


def bind_tool(tool: Any, function: Any = None) -> BoundTool:
    """Bind a function to its definition, or a route to a name.

    Args:
        tool: the function itself, a definition (a ``Tool`` or a dict), or a name or glob.
        function: what runs it, if ``tool`` is no function; for a name also a route, which the plugin
            ``tools`` reads.

    Raises:
        InputError: no function, or a definition of another shape.

    """
    from hookline.schema.functions import accepts, describe  # noqa: PLC0415 -- only calls with tools need it

    if callable(tool) and function is None:
        definition = describe(tool)
        return BoundTool(name=definition.name, definition=definition, function=tool)
    if isinstance(tool, str) and function is not None:
        return BoundTool(name=tool, definition=None, function=function)
    found = _definition(tool, "a tool") if isinstance(tool, Mapping) else tool
    if not isinstance(found, Tool) or not callable(function):
        raise InputError(
            "a tool is a function, or a definition with name and input_schema, and a function; or a "
            "name and a route"
        )
    problem = accepts(function, found.input_schema)
    if problem:
        raise InputError(f"tool {found.name!r}: its schema and its function differ: {problem}")
    return BoundTool(name=found.name, definition=found, function=function)


def _definition(tool: Mapping[str, Any], where: str) -> ToolSpec:
    from hookline.wire.codec import structure_request  # noqa: PLC0415 -- loads cattrs

    body = {"model": "", "max_tokens": 0, "messages": [], "tools": [tool]}
    read = read_plain(where, structure_request, body)
    return next(iter(read.tools or ()))
