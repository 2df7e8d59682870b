"""The plugins ``record`` and ``replay``: what the API said once, said again without it.

Innermost of all layers: what is recorded is what left and what came, and a replay goes through
every other plugin as the network's answer would. Errors are not recorded.
"""

import threading
from pathlib import Path
from typing import Final, Literal

from attrs import field, frozen
from loguru import logger

from hookline import CallNext, ConfigError, InputError, Request, Response, Turn, hookimpl
from hookline.plugin import Layer, StreamOutcome, checks_options, watched
from hookline.wire import Assembler
from hookline_plugins.storage.cassettes import Cassette, DamagedCassette, Exchange, begins_like_one
from hookline_plugins.storage.paths import file_path
from hookline_plugins.storage.stores import set_aside

__all__ = ["Record", "Replay"]

_NEVER: Final = frozenset({"authorization", "x-api-key", "cookie", "set-cookie"})


def _check_headers(plugin: str, headers: tuple[str, ...]) -> None:
    if isinstance(headers, str):
        raise ConfigError(f'{plugin}: headers is a list: ["{headers}"], not a string')
    for name in headers:
        if name.lower() in _NEVER:
            raise ConfigError(f"{plugin}: the header {name!r} holds a secret and is never recorded")


@checks_options
@frozen(eq=False, kw_only=True)
class Record:
    """Records every answered request in a cassette, which replaces an older one of that name.

    Attributes:
        path: the file, made with mode 0600. Its directory must exist. A file that is there and is
            no cassette is refused.
        headers: names of response headers that are kept.

    """

    name = "record"
    layer = Layer.RECORD
    path: str = field(default="", converter=file_path)
    headers: tuple[str, ...] = ("request-id",)
    _cassette: Cassette = field(init=False, repr=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        _check_headers("record", self.headers)
        path = Path(self.path)
        if self.path and not path.parent.is_dir():
            raise ConfigError(f"record: there is no directory {path.parent}; make it first")
        object.__setattr__(self, "_cassette", Cassette(path))
        if self.path:
            try:
                self._cassette.check_place()
            except InputError as error:
                raise ConfigError(f"record: {path}: {error}") from error

    @hookimpl
    def open(self) -> None:
        """Refuse to take part without a file."""
        if not self.path:
            raise ConfigError('record: path is empty; give it a file: path="calls.jsonl"')

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        """Send, and write down what came."""
        response = await call_next(request)
        if not turn.asks_model:
            return response
        if response.events is None:
            await self.keep(turn, request, response)
            return response
        assembler = Assembler()

        async def end(outcome: StreamOutcome) -> None:
            if outcome.error is None and assembler.complete:
                whole = assembler.response.evolve(status=response.status, headers=response.headers)
                await self.keep(turn, request, whole)

        return watched(response, assembler.feed, end)

    async def keep(self, turn: Turn, request: Request, response: Response) -> None:
        """Add an exchange to the cassette and write it.

        Raises:
            ConfigError: it cannot be written.

        """
        exchange = Exchange.of(request, response, self.headers)
        await turn.io.run_blocking(self._write, exchange)

    def _write(self, exchange: Exchange) -> None:
        with self._lock:
            self._cassette.exchanges.append(exchange)
            try:
                self._cassette.save()
            except InputError as error:
                raise ConfigError(f"record: {self.path}: {error}") from error


@checks_options
@frozen(eq=False, kw_only=True)
class Replay:
    """Answers from a cassette; streams are replayed as streams.

    The same request gets its recorded answers one after the other, and then the last one again.
    One that was not recorded raises ``CassetteMismatch``, which shows the nearest entry and the
    difference; nothing is sent.

    Attributes:
        path: the cassette.
        mode: ``"strict"`` needs the file; ``"auto"`` replays it if it is there, and records it if
            it is not. A damaged cassette is refused in strict mode, and in auto mode set aside as
            ``NAME.damaged-N`` and recorded anew. A file that is no cassette is refused.
        headers: for recording, see ``Record``.

    """

    name = "replay"
    layer = Layer.RECORD
    after = ("record",)
    path: str = field(default="", converter=file_path)
    mode: Literal["strict", "auto"] = "strict"
    headers: tuple[str, ...] = ("request-id",)
    _cassette: Cassette | None = field(init=False, repr=False)
    _record: Record = field(init=False, repr=False)
    _played: dict[str, int] = field(factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.mode not in ("strict", "auto"):
            raise ConfigError(f"replay: mode is 'strict' or 'auto', not {self.mode!r}")
        object.__setattr__(self, "_cassette", self._found())
        object.__setattr__(self, "_record", Record(path=self.path, headers=self.headers))

    def _found(self) -> Cassette | None:
        """Return the cassette, or None where it is to be recorded."""
        path = Path(self.path)
        if not self.path or (self.mode == "auto" and not path.exists()):
            return None
        try:
            return Cassette.load(path)
        except DamagedCassette as error:
            if self.mode == "strict" or not begins_like_one(path):
                raise
            aside = set_aside(path)
            logger.warning("replay: {error} (it is now {name})", error=error, name=aside.name)
            return None

    @hookimpl
    def open(self) -> None:
        """Refuse to take part without a file."""
        if not self.path:
            raise ConfigError('replay: path is empty; give it a cassette: path="calls.jsonl"')

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        """Answer from the cassette, or record it."""
        if not turn.asks_model:
            return await call_next(request)
        if self._cassette is None:
            return await self._record.send(turn, request, call_next)
        matching = self._cassette.matching(request)
        if not matching:
            raise self._cassette.mismatch(request)
        fingerprint = matching[0].fingerprint
        with self._lock:
            number = self._played.get(fingerprint, 0)
            self._played[fingerprint] = number + 1
        turn.trace.note("replay", f"from {Path(self.path).name}")
        return matching[min(number, len(matching) - 1)].restored()
