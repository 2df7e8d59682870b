"""The options that commands share, as tables, and what a command makes of them."""

import functools
import math
import os
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import click
from attrs import frozen

from hookline.cli.progress import ProgressBar
from hookline.errors import InputError

if TYPE_CHECKING:
    from hookline.pipeline import Pipeline
    from hookline.send_options import SendOptions
    from hookline.values.blocks import Block

__all__ = ["CONFIG", "JSON", "LINE", "MESSAGE", "TEXT", "Arguments", "examples", "takes"]

Decorator: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]


def _facts(
    _context: click.Context, _parameter: click.Parameter, values: Sequence[str]
) -> Mapping[str, str]:
    pairs = [value.partition("=") for value in values]
    for name, equals, _ in pairs:
        if not equals or not name:
            raise click.BadParameter(f"write KEY=VALUE, for example user=ada, not {name!r}")
    return {name: value for name, _, value in pairs}


def _finite(
    _context: click.Context, _parameter: click.Parameter, value: float | None
) -> float | None:
    if value is not None and math.isnan(value):  # to click it is a float, and within every range
        raise click.BadParameter("'nan' is not in the range 0<=x<=1.")
    return value


CONFIG: Final[Decorator] = click.option(
    "--config",
    metavar="FILE",
    help="Settings; else HOOKLINE_CONFIG, else the nearest hookline.toml, of which only what is harmless.",
)
JSON: Final[Decorator] = click.option(
    "as_json", "--json", is_flag=True, help="Print one JSON document instead."
)
TEXT: Final[Decorator] = click.argument("text", required=False)

LINE: Final[tuple[Decorator, ...]] = (
    click.option("--model", "-m", metavar="ID", help="See `hookline models`."),
    click.option("--system", "-s", metavar="TEXT", help="The system prompt."),
    click.option("--max-tokens", type=int, metavar="N", help="Most output tokens."),
    click.option(
        "--temperature",
        type=click.FloatRange(0, 1),
        callback=_finite,
        metavar="0..1",
        help="Randomness; newer models refuse it.",
    ),
    CONFIG,
    click.option(
        "--base-url",
        metavar="URL",
        help="Where to send; sim: is the built-in simulator, which needs no key.",
    ),
    click.option("--timeout", type=float, metavar="S", help="Seconds that a turn may take."),
    click.option(
        "--context",
        multiple=True,
        callback=_facts,
        metavar="KEY=VALUE",
        help="A fact for plugins; may be repeated.",
    ),
)
"""What a pipeline and every turn of it take."""

MESSAGE: Final[tuple[Decorator, ...]] = (
    TEXT,
    click.option(
        "images",
        "--image",
        "-i",
        multiple=True,
        metavar="PATH|DIR|GLOB|URL",
        help="An image to look at, a directory or pattern for several, - for stdin; may be repeated.",
    ),
    click.option(
        "documents",
        "--document",
        "-d",
        multiple=True,
        metavar="PATH|URL",
        help="A PDF or text to read; may be repeated.",
    ),
    click.option("--prefill", "-p", metavar="TEXT", help="The first words of the reply."),
    click.option("--schema", metavar="FILE", help="A JSON schema; the reply is JSON that fits it."),
    click.option(
        "tools",
        "--tool",
        multiple=True,
        metavar="MODULE:NAME",
        help="A Python function that the model may call; may be repeated.",
    ),
    click.option(
        "mcp",
        "--mcp",
        multiple=True,
        metavar="COMMAND|URL",
        help="An MCP server whose tools the model may call; may be repeated.",
    ),
    click.option(
        "--stream/--no-stream",
        default=None,
        help="Show the reply while it is written; the default on a terminal.",
    ),
)
"""What one message takes."""


