"""The tools that Anthropic has defined: which type of each a model is offered (facts 10.5).

A model was made with the types that there were, so it gets the newest one that is no newer than itself.
Models of others have been made with none of them: where such a tool runs here, they are told its
schema; where it would run at Anthropic's, there is nothing to tell.
"""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any, Final

from hookline import Turn
from hookline.values import ServerTool, Tool, ToolSpec

__all__ = ["NAMES", "defined", "is_claude", "type_for"]

# The oldest first. A model whose day nobody knows gets the oldest.
_TYPES: Final[Mapping[str, tuple[str, ...]]] = {
    "bash": ("bash_20250124",),
    "computer": ("computer_20250124", "computer_20251124"),
    "text_editor": ("text_editor_20250124", "text_editor_20250429", "text_editor_20250728"),
    "memory": ("memory_20250818",),
    "web_search": ("web_search_20250305", "web_search_20260209", "web_search_20260318"),
    "web_fetch": (
        "web_fetch_20250910",
        "web_fetch_20260209",
        "web_fetch_20260309",
        "web_fetch_20260318",
    ),
    "code_execution": (
        "code_execution_20250522",
        "code_execution_20250825",
        "code_execution_20260120",
        "code_execution_20260521",
    ),
    "tool_search_tool_regex": ("tool_search_tool_regex_20251119",),
    "tool_search_tool_bm25": ("tool_search_tool_bm25_20251119",),
}
NAMES: Final = tuple(_TYPES)
_OLD_NAMES: Final[Mapping[str, str]] = {"text_editor_20250124": "str_replace_editor"}
_EDITOR: Final = "str_replace_based_edit_tool"
_DATE: Final = re.compile(r"_(\d{4})(\d\d)(\d\d)$")


def is_claude(turn: Turn, model: str) -> bool:
    """Say whether a model, at the turn's destination, knows these tools."""
    return turn.profile.claude and turn.models.is_claude(model)


def type_for(turn: Turn, model: str, tool: str) -> str:
    """Return the type of one of these tools that a model is offered.

    Args:
        turn: knows facts about models.
        model: its id.
        tool: one of ``NAMES``.

    """
    facts = turn.models.get(model)
    day = facts.released if facts is not None else None
    oldest, *newer = _TYPES[tool]
    fitting = [each for each in newer if day is not None and _dated(each) <= day]
    return fitting[-1] if fitting else oldest


def defined(
    turn: Turn, model: str, tool: str, description: str, schema: Mapping[str, Any]
) -> ToolSpec:
    """Return the definition of a tool that runs here.

    Args:
        turn: the journey.
        model: which is told.
        tool: one of ``NAMES``.
        description: for models that do not know it.
        schema: of its input, for them.

    """
    name = _EDITOR if tool == "text_editor" else tool
    if not is_claude(turn, model):
        return Tool(name=name, description=description, input_schema=schema)
    kind = type_for(turn, model, tool)
    return ServerTool(type=kind, name=_OLD_NAMES.get(kind, name))


def _dated(kind: str) -> dt.date:
    found = _DATE.search(kind)
    return dt.date(*map(int, found.groups())) if found else dt.date.max
