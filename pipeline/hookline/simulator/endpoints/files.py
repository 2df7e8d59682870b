"""The files store, and the bytes behind ids and URLs."""

import mimetypes
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from hookline.simulator.endpoints.paging import Query, page, read_limit
from hookline.simulator.errors import ApiError, invalid, not_found
from hookline.simulator.exchange import Answer, json_answer
from hookline.simulator.incoming import Incoming
from hookline.simulator.limits import rfc3339
from hookline.simulator.measures.vision import sniff
from hookline.simulator.rules import betas as beta

_MAX_BODY: Final = 500 * 1024 * 1024 + 64 * 1024  # the file, and the form around it
_SHORTEST: Final = 3_600
_LONGEST: Final = 7_776_000
_MOST_IDS: Final = 100
_BOUNDARY: Final = re.compile(r'boundary=(?:"([^"]+)"|([^;\s]+))', re.IGNORECASE)
_NAME: Final = re.compile(rb'[; ]name="((?:[^"\\]|\\.)*)"')
_FILENAME: Final = re.compile(rb'filename="((?:[^"\\]|\\.)*)"')
_TYPE: Final = re.compile(rb"content-type:\s*([^\r\n;]+)", re.IGNORECASE)


@frozen
class _Stored:
    id: str
    filename: str
    mime_type: str
    data: bytes
    created: float
    expires: float | None
    downloadable: bool = False

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "type": "file",
            "filename": self.filename,
            "mime_type": self.mime_type,
            "size_bytes": len(self.data),
            "created_at": rfc3339(self.created),
            "downloadable": self.downloadable,
            "expires_at": None if self.expires is None else rfc3339(self.expires),
        }


class Files:
    """Files by id, and the scenario's files by URL. The caller holds the lock for changes.

    Args:
        clock: Seconds since 1970.
        urls: URL to local file.

    """

    def __init__(self, clock: Callable[[], float], urls: Mapping[str, Path]) -> None:
        self._clock = clock
        self._urls = urls
        self._files: dict[str, _Stored] = {}

    def file(self, file_id: str) -> bytes:
        """Return a file's bytes, or raise the 404."""
        return self._find(file_id).data

    def url(self, url: str) -> bytes | None:
        """Return the bytes that the scenario put behind a URL; None for any other."""
        path = self._urls.get(url)
        if path is None:
            return None
        try:
            return path.read_bytes()
        except OSError:
            raise invalid(
                "Unable to download the file. Please verify the URL and try again."
            ) from None

    def upload(self, incoming: Incoming) -> Answer:
        """Store a file from a multipart form.

        Args:
            incoming: The call with the form.

        Returns:
            Its metadata.

        Raises:
            ApiError: 413 when it is too large, 400 for a broken form or life time.

        """
        call = incoming.call
        if len(call.body) > _MAX_BODY:
            raise ApiError("request_too_large", "File exceeds the maximum size of 500 MB")
        fields = _parse_form(call.header("content-type") or "", call.body)
        if "file" not in fields:
            raise invalid("file: Field required")
        unknown = sorted(set(fields) - {"file", "expires_in_seconds"})
        if unknown:
            raise invalid(f"{unknown[0]}: Extra inputs are not permitted")
        part = fields["file"]
        life = _life(fields.get("expires_in_seconds"))
        now = self._clock()
        mime = part.mime_type or sniff(part.data) or "application/octet-stream"
        name = part.filename.replace("\\", "/").rsplit("/", 1)[-1]
        stored = _Stored(
            incoming.identity.make("file"),
            name or f"unnamed{mimetypes.guess_extension(mime) or ''}",
            mime,
            part.data,
            now,
            None if life is None else now + life,
        )
        self._files[stored.id] = stored
        return json_answer(stored.shown())

    def get(self, file_id: str) -> dict[str, Any]:
        """Return a file's metadata, or raise the 404."""
        return self._find(file_id).shown()

    def list_page(self, query: Query, betas: frozenset[str]) -> dict[str, Any]:
        """Return one page, newest first.

        Args:
            query: ``page`` and ``limit``, or ``ids[]`` for just those; under the beta of old
                ``after_id``, ``before_id`` and ``limit``.
            betas: Which of the two shapes the client expects (facts 16.1).

        Returns:
            ``data`` and ``next_page``, or the envelope of the other lists.

        Raises:
            ApiError: 400 for a limit out of range, a bad cursor, or parameters that exclude each
                other.

        """
        alive = [stored for stored in reversed(self._files.values()) if self._alive(stored)]
        if not betas.isdisjoint(beta.FILES):
            return page([stored.shown() for stored in alive], query)
        ids = query.get("ids[]") or query.get("ids")
        if ids:
            for other in ("page", "limit"):
                if other in query:  # wording approximate
                    raise invalid(f"{other}: cannot be used together with `ids`")
            if len(set(ids)) > _MOST_IDS:
                raise invalid(f"ids: List should have at most {_MOST_IDS} items after validation")
            chosen = [stored for stored in alive if stored.id in ids]
            return {"data": [stored.shown() for stored in chosen], "next_page": None}
        limit = read_limit(query)
        cursor = query.get("page", [""])[0]
        start = _offset(cursor) if cursor else 0
        following = start + limit
        return {
            "data": [stored.shown() for stored in alive[start:following]],
            "next_page": f"page_{following}" if following < len(alive) else None,
        }

    def download(self, file_id: str) -> Answer:
        """Return a file's bytes; only files made by tools may be downloaded."""
        stored = self._find(file_id)
        if not stored.downloadable:
            raise invalid(
                f"File {file_id} is not downloadable.",
                details={"error_code": "file_not_downloadable"},
            )
        return Answer(200, (("content-type", stored.mime_type),), (stored.data,))

    def delete(self, file_id: str) -> dict[str, Any]:
        """Forget a file."""
        self._find(file_id)
        del self._files[file_id]
        return {"id": file_id, "type": "file_deleted"}

    def _find(self, file_id: str) -> _Stored:
        stored = self._files.get(file_id)
        if stored is None:
            raise not_found(f"File not found: {file_id}")
        if not self._alive(stored):
            raise not_found(f"File expired: {file_id}", details={"error_code": "file_expired"})
        return stored

    def _alive(self, stored: _Stored) -> bool:
        return stored.expires is None or self._clock() < stored.expires


