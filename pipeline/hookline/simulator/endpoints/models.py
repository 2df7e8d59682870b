"""GET /v1/models: the model table as the API shows it."""

import datetime as dt
from typing import Any, Final

from hookline.models import EFFORTS, ModelFacts, ModelTable
from hookline.simulator.endpoints.paging import Query, page
from hookline.simulator.errors import not_found

_THINKING_TYPES: Final = ("adaptive", "between_tools", "disabled", "enabled")


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
    facts = models.exact(name)
    if facts is None:
        raise not_found(f"model: {name}")
    return _item(facts)


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
