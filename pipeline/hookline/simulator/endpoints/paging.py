"""Pages of lists, by id cursors."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hookline.simulator.errors import invalid

Query = Mapping[str, list[str]]
_DEFAULT_LIMIT: Final = 20
_MOST: Final = 1000


def page(items: Sequence[dict[str, Any]], query: Query) -> dict[str, Any]:
    """Cut a page out of a list by id cursors.

    Args:
        items: Everything, in order.
        query: ``after_id``, ``before_id``, ``limit``.

    Returns:
        ``data``, ``has_more``, ``first_id``, ``last_id``.

    Raises:
        ApiError: 400 for a limit out of range or an unknown cursor.

    """
    limit = read_limit(query)
    ids = [item["id"] for item in items]
    after, before = query.get("after_id", [""])[0], query.get("before_id", [""])[0]
    for name, cursor in (("after_id", after), ("before_id", before)):
        if cursor and cursor not in ids:
            raise invalid(f"{name}: '{cursor}' not found")
    if before:
        end = ids.index(before)
        start = max(0, end - limit)
        chosen, more = items[start:end], start > 0
    else:
        start = ids.index(after) + 1 if after else 0
        chosen, more = items[start : start + limit], start + limit < len(items)
    return {
        "data": list(chosen),
        "has_more": more,
        "first_id": chosen[0]["id"] if chosen else None,
        "last_id": chosen[-1]["id"] if chosen else None,
    }


def read_limit(query: Query) -> int:
    """Read ``limit``, 1 to 1000, 20 by default; raises the API's 400."""
    text = query.get("limit", [str(_DEFAULT_LIMIT)])[0]
    try:
        limit = int(text)
    except ValueError:
        raise invalid("limit: Input should be a valid integer") from None
    if limit < 1:
        raise invalid("limit: Input should be greater than or equal to 1")
    if limit > _MOST:
        raise invalid(f"limit: Input should be less than or equal to {_MOST}")
    return limit
