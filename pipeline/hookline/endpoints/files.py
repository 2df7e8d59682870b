"""``line.files``: files that requests refer to by id (facts 1.1)."""

import mimetypes
import re
from collections.abc import Callable, Sequence
from os import PathLike, fsdecode
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final, TypeAlias, Unpack

from attrs import frozen

from hookline._files import read_file
from hookline._io import drive
from hookline.endpoints.access import Access, CallOptions, identified
from hookline.endpoints.multipart import form
from hookline.endpoints.objects import APIObject, Deleted
from hookline.endpoints.pages import AsyncItems, Items, Page, walk
from hookline.endpoints.uploads import Journeys, uploaded
from hookline.errors import DeadlineExceeded, InputError
from hookline.send_options.options import list_of, timeout_of
from hookline.values.brief import brief
from hookline.values.frozen import checked
from hookline.values.frozen_json import is_number

__all__ = ["AsyncFiles", "File", "Files"]

_PATH: Final = "/v1/files"
_MOST_BYTES: Final = 500 * 1024 * 1024
_PIECE: Final = 4 * 1024 * 1024  # bytes of an open file between two looks at the clock
_ANY_TYPE: Final = "application/octet-stream"
_MEDIA_TYPE: Final = re.compile(r"[\w.+-]+/[\w.+-]+(; ?[\w.+-]+=[\w.+-]+)*", re.ASCII)


@frozen(eq=False, repr=False, field_transformer=checked)
class File(APIObject):
    """A file that the API keeps.

    Attributes:
        id: what requests refer to: ``Image(file_id=file.id)``, or a ``FileSource``.
        filename: its name.
        mime_type: its media type.
        size_bytes: its size.
        created_at: when it was uploaded or made, RFC 3339.
        downloadable: whether ``content`` works: only for files that tools and skills made.
        expires_at: when it will be gone, or None.

    """

    type: ClassVar[str] = "file"
    id: str
    filename: str | None = None
    mime_type: str | None = None
    size_bytes: int | None = None
    created_at: str | None = None
    downloadable: bool | None = None
    expires_at: str | None = None


Source: TypeAlias = str | PathLike[str] | bytes | BinaryIO
FileOrId: TypeAlias = File | str


