"""The ``uploads`` plugin: images and documents by reference, uploaded once and named by id from then on.

What goes so is said in ``strategy``. It happens in ``send``, where it is known where a request goes, and inside of
all other layers. What a conversation remembers stays the bytes themselves, so it can be saved, go to another server, or outlive
the uploaded file; and what is cached, redacted or recorded has the bytes too.

A file belongs to an account, so ids are kept by destination and by whom the turn is on behalf of.
"""

import binascii
import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final
from weakref import WeakKeyDictionary

from attrs import field, frozen, validators

from hookline import (
    APIError,
    CallNext,
    HooklineError,
    PolicyViolation,
    Progress,
    Request,
    Response,
    Turn,
    hookimpl,
)
from hookline.plugin import Layer, cache_folder, checks_options, option
from hookline.values import (
    Block,
    DocumentBlock,
    FileSource,
    ImageBlock,
    TextSource,
)
from hookline_plugins.images.alone import Alone
from hookline_plugins.images.strategy import Uploaded, by_id, must_go, takes_ids
from hookline_plugins.storage.paths import file_path

if TYPE_CHECKING:
    from hookline_plugins.storage.stores import SQLiteStore

__all__ = ["Uploads"]

_SHORTEST, _LONGEST = 3_600, 7_776_000  # seconds, says the API (facts 1.1)
_MARGIN: Final = 600  # seconds before its end in which a file is not used any more
_ENTRIES: Final = 10_000
_MOST_BYTES: Final = 16 * 1024 * 1024
_GONE: Final = frozenset({400, 404})

_Ids = Mapping[Uploaded, str]

# What each source hashes to: a history comes again in every turn.
_DIGESTS: Final[WeakKeyDictionary[Uploaded, bytes]] = WeakKeyDictionary()


