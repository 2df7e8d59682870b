"""What the API says went wrong."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hookline._said import LONGEST_NAME, shown_text

if TYPE_CHECKING:
    pass

from hookline.errors.tree import HooklineError

__all__ = ["APIError"]

# Source: facts/messages-api section 8.1; for answers that do not say it themselves.
_TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}

# Source: facts/messages-api section 8.1 and 13.1. A status of 500 and above is retryable too.
_RETRYABLE_STATUS = frozenset({408, 409, 429})
_THROTTLED_STATUS = frozenset({429, 529})
_THROTTLED_TYPES = frozenset({"rate_limit_error", "overloaded_error"})
_RETRYABLE_TYPES = frozenset(
    {"conflict_error", "rate_limit_error", "api_error", "timeout_error", "overloaded_error"}
)


class APIError(HooklineError):
    """The API answered with an error.

    Args:
        message: the API's own text; it is cut, and loses control characters and what looks like a key.
        status: the HTTP status; 200 for an ``error`` event inside a stream.
        type: the API's error type, for example ``"rate_limit_error"``; where it gave none, what
            the status stands for.
        request_id: for a support request to Anthropic.
        details: the API's ``error.details`` object.
        headers: response headers, names in lower case.

    Attributes:
        error_code: ``details["error_code"]``, the stable machine-readable code, where given.
        retryable: whether the status and type say that sending again may help.

    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        type: str = "",  # noqa: A002 -- the API's own word
        request_id: str | None = None,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.message = shown_text(message)
        refused = 400 <= status < 500  # noqa: PLR2004 -- HTTP's class of the client's errors
        type = type or _TYPES.get(  # noqa: A001 -- as above
            status, "invalid_request_error" if refused else "api_error"
        )
        self.status = status
        self.type = shown_text(type, LONGEST_NAME)
        self.request_id = shown_text(request_id, LONGEST_NAME) if request_id else None
        suffix = f" (request id {self.request_id})" if request_id else ""
        super().__init__(f"{status} {self.type}: {self.message}{suffix}")
        self.details: Mapping[str, Any] = dict(details or {})
        self.headers: Mapping[str, str] = dict(headers or {})
        # A spend limit is a 429 that no waiting lifts; the API marks it by its code.
        spent = str(self.error_code or "").endswith("spend_limit_reached")
        self.retryable = not spent and (
            status in _RETRYABLE_STATUS or status >= 500 or type in _RETRYABLE_TYPES  # noqa: PLR2004 -- HTTP's server error class
        )

    @property
    def should_retry(self) -> bool:
        """Whether it should be sent again, to the same server: its own wish, or else ``retryable``."""
        wish = self.headers.get("x-should-retry")
        return self.retryable if wish is None else wish.lower() == "true"

    @property
    def throttled(self) -> bool:
        """Whether the server has too much to do and has done nothing: any request may be sent again."""
        return self.status in _THROTTLED_STATUS or self.type in _THROTTLED_TYPES

    @classmethod
    def from_body(
        cls, body: Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> "APIError":
        """Read what reports an error: a body, an event of a stream, a result of a batch.

        Args:
            body: ``{"error": {"type", "message", "details"?}, "request_id"?}`` as the API sends it;
                servers that write it otherwise are understood as far as possible.
            status: the HTTP status; 200 where a stream or a batch had begun well.
            headers: response headers, names in lower case.

        """
        headers = headers or {}
        fields = body.get("error")
        if not isinstance(fields, Mapping):
            if isinstance(body.get("message"), str):  # what should stand under "error", alone
                fields = {name: body[name] for name in body if body[name] != "error"}
            else:
                fields = {"message": fields if isinstance(fields, str) else str(dict(body))}
        kind, details = fields.get("type"), fields.get("details")
        request_id = body.get("request_id") or headers.get("request-id")
        return cls(
            str(fields.get("message", "")),
            status=status,
            type=kind if isinstance(kind, str) else "",
            request_id=request_id if isinstance(request_id, str) else None,
            details=details if isinstance(details, Mapping) else None,
            headers=headers,
        )

    @property
    def error_code(self) -> str | None:
        """The stable machine-readable code of ``details``, if the API gave one."""
        code = self.details.get("error_code")
        return code if isinstance(code, str) else None