class AsyncFiles:
    """The files of an ``AsyncPipeline``; see `Files`."""

    def __init__(self, access: Access, journeys: Journeys) -> None:
        self._access = access
        self._journeys = journeys

    async def upload(
        self,
        source: Source,
        *,
        media_type: str | None = None,
        filename: str | None = None,
        expires_in_seconds: int | None = None,
        roots: Sequence[str | PathLike[str]] | None = None,
        **options: Unpack[CallOptions],
    ) -> File:
        """Upload a file; see `Files.upload`."""
        io = self._access.io
        timeout = timeout_of(options.get("timeout")) or self._access.timeout
        deadline = io.now() + timeout

        def check() -> None:
            if io.now() >= deadline:
                raise DeadlineExceeded("the reading of the file", timeout)

        content, found = await io.run_blocking(_content, source, _directories(roots), check)
        name = _sendable(found if filename is None else filename)
        kind = mimetypes.guess_type(name)[0] or _ANY_TYPE if media_type is None else media_type
        if not isinstance(kind, str) or not _MEDIA_TYPE.fullmatch(kind):
            raise InputError(f'media_type must look like "image/png", not {brief(kind)}')
        fields = {}
        if expires_in_seconds is not None:
            if type(expires_in_seconds) is not int or not is_number(expires_in_seconds):
                raise InputError(
                    f"expires_in_seconds is a whole number, not {brief(expires_in_seconds)}"
                )
            fields["expires_in_seconds"] = str(expires_in_seconds)
        turn, first = self._journeys.begin(name, content, kind, timeout, options)
        turn.deadline = deadline

        async def send(checked: bytes) -> File:
            content_type, body = form(checked, name, kind, fields)
            check()
            left = CallOptions(timeout=deadline - io.now(), betas=options.get("betas", ()))
            return await self._access.ask(
                File, "POST", _PATH, left, content=body, content_type=content_type
            )

        return await uploaded(self._journeys.engine, turn, first, send)

    async def get(self, file: FileOrId, **options: Unpack[CallOptions]) -> File:
        """Return what is known of a file; see `Files.get`."""
        return await self._access.get(File, identified(_PATH, file), options)

    async def list(
        self,
        *,
        limit: int | None = None,
        page: str | None = None,
        ids: Sequence[str] = (),
        **options: Unpack[CallOptions],
    ) -> Page[File]:
        """Return one page of the files; see `Files.list`."""
        query: list[tuple[str, Any]] = [("limit", limit), ("page", page)]
        query += [("ids[]", each) for each in list_of("ids", ids, "ids")]
        return await self._access.page(File, _PATH, options, query)

    def all(self, *, limit: int | None = None, **options: Unpack[CallOptions]) -> AsyncItems[File]:
        """Go through all files; see `Files.all`."""
        return walk(lambda cursor: self.list(limit=limit, page=cursor, **options))

    async def content(self, file: FileOrId, **options: Unpack[CallOptions]) -> bytes:
        """Download a file; see `Files.content`."""
        from hookline._api.bodies import read_body  # noqa: PLC0415 -- as above
        from hookline._http.transport import RawResponse  # noqa: PLC0415 -- only where something is sent

        async def whole(answer: RawResponse) -> bytes:
            body = await read_body(answer, _MOST_BYTES)
            await answer.aclose()
            return body

        path = identified(_PATH, file, "content")
        return await self._access.exchange(whole, "GET", path, options, accept="*/*")

    async def delete(self, file: FileOrId, **options: Unpack[CallOptions]) -> Deleted:
        """Delete a file; see `Files.delete`."""
        return await self._access.ask(Deleted, "DELETE", identified(_PATH, file), options)


def _sendable(name: str) -> str:
    """Return a file's name as it can be sent: in UTF-8, which not every name on a disk is."""
    if not isinstance(name, str):
        raise InputError(f"filename= takes a string, not {type(name).__name__}")
    return name.encode("utf-8", "replace").decode("utf-8")


def _directories(roots: Any) -> tuple[str, ...] | None:
    """Return the directories that ``roots=`` names."""
    if roots is None:
        return None
    named = list_of("roots", roots, "directories")
    if not all(isinstance(each, str | PathLike) for each in named):
        raise InputError("roots= takes paths of directories")
    return tuple(map(fsdecode, named))


def _content(
    source: Any, roots: Sequence[str] | None, check: Callable[[], None]
) -> tuple[bytes, str]:
    """Read what is to be uploaded, and find a name for it."""
    if isinstance(source, bytes | bytearray | memoryview):
        content, name = bytes(source), "file"
    elif isinstance(source, str | PathLike):
        name = Path(source).name
        try:
            return read_file(source, most=_MOST_BYTES, roots=roots, check=check), name
        except InputError as error:
            raise InputError(f"{fsdecode(source)}: {error}") from error
    elif callable(getattr(source, "read", None)):
        content = _from_open(source, check)
        given = getattr(source, "name", None)
        name = Path(given).name if isinstance(given, str) else "file"
    else:
        raise InputError(
            f"a file is a path, bytes, or a file open in binary mode, not {type(source).__name__}"
        )
    if not content:
        raise InputError(f"{name}: there is nothing in it to upload")
    if len(content) > _MOST_BYTES:
        raise InputError(f"{name} has more than the {_MOST_BYTES:,} bytes that the API takes")
    return content, name


def _from_open(file: Any, check: Callable[[], None]) -> bytes:
    """Read an open file to its end, or to where it is known to be too long."""
    content = bytearray()
    while len(content) <= _MOST_BYTES:
        try:
            piece = file.read(_PIECE)
        except Exception as error:  # it may be anything that can be read
            reason = str(error) or type(error).__name__
            raise InputError(f"the open file cannot be read: {reason}") from error
        if not isinstance(piece, bytes):
            raise InputError('open the file in binary mode: open(path, "rb")')
        if not piece:
            break
        content += piece
        check()
    return bytes(content)


