"""Turns that wait for somebody's decision: from the plain JSON that ``reply.pending`` is, back to a reply."""

from collections.abc import Mapping
from typing import Any, Final

from hookline.errors import DecodeError, InputError
from hookline.reply import Reply
from hookline.turn import Resumed
from hookline.values.blocks import ToolResultBlock

__all__ = ["MAY_BE_GIVEN", "resumed"]

MAY_BE_GIVEN: Final = frozenset(
    {"tools", "output", "timeout", "context", "principal", "on_progress"}
)
"""What ``resume`` takes besides; everything else was decided when the turn began."""

_VERSION: Final = 1


def resumed(pending: Any, decisions: Any) -> Resumed:
    """Return where a pending turn goes on.

    Args:
        pending: ``reply.pending``, perhaps saved and loaded as JSON.
        decisions: what was decided, by the id of a tool call.

    Raises:
        InputError: it is not what ``reply.pending`` was.

    """
    from hookline.wire.codec import (  # noqa: PLC0415 -- few turns wait for anybody
        structure_block,
        structure_request,
        structure_response,
    )

    if not isinstance(pending, Mapping) or pending.get("version") != _VERSION:
        raise InputError("resume takes what reply.pending was: a dict with version 1")
    if not isinstance(decisions, Mapping):
        raise InputError(
            'decisions are by call id: {"toolu_…": "approve"}; calls without one are not approved'
        )
    try:
        request = structure_request(pending["request"])
        response = structure_response(pending["response"])
        results = tuple(structure_block(each) for each in pending["results"])
    except (KeyError, TypeError, DecodeError) as error:
        raise InputError(f"this is not what reply.pending was: {error}") from error
    if not all(isinstance(each, ToolResultBlock) for each in results):
        raise InputError("this is not what reply.pending was: results are tool_result blocks")
    request = request.evolve(betas=tuple(pending.get("betas", ())))
    reply = Reply(request=request, response=response, tool_results=results)  # type: ignore[arg-type]  # as just checked
    if name := pending.get("id"):  # older ones have none
        reply = reply.evolve(pending_id=str(name))
    return Resumed(reply=reply, decisions=dict(decisions))
