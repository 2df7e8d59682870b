"""``line.count_tokens``: the journey of a message up to a count of its tokens (facts 12.1).

A count goes through the stages and the onion like any request, so that it counts what would really
be sent, and so that policy, retries and limits hold for it too. Inside the onion it is a `Response`
without content whose ``usage.input_tokens`` is the count. There is no reply to work on, so stream
filters and ``post_process`` do not run.
"""

from collections.abc import Mapping
from typing import Any, Final

from attrs import field, fields, frozen

from hookline._api.bodies import read_json
from hookline._api.upstream import Upstream
from hookline._journey.engine import Engine
from hookline._journey.failures import tell
from hookline._journey.journey import cut_short
from hookline._journey.onion import send, tell_shielded
from hookline._journey.stages import prepared
from hookline.endpoints.objects import APIObject, read
from hookline.reply import Reply
from hookline.turn import Turn
from hookline.values.frozen import checked, freeze
from hookline.values.messages import Request, Response
from hookline.values.usage import Usage
from hookline.wire import json
from hookline.wire.codec import unstructure

__all__ = ["TokenCount", "ask_count", "counted"]

_PATH: Final = "/v1/messages/count_tokens"
# Facts 2.1. Fields that this version has no name for are sent: the caller wrote them on purpose.
_COUNTED: Final = frozenset(
    {
        *("messages", "model", "system", "tools", "tool_choice", "thinking", "output_config"),
        *("cache_control", "context_management", "mcp_servers", "compaction", "speed"),
        "billing_policy",
    }
)


@frozen(eq=False, repr=False, field_transformer=checked)
class TokenCount(APIObject):
    """How many tokens a message would cost; an estimate, says the API. ``int(count)`` works.

    Attributes:
        input_tokens: all input, images and documents included.
        context_management: with context editing, what it was before (beta).

    """

    input_tokens: int
    context_management: Mapping[str, Any] | None = field(default=None, converter=freeze)

    def __int__(self) -> int:
        return self.input_tokens

    def __index__(self) -> int:
        return self.input_tokens


async def counted(engine: Engine, turn: Turn, request: Request) -> TokenCount:
    """Take one request through the stages and the onion, and return its count.

    Raises:
        HooklineError: whatever ended the turn. ``on_turn_end`` has run by then.

    """
    outcome: Reply | None = None
    problem: BaseException | None = None
    try:
        await tell(engine.plugins.of("on_turn_start"), turn, request)
        request = await prepared(engine, turn, request)
        response = await send(engine, turn, request)
        outcome = Reply(response=response, request=request, prefill=turn.prefill, trace=turn.trace)
    except BaseException as error:
        problem = cut_short(turn, None, error)
        if problem is not error and isinstance(error, Exception):
            raise problem from error
        raise
    finally:
        end = tell(engine.plugins.of("on_turn_end"), turn, outcome, problem)
        await (tell_shielded(turn, end) if problem else end)
    return TokenCount(
        response.usage.input_tokens,
        response.context_management,
        headers=response.headers,
        extra=response.extra,
    )


async def ask_count(upstream: Upstream, turn: Turn, request: Request) -> Response:
    """Send one request for a count; what ``Upstream.create_message`` is for messages."""
    known = {a.name for a in fields(Request)}
    body = {
        key: value
        for key, value in unstructure(request).items()
        if key in _COUNTED or key not in known
    }
    answer = await upstream.call(
        "POST",
        _PATH,
        io=turn.io,
        remaining=turn.remaining(),
        content=json.dumps(body),
        betas=request.betas,
    )
    try:
        found = read(TokenCount, await read_json(answer))
    except BaseException:
        await turn.io.shielded(answer.aclose())
        raise
    return Response(
        model=request.model,
        usage=Usage(found.input_tokens),
        context_management=found.context_management,
        extra=found.extra,
        status=answer.status,
        headers=dict(answer.headers),
    )
