"""The plugin ``tools``: run the tools that the model asks for, and send it the results.

The loop is ``post_process`` returning ``Continue``: the results go out as the next step of the same
turn, under the same deadline, through the same images, send and policy stages.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from attrs import evolve, field, frozen
from attrs.validators import and_, ge, gt, instance_of, optional

from hookline import (
    ConfigError,
    Continue,
    InputError,
    Message,
    Reply,
    Request,
    ToolUseBlock,
    Turn,
    TurnLimitExceeded,
    hookimpl,
)
from hookline.plugin import TurnState, checks_options, option
from hookline.turn import BoundTool
from hookline.values import ToolChoice
from hookline_plugins.tools.calls import Bounds, Calls
from hookline_plugins.tools.resuming import Resuming
from hookline_plugins.tools.routes import CODE, Joins, Table, Toolbox, read_routes
from hookline_plugins.tools.rows import Row
from hookline_plugins.tools.running import Function

__all__ = ["Tools"]

_FORCED: Final = ("any", "tool")
_ABOVE_0: Final = option(above=0)
_seconds: Any = optional(gt(0.0))
_count: Any = optional(and_(instance_of(int), ge(1)))


@checks_options
@frozen(eq=False)
class Tools:
    """Runs tools and sends their results back until the model is content.

    Functions come from ``tools=[…]`` of a call, from ``register_tools`` of plugins and from
    ``routes``. Calls that none of them handles go back to the caller, in ``reply.pending``, once all
    others have been run. What a tool raises is told to the model as a failed result.

    Attributes:
        routes: tool name or glob to where it is handled; see ``hookline_plugins.tools.routes``.
        timeout: seconds that one call may take; None for no limit but the turn's, and then a blocking
            function runs in the calling thread.
        parallel: how many calls of one reply run side by side.
        max_result: characters of one text result; more is cut off, and the cut is marked.
        max_calls: calls that one turn may make; None for no limit.
        max_cost: US dollars that a turn may have cost before another step begins; None for no limit.
        untrusted: names and globs of tools whose text is marked as data that gives no orders.
        ledger: where what has run of turns that are resumed is written down, so that no other process runs it
            again: a path; True for a file in the user's state directory, as far as that can be written;
            False for the memory of this process.

    """

    name = "tools"  # one that is handed over in code stands in place of the standard one
    after = ("history", "echo")
    rewrites_text = False
    _tables = TurnState["dict[str, Table]"](dict)
    _counts = TurnState["dict[str, int]"](dict)
    routes: Mapping[str, Any] = field(factory=dict)
    timeout: float | None = field(default=30.0, validator=_seconds, metadata=_ABOVE_0)
    parallel: int = field(default=16, validator=and_(instance_of(int), ge(1)), metadata=_ABOVE_0)
    max_result: int = field(
        default=200_000,
        validator=and_(instance_of(int), ge(1)),
        metadata=option(harmless=True, above=0),
    )
    max_calls: int | None = field(default=None, validator=_count, metadata=_ABOVE_0)
    max_cost: float | None = field(default=None, validator=_seconds, metadata=_ABOVE_0)
    untrusted: Sequence[str] = ()
    ledger: bool | str = field(default=True, validator=instance_of((bool, str)))
    _resuming: Resuming = field(init=False, repr=False)
    _gone_on = TurnState["list[Reply]"](list)
    _added: dict[int, tuple[BoundTool, Table]] = field(init=False, factory=dict, repr=False)
    _routed: Table = field(init=False, repr=False)
    _bounds: Bounds = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if isinstance(self.untrusted, str):
            raise ConfigError("tools: untrusted takes a list of names and globs")
        object.__setattr__(self, "_routed", read_routes(self.routes))
        object.__setattr__(self, "_resuming", Resuming(self.ledger))
        marked = tuple(Row(pattern=p, handler=None, origin="untrusted") for p in self.untrusted)
        bounds = Bounds(
            timeout=self.timeout,
            parallel=self.parallel,
            max_result=self.max_result,
            untrusted=marked,
        )
        object.__setattr__(self, "_bounds", bounds)

    @hookimpl
    async def build_history(self, turn: Turn, request: Request) -> Request | None:
        """Add the definitions of the tools that are handled here.

        Raises:
            InputError: two tools have one name.
            ConfigError: two routes handle one tool.

        """
        table = await self.table(turn, request.model)
        if not table.handlers:
            return None
        defined = {getattr(tool, "name", None) for tool in request.tools or ()}
        new: list[Any] = []
        for row in table.handlers:
            if row.definition is None:
                continue
            if row.origin != CODE and row.pattern in defined:
                raise InputError(
                    f"two tools are called {row.pattern!r}: one of {row.origin} and a definition of "
                    "the request; give one of them another name"
                )
            table.handler(row.pattern)
            if row.pattern not in defined and row.definition not in new:
                new.append(row.definition)
        for name in defined - {None}:
            table.handler(str(name))
        if not new:
            return None
        handlers = [row.handler for row in table.handlers]
        betas = [
            beta
            for handler in handlers
            if hasattr(handler, "betas")
            for beta in handler.betas(turn, request.model)
            if beta not in request.betas
        ]
        for handler in handlers:
            if isinstance(handler, Joins):
                request = handler.joined(request)
        return request.evolve(tools=(*(request.tools or ()), *new), betas=(*request.betas, *betas))

    @hookimpl
    async def post_process(self, turn: Turn, reply: Reply) -> Reply | Continue | None:
        """Run the tools that the reply asks for, as far as they are handled here.

        Raises:
            TurnLimitExceeded: too many calls, or too much spent.

        """
        calls = reply.tool_uses
        if reply.stop_reason != "tool_use" or not (calls or reply.tool_results):
            return None
        if turn.rehearsing:
            turn.trace.note(
                self.name, f"tools are not run here: {', '.join(c.name for c in calls)}"
            )
            return None
        resumed = turn.options.resumed
        if resumed is None:
            return await self._step(turn, reply)
        gone_on = self._gone_on[turn]
        with self._resuming.alone(reply):
            if gone_on:
                waiting = await self._resuming.went_on(turn, gone_on.pop(), reply)
            else:
                waiting = await self._resuming.begun(turn, reply, resumed.decisions)
            gone_on.append(waiting.reply)
            return await self._step(
                turn,
                waiting.reply,
                ran=waiting.ran,
                decisions=resumed.decisions,
                waited=waiting.waited,
                record=waiting.record,
            )

    async def _step(self, turn: Turn, reply: Reply, **known: Any) -> Reply | Continue | None:
        calls = reply.tool_uses
        table = await self.table(turn, reply.request.model)
        self._check_bounds(turn, reply, len(calls))
        running = Calls(turn, table, reply.request, self._bounds, **known)
        try:
            found = await running.run(calls)
        finally:  # whatever fails from here on: what has run is not run again
            done = (*reply.tool_results, *running.results.values())
            if done:
                turn.unfinished = reply.evolve(tool_results=done)
            if done and running.begun and "record" not in known:
                record = await turn.io.shielded(self._resuming.record(turn, reply))
                await turn.io.shielded(record.broken_off(tuple(running.begun.values())))
        results = (
            *reply.tool_results,
            *(found[call.id] for call in calls if call.id in found),
        )
        if len(found) < len(calls):
            return reply.evolve(tool_results=results) if found or known else None
        order = [block.id for block in reply.response.content if isinstance(block, ToolUseBlock)]
        results = tuple(sorted(results, key=lambda result: order.index(result.tool_use_id)))
        message = Message("user", results)
        request = reply.request.evolve(messages=(*reply.messages, message))
        return Continue(_unforced(request))

    @hookimpl
    def register_commands(self, register: Callable[[Any], None]) -> None:
        """Offer ``hookline tools``."""
        from hookline_plugins.tools.command import command  # noqa: PLC0415 -- for the command line only

        register(command)

    @hookimpl
    def close(self) -> None:
        """End the servers that were started for routes, and let go of the ledger."""
        added = (row for _, table in self._added.values() for row in table.handlers)
        for row in (*self._routed.handlers, *added):
            end = getattr(row.handler, "close", None)
            if end is not None:
                end()
        self._resuming.close()

    async def table(self, turn: Turn, model: str) -> Table:
        """Return who handles which tool in a turn.

        Args:
            turn: the journey; its tools and those of plugins are part of the table.
            model: which will be told; some toolboxes describe themselves by model.

        Raises:
            InputError: two tools have one name.

        """
        if not turn.options.tools and not self._routed.handlers:  # as in most turns
            return self._routed
        kept = self._tables[turn]
        if "table" not in kept:
            offered = _offered(turn)
            routed = [self._routed, *map(self._registered, turn.options.tools)]
            rows: list[Row] = []
            for row in (row for table in routed for row in table.handlers):
                rows += await _unpacked(row, turn, model)
            gates = (gate for table in routed for gate in table.gates)
            kept["table"] = Table((*rows, *offered), tuple(gates))
        return kept["table"]

    def _registered(self, tool: BoundTool) -> Table:
        """Return the route that a plugin has registered; its server outlives the turn."""
        if callable(tool.function):
            return Table((), ())
        if id(tool) not in self._added:
            read = read_routes({tool.name: tool.function}, tool.origin)
            self._added[id(tool)] = (tool, read)  # which keeps the id its own
        return self._added[id(tool)][1]

    def _check_bounds(self, turn: Turn, reply: Reply, more: int) -> None:
        counts = self._counts[turn]
        counts["calls"] = counts.get("calls", 0) + more
        if self.max_calls is not None and counts["calls"] > self.max_calls:
            raise TurnLimitExceeded(
                f"the model asked for {counts['calls']} tool calls, and a turn may make "
                f"{self.max_calls}; Tools(max_calls=…) allows more",
                reply,
            )
        if self.max_cost is None:
            return
        cost = turn.cost
        if cost is not None and cost > self.max_cost:
            raise TurnLimitExceeded(
                f"the turn has cost ${cost:.4f}, and may cost ${self.max_cost}; "
                "Tools(max_cost=…) allows more",
                reply,
            )


def _offered(turn: Turn) -> list[Row]:
    """Return the functions of the call and of plugins as lines of the table."""
    rows: dict[str, Row] = {}
    for tool in turn.options.tools:
        if not callable(tool.function):
            continue
        row = Row(
            pattern=tool.name,
            handler=Function(tool.function),
            origin=tool.origin,
            definition=tool.definition,
        )
        if tool.name in rows:
            raise InputError(
                f"two tools are called {tool.name!r}: {rows[tool.name].handler} "
                f"({rows[tool.name].origin}) and {row.handler} ({row.origin}); give one of them "
                "another name"
            )
        rows[tool.name] = row
    return list(rows.values())


async def _unpacked(row: Row, turn: Turn, model: str) -> list[Row]:
    """Return a line, or those of the tools that its handler brings."""
    if not isinstance(row.handler, Toolbox):
        return [row]
    found = [
        evolve(row, pattern=name, definition=definition)
        for name, definition in await row.handler.tools(turn, model)
        if row.takes(name)
    ]
    if not found:
        raise ConfigError(f"tools: {row.handler} has no tool that fits the route {row.pattern!r}")
    return found


def _unforced(request: Request) -> Request:
    """Return the request of the next step: forcing a tool again would never end."""
    choice = request.tool_choice
    if choice is None or choice.type not in _FORCED:
        return request
    single = choice.disable_parallel_tool_use  # holds for the whole turn
    kept = ToolChoice("auto", disable_parallel_tool_use=single) if single else None
    return request.evolve(tool_choice=kept)