class Files:
    """The files of a ``Pipeline``. Wherever one takes a file, its id will do.

    An upload asks no model, and is judged all the same: enforcers see it, in their transforms and
    in ``check_request``, and so does every ``conclude``, as a request with one attachment, on the surface ``"upload"``.

    Example:
        >>> with Pipeline(base_url="sim:") as line:
        ...     file = line.files.upload("ant.png")
        ...     reply = line.send([Image(file_id=file.id), "What is in this picture?"])

    """

    def __init__(self, access: Access, journeys: Journeys) -> None:
        self._twin = AsyncFiles(access, journeys)

    def upload(
        self,
        source: Source,
        *,
        media_type: str | None = None,
        filename: str | None = None,
        expires_in_seconds: int | None = None,
        roots: Sequence[str | PathLike[str]] | None = None,
        **options: Unpack[CallOptions],
    ) -> File:
        """Upload a file of up to 500 MB.

        Args:
            source: a path, bytes, or a file open in binary mode (it is read, not closed).
            media_type: its type; by default guessed from the name.
            filename: its name at the API; by default that of the path or the open file.
            expires_in_seconds: delete it after so long, 3,600 to 7,776,000; by default never.
            roots: directories below which a path must lie, and no link on the way; None for anywhere.
                For paths that somebody else names.
            **options: ``timeout`` (seconds) and ``betas``.

        Raises:
            InputError: there is nothing to read, or too much, or the path leads to no regular file.
            PolicyViolation: a rule refused it.
            DeadlineExceeded: the time was up, reading the file included.
            APIError: the API answered with an error.
            TransportError: no answer came; the file may have been stored even so.

        """
        return drive(
            self._twin.upload(
                source,
                media_type=media_type,
                filename=filename,
                expires_in_seconds=expires_in_seconds,
                roots=roots,
                **options,
            )
        )

    def get(self, file: FileOrId, **options: Unpack[CallOptions]) -> File:
        """Return what is known of a file.

        Args:
            file: the file or its id.
            **options: ``timeout`` (seconds) and ``betas``.

        Raises:
            APIError: the API answered with an error; status 404 once it has expired.
            TransportError: no answer came.

        """
        return drive(self._twin.get(file, **options))

    def list(
        self,
        *,
        limit: int | None = None,
        page: str | None = None,
        ids: Sequence[str] = (),
        **options: Unpack[CallOptions],
    ) -> Page[File]:
        """Return one page of the files, newest first.

        Args:
            limit: the most items on the page, 1 to 1000; the API's default is 20.
            page: the ``next_page`` of the page before.
            ids: only these, 100 at most.
            **options: as for ``get``.

        """
        return drive(self._twin.list(limit=limit, page=page, ids=ids, **options))

    def all(self, *, limit: int | None = None, **options: Unpack[CallOptions]) -> Items[File]:
        """Go through all files, page after page.

        Args:
            limit: the most items on a page.
            **options: for each call, as for ``get``.

        """
        return Items(self._twin.all(limit=limit, **options))

    def content(self, file: FileOrId, **options: Unpack[CallOptions]) -> bytes:
        """Download a file that a tool or a skill made, 500 MB at most.

        Args:
            file: the file or its id.
            **options: as for ``get``.

        Raises:
            APIError: it is none of those, or another error of the API's.
            TransportError: no answer came, or it broke off.
            DecodeError: it is larger.

        """
        return drive(self._twin.content(file, **options))

    def delete(self, file: FileOrId, **options: Unpack[CallOptions]) -> Deleted:
        """Delete a file.

        Args:
            file: the file or its id.
            **options: as for ``get``.

        """
        return drive(self._twin.delete(file, **options))
