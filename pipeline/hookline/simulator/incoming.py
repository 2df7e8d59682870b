"""A call whose headers have been read: who asks, under which version and betas, for what."""

import zlib
from collections.abc import Collection
from typing import Any, Final

from attrs import frozen

from hookline.simulator import json
from hookline.simulator.errors import ApiError, invalid
from hookline.simulator.exchange import Call
from hookline.simulator.identity import Identity
from hookline.simulator.rules.betas import read_betas

VERSIONS: Final = ("2023-06-01", "2026-10-21")
MAX_BODY: Final = 32 * 1024 * 1024
_ZLIB_FORMATS: Final = {"gzip": 31, "deflate": 15}


@frozen
class Incoming:
    """A call that may pass.

    Args:
        call: The call.
        version: Its ``anthropic-version``.
        betas: Its beta headers.
        number: The number of the call, from 1.
        identity: Where its ids come from.

    """

    call: Call
    version: str
    betas: frozenset[str]
    number: int
    identity: Identity

    def json(self, limit: int = MAX_BODY) -> Any:
        """Parse the body.

        Args:
            limit: Most bytes, before and after decoding.

        Returns:
            The JSON value.

        Raises:
            ApiError: 413 when it is too large, 400 when it is no JSON.

        """
        if len(self.call.body) > limit:
            raise ApiError("request_too_large", "Request exceeds the maximum size")
        try:
            return json.loads(_decoded(self.call, limit))
        except json.JSONDecodeError as error:
            raise invalid(f"The request body is not valid JSON: {error}") from error


def read_incoming(
    call: Call, number: int, identity: Identity, api_keys: Collection[str] | None
) -> Incoming:
    """Check the headers that every endpoint wants.

    Args:
        call: The call.
        number: Its number.
        identity: Where its ids come from.
        api_keys: The accepted keys; None accepts any that is not empty.

    Returns:
        The call with what its headers say.

    Raises:
        ApiError: 401 or 400 with the API's text.

    """
    _authenticate(call, api_keys)
    version = call.header("anthropic-version")
    if not version:
        raise invalid("anthropic-version: header is required")
    if version not in VERSIONS:  # wording approximate
        raise invalid(f'anthropic-version: "{version}" is not a valid version')
    betas = read_betas(call.header_values("anthropic-beta"))
    return Incoming(call, version, betas, number, identity)


def _authenticate(call: Call, api_keys: Collection[str] | None) -> None:
    key = call.header("x-api-key")  # wins where both are given
    scheme, _, token = (call.header("authorization") or "").partition(" ")
    if key is None and scheme.lower() == "bearer":
        key = token.strip()
    if key is None:
        raise ApiError("authentication_error", "x-api-key header is required")
    if not key or (api_keys is not None and key not in api_keys):
        raise ApiError("authentication_error", "API key is invalid.")


def _decoded(call: Call, limit: int) -> bytes:
    """Undo ``content-encoding`` under the same size limit."""
    encoding = (call.header("content-encoding") or "identity").lower()
    if encoding == "identity":
        return call.body
    if encoding not in _ZLIB_FORMATS:
        raise invalid(
            f"Unsupported content-encoding: {encoding}",
            details={"error_code": "request_body_encoding_unsupported"},
        )
    inflate = zlib.decompressobj(wbits=_ZLIB_FORMATS[encoding])
    try:
        body = inflate.decompress(call.body, limit + 1)
    except zlib.error as error:
        raise invalid(
            "The request body does not match its content-encoding",
            details={"error_code": "request_body_encoding_invalid"},
        ) from error
    if len(body) > limit:
        raise ApiError(
            "request_too_large",
            "Request exceeds the maximum size after decoding",
            details={"error_code": "request_body_too_large_after_decoding"},
        )
    if not inflate.eof:
        raise invalid(
            "The request body ends before its content-encoding does",
            details={"error_code": "request_body_encoding_invalid"},
        )
    return body
