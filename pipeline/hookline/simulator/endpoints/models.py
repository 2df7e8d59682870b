"""GET /v1/models: the model table as the API shows it, and the paging of all lists."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hookline.models import ModelFacts, ModelTable
from hookline.simulator.errors import invalid, not_found
from hookline.simulator.rules.fields import EFFORTS

Query = Mapping[str, list[str]]
_THINKING_TYPES: Final = ("adaptive", "between_tools", "disabled", "enabled")
_DEFAULT_LIMIT: Final = 20
_MOST: Final = 1000


def list_models(models: ModelTable, query: Query) -> dict[str, Any]:
    """Return one page of the models, newest first; retired ones only when asked for.

    Args:
        models: The table.
        query: ``after_id``, ``before_id``, ``limit``, ``lifecycle[]``.

    Returns:
        The list envelope.

    Raises:
        ApiError: 400 for a limit out of range or an unknown cursor.

    """
    wanted = query.get("lifecycle[]") or query.get("lifecycle") or ["active", "deprecated"]
    found = sorted(
        (facts for facts in models if facts.status in wanted),
        key=lambda facts: facts.released or dt.date.min,
        reverse=True,
    )
    return page([_item(facts) for facts in found], query)


def get_model(models: ModelTable, name: str) -> dict[str, Any]:
    """Return one model by id or alias.

    Args:
        models: The table.
        name: Id or alias.

    Returns:
        The model object.

    Raises:
        ApiError: 404.

    """
    facts = models.get(name)
    if facts is None:
        raise not_found(f"model: {name}")
    return _item(facts)


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


def _supported(value: object) -> dict[str, bool]:
    return {"supported": bool(value)}


_YES: Final = _supported(1)


def _midnight(day: dt.date | None) -> str | None:
    return None if day is None else f"{day.isoformat()}T00:00:00Z"


def _item(facts: ModelFacts) -> dict[str, Any]:
    modern = facts.thinking_omitted != "off" or "adaptive" in facts.thinking
    return {
        "id": facts.id,
        "type": "model",
        "display_name": facts.display_name,
        "created_at": _midnight(facts.released) or "1970-01-01T00:00:00Z",
        # The day of deprecation is not among the facts; the day of release is a safe lower bound.
        "deprecated_at": None
        if facts.status == "active"
        else _midnight(facts.released or facts.retires),
        "retires_at": None if facts.status == "active" else _midnight(facts.retires),
        "lifecycle": facts.status,
        "line": facts.line,
        "max_input_tokens": facts.context,
        "max_tokens": facts.max_output,
        "capabilities": {
            "batch": _YES,
            "citations": _YES,
            "code_execution": _supported(modern),
            "context_management": {
                "supported": True,
                "clear_thinking_20251015": _supported(facts.thinking),
                "clear_tool_uses_20250919": _YES,
                "compact_20260112": _supported(modern),
            },
            "effort": {
                "supported": bool(facts.effort),
                **{level: _supported(level in facts.effort) for level in EFFORTS},
            },
            "image_input": _supported(facts.vision is not None),
            "pdf_input": _supported(facts.vision is not None),
            "server_tools": {
                "supported": True,
                "code_execution": _YES,
                "web_search": _YES,
            },
            "structured_outputs": _supported(not facts.retired),
            "thinking": {
                "supported": bool(facts.thinking),
                "types": {kind: _supported(kind in facts.thinking) for kind in _THINKING_TYPES},
            },
        },
    }
