"""The plugin ``cache``: the same request, the same answer, without asking again.

It keeps what the API said, before any filter, so that a reply from the cache goes through the same
rules as one from the network. It is a raw record of answers: with ``path`` they lie on disk as the
model gave them, readable for the user who runs the process and nobody else.
"""

import hashlib
import time
from collections.abc import Callable
from typing import Any, Final

from attrs import field, frozen
from loguru import logger

from hookline import CallNext, ConfigError, HooklineError, Request, Response, Turn, hookimpl
from hookline.plugin import Layer, Principal, StreamOutcome, checks_options, watched
from hookline.wire import (
    Assembler,
    JSONDecodeError,
    dumps,
    encode_request,
    loads,
    structure_response,
    unstructure,
)
from hookline_plugins.storage.paths import file_path
from hookline_plugins.storage.stores import MemoryStore, SQLiteStore, Store

__all__ = ["Cache"]

# A refusal, a cut reply or a pause is no answer to give again; nor is a stop reason nobody knows.
_STORED: Final = frozenset({"end_turn", "stop_sequence", "tool_use"})


@checks_options
@frozen(eq=False, kw_only=True)
class Cache:
    """Answers a request that was answered before from a store; streams are replayed as streams.

    The key is a hash of everything that is sent: body, betas, API version, upstream; and of who
    asks. Only whole, successful answers are kept. A hit is noted in the trace, makes no attempt,
    and carries the header ``hookline-cache: hit``; its usage is that of the first time.
    ``context={"cache": "off"}`` passes a turn by.

    Attributes:
        ttl: seconds that an answer is good for.
        path: a SQLite file to keep answers in, shared by processes; empty keeps them in memory.
        entries: how many answers are kept.
        max_bytes: how many bytes they may have together.
        separate_by: what of the principal, and which keys of ``context=``, have a cache of their own
            for each value, so that no tenant gets, or learns of, another's answer.
        namespace: one more separation, for pipelines that share a file but not their answers.
            Different credentials are kept apart without it.

    """

    name = "cache"
    layer = Layer.CACHE
    ttl: float = 3600.0
    path: str = field(default="", converter=file_path)
    entries: int = 1000
    max_bytes: int = 64 * 1024 * 1024
    separate_by: tuple[str, ...] = ("tenant", "user")
    namespace: str = ""
    _clock: Callable[[], float] | None = field(default=None, repr=False)
    _store: Store = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        for name in ("ttl", "entries", "max_bytes"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigError(
                    f"cache: {name} must be above 0 and finite, not {getattr(self, name)!r}"
                )
        if isinstance(self.separate_by, str):
            raise ConfigError(
                f'cache: separate_by is a list of keys: ["{self.separate_by}"], not a string'
            )
        store: Store = (
            SQLiteStore(self.path, self.entries, self.max_bytes, self._clock or time.time)
            if self.path
            else MemoryStore(self.entries, self.max_bytes, self._clock or time.monotonic)
        )
        object.__setattr__(self, "_store", store)

    @hookimpl
    def open(self) -> None:
        """Keep the file open while the pipeline is."""
        self._store.open()

    @hookimpl
    def close(self) -> None:
        """Close the file."""
        self._store.close()

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        """Answer from the store, or keep what the layers inside answer."""
        if not turn.asks_model or turn.context.get("cache") == "off":
            return await call_next(request)
        key = self._key(turn, request)
        if key is None:
            return await call_next(request)
        hit = _restored(await self._do(turn, self._store.get, key))
        if hit is not None:
            turn.trace.note("cache", "hit")
            return hit
        response = await call_next(request)
        if response.events is None:
            await self._keep(turn, key, response)
            return response
        assembler = Assembler()

        async def end(outcome: StreamOutcome) -> None:
            if outcome.error is None and assembler.complete:
                await self._keep(turn, key, assembler.response)

        return watched(response, assembler.feed, end)

    def _key(self, turn: Turn, request: Request) -> bytes | None:
        """Return the hash of all that decides the answer, and of who asks."""
        try:
            who = dumps(
                [
                    [name, turn.context.get(name), _known(turn.principal, name)]
                    for name in self.separate_by
                ]
            )
        except TypeError as error:
            turn.trace.note("cache", f"passed by: the context cannot be told apart ({error})")
            return None
        plain = request if request.stream is None else request.evolve(stream=None)
        betas = ",".join(sorted({*turn.betas, *request.betas}))
        digest = hashlib.sha256()
        for part in (
            self.namespace.encode(),
            who,
            turn.upstream.encode(),
            turn.account.encode(),
            turn.api_version.encode(),
            betas.encode(),
            encode_request(plain),
        ):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return digest.digest()

    async def _keep(self, turn: Turn, key: bytes, response: Response) -> None:
        # A container's id dies before the entry would.
        if response.stop_reason not in _STORED or response.container is not None:
            return
        kept = {
            "status": response.status,
            "request_id": response.request_id,
            "response": unstructure(response),
        }
        await self._do(turn, self._store.put, key, dumps(kept), self.ttl)

    async def _do(self, turn: Turn, work: Callable[..., Any], *given: Any) -> Any:
        """Run one operation of the store where it blocks nobody, and pass on its complaints."""
        blocking = self._store.blocking
        result = await turn.io.run_blocking(work, *given) if blocking else work(*given)
        for text in self._store.reports():
            turn.trace.note("cache", text)
            logger.warning("cache: {text}", text=text)
        return result


def _known(principal: Principal, name: str) -> Any:
    """Return what a principal says of itself by a name, its own or that of a tag."""
    if name in ("user", "team", "tenant"):
        return getattr(principal, name)
    return principal.tags.get(name)


def _restored(value: bytes | None) -> Response | None:
    """Return the response that was kept, or None for nothing or nothing usable."""
    if value is None:
        return None
    try:
        kept = loads(value)
        response = structure_response(kept["response"])
    except (JSONDecodeError, HooklineError, KeyError, TypeError):
        return None
    headers = {"hookline-cache": "hit"}
    if kept.get("request_id"):
        headers["request-id"] = kept["request_id"]
    return response.evolve(status=kept.get("status", 200), headers=headers)
