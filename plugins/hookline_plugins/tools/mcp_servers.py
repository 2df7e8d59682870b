"""MCP servers as routes: their tools are listed, filtered, prefixed, pinned, and run."""

import base64
import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Final

from attrs import field, frozen
from loguru import logger

from hookline import Block, ConfigError, DeadlineExceeded, InputError, TextBlock, Tool, Turn
from hookline.values import ToolSpec, thaw
from hookline_plugins.tools.approvals import Approvals
from hookline_plugins.tools.gates import asked, callback_of, changed_in_terminal
from hookline_plugins.tools.links import check_operators_url
from hookline_plugins.tools.mcp_session import Address, Session
from hookline_plugins.tools.results import of_bytes
from hookline_plugins.tools.rows import Row
from hookline_plugins.tools.running import Job

__all__ = ["MCPServer"]

_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_-]")
_MOST_PAGES: Final = 100
_PATIENCE: Final = 60.0  # seconds for one page
_LONGEST: Final = 20_000  # characters of a description
_SECRET: Final = "env:"  # noqa: S105 -- the prefix, not a secret

# What is offered besides the server's own tools, where a route asks for it.
_RESOURCES: Final = {
    "list_resources": ("List the resources of this server, with their URIs.", {}),
    "read_resource": ("Read a resource.", {"uri": {"type": "string"}}),
}
_PROMPTS: Final = {
    "list_prompts": ("List the prompts that this server offers.", {}),
    "get_prompt": (
        "Get a prompt of this server.",
        {
            "name": {"type": "string"},
            "arguments": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    ),
}


@frozen(eq=False, kw_only=True)
class MCPServer:
    """A server that is started, or spoken to, when the first turn needs it.

    Attributes:
        address: where it is.
        prefix: put before the names of its tools.
        allow: names and globs of the tools that are used, without the prefix; all if it is empty.
        resources: whether its resources can be listed and read, by two further tools.
        prompts: whether its prompts can be, too.
        changed: who is asked where it describes tools in another way than was approved: gets the server
            and the tools, and returns whether they are approved. None refuses.

    """

    address: Address
    prefix: str = ""
    allow: tuple[str, ...] = ()
    resources: bool = False
    prompts: bool = False
    changed: Callable[..., Any] | None = None
    approvals: Approvals = field(factory=Approvals.of_user)
    _kept: dict[str, Any] = field(factory=dict, init=False, repr=False)
    _lock: Any = field(factory=threading.Lock, init=False, repr=False)

    @classmethod
    def of(
        cls,
        where: Any,
        *,
        url: str = "",
        env: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        allow: Sequence[str] = (),
        changed: Any = None,
        **options: Any,
    ) -> "MCPServer":
        """Read a route.

        Args:
            where: a command or an address.
            url: the address, where ``where`` does not say it.
            env: further variables for a command; ``env:NAME`` hands one of ours on.
            headers: for an address; ``env:NAME`` as in links.
            allow: names and globs.
            changed: a callback, or ``"terminal"``.
            **options: the other attributes.

        Raises:
            ConfigError: neither a command nor an address.

        """
        target = url or where
        if not isinstance(target, str) or not target.strip():
            raise ConfigError(f"tools: mcp takes a command or an https address, not {where!r}")
        if isinstance(allow, str):
            raise ConfigError("tools: allow takes a list of names and globs")
        own = {name: _secret(value) for name, value in (headers or env or {}).items()}
        address = Address(target.strip(), own)
        if address.is_url:
            check_operators_url(address.where)
        ask = callback_of(changed, changed_in_terminal, "changed")
        return cls(address=address, allow=tuple(allow), changed=ask, **options)

    def __str__(self) -> str:
        return f"mcp {self.address.where}"

    async def tools(self, turn: Turn, _model: str) -> Iterable[tuple[str, ToolSpec | None]]:
        """Return the tools of the server; it is asked once.

        Raises:
            ConfigError: it does not start, or describes a tool otherwise than was approved.

        """
        if "tools" not in self._kept:
            turn.check_deadline(f"the wait for the MCP server {self.address.where!r}")
            try:
                found = await turn.io.outwait(self._listed, seconds=turn.remaining())
            except TimeoutError:
                raise DeadlineExceeded(turn.phase, turn.timeout) from None
            await self._approve(turn, tuple(found.values()))
            named: dict[str, tuple[str, Tool]] = {}
            for own, tool in found.items():
                if tool.name in named:  # what we may not call one thing, two may be called
                    logger.bind(plugin="tools").warning(
                        "left out: tool {!r} of {}, since {!r} is called {!r} too",
                        own,
                        self,
                        named[tool.name][0],
                        tool.name,
                    )
                named.setdefault(tool.name, (own, tool))
            self._kept["tools"] = named
        return [(name, tool) for name, (_, tool) in self._kept["tools"].items()]

    async def _approve(self, turn: Turn, tools: tuple[Tool, ...]) -> None:
        """Pin what is seen for the first time; of what has changed since, somebody decides."""
        where = self.address.where
        changed = self.approvals.changed(where, tools)
        if changed and (
            self.changed is None or not await asked(turn, self.changed, where, changed)
        ):
            raise ConfigError(
                f"the MCP server {where!r} describes {', '.join(t.name for t in changed)} in another "
                "way than when it was approved. If that is right, approve it anew: hookline tools "
                f'approvals --forget {where!r}; or let somebody be asked: changed = "terminal"'
            )
        self.approvals.pin(where, tools)

    async def run(self, job: Job) -> Any:
        """Run a tool of the server.

        Raises:
            InputError: the tool says that it failed.
            TimeoutError: it took too long; the server has been told to stop.

        """
        own, _ = self._kept["tools"][job.call.name]
        given = thaw(job.call.input)
        question = _EXTRAS[own[1:]](given) if own.startswith("/") else _call(own, given, job)
        session = await job.turn.io.outwait(self._session, seconds=job.seconds)
        future: Future[Any] = session.ask(question)
        try:
            result = await job.turn.io.outwait(future.result, seconds=job.seconds)
        finally:
            future.cancel()  # harmless once it is done
        return _content(result)

    def close(self) -> None:
        """End the server, if it was started."""
        with self._lock:
            session = self._kept.pop("session", None)
        if session is not None:
            session.close()

    def _session(self) -> Session:
        with self._lock:
            session: Session | None = self._kept.get("session")
            if session is None or not session.is_alive:
                session = self._kept["session"] = Session(self.address)
        session.started()
        return session

    def _listed(self) -> dict[str, Tool]:
        """Return its tools by the names that it uses itself; those of ours begin with a slash."""
        session = self._session()
        found: dict[str, Tool] = {}
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            try:
                page = session.ask(partial(_page, cursor)).result(_PATIENCE)
            except Exception as error:  # whatever a server may answer
                raise ConfigError(
                    f"the MCP server {self.address.where!r} does not list its tools "
                    f"({type(error).__name__}: {error}); it wrote: {session.written or 'nothing'}"
                ) from error
            for each in page.tools:
                tool = self._tool(each.name, each.description, each.input_schema)
                if tool is not None:
                    found[each.name] = tool
            cursor = page.next_cursor
            if not cursor:
                break
        extras = {**(_RESOURCES if self.resources else {}), **(_PROMPTS if self.prompts else {})}
        for name, (text, properties) in extras.items():
            schema = {"type": "object", "properties": properties}
            found[f"/{name}"] = Tool(
                name=f"{self.prefix}{name}", description=text, input_schema=schema
            )
        return found

    def _tool(self, name: str, description: str | None, schema: Any) -> Tool | None:
        from hookline.schema import check_schema  # noqa: PLC0415 -- few pipelines speak MCP

        rows = [Row(pattern=each, handler=None, origin="allow") for each in self.allow]
        if rows and not any(row.takes(name) for row in rows):
            return None
        try:
            check_schema(schema, f"tool {name!r} of {self}")
        except InputError as error:
            logger.bind(plugin="tools").warning("left out: {}", error)
            return None
        return Tool(
            name=_NOT_IN_NAMES.sub("_", f"{self.prefix}{name}")[:128],
            description=(description or "")[:_LONGEST] or None,
            input_schema={**schema, "type": "object"},
        )


def _secret(value: str) -> str:
    if not value.startswith(_SECRET):
        return value
    name = value.removeprefix(_SECRET)
    if name not in os.environ:
        raise ConfigError(f"tools: the environment variable {name!r} is not set")
    return os.environ[name]


async def _page(cursor: str | None, client: Any) -> Any:
    return await client.list_tools(cursor=cursor)


def _call(name: str, given: Any, job: Job) -> Callable[[Any], Any]:
    async def progress(done: float, total: float | None, message: str | None) -> None:
        job.progress({"done": done, "total": total, "message": message})

    return lambda client: client.call_tool(name, given, progress_callback=progress)


_EXTRAS: Final[Mapping[str, Callable[[Any], Callable[[Any], Any]]]] = {
    "list_resources": lambda _given: lambda client: client.list_resources(),
    "read_resource": lambda given: lambda client: client.read_resource(given["uri"]),
    "list_prompts": lambda _given: lambda client: client.list_prompts(),
    "get_prompt": lambda given: (
        lambda client: client.get_prompt(given["name"], given.get("arguments") or {})
    ),
}


def _content(result: Any) -> Any:
    """Return what a server answered as what a tool may return."""
    parts = getattr(result, "content", None)
    if parts is None:
        contents = getattr(result, "contents", None)
        if contents is None:
            return result.model_dump(mode="json", exclude_none=True)
        return [_block(_resource(each)) for each in contents]
    blocks = [_block(_part(each)) for each in parts]
    if result.is_error:
        raise InputError(
            "\n".join(b.text for b in blocks if isinstance(b, TextBlock)) or "the tool failed"
        )
    return blocks or result.structured_content


def _part(part: Any) -> Any:
    if part.type == "text":
        return part.text
    if part.type == "image":
        return of_bytes(base64.b64decode(part.data), part.mime_type)
    if part.type == "resource":
        return _resource(part.resource)
    if part.type == "resource_link":
        return f"[resource {part.uri}]"
    return f"[{part.type}, which cannot be shown here]"


def _resource(resource: Any) -> Any:
    text = getattr(resource, "text", None)
    if text is not None:
        return text
    return of_bytes(base64.b64decode(resource.blob), resource.mime_type or "")


def _block(value: Any) -> Block:
    return value if isinstance(value, Block) else TextBlock(value)
