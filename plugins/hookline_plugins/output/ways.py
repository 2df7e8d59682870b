"""How a server is told what the reply must be: by a schema, by a tool, or in words.

A schema in ``output_config`` binds the model. Where there is none, the schema is the input of a tool that
the model has to call, which most servers hold it to. And who takes no tools either is told in the prompt.
"""

import json
from typing import Final, Literal, TypeAlias

from hookline import APIError, Request, Turn
from hookline.schema import Output as Wanted
from hookline.values import Tool, ToolChoice, thaw
from hookline_plugins.prefill.decision import takes_schema, with_instruction

__all__ = ["Way", "by_tool", "in_words", "refuses_tools", "takes_schema", "takes_tool"]

Way: TypeAlias = Literal["native", "tool", "instructed"]

_NAME: Final = "structured_output"
_FORBIDDING: Final = ("none",)
_JUDGES: Final = (400, 404, 422, 500, 501)  # what servers answer to a request they cannot serve
_INSTRUCTION: Final = (
    "Reply with one JSON object and nothing else: no introduction, no explanation, no Markdown. It "
    "must fit this JSON schema:\n{schema}"
)
_CALL: Final = "Once you have all that you need, give your answer by calling the tool {name}, and in no other way."


def takes_tool(turn: Turn, request: Request) -> bool:
    """Say whether a tool can be asked for: not in a batch, nor where the reply has been begun."""
    choice = request.tool_choice
    begun = bool(request.messages) and request.messages[-1].role == "assistant"
    forbidden = choice is not None and choice.type in _FORBIDDING
    return turn.surface != "batch" and not begun and not forbidden


def refuses_tools(error: APIError) -> bool:
    """Say whether a server has answered that it cannot call tools."""
    return error.status in _JUDGES and "tool" in str(error).lower()


def by_tool(turn: Turn, request: Request, wanted: Wanted) -> tuple[Request, str]:
    """Offer a tool whose input is the schema; alone, it must be called.

    Returns:
        The request, without ``output_config.format``, and the name of the tool.

    """
    names = {getattr(tool, "name", None) for tool in request.tools or ()}
    name = _NAME
    while name in names:
        name += "_"
    tool = Tool(name=name, description="Takes the answer.", input_schema=wanted.schema)
    asked = _without_format(request).evolve(tools=(*(request.tools or ()), tool))
    if not names and request.tool_choice is None and _may_be_forced(turn, request):
        return asked.evolve(tool_choice=ToolChoice("tool", name=name)), name
    return with_instruction(asked, _CALL.format(name=name)), name


def in_words(request: Request, wanted: Wanted) -> Request:
    """Write the schema into the last user message, before words that the reply has to begin with."""
    schema = json.dumps(thaw(wanted.schema), ensure_ascii=False)
    text = _INSTRUCTION.format(schema=schema)
    asked = _without_format(request)
    if asked.messages and asked.messages[-1].role == "assistant":
        *earlier, begun = asked.messages
        return with_instruction(asked.evolve(messages=tuple(earlier)), text).append(begun)
    return with_instruction(asked, text)


def _without_format(request: Request) -> Request:
    config = {k: v for k, v in (request.output_config or {}).items() if k != "format"}
    return request.evolve(output_config=config or None)


def _may_be_forced(turn: Turn, request: Request) -> bool:
    facts = turn.models.get(request.model)
    if facts is None:
        return True
    thinking = (request.thinking or {}).get("type")
    return facts.forced_tool_choice and not facts.thinks(thinking)
