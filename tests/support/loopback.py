"""A server that answers with the bytes it is told."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from attrs import define, field, frozen

from support.runner import MODEL


@frozen
class Received:
    """One HTTP request as it came over the socket."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@frozen
class Reset:
    """Break the connection with a TCP reset."""


@frozen
class Wait:
    """Say nothing until the test is over."""


Part = bytes | Reset | Wait


@define(eq=False)
class Loopback:
    """A server on the loopback interface; ``answer(request)`` gives the parts to send.

    It closes every connection after its answer.
    """

    answer: Callable[[Received], Any]
    requests: list[Received] = field(factory=list)
    port: int = 0
    _over: threading.Event = field(factory=threading.Event)
    _socket: Any = None
    _threads: list[threading.Thread] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._start(self._accept)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def line(self) -> dict[str, Any]:
        """Options of a pipeline that talks to it."""
        return {"base_url": self.url, "api_key": "test-key", "model": MODEL}

    def stop(self) -> None:
        self._over.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(5)

    def _start(self, function: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while not self._over.is_set():
                connection, _ = self._socket.accept()
                self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            request = _read_request(connection)
            if request is None:
                return
            self.requests.append(request)
            answer = self.answer(request)
            for part in (answer,) if isinstance(answer, bytes) else answer:
                if isinstance(part, Wait):
                    self._over.wait(30)
                elif isinstance(part, Reset):
                    linger = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    return
                else:
                    connection.sendall(part)


def _read_request(connection: socket.socket) -> Received | None:
    with connection.makefile("rb") as reader:
        first = reader.readline().decode("latin-1").split()
        if len(first) < 2:
            return None
        headers: dict[str, str] = {}
        while line := reader.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        body = reader.read(int(headers.get("content-length", "0")))
        return Received(first[0], first[1], headers, body)
