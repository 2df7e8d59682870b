"""The ``hookline`` command itself: which subcommands there are."""

from collections.abc import Mapping
from typing import Any, Final

import click

from hookline.cli.ask import ask
from hookline.cli.author.check_plugin import check_plugin
from hookline.cli.author.new_plugin import new_plugin
from hookline.cli.chat.command import chat
from hookline.cli.config import config
from hookline.cli.doctor.command import doctor
from hookline.cli.explain import explain
from hookline.cli.images.command import images
from hookline.cli.models import models
from hookline.cli.options import examples
from hookline.cli.output import note
from hookline.cli.plugins import plugins
from hookline.cli.policy.commands import policy
from hookline.cli.replay.command import replay
from hookline.cli.selection import OPTIONS, chosen
from hookline.cli.sim import sim
from hookline.errors.nearest import nearest

__all__ = ["root"]


class _Root(click.Group):
    """Hookline's own commands, and those of plugins.

    Plugins are imported only for a list of all commands and for a name that is not Hookline's own,
    so nobody else's code slows ``hookline ask`` down, or can take its name.
    """

    def from_plugins(self, ctx: click.Context) -> Mapping[str, click.Command]:
        """Return what ``register_commands`` hooks registered; a broken plugin costs a remark.

        Looked up once a run: settings say which plugins there are, and may be others the next time.
        """
        known: Mapping[str, click.Command] | None = ctx.meta.get(__name__)
        if known is not None:
            return known
        from hookline.cli.survey import commands  # noqa: PLC0415 -- see above

        _choose(ctx)
        found, problems = commands(taken=frozenset(self.commands))
        ctx.meta[__name__] = found
        for problem in problems:
            note(problem)
        return found

    def invoke(self, ctx: click.Context) -> Any:
        _choose(ctx)
        return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.commands, *sorted(self.from_plugins(ctx))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self.commands.get(cmd_name) or self.from_plugins(ctx).get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise click.UsageError(
                f"there is no command {args[0]!r}; {self._instead_of(args[0], ctx)}", ctx
            )
        return super().resolve_command(ctx, args)

    def _instead_of(self, name: str, ctx: click.Context) -> str:
        from hookline._journey.discovery import installed  # noqa: PLC0415 -- see `from_plugins`

        if any(each.name == name for each in installed()):
            return (
                f"if plugin {name!r} offers it, switch that on: a table [plugins.{name}] in the "
                f"settings, or for one run hookline -p {name} {name} …"
            )
        return nearest(name, self.list_commands(ctx))


def _choose(ctx: click.Context) -> None:
    """Note which plugins take part, before a name is looked up: it may be a command of one of them."""
    ctx.obj = chosen(ctx.params.get("chosen") or (), ctx.params.get("only"))


def _print_version(context: click.Context, _parameter: click.Parameter, asked: bool) -> None:  # noqa: FBT001 -- click's signature
    if asked:
        from hookline import __version__  # noqa: PLC0415 -- reads the distribution's metadata

        click.echo(f"hookline {__version__}")
        context.exit()


root: Final = _Root(
    "hookline",
    help=(
        "A pluggable message pipeline for the Claude Messages API.\n\n"
        "A message travels through five stages (history, prefill, images, sending, reply), and "
        "plugins take part in them. Without a key, everything works against the built-in "
        "simulator: --base-url sim:, or ANTHROPIC_BASE_URL=sim:"
    ),
    epilog=examples(
        'ANTHROPIC_BASE_URL=sim: hookline ask "Hello, Claude"',
        'hookline explain "What is this?" --image ant.jpg',
        'hookline -p ./my_plugin.py -p no:logging ask "Hello"',
        "hookline chat --system 'Be brief.'",
        "hookline sim",
    ),
    commands={
        command.name or "": command
        for command in (
            ask,
            chat,
            explain,
            images,
            plugins,
            new_plugin,
            check_plugin,
            models,
            config,
            doctor,
            policy,
            replay,
            sim,
        )
    },
    params=[
        *OPTIONS,
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Print the version and leave.",
        ),
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
)