@frozen
class _FormPart:
    filename: str
    mime_type: str
    data: bytes


def _parse_form(content_type: str, body: bytes) -> dict[str, _FormPart]:
    found = _BOUNDARY.search(content_type)
    if found is None or not content_type.lower().startswith("multipart/form-data"):
        raise invalid("The request must be multipart/form-data")
    boundary = b"--" + (found[1] or found[2]).encode("latin-1")
    parts: dict[str, _FormPart] = {}
    for piece in (b"\r\n" + body).split(b"\r\n" + boundary)[1:]:
        if piece.startswith(b"--"):
            return parts
        head, gap, data = piece.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if not gap or name is None:
            break
        filename, kind = _FILENAME.search(head), _TYPE.search(head)
        parts[name[1].decode("utf-8", "replace")] = _FormPart(
            filename[1].decode("utf-8", "replace") if filename else "",
            kind[1].decode("latin-1").strip() if kind else "",
            data,
        )
    raise invalid("The multipart form is not complete")


def _life(part: _FormPart | None) -> int | None:
    if part is None:
        return None
    try:
        seconds = int(part.data)
    except ValueError:
        raise invalid("expires_in_seconds: Input should be a valid integer") from None
    if seconds < _SHORTEST:
        raise invalid(f"expires_in_seconds: Input should be greater than or equal to {_SHORTEST}")
    if seconds > _LONGEST:
        raise invalid(f"expires_in_seconds: Input should be less than or equal to {_LONGEST}")
    return seconds


def _offset(cursor: str) -> int:
    digits = cursor.removeprefix("page_")
    if not digits.isdecimal():
        raise invalid("page: not a valid cursor")
    return int(digits)
