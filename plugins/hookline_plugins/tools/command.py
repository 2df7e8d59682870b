"""``hookline tools``: the routing table, one call to try, and what was approved of MCP servers."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import click

from hookline import Pipeline, ToolResultBlock, Turn, hookimpl
from hookline.cli import selected
from hookline.simulator import Rule, Scenario, Simulator
from hookline_plugins.tools.approvals import Approvals
from hookline_plugins.tools.routes import Table
from hookline_plugins.tools.rows import Row

__all__ = ["command"]

_CONTROLS: Final = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)), " ")


class _Looks:
    """Takes the table out of a turn that is only explained."""

    def __init__(self) -> None:
        self.rows: list[dict[str, str]] = []

    @hookimpl
    async def build_history(self, turn: Turn, request: Any) -> None:
        """Note every line of the table, and the gate in front of it."""
        tools: Any = self.tools
        table = await tools.table(turn, request.model)
        self.rows = [_described(row, table) for row in table.handlers]
        covered = {row["name"] for row in self.rows}
        self.rows += [_described(row, table) for row in table.gates if row.pattern not in covered]

    tools: Any = None


def _described(row: Row, table: Table) -> dict[str, str]:
    gate = table.gate(row.pattern)
    return {
        "name": row.pattern,
        "route": "" if row in table.gates else str(row.handler),
        "from": row.origin,
        "policy": str(gate.handler) if gate else "",
    }


def _line(config: str | None, looks: _Looks, simulator: Simulator | None = None) -> Pipeline:
    plugins, disable = selected(config)
    line = Pipeline(
        config=config, base_url=simulator or "sim:", plugins=[*plugins, looks], disable=disable
    )
    plugin = line.plugins.get("tools")
    if plugin is None:
        raise click.ClickException("the plugin 'tools' is switched off here")
    looks.tools = plugin.object
    return line


_config: Final[Callable[[Any], Any]] = click.option(
    "--config", metavar="FILE", help="A settings file; without it, hookline.toml here."
)
_as_json: Final[Callable[[Any], Any]] = click.option(
    "--json", "as_json", is_flag=True, help="JSON."
)


@click.group("tools", invoke_without_command=True)
@_config
@_as_json
@click.pass_context
def command(context: click.Context, config: str | None, *, as_json: bool) -> None:
    """Print which tool is handled where: name, route, from where, policy."""
    if context.invoked_subcommand is not None:
        return
    looks = _Looks()
    with _line(config, looks) as line:
        line.explain("Which tools are there?")
    if as_json:
        click.echo(json.dumps(looks.rows, indent=2))
        return
    if not looks.rows:
        click.echo(
            "there are no tools here; give routes in [plugins.tools.routes], or a plugin with tools: -p FILE",
            err=True,
        )
    heads = ("name", "route", "from", "policy")
    rows = [dict(zip(heads, heads, strict=True)), *looks.rows] if looks.rows else []
    widths = {head: max((len(row[head]) for row in rows), default=0) for head in heads}
    for row in rows:
        text = "  ".join(row[head].ljust(widths[head]) for head in heads)
        click.echo(text.translate(_CONTROLS).rstrip())


@command.command()
@click.argument("name")
@click.argument("given", metavar="JSON", default="{}")
@_config
def call(name: str, given: str, config: str | None) -> None:
    """Run one tool with an input, as if a model had asked for it."""
    try:
        read = json.loads(given)
    except ValueError as error:
        raise click.UsageError(f"the input is not JSON: {error}") from error
    if not isinstance(read, Mapping):
        raise click.UsageError("the input must be a JSON object")
    simulator = Simulator(
        Scenario.of(Rule(call=1, tool_use={"name": name, "input": read}), Rule(reply="Done."))
    )
    looks = _Looks()
    with _line(config, looks, simulator) as line:
        line.explain("Which tools are there?")
        if not any(Row(pattern=r["name"], handler=0, origin="").takes(name) for r in looks.rows):
            known = ", ".join(row["name"] for row in looks.rows) or "none"
            raise click.ClickException(f"nothing here handles {name!r}; there are: {known}")
        defined = {"name": name, "input_schema": {"type": "object"}}
        names = {row["name"] for row in looks.rows}
        reply = line.send("Call it.", tools=[] if name in names else [defined])
    block = reply.request.messages[-1].blocks[0]
    if not isinstance(block, ToolResultBlock):
        raise click.ClickException(
            f"{name!r} was not run: it waits for a person, or for the caller"
        )
    content = block.content
    text = content if isinstance(content, str) else "\n".join(map(_shown, content or ()))
    click.echo(text.translate(_CONTROLS), err=bool(block.is_error))
    if block.is_error:
        raise click.exceptions.Exit(1)


def _shown(block: Any) -> str:
    return getattr(block, "text", None) or repr(block)


@command.command()
@click.option("--forget", metavar="SERVER", help="Approve this server anew when it is next used.")
@_as_json
def approvals(forget: str | None, *, as_json: bool) -> None:
    """List the MCP servers whose tools were approved, and how many tools each had."""
    kept = Approvals.of_user()
    if forget is not None and not kept.forget(forget):
        raise click.ClickException(f"nothing was approved of {forget!r}")
    known = kept.read()
    if as_json:
        click.echo(json.dumps(known, indent=2))
    else:
        for server, tools in known.items():
            click.echo(f"{server}  {len(tools)} tools".translate(_CONTROLS))
