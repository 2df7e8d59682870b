"""What the endpoints beside messages return: frozen values that keep what they do not know.

Moments (``created_at`` and the like) stay the RFC 3339 text that the API wrote, so that nothing is
lost; ``datetime.fromisoformat`` reads them.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from attrs import field, frozen

from hookline._said import LONGEST_NAME, shown_text
from hookline.errors import DecodeError
from hookline.values.frozen import EMPTY, Model, checked, freeze
from hookline.values.rate_limits import RateLimits, read_rate_limits

__all__ = ["APIObject", "Deleted", "read"]

R = TypeVar("R", bound="APIObject")


@frozen(eq=False, repr=False, field_transformer=checked)
class APIObject(Model):
    """Base of everything that an endpoint answers.

    Attributes:
        headers: of the response, names in lower case; not part of the JSON and not compared.

    """

    headers: Mapping[str, str] = field(
        default=EMPTY,
        converter=freeze,
        kw_only=True,
        eq=False,
        repr=False,
        metadata={"local": True},
    )

    @property
    def request_id(self) -> str | None:
        """The ``request-id`` header, for a support request to Anthropic; cut and cleaned."""
        told = self.headers.get("request-id")
        return None if told is None else shown_text(told, LONGEST_NAME)

    @property
    def rate_limits(self) -> RateLimits:
        """What the response's headers say about rate limits."""
        return read_rate_limits(self.headers)


@frozen(eq=False, repr=False, field_transformer=checked)
class Deleted(APIObject):
    """What was deleted.

    Attributes:
        id: its id.
        type: ``"file_deleted"`` or ``"message_batch_deleted"``.

    """

    id: str
    type: str | None = None


def read(cls: type[R], data: Any, headers: Mapping[str, str] = EMPTY, path: str = "$") -> R:
    """Make a value of its JSON object.

    Args:
        cls: what it should be.
        data: the JSON.
        headers: of the response.
        path: where in the body it stands, for messages of errors.

    Raises:
        DecodeError: it does not have the shape that the API promises.

    """
    from hookline.values.conversion.rules import Misfit, converter  # noqa: PLC0415 -- loads cattrs

    try:
        value: R = converter().structure(data, cls)
    except Misfit as misfit:
        raise DecodeError(misfit.text, f"{path}{misfit.path}") from None
    return value.evolve(headers=dict(headers)) if headers else value