@checks_options
@frozen(eq=False, kw_only=True)
class Uploads:
    """Send images and documents by id instead of by their bytes, where `strategy` of the plugin `images` says so.

    The ids are kept in a SQLite file for other runs; the API deletes the files by itself. To be counted, and in a
    batch, which may be read after a file is gone, bytes are sent.

    Args:
        path: the SQLite file; empty for one in the user's cache directory.
        keep_seconds: how long the API keeps a file, an hour to 90 days.

    Example:
        In ``hookline.toml``::

            [plugins.images]
            strategy = "file"

            [plugins.uploads]
            keep_seconds = 3600

    """

    name: ClassVar[str] = "uploads"
    layer: ClassVar[Layer] = Layer.RECORD
    after: ClassVar[tuple[str, ...]] = ("record", "replay")

    path: str = field(default="", converter=file_path)
    keep_seconds: int = field(
        default=86_400,
        validator=[validators.ge(_SHORTEST), validators.le(_LONGEST)],
        metadata=option(harmless=False),
    )
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)
    _alone: Alone = field(factory=Alone, init=False, repr=False)
    _opened: list[Any] = field(factory=list, init=False, repr=False)

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        """Put ids in the place of bytes; a file that the API has lost is uploaded once more."""
        sources = by_id(turn, request) if turn.asks_model and takes_ids(turn) else []
        if not sources:
            return await call_next(request)
        must = must_go(turn, request, sources)
        for last in (False, True):
            ids = await self._uploaded(turn, sources, must=must)
            if ids is None:
                break
            try:
                return await call_next(_by_id(request, ids))
            except APIError as error:
                if not _gone(error, ids) or (last and must):
                    raise
                turn.trace.note("uploads", f"the API has lost a file: {error}")
            await turn.io.run_blocking(self._forget, turn, sources)
        return await call_next(request)

    @hookimpl
    def register_commands(self, register: Callable[[Any], None]) -> None:
        """Add ``hookline uploads``."""
        from hookline_plugins.images.uploads_command import uploads  # noqa: PLC0415 -- click is an extra

        register(uploads)

    @hookimpl
    def close(self) -> None:
        """Close the file of ids."""
        for store in self._opened:
            store.close()

    def kept(self) -> list[tuple[str, str]]:
        """Return what is uploaded as far as this user's file of ids tells: id and base URL of each."""
        return [
            (entry["id"], entry["base_url"])
            for entry in (json.loads(value) for _, value in self._store().items())
        ]

    def forget(self, file_id: str) -> None:
        """Forget an id, since its file was deleted."""
        for key, value in self._store().items():
            if json.loads(value)["id"] == file_id:
                self._store().drop(key)

    async def _uploaded(
        self, turn: Turn, sources: Iterable[Uploaded], *, must: bool
    ) -> _Ids | None:
        """Return the ids that stand for sources; None where the bytes can and have to do instead."""
        try:
            ids = await self._ids(turn, sources)
        except HooklineError as error:
            if must or isinstance(error, PolicyViolation):
                raise
            turn.trace.note("uploads", f"sent as bytes, since the upload failed: {error}")
            return None
        turn.trace.note("uploads", f"sent by id: {', '.join(ids.values())}")
        return ids

    async def _ids(self, turn: Turn, sources: Iterable[Uploaded]) -> _Ids:
        ids: dict[Uploaded, str] = {}
        sources = list(sources)
        for number, source in enumerate(sources):  # one after the other: each is large
            turn.report(Progress(self.name, number, len(sources), "uploads"))
            ids[source] = await self._id(turn, source)
        turn.report(Progress(self.name, len(sources), len(sources), "uploads"))
        return ids

    async def _id(self, turn: Turn, source: Uploaded) -> str:
        key = await turn.io.run_blocking(_key, turn, source)
        kept = await self._do(turn, self._store().get, key)
        if kept is None:
            async with self._alone.place(
                turn, key, "an upload"
            ):  # several turns may want it at once
                kept = await self._do(turn, self._store().get, key)
                if kept is None:
                    return await self._upload(turn, source, key)
        file_id: str = json.loads(kept)["id"]
        return file_id

    async def _upload(self, turn: Turn, source: Uploaded, key: bytes) -> str:
        content = await turn.io.run_blocking(_content, source)
        file_id = await turn.uploads.put(
            content,
            media_type=source.media_type,
            filename=f"{_digest(source).hex()[:16]}.{source.media_type.rpartition('/')[2]}",
            expires_in_seconds=self.keep_seconds,
        )
        value = json.dumps({"id": file_id, "base_url": turn.destination.base_url}).encode()
        await self._do(turn, self._store().put, key, value, self.keep_seconds - _MARGIN)
        return file_id

    def _forget(self, turn: Turn, sources: Iterable[Uploaded]) -> None:
        for source in sources:
            self._store().drop(_key(turn, source))

    async def _do(self, turn: Turn, work: Any, *given: Any) -> Any:
        """Run one operation of the store, and pass on its complaints."""
        result = await turn.io.run_blocking(work, *given)
        for text in self._store().reports():
            turn.trace.note("uploads", text)
        return result

    def _store(self) -> "SQLiteStore":
        from hookline_plugins.storage.stores import SQLiteStore  # noqa: PLC0415 -- few turns upload

        with self._lock:
            if not self._opened:
                path = Path(self.path) if self.path else cache_folder() / "uploads.sqlite3"
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._opened.append(SQLiteStore(str(path), _ENTRIES, _MOST_BYTES))
            store: SQLiteStore = self._opened[0]
            return store


def _content(source: Uploaded) -> bytes:
    if isinstance(source, TextSource):
        return source.data.encode()
    return binascii.a2b_base64(source.data)


def _key(turn: Turn, source: Uploaded) -> bytes:
    who = (turn.destination.base_url, turn.account, repr(turn.principal), source.media_type)
    return hashlib.sha256(json.dumps(who).encode() + _digest(source)).digest()


def _gone(error: APIError, ids: _Ids) -> bool:
    """Tell whether the API has refused a request because it does not know an id."""
    return error.status in _GONE and any(file_id in str(error) for file_id in ids.values())


def _by_id(request: Request, ids: _Ids) -> Request:
    def replace(block: Block) -> Block:
        if isinstance(block, ImageBlock | DocumentBlock):
            source = block.source
            if isinstance(source, Uploaded) and source in ids:
                return block.evolve(source=FileSource(ids[source]))
        return block

    return request.map_blocks(replace)


def _digest(source: Uploaded) -> bytes:
    digest = _DIGESTS.get(source)
    if digest is None:
        digest = _DIGESTS[source] = hashlib.sha256(source.data.encode()).digest()
    return digest
