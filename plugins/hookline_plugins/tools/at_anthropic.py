"""Tools that run at Anthropic's, not here: they are offered, and nothing is to be run (facts 10.5, 10.6)."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import field, frozen

from hookline import ConfigError, Request, Turn
from hookline.values import Secret, ServerTool, ToolSpec
from hookline_plugins.tools.known import NAMES, is_claude, type_for
from hookline_plugins.tools.running import Job

__all__ = ["Connector", "ServerSide"]

_HERE: Final = ("bash", "computer", "text_editor", "memory")  # which run where the pipeline runs
_OFFERED: Final = tuple(name for name in NAMES if name not in _HERE)
_MCP_BETA: Final = "mcp-client-2025-11-20"
_SECRET: Final = "env:"  # noqa: S105 -- the prefix, not a secret


@frozen
class ServerSide:
    """Web search and fetch, code execution, tool search.

    Attributes:
        name: of the tool.
        options: of the tool, as the API takes them (``max_uses`` …).
        type: another one than that of the model.

    """

    name: str
    options: Mapping[str, Any] = field(factory=dict)
    type: str = ""

    @classmethod
    def of(cls, name: Any, *, type: str = "", **options: Any) -> "ServerSide":  # noqa: A002 -- as the API says
        """Read a route.

        Raises:
            ConfigError: no such tool.

        """
        if name not in _OFFERED:
            raise ConfigError(f"tools: server takes one of {', '.join(_OFFERED)}, not {name!r}")
        return cls(name, options, type)

    def __str__(self) -> str:
        return f"server ({self.name})"

    async def tools(self, turn: Turn, model: str) -> Iterable[tuple[str, ToolSpec | None]]:
        """Return the one tool, for models that know it."""
        name = self.name
        if not is_claude(turn, model):
            turn.trace.note("tools", f"{name} runs at Anthropic's, so {model} is not offered it")
            return ((name, None),)
        kind = self.type or type_for(turn, model, name)
        return ((name, ServerTool(type=kind, name=name, extra=self.options)),)

    async def run(self, job: Job) -> Any:
        """Never asked: the API runs it. A server that asks all the same is told so."""
        raise ConfigError(f"{job.call.name} runs at Anthropic's, and not here")


@frozen(kw_only=True)
class Connector:
    """An MCP server that Anthropic's side speaks to.

    Attributes:
        url: its address.
        name: what the request calls it.
        token: for it.
        allow: names of its tools; all if it is empty.

    """

    url: str
    name: str
    token: Secret | None = field(default=None, repr=False)
    allow: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, url: Any, *, name: str = "mcp", token: str = "", allow: Sequence[str] = ()
    ) -> "Connector":
        """Read a route.

        Args:
            url: https.
            name: what the request calls it.
            token: ``env:NAME``.
            allow: names.

        Raises:
            ConfigError: no such address, or a secret in the settings.

        """
        if not isinstance(url, str) or urlsplit(url).scheme != "https":
            raise ConfigError(f"tools: connector takes an https address, not {url!r}")
        if isinstance(allow, str):
            raise ConfigError("tools: allow takes a list of names")
        variable = token.removeprefix(_SECRET)
        if token and (variable == token or not os.environ.get(variable)):
            raise ConfigError("tools: token is env:NAME, with that variable set")
        secret = Secret(os.environ[variable]) if token else None
        return cls(url=url, name=name, token=secret, allow=tuple(allow))

    def __str__(self) -> str:
        return f"connector {self.url}"

    async def tools(self, _turn: Turn, _model: str) -> Iterable[tuple[str, ToolSpec | None]]:
        """Return the toolset that stands for the server's tools."""
        chosen: dict[str, Any] = {}
        if self.allow:
            chosen = {
                "default_config": {"enabled": False},
                "configs": {name: {"enabled": True} for name in self.allow},
            }
        extra = {"mcp_server_name": self.name, **chosen}
        return ((self.name, ServerTool(type="mcp_toolset", extra=extra)),)

    def betas(self, _turn: Turn, _model: str) -> tuple[str, ...]:
        """Return the beta header that opens it."""
        return (_MCP_BETA,)

    def joined(self, request: Request) -> Request:
        """Return a request that names the server."""
        known = [server.get("name") for server in request.mcp_servers or ()]
        if self.name in known:
            return request
        server: dict[str, Any] = {"type": "url", "url": self.url, "name": self.name}
        if self.token is not None:
            server["authorization_token"] = self.token.reveal()
        return request.evolve(mcp_servers=(*(request.mcp_servers or ()), server))

    async def run(self, job: Job) -> Any:
        """Never asked: the API runs it."""
        raise ConfigError(f"{job.call.name} runs at Anthropic's, and not here")
