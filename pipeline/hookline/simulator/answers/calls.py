"""The tools that a reply calls: what the scenario says, or what ``tool_choice`` forces.

A tool that runs here is called and the turn ends there. One that runs at the server is called and
answered in the same reply; the simulator has no web to search and runs no code, so the answer is the
one of a tool that cannot be had: ``unavailable``.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hookline.simulator.answers.instance import instance_of
from hookline.simulator.measures.tokens import blocks_of
from hookline.simulator.scenario import Rule

# What a server tool's type begins with, to the type of the block that answers it (facts 3.3, 10.5).
_ANSWERED_BY: Final[Mapping[str, str]] = {
    "web_search_": "web_search_tool_result",
    "web_fetch_": "web_fetch_tool_result",
    "code_execution_": "code_execution_tool_result",
    "tool_search_tool_": "tool_search_tool_result",
}
_QUESTION: Final[Mapping[str, Mapping[str, Any]]] = {
    "web_search_tool_result": {"query": "simulated"},
    "web_fetch_tool_result": {"url": "https://example.com/"},
    "code_execution_tool_result": {"code": "pass"},
    "tool_search_tool_result": {"query": "simulated"},
}
RESULTS: Final = frozenset(_ANSWERED_BY.values())


def calls_of(body: Mapping[str, Any], rule: Rule) -> list[dict[str, Any]]:
    """Return the calls of a reply as blocks, those of server tools with their answers.

    Args:
        body: The request.
        rule: What the scenario wants.

    Returns:
        The blocks, without the ids that only the whole reply gives them.

    """
    tools: Sequence[Mapping[str, Any]] = body.get("tools") or ()
    offered = {tool["name"]: tool for tool in tools if "name" in tool}
    blocks: list[dict[str, Any]] = []
    for call in rule.tool_use or _forced(body, tools, rule):
        tool, given = offered.get(call["name"], {}), call.get("input")
        answered_by = _answered_by(tool)
        if answered_by:
            made = dict(_QUESTION[answered_by]) if given is None else given
            error = {"type": f"{answered_by}_error", "error_code": "unavailable"}
            blocks += (
                {"type": "server_tool_use", "name": call["name"], "input": made},
                {"type": answered_by, "content": error},
            )
            continue
        made = _made_for(tool) if given is None else given
        blocks.append({"type": "tool_use", "name": call["name"], "input": made})
    return blocks


def _forced(
    body: Mapping[str, Any], tools: Sequence[Mapping[str, Any]], rule: Rule
) -> list[dict[str, Any]]:
    """Return the call that ``tool_choice`` forces, or that a rule wants where it leaves the choice.

    A scripted text does not lift the force.
    """
    choice = body.get("tool_choice") or {}
    if isinstance(rule.reply, tuple):
        return []
    if choice.get("type") == "tool":
        return [{"name": choice["name"]}]
    free = choice.get("type") in (None, "auto") and rule.call_tool_under_auto
    if choice.get("type") == "any" or (free and not _is_answering(body)):
        own = [tool["name"] for tool in tools if "input_schema" in tool]
        servers = [tool["name"] for tool in tools if _answered_by(tool)]
        return [{"name": name} for name in (own or servers)[:1]]
    return []


def _answered_by(tool: Mapping[str, Any]) -> str:
    kind = str(tool.get("type") or "")
    return next((block for start, block in _ANSWERED_BY.items() if kind.startswith(start)), "")


def _made_for(tool: Mapping[str, Any]) -> Any:
    return instance_of(tool["input_schema"]) if "input_schema" in tool else {}


def _is_answering(body: Mapping[str, Any]) -> bool:
    """Tell whether the last turn brings tool results: then a model would not call once more."""
    return any(
        block["type"] == "tool_result" for block in blocks_of(body["messages"][-1]["content"])
    )