@frozen(kw_only=True)
class Arguments:
    """What the user asked for.

    Attributes:
        text: the argument, before stdin is looked at.
        images: paths and URLs; "-" is stdin.
        documents: as images.
        schema: a file with a JSON schema.
        tools: functions, as MODULE:NAME.
        mcp: commands and addresses of MCP servers.
        prefill: the first words of the reply.
        stream: None leaves it to the terminal.
        as_json: print JSON.
        model: and the rest: see ``Pipeline``.

    """

    text: str | None = None
    images: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    schema: str | None = None
    tools: tuple[str, ...] = ()
    mcp: tuple[str, ...] = ()
    prefill: str | None = None
    stream: bool | None = None
    as_json: bool = False
    model: str | None = None
    system: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    config: str | None = None
    base_url: str | None = None
    timeout: float | None = None
    context: Mapping[str, str]

    def pipeline(self) -> "Pipeline":
        """Return a pipeline with the user's settings."""
        from hookline.cli.selection import applied  # noqa: PLC0415 -- `--help` does without
        from hookline.pipeline import Pipeline  # noqa: PLC0415 -- as above

        plugins, disable = applied(self.config)
        return Pipeline(
            plugins=[*plugins, *self._plugins()],
            disable=disable,
            model=self.model,
            max_tokens=self.max_tokens,
            base_url=self.base_url,
            timeout=self.timeout,
            config=self.config,
            context=self.context,
        )

    def _plugins(self) -> list[Any]:
        """Return the plugin ``tools`` with the user's MCP servers, if there are any."""
        if not self.mcp:
            return []
        import attrs  # noqa: PLC0415 -- few calls have servers

        from hookline.cli.survey import survey  # noqa: PLC0415 -- as above

        found = survey(self.config).working.get("tools")
        if found is None:
            raise click.UsageError("--mcp needs the plugin tools, which is not enabled here.")
        tools: Any = found.object
        # Each a glob for all names; a name that two of them have is an error when it is used.
        routes = {"*" * place: f"mcp:{where}" for place, where in enumerate(self.mcp, 1)}
        return [attrs.evolve(tools, routes={**tools.routes, **routes})]

    def options(self) -> "SendOptions":
        """Return what goes with every turn besides the message."""
        options: SendOptions = {}
        if self.model is not None:
            options["model"] = self.model
        if self.system is not None:
            options["system"] = self.system
        if self.temperature is not None:
            options["temperature"] = self.temperature
        return options

    def message_options(self) -> "SendOptions":
        """Return what goes with this one message.

        Raises:
            InputError: a schema or a tool that cannot be read.

        """
        from hookline.cli import sources  # noqa: PLC0415 -- `--help` does without

        options = self.options()
        options["on_progress"] = click.get_current_context().with_resource(ProgressBar())
        if self.prefill is not None:
            self._warn_of_a_file(self.prefill)
            options["prefill"] = self.prefill
        if self.schema is not None:
            options["output"] = sources.schema(self.schema)
        if self.tools:
            options["tools"] = [sources.function(name) for name in self.tools]
        return options

    def message(self) -> "str | list[Block | str]":
        """Return what to send: images, documents, and the text.

        The text is the argument, stdin, or both with a blank line between.

        Raises:
            UsageError: there is neither text nor anything to look at.
            InputError: stdin is no text.

        """
        from hookline.cli import sources  # noqa: PLC0415 -- `--help` does without

        taken = [each for each in (*self.images, *self.documents) if each == "-"]
        if len(taken) + (self.text == "-") > 1:
            raise click.UsageError("only one of TEXT, --image and --document can be stdin, -.")
        attached = sources.attachments(self.images, self.documents)
        text = self.text if taken else self._text(needed=not attached)
        if not attached:
            return text or ""
        return attached if text is None else [*attached, text]

    def _warn_of_a_file(self, prefill: str) -> None:
        """Say where a plugin is named, to whoever took ``-p`` for that; it may be meant all the same."""
        if prefill.endswith(".py") and Path(prefill).is_file():
            from hookline.cli.output import note  # noqa: PLC0415 -- `--help` does without

            note(
                f"-p after the command is the prefill; a plugin stands before it: hookline -p {prefill} …"
            )

    def _text(self, *, needed: bool) -> str | None:
        if self.text == "-":
            return _stdin()
        piped = _stdin() if _is_piped(waiting=self.text is None) else None
        if self.text is None:
            if not piped and needed:
                raise click.UsageError("there is no text: give it as an argument, or pipe it in.")
            return piped or None
        return f"{self.text}\n\n{piped}" if piped else self.text


def takes(*tables: Sequence[Decorator] | Decorator) -> Decorator:
    """Return a decorator that gives a command the options of ``tables``, as one ``Arguments``."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(**given: Any) -> Any:
            own = {name: given.pop(name) for name in list(given) if name not in _ARGUMENTS}
            return function(Arguments(**given), **own)

        decorated: Callable[..., Any] = run
        options = [option for table in tables for option in ([table] if callable(table) else table)]
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


_ARGUMENTS: Final = frozenset(Arguments.__annotations__)


def examples(*lines: str) -> str:
    r"""Return an epilog with examples; ``\b`` keeps click from filling the lines."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def _is_piped(*, waiting: bool) -> bool:
    """Say whether stdin holds text for us.

    A command with an argument looks only at real pipes and files: under cron or a service manager
    stdin is something else, and nobody would ever end it.
    """
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        return False
    if waiting:
        return True
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def _stdin() -> str:
    if sys.stdin is None or sys.stdin.closed:
        return ""
    try:
        text = sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise InputError(
            "what was piped in is not text in UTF-8; an image goes with --image FILE"
        ) from problem
    return text.rstrip("\r\n")
