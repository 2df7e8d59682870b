"""What a message batch is made of: its items, its state, its results (facts 12.5)."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Unpack

from attrs import field, frozen

from hookline.endpoints.objects import APIObject
from hookline.errors import HooklineError, InputError
from hookline.reply import Reply
from hookline.send_options import Input, SendOptions
from hookline.turn import Turn
from hookline.values.brief import brief
from hookline.values.frozen import EMPTY, checked, freeze
from hookline.values.redaction import shown_values

__all__ = ["Batch", "BatchItem", "BatchResult", "RequestCounts", "checked_items"]

_MOST_ITEMS: Final = 100_000
_CUSTOM_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@frozen(init=False)
class BatchItem:
    """One message of a batch.

    Args:
        custom_id: yours, to tell the results apart: 1 to 64 letters, digits, ``_`` and ``-``.
        message: as for ``send``.
        **options: as for ``send``; ``timeout`` bounds its preparation.

    Example:
        >>> BatchItem("question-1", "How do ants find home?", max_tokens=200)

    """

    custom_id: str
    message: Input = field(repr=brief)  # an address in it may be signed
    options: SendOptions = field(repr=lambda options: brief(shown_values(options)))

    def __init__(
        self, custom_id: str, message: Input = None, **options: Unpack[SendOptions]
    ) -> None:
        self.__attrs_init__(custom_id, message, options)  # pyright: ignore[reportAttributeAccessIssue]  # made by attrs


def checked_items(items: Sequence[BatchItem]) -> None:
    """Check what can be known of a batch before any of its messages is looked at.

    Raises:
        InputError: no items, too many, or a ``custom_id`` that is malformed or not unique.

    """
    if isinstance(items, str | BatchItem) or not isinstance(items, Sequence) or not items:
        raise InputError('a batch takes a list of items: create([BatchItem("id", "message"), …])')
    if len(items) > _MOST_ITEMS:
        raise InputError(
            f"a batch takes {_MOST_ITEMS:,} items at most, not {len(items):,}; make several batches"
        )
    places: dict[str, int] = {}
    for index, item in enumerate(items):
        if not isinstance(item, BatchItem):
            raise InputError(f"items[{index}] must be a BatchItem, not {type(item).__name__}")
        name = item.custom_id
        if not isinstance(name, str) or not _CUSTOM_ID.fullmatch(name):
            raise InputError(
                f"items[{index}]: custom_id must be 1 to 64 letters, digits, '_' or '-' (ASCII), "
                f"not {brief(name)}"
            )
        if name in places:
            raise InputError(
                f"items[{index}]: custom_id {name!r} is that of items[{places[name]}] too; give "
                "each item one of its own"
            )
        places[name] = index


@frozen(eq=False, repr=False, field_transformer=checked)
class RequestCounts(APIObject):
    """How many items of a batch are in which state; all are processing until the batch ends.

    Attributes:
        absent: names of the counts that the server left out; they read as 0.

    """

    processing: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0
    absent: frozenset[str] = field(default=frozenset(), kw_only=True, repr=False)


@frozen(eq=False, repr=False, field_transformer=checked)
class Batch(APIObject):
    """A message batch as it stood when it was asked for.

    Attributes:
        id: its id.
        processing_status: ``"in_progress"``, ``"canceling"`` or ``"ended"``.
        request_counts: of its items.
        created_at: when it was made, RFC 3339.
        expires_at: when what has not run by then expires.
        ended_at: when all of it had ended, or None.
        cancel_initiated_at: when it was asked to end early, or None.
        archived_at: when its results were archived, or None.
        results_url: where the results are, once it has ended.
        absent: names of the fields that the server left out although they should be there.
        turns: by ``custom_id``, the turns of the items, as long as this value comes from the
            ``create`` of this process. They are what lets a result know its request, prefill,
            options and context; the API does not keep them.

    """

    type: ClassVar[str] = "message_batch"
    id: str
    processing_status: str
    request_counts: RequestCounts = field(factory=RequestCounts)
    created_at: str | None = None
    expires_at: str | None = None
    ended_at: str | None = None
    cancel_initiated_at: str | None = None
    archived_at: str | None = None
    results_url: str | None = None
    absent: frozenset[str] = field(default=frozenset(), kw_only=True, repr=False)
    turns: Mapping[str, Turn] = field(
        default=EMPTY, kw_only=True, eq=False, repr=False, metadata={"local": True}
    )

    @property
    def ended(self) -> bool:
        """Whether every item has ended, so that there are results."""
        return self.processing_status == "ended"


@frozen(kw_only=True)
class BatchResult:
    """What became of one item.

    Attributes:
        custom_id: the item's.
        type: the API's word: ``"succeeded"``, ``"errored"``, ``"canceled"``, ``"expired"`` or a
            newer one.
        reply: what the model answered, after stream filters and ``post_process``; None if there is
            no answer, or if a plugin refused it.
        error: what went wrong: an `APIError` from the API, or the error of a plugin; None for a
            reply, and for items that were canceled or expired.
        request_id: the API's id of the exchange, if it gave one.
        extra: what else the API said about a result that has no message.

    """

    custom_id: str
    type: str
    reply: Reply | None = None
    error: HooklineError | None = None
    request_id: str | None = None
    extra: Mapping[str, Any] = field(default=EMPTY, converter=freeze)
