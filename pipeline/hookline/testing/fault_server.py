"""A server on the loopback interface that does what a script says, down to single bytes.

It knows just enough HTTP to receive a request. What it answers, when, and how it breaks off is the
script's business, so it can be as wrong as a real network. One thread accepts, one more serves each
connection; both end with the ``with`` block.
"""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

from attrs import frozen

from hookline.errors import ConfigError
from hookline.testing._play import Gone, Player
from hookline.testing.actions import Action, AtOnce, CutHandshake, NeverRead, Receive, Send

__all__ = ["FaultServer", "Received"]

_AT_ONCE: Final = (AtOnce, NeverRead, CutHandshake)
_JOIN: Final = 5.0  # seconds that a thread of ours may take to notice the end
_FILLERS: Final = 4  # connections of our own that keep a backlog of none full


@frozen
class Received:
    """One request as it came.

    Attributes:
        method: of HTTP.
        target: path and query.
        headers: names in lower case; the last of a kind wins.
        body: as it came; empty where the script did not read it.
        connection: 1 for the first connection, 2 for the next …

    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: int

    @property
    def json(self) -> Any:
        """The body as JSON values."""
        return json.loads(self.body)


Plain: TypeAlias = Action | bytes | Sequence[Action | bytes]
Script: TypeAlias = Plain | Callable[[Received], Plain]


class FaultServer:
    """Answers requests by script; a context manager.

    The n-th request gets the n-th script, whichever connection it comes by; the last script repeats.
    A script is a tuple of actions, or one alone; bytes stand for ``Send``. A function makes a script
    of the request that it answers.

    Args:
        *scripts: see above.
        tls: the server's side of TLS, for example ``Authority().valid()``; None speaks plainly.
        accepting: False leaves connections in a full backlog, where they hang, until ``let_in()``.
        receive_buffer: bytes that the kernel may hold unread; small ones stop writers early.

    Attributes:
        requests: what was received so far, in order.
        accepted: connections so far.

    Raises:
        ConfigError: no script was given.

    Example:
        >>> with FaultServer(Reset(), json_answer(message("Hello!"))) as server:
        ...     Pipeline(base_url=server.url, api_key="test").send("Hi")

    """

    def __init__(
        self,
        *scripts: Script,
        tls: ssl.SSLContext | None = None,
        accepting: bool = True,
        receive_buffer: int | None = None,
    ) -> None:
        if not scripts:
            raise ConfigError("a FaultServer needs a script: FaultServer((Send(b'…'), Close()))")
        self.requests: list[Received] = []
        self.accepted = 0
        self._scripts = [_begun(script) for script in scripts]
        self._taken = 0
        self._tls = tls
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._over = threading.Event()
        self._listener = socket.socket()
        if receive_buffer is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(1024 if accepting else 0)
        self._port: int = self._listener.getsockname()[1]
        self._fillers = [] if accepting else [self._filler() for _ in range(_FILLERS)]

    def __enter__(self) -> Self:
        if not self._fillers:
            self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The TCP port."""
        return self._port

    @property
    def url(self) -> str:
        """The base URL for a pipeline."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self._port}"

    @property
    def connections(self) -> int:
        """Connections that are open at this moment, as far as the server can know."""
        return len(self._open)

    def wait_until(self, true: Callable[[Self], bool], seconds: float = 5.0) -> bool:
        """Wait until something is true of this server, looked at whenever anything happens.

        Args:
            true: for example ``lambda server: server.connections == 0``.
            seconds: how long at most.

        Returns:
            Whether it became true in time.

        """
        with self._changed:
            return self._changed.wait_for(lambda: true(self), seconds)

    def let_in(self) -> None:
        """Accept connections from now on, and those that hang."""
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        self._listener.listen(1024)
        self._start(self._accept)

    def stop(self) -> None:
        """Close everything and wait for the threads. Harmless when repeated."""
        self._over.set()
        for filler in self._fillers:
            filler.close()
        with suppress(OSError):  # a listener that never accepted has nothing to shut down
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._changed:
            for connection in self._open:
                _shut(connection)
        for thread in list(self._threads):
            thread.join(_JOIN)

    def _filler(self) -> socket.socket:
        """Return a connection attempt that takes a place in the backlog, or waits for one."""
        filler = socket.socket()
        filler.settimeout(0)
        filler.connect_ex(("127.0.0.1", self._port))
        return filler

    def _start(self, function: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=function, args=arguments, name="fault-server", daemon=True)
        with self._changed:
            self._threads = [each for each in self._threads if each.is_alive()]
            thread.start()
            self._threads.append(thread)

    def _accept(self) -> None:
        with suppress(OSError):  # the listener was closed
            while not self._over.is_set():
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._changed:
                    self.accepted += 1
                    self._open.add(connection)
                    self._changed.notify_all()
                self._start(self._serve, connection, self.accepted)

    def _serve(self, plain: socket.socket, number: int) -> None:
        player = Player(plain, self._over)
        try:
            script = self._next(at_once=True)
            cut = isinstance(script, tuple) and isinstance(script[0], CutHandshake)
            if self._tls is not None and not cut:
                player.start_tls(self._tls)
            while not self._over.is_set():
                if script is None:
                    player.await_first_byte()
                    script = self._next(at_once=False)
                if callable(script):
                    request = self._note(player.receive(body=True), number)
                    script = _listed(script(request))
                for action in script or ():
                    if isinstance(action, Receive):
                        self._note(player.receive(body=action.body), number)
                    elif isinstance(action, CutHandshake):
                        player.cut_handshake(self._tls)
                    else:
                        player.play(action)
                script = None
        except (Gone, OSError, ValueError):
            pass  # the client went away, or the server is stopped
        finally:
            with self._changed:
                self._open.discard(plain)
                player.close()
                self._changed.notify_all()

    def _next(self, *, at_once: bool) -> "tuple[Action, ...] | Callable[[Received], Plain] | None":
        """Take the next script, or None if it waits for a request and there is none yet."""
        with self._changed:
            script = self._scripts[min(self._taken, len(self._scripts) - 1)]
            if at_once and (callable(script) or not isinstance(script[0], _AT_ONCE)):
                return None
            self._taken += 1
            return script

    def _note(self, request: tuple[str, str, Mapping[str, str], bytes], number: int) -> Received:
        received = Received(*request, connection=number)
        with self._changed:
            self.requests.append(received)
            self._changed.notify_all()
        return received


def _listed(script: Plain) -> tuple[Action, ...]:
    parts = script if isinstance(script, Sequence) and not isinstance(script, bytes) else (script,)
    return tuple(Send(part) if isinstance(part, bytes) else part for part in parts)


def _begun(script: Script) -> tuple[Action, ...] | Callable[[Received], Plain]:
    """Return a script that says where the request is received."""
    if callable(script):
        return script
    actions = _listed(script)
    if actions and isinstance(actions[0], _AT_ONCE):
        return actions
    if any(isinstance(each, Receive) for each in actions):
        return actions
    return (Receive(), *actions)


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):  # the client was quicker
        connection.shutdown(socket.SHUT_RDWR)
