"""The routing table: which tool name is handled where, and what stands in front of it."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, runtime_checkable

from attrs import frozen

from hookline import ConfigError, InputError, Tool
from hookline.values import ToolSpec
from hookline_plugins.tools.gates import Deny, Human, callback_of, in_terminal
from hookline_plugins.tools.links import Link
from hookline_plugins.tools.rows import Row
from hookline_plugins.tools.running import Function, Job

if TYPE_CHECKING:
    from hookline_plugins.tools.computer import Screen

__all__ = ["Client", "Handler", "Route", "Row", "Table", "read_routes"]

Route: TypeAlias = "str | Callable[..., Any] | Mapping[str, Any] | Screen"
"""A function, a link, a word, a table, or a screen: see ``read_routes``."""

_PATTERN: Final = re.compile(r"[A-Za-z0-9_*-]{1,128}")
CODE: Final = "routes= of Tools"


class Handler(Protocol):
    """What runs calls of a tool."""

    async def run(self, job: Job) -> Any:
        """Return the result of a call, or raise what went wrong."""
        ...


@runtime_checkable
class Toolbox(Protocol):
    """A handler with tools of its own, which it describes: an MCP server, a memory, a screen."""

    async def tools(self, turn: Any, model: str) -> Iterable[tuple[str, ToolSpec | None]]:
        """Return name and definition of each; None where another definition brings it along."""
        ...


@runtime_checkable
class Joins(Protocol):
    """A handler whose tools need more of a request than their definitions."""

    def joined(self, request: Any) -> Any:
        """Return the request with it."""
        ...


@frozen
class Client:
    """Calls go back to the caller."""

    def __str__(self) -> str:
        return "client"


@frozen
class Table:
    """Handlers and gates by tool name."""

    handlers: tuple[Row, ...]
    gates: tuple[Row, ...]

    def handler(self, name: str) -> Row | None:
        """Return the most specific line for a tool, or None.

        Raises:
            ConfigError: two are equally specific.

        """
        return _most_specific(self.handlers, name)

    def gate(self, name: str) -> Row | None:
        """Return the gate in front of a tool; of equal ones, the stricter."""
        fitting = [row for row in self.gates if row.takes(name)]
        return max(fitting, key=lambda row: (row.rank, isinstance(row.handler, Deny)), default=None)


def _most_specific(rows: Iterable[Row], name: str) -> Row | None:
    fitting = sorted((row for row in rows if row.takes(name)), key=lambda row: row.rank)
    if len(fitting) > 1 and fitting[-1].rank == fitting[-2].rank:
        first, second = fitting[-2:]
        raise ConfigError(
            f"tools: {name!r} is handled twice: by {first.handler} ({first.origin}, "
            f"{first.pattern!r}) and by {second.handler} ({second.origin}, {second.pattern!r}); "
            "give one of them another name"
        )
    return fitting[-1] if fitting else None


def read_routes(routes: Mapping[str, Route], origin: str = CODE) -> Table:
    """Return the table that an option describes.

    Args:
        routes: tool name or glob to a function, ``"https://…"``, ``{url, method, headers, timeout}``,
            ``"mcp:COMMAND …"``, ``{mcp, url, prefix, allow, env, headers, resources, prompts, changed}``,
            ``"memory:DIR"``, ``{bash, sandbox}``, ``{text_editor, seen_as}``, ``"server:web_search"``,
            ``{server, type, …}``, ``{connector, name, token, allow}``, ``"client"``, ``"deny"``,
            ``{deny = reason}``, ``"human"``, ``{"human": callback}``, a ``Screen``,
            ``{"computer": screen, "kind": …}``, ``{"browser": object}``.
        origin: where they come from, for an error's text.

    Raises:
        ConfigError: a pattern that fits no name, or a route that leads nowhere.

    """
    handlers: list[Row] = []
    gates: list[Row] = []
    for pattern, route in routes.items():
        if not isinstance(pattern, str) or not _PATTERN.fullmatch(pattern):
            raise ConfigError(
                f"tools: route {pattern!r} fits no tool: names are letters, digits, _ and -, with * "
                "for any part"
            )
        handler = _read(pattern, route)
        definition = _definition(pattern, route, handler)
        row = Row(pattern=pattern, handler=handler, origin=origin, definition=definition)
        (gates if isinstance(handler, Deny | Human) else handlers).append(row)
    return Table(tuple(handlers), tuple(gates))


def _read(pattern: str, route: Any) -> Any:
    try:
        return _handler(pattern, route)
    except ConfigError:
        raise
    except (InputError, OSError, TypeError, ValueError) as error:
        raise ConfigError(f"tools: route {pattern!r}: {error}") from error


def _handler(pattern: str, route: Any) -> Any:
    if isinstance(route, str):
        return _read_text(route)
    if isinstance(route, Mapping):
        for key, make in _BY_KEY.items():
            if key in route:
                _check_options(pattern, key, route)
                rest = {name: value for name, value in route.items() if name != key}
                return make(route[key], **rest)
    elif hasattr(route, "screenshot"):
        return _computer(route)
    elif callable(route):
        return Function(route)
    raise ConfigError(
        f"tools: route {pattern!r} must be a function or an https link, one of "
        f"{', '.join(sorted({*_WORDS, *_BY_SCHEME}))}, or a table with one of "
        f"{', '.join(_BY_KEY)}, not {route!r}"
    )


def _check_options(pattern: str, key: str, route: Mapping[str, Any]) -> None:
    """Hold a table to what its kind of route takes, so that a slip is told where it is written."""
    known = {key: _ANY, **_OPTIONS[key]}
    for name, value in route.items():
        kind = known.get(name, _ANY if key in _OPEN else None)
        if kind is None:
            others = ", ".join(option for option in _OPTIONS[key] if option != key) or "nothing"
            raise ConfigError(
                f"tools: route {pattern!r}: beside {key} there may be {others}, not {name!r}"
            )
        if not kind.fits(value):
            raise ConfigError(
                f"tools: route {pattern!r}: {name} must be {kind.said}, not {value!r}"
            )


def _read_text(route: str) -> Any:
    if route in _WORDS:
        return _WORDS[route]()
    scheme, colon, rest = route.partition(":")
    if colon and f"{scheme}:" in _BY_SCHEME:
        return _BY_SCHEME[f"{scheme}:"](rest.strip())
    return Link(route)


def _definition(pattern: str, route: Any, handler: Any) -> ToolSpec | None:
    if isinstance(handler, Function) and "*" not in pattern:
        from hookline.schema import describe  # noqa: PLC0415 -- few pipelines have routes

        return describe(handler.function, pattern)
    if isinstance(handler, Link) and isinstance(route, Mapping) and "input_schema" in route:
        return Tool(
            name=pattern, input_schema=route["input_schema"], description=route.get("description")
        )
    return None


def _link(url: str, *, description: str = "", input_schema: Any = None, **options: Any) -> Link:
    """Make a link; what describes its tool is read by ``_definition``."""
    if description and input_schema is None:
        raise ConfigError(f"tools: {url!r}: a description wants an input_schema beside it")
    return Link(url, **options)


def _human(how: Any) -> Human:
    return Human(callback_of(how, in_terminal, "human"))


def _mcp(where: Any, **options: Any) -> Any:
    from hookline_plugins.tools.mcp_servers import MCPServer  # noqa: PLC0415 -- few pipelines speak MCP

    return MCPServer.of(where, **options)


def _memory(folder: str) -> Any:
    from hookline_plugins.tools.local.memory import Memory  # noqa: PLC0415 -- few pipelines have one

    return Memory(folder)


def _bash(root: Any, **options: Any) -> Any:
    from hookline_plugins.tools.local.shell import Bash  # noqa: PLC0415 -- few pipelines have one

    return Bash.of(root, **options)


def _text_editor(root: Any, **options: Any) -> Any:
    from hookline_plugins.tools.local.editor import TextEditor  # noqa: PLC0415 -- few pipelines have one

    return TextEditor.of(root, **options)


def _browser(browser: Any) -> Any:
    from hookline_plugins.tools.browser import Browser  # noqa: PLC0415 -- few pipelines have one

    return Browser(browser)


def _server(name: Any, **options: Any) -> Any:
    from hookline_plugins.tools.at_anthropic import ServerSide  # noqa: PLC0415 -- few pipelines have one

    return ServerSide.of(name, **options)


def _connector(url: Any, **options: Any) -> Any:
    from hookline_plugins.tools.at_anthropic import Connector  # noqa: PLC0415 -- few pipelines have one

    return Connector.of(url, **options)


def _computer(screen: Any, **options: Any) -> Any:
    from hookline_plugins.tools.computer import Computer  # noqa: PLC0415 -- few pipelines have one

    return Computer(screen, **options)


_WORDS: Final[Mapping[str, Callable[[], Any]]] = {"client": Client, "deny": Deny, "human": Human}
_BY_SCHEME: Final[Mapping[str, Callable[[str], Any]]] = {
    "mcp:": _mcp,
    "memory:": _memory,
    "server:": _server,
}
_BY_KEY: Final[Mapping[str, Callable[..., Any]]] = {
    "mcp": _mcp,  # before "url", which it may have too
    "url": _link,
    "memory": _memory,
    "computer": _computer,
    "browser": _browser,
    "bash": _bash,
    "text_editor": _text_editor,
    "server": _server,
    "connector": _connector,
    "deny": Deny,
    "human": _human,
}


@frozen
class _Kind:
    """What the value of an option may be."""

    said: str
    fits: Callable[[Any], bool]


def _is_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(each, str) for pair in value.items() for each in pair
    )


def _is_time(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and 0 < value < float("inf"))


_ANY: Final = _Kind("anything", lambda _: True)
_TEXT: Final = _Kind("text", lambda value: isinstance(value, str))
_PREFIX: Final = _Kind(
    "letters, digits, _ and -",
    lambda value: isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_-]*", value) is not None,
)
_TEXTS: Final = _Kind("a list of texts", _is_texts)
_TABLE: Final = _Kind("a table of texts", _is_table)
_TIME: Final = _Kind("a number of seconds above 0", _is_time)
_FLAG: Final = _Kind("true or false", lambda value: isinstance(value, bool))
_SCHEMA: Final = _Kind("a JSON schema", lambda value: isinstance(value, Mapping))
_FOLDER: Final = _Kind(
    "a directory", lambda value: isinstance(value, str | Path) and bool(str(value).strip())
)

_OPEN: Final = ("server",)  # which takes whatever the API's tool takes
_OPTIONS: Final[Mapping[str, Mapping[str, _Kind]]] = {
    "mcp": {
        "url": _TEXT,
        "prefix": _PREFIX,
        "allow": _TEXTS,
        "env": _TABLE,
        "headers": _TABLE,
        "resources": _FLAG,
        "prompts": _FLAG,
        "changed": _ANY,
    },
    "url": {
        "url": _TEXT,
        "method": _TEXT,
        "headers": _TABLE,
        "timeout": _TIME,
        "description": _TEXT,
        "input_schema": _SCHEMA,
    },
    "memory": {"memory": _FOLDER},
    "computer": {"kind": _TEXT},
    "browser": {},
    "bash": {"bash": _FOLDER, "sandbox": _TEXT},
    "text_editor": {"text_editor": _FOLDER, "seen_as": _TEXT},
    "server": {"type": _TEXT},
    "connector": {"name": _TEXT, "token": _TEXT, "allow": _TEXTS},
    "deny": {"deny": _TEXT},
    "human": {},
}
