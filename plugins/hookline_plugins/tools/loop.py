"""The plugin ``tools``: run the tools that the model asks for, and send it the results.

The loop is ``post_process`` returning ``Continue``: the results go out as the next step of the same
turn, under the same deadline, through the same images, send and policy stages.
"""

from collections.abc import Callable, Mapping
from inspect import isawaitable, iscoroutinefunction
from typing import Any, Final

from attrs import field, frozen

from hookline import (
    Block,
    ConfigError,
    Continue,
    DeadlineExceeded,
    HooklineError,
    InputError,
    Message,
    PolicyViolation,
    Reply,
    Request,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    Turn,
    hookimpl,
)
from hookline.errors import needs_event_loop
from hookline.plugin import TurnState, option
from hookline.turn import BoundTool
from hookline.wire import dumps
from hookline_plugins.tools.links import Link

__all__ = ["Tools"]

Route = str | Callable[..., Any]
_FORCED: Final = ("any", "tool")


def _routes(routes: Mapping[str, Route]) -> Mapping[str, Callable[..., Any] | Link]:
    made: dict[str, Callable[..., Any] | Link] = {}
    for name, route in routes.items():
        if isinstance(route, str):
            made[name] = Link(route)
        elif callable(route):
            made[name] = route
        else:
            raise ConfigError(
                f"tools: route {name!r} must be a function or an https link, not {route!r}"
            )
    return made


@frozen(eq=False)
class Tools:
    """Runs tools and sends their results back until the model is content.

    Functions come from ``tools=[…]`` of a call, from ``register_tools`` of plugins and from
    ``routes``. A call of a tool that none of them has goes back to the caller, with every other
    call of that reply. What a tool raises is told to the model as a failed result.

    Attributes:
        routes: tool name to function, or to an ``https:`` link (``http:`` on this machine) that
            gets the input as JSON by POST. A function's definition is sent along; a link's tool
            must be defined by the caller.
        max_result: characters of one text result; more is cut off, and the cut is marked.

    """

    after = ("history", "echo")
    rewrites_text = False
    bound = TurnState["dict[str, BoundTool]"](dict)
    routes: Mapping[str, Route] = field(factory=dict)
    max_result: int = field(default=200_000, metadata=option(harmless=True, above=0))
    _made: Mapping[str, Callable[..., Any] | Link] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_made", _routes(self.routes))

    @hookimpl
    def build_history(self, turn: Turn, request: Request) -> Request | None:
        """Add the definitions of the functions, and remember which name means which."""
        bound = dict(self._bound(turn))
        self.bound[turn] = bound
        defined = {getattr(tool, "name", None) for tool in request.tools or ()}
        new = tuple(
            tool.definition
            for name, tool in bound.items()
            if tool.definition is not None and name not in defined
        )
        return request.evolve(tools=(*(request.tools or ()), *new)) if new else None

    @hookimpl
    async def post_process(self, turn: Turn, reply: Reply) -> Continue | None:
        """Run the tools that the reply asks for, if all of them are known here."""
        calls = reply.tool_uses
        bound = self.bound[turn]
        if reply.stop_reason != "tool_use" or not calls:
            return None
        if any(call.name not in bound for call in calls):
            return None
        results = await turn.io.gather(
            *(self._answer(turn, bound[call.name], call) for call in calls)
        )
        request = reply.request.evolve(messages=(*reply.messages, Message("user", tuple(results))))
        if request.tool_choice is not None and request.tool_choice.type in _FORCED:
            request = request.evolve(tool_choice=None)  # forcing it again would never end
        return Continue(request)

    def _bound(self, turn: Turn) -> list[tuple[str, BoundTool]]:
        tools = [(tool.name, tool) for tool in turn.options.tools]
        if not self._made:
            return tools
        from hookline.schema import describe  # noqa: PLC0415 -- few pipelines have routes

        for name, route in self._made.items():
            definition = None if isinstance(route, Link) else describe(route, name)
            tools.append((name, BoundTool(name=name, definition=definition, function=route)))
        return tools

    async def _answer(self, turn: Turn, tool: BoundTool, call: ToolUseBlock) -> ToolResultBlock:
        async def run(final: ToolUseBlock) -> ToolResultBlock:
            return await self._run(turn, tool, final)

        return await turn.call_tool(call, run)

    async def _run(self, turn: Turn, tool: BoundTool, call: ToolUseBlock) -> ToolResultBlock:
        """Run one tool; whatever goes wrong in it becomes a result that says so."""
        try:
            content = self._content(await _called(turn, tool.function, call))
        except (DeadlineExceeded, PolicyViolation):
            raise  # of the turn, not of the tool
        except HooklineError as error:
            if needs_event_loop(error):
                raise  # the developer must know; the model could only shrug
            return _failed(call, str(error))
        except Exception as error:
            if needs_event_loop(error):
                raise
            return _failed(call, f"{type(error).__name__}: {error}")
        return ToolResultBlock(tool_use_id=call.id, content=content)

    def _content(self, value: Any) -> str | tuple[Block, ...]:
        if isinstance(value, Block):
            return (value,)
        if (
            isinstance(value, list | tuple)
            and value
            and all(isinstance(item, Block | str) for item in value)
            and any(isinstance(item, Block) for item in value)
        ):
            return tuple(TextBlock(item) if isinstance(item, str) else item for item in value)
        text = value if isinstance(value, str) else _json_text(value)
        if len(text) <= self.max_result:
            return text
        return f"{text[: self.max_result]}\n[cut: {len(text):,} characters in all]"


async def _called(turn: Turn, function: Any, call: ToolUseBlock) -> Any:
    if call.invalid_json is not None:
        raise InputError(f"the input is not valid JSON: {call.invalid_json[:1000]}")
    if isinstance(function, Link):
        return await function.post(turn, call.input)
    from hookline.schema import fitted_arguments  # noqa: PLC0415 -- few turns run tools

    arguments = fitted_arguments(function, call.input)
    if iscoroutinefunction(function):
        return await function(**arguments)
    result = await turn.io.run_blocking(lambda: function(**arguments))
    return await result if isawaitable(result) else result


def _failed(call: ToolUseBlock, text: str) -> ToolResultBlock:
    return ToolResultBlock(tool_use_id=call.id, content=text, is_error=True)


def _json_text(value: Any) -> str:
    if value is None:
        return "done"
    try:
        return dumps(value).decode()
    except TypeError:
        return str(value)
