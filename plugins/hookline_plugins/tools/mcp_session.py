"""A connection to an MCP server, kept in a thread with an event loop of its own.

A session outlives the turns, and belongs to one loop; a ``Pipeline`` has none, and an ``AsyncPipeline``
may serve several. So both talk to it from outside.
"""

import asyncio
import logging
import os
import re
import shlex
import threading
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar, cast

from attrs import field, frozen

from hookline import ConfigError, MissingExtra, TransportError

__all__ = ["Address", "Session"]

T = TypeVar("T")

_START_SECONDS: Final = 30.0
_STDERR_KEPT: Final = 4_000  # bytes; a server may write without end
# The package logs each line of a server that is no message, with a traceback; without a handler of the
# application's, all of that would go to our stderr.
_LOG: Final = logging.getLogger("mcp")
_SILENT: Final = logging.NullHandler()
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@frozen
class Address:
    """Where an MCP server is.

    Attributes:
        where: a command with its arguments, or an ``https:`` address (``http:`` on this machine).
        environment: further variables for a command, or headers for an address.

    """

    where: str
    environment: Mapping[str, str] = field(factory=dict, repr=False)

    @property
    def is_url(self) -> bool:
        """Whether it is spoken to over HTTP."""
        return self.where.startswith(("https://", "http://"))

    @asynccontextmanager
    async def connected(self, stderr: int) -> AsyncGenerator[Any, None]:
        """Connect with the official package, and yield its client."""
        try:
            import mcp  # noqa: PLC0415 -- an extra
            from mcp.client.stdio import get_default_environment, stdio_client  # noqa: PLC0415 -- as above
            from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415 -- as above
        except ImportError as error:
            raise MissingExtra("mcp", "mcp", "MCP servers") from error
        _LOG.addHandler(_SILENT)
        if self.is_url:
            import httpx2  # noqa: PLC0415 -- comes with the extra

            async with httpx2.AsyncClient(headers=dict(self.environment)) as http:
                transport = streamable_http_client(self.where, http_client=http)
                async with mcp.Client(transport) as client:
                    yield client
            return
        command, *arguments = shlex.split(self.where)
        parameters = mcp.StdioServerParameters(
            command=command,
            args=arguments,
            env={**get_default_environment(), **self.environment},
        )
        with os.fdopen(os.dup(stderr), "w") as log:
            async with mcp.Client(stdio_client(parameters, errlog=log)) as client:
                yield client


class Session:
    """A running connection.

    Args:
        address: of the server.

    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._client: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: Callable[[], object] | None = None
        self._ready = threading.Event()
        self._ended = threading.Event()
        self._error: BaseException | None = None
        self._gone = False
        self._stderr: deque[bytes] = deque(maxlen=64)
        self._thread = threading.Thread(target=self._run, name="hookline-mcp", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether it can be talked to."""
        return not self._ended.is_set() and not self._gone

    def started(self) -> None:
        """Wait until the server has answered.

        Raises:
            ConfigError: it does not start; the text shows what it wrote.

        """
        in_time = self._ready.wait(_START_SECONDS)
        if in_time and self._error is None:
            return
        if isinstance(self._error, MissingExtra):
            raise self._error
        self.close()
        why = _innermost(self._error) if self._error else f"no answer in {_START_SECONDS:g} s"
        written = self.written
        said = f"; it wrote: {written}" if written else ""
        raise ConfigError(f"the MCP server {self._address.where!r} does not start: {why}{said}")

    @property
    def written(self) -> str:
        """The end of what the server wrote to its stderr, without control characters."""
        raw = b"".join(self._stderr)[-_STDERR_KEPT:]
        return _CONTROL.sub(" ", raw.decode("utf-8", "replace")).strip()

    def ask(self, question: Callable[[Any], Awaitable[T]]) -> "Future[T]":
        """Put a question to the server; the future can be cancelled, and the question is with it.

        Args:
            question: gets the client of the package ``mcp``.

        Raises:
            TransportError: the server has gone.

        """
        loop = self._loop
        if loop is None or not self.is_alive:
            raise TransportError(
                f"the MCP server {self._address.where!r} has gone: {self.written}", phase="connect"
            )

        async def asked() -> T:
            import mcp  # noqa: PLC0415 -- an extra, and there, since the session has begun

            try:
                return await question(self._client)
            except mcp.MCPError as error:
                if error.code == mcp.types.CONNECTION_CLOSED and self._stop is not None:
                    self._gone = True  # the next call starts another one
                    self._stop()
                raise

        return asyncio.run_coroutine_threadsafe(asked(), loop)

    def close(self) -> None:
        """End the server and the thread; waits a few seconds at most."""
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None and not self._ended.is_set():
            loop.call_soon_threadsafe(stop)
        self._thread.join(5)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 -- raised where the start is waited for
            self._error = error
        finally:
            self._ended.set()
            self._ready.set()

    async def _serve(self) -> None:
        task, over = cast("asyncio.Task[None]", asyncio.current_task()), asyncio.Event()
        self._stop, self._loop = task.cancel, asyncio.get_running_loop()  # until it has answered
        reading, writing = os.pipe()
        reader = threading.Thread(target=self._read, args=(reading,), daemon=True)
        reader.start()
        try:
            async with self._address.connected(writing) as client:
                self._client, self._stop = client, over.set
                self._ready.set()
                await over.wait()
        finally:
            os.close(writing)
            reader.join(1)

    def _read(self, source: int) -> None:
        with os.fdopen(source, "rb", buffering=0) as stderr:
            while piece := stderr.read(1024):
                self._stderr.append(piece)


def _innermost(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
