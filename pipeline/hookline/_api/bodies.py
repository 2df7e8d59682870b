"""Bodies that are read whole, and the errors that an answer may stand for."""

import re
from contextlib import aclosing
from typing import Any, Final

from hookline._http.transport import RawResponse
from hookline.errors import APIError, DecodeError, TransportError
from hookline.wire import json

__all__ = ["error_of", "read_body", "read_json"]

_MOST_BODY: Final = 64 * 1024 * 1024
_MOST_ERROR_BODY: Final = 64 * 1024
_SHOWN: Final = 200  # characters of a body that is not JSON, in an error's text
_REDIRECTS: Final = range(300, 400)


async def read_json(answer: RawResponse) -> Any:
    """Read the body of an answer to its end, close it, and return the JSON that it holds.

    Raises:
        APIError: it is no JSON, or an error in spite of its status.
        DecodeError: it is too large.
        TransportError: it broke off.

    """
    # No name for the body: it may echo anything, and tracebacks may show the variables of a frame.
    data = _parsed(answer, await read_body(answer, _MOST_BODY))
    await answer.aclose()
    if isinstance(data, APIError):
        raise data
    return data


async def read_body(answer: RawResponse, limit: int, *, cut: bool = False) -> bytes:
    """Read the body of an answer, ``limit`` bytes at most; more is cut off or a ``DecodeError``."""
    parts: list[bytes] = []
    size = 0
    async with aclosing(answer.chunks()) as chunks:
        async for chunk in chunks:
            parts.append(chunk)
            size += len(chunk)
            if size > limit:
                if cut:
                    break
                raise DecodeError(f"the response body is larger than {limit:,} bytes", path="")
    return b"".join(parts)[:limit]


async def error_of(answer: RawResponse) -> APIError | TransportError:
    """Return the error that a status outside 2xx stands for; closes the answer."""
    if answer.status in _REDIRECTS:
        await answer.aclose()  # its body is nobody's business
        return TransportError(
            f"the API host redirected ({answer.status}); redirects are never followed, because "
            "credentials must not leave for another host. Set base_url to the final address",
            phase="protocol",
            retryable=False,
        )
    body = await read_body(answer, _MOST_ERROR_BODY, cut=True)
    await answer.aclose()
    data = _parsed(answer, body)
    if isinstance(data, APIError):
        return data
    if not isinstance(data, dict):
        return _not_json(answer, body)
    return APIError.from_body(data, status=answer.status, headers=answer.headers)


def _parsed(answer: RawResponse, body: bytes) -> Any:
    """Return the JSON that a body is, or the error that it reports or is."""
    try:
        data = json.loads(body)
    except json.JSONDecodeError:
        return _not_json(answer, body)
    if isinstance(data, dict) and data.get("type") == "error":
        return APIError.from_body(data, status=answer.status, headers=answer.headers)
    return data


def _not_json(answer: RawResponse, body: bytes) -> APIError:
    kind = answer.headers.get("content-type", "no content type")
    shown = re.sub(r"\s+", " ", re.sub(r"<[^>]*>|[^\x20-\x7e]", " ", body[:1000].decode("latin-1")))
    return APIError(
        f"non-JSON body, {len(body):,} bytes, {kind}: {shown.strip()[:_SHOWN]}",
        status=answer.status,
        request_id=answer.headers.get("request-id"),
        headers=answer.headers,
    )
