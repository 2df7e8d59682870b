"""Errors as the API sends them: status, type, message, details."""

from collections.abc import Mapping
from typing import Any, Final

from hookline.simulator import json
from hookline.simulator.exchange import Headers

STATUS_OF: Final[Mapping[str, int]] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}

TYPE_OF: Final[Mapping[int, str]] = {status: name for name, status in STATUS_OF.items()}

DEFAULT_MESSAGE: Final[Mapping[str, str]] = {
    "rate_limit_error": "This request would exceed your organization's rate limit.",
    "api_error": "Internal server error",
    "timeout_error": "Request timed out",
    "overloaded_error": "Overloaded",
}


class ApiError(Exception):
    """An answer that is an error.

    Args:
        type: The API's error type.
        message: The API's text.
        status: Where it is not the usual one of ``type``.
        details: ``error.details``, left out when None.
        headers: Extra response headers.

    """

    def __init__(
        self,
        type: str,  # noqa: A002 - the API's own word
        message: str,
        *,
        status: int | None = None,
        details: Mapping[str, Any] | None = None,
        headers: Headers = (),
    ) -> None:
        super().__init__(message)
        self.type = type
        self.message = message
        self.status = STATUS_OF.get(type, 400) if status is None else status
        self.details = details
        self.headers = headers

    def as_json(self, request_id: str | None) -> dict[str, Any]:
        """Return the error body as a JSON value."""
        error: dict[str, Any] = {"type": self.type, "message": self.message}
        if self.details is not None:
            error["details"] = dict(self.details)
        return {"type": "error", "error": error, "request_id": request_id}

    def body(self, request_id: str) -> bytes:
        """Return the error body as bytes."""
        return json.dumps(self.as_json(request_id))


def invalid(message: str, *, details: Mapping[str, Any] | None = None) -> ApiError:
    """Return the commonest error: 400, ``invalid_request_error``."""
    return ApiError("invalid_request_error", message, details=details)


def not_found(message: str, *, details: Mapping[str, Any] | None = None) -> ApiError:
    """Return a 404."""
    return ApiError("not_found_error", message, details=details)
