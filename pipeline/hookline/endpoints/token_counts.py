"""``line.count_tokens``: the journey of a message up to a count of its tokens (facts 12.1).

A count goes through the stages and the onion like any request, so that it counts what would really
be sent, and so that policy, retries and limits hold for it too. Inside the onion it is a `Response`
without content whose ``usage.input_tokens`` is the count. There is no reply to work on, so stream
filters and ``post_process`` do not run.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import field, frozen

from hookline._journey.engine import Engine
from hookline._journey.life import Life
from hookline._journey.sending import send
from hookline._journey.stages import prepared
from hookline.endpoints.objects import APIObject
from hookline.errors import APIError, InputError
from hookline.reply import Reply
from hookline.turn import Turn
from hookline.values.frozen import checked, freeze, frozen_tuple
from hookline.values.messages import Request
from hookline.values.pictures.survey import Medium, surveyed

__all__ = ["TokenCount", "counted"]

_NOT_FOUND: Final = 404


def _media(items: Iterable[Medium]) -> Any:
    return frozen_tuple(items)


@frozen(eq=False, repr=False, field_transformer=checked)
class TokenCount(APIObject):
    """How many tokens a message would cost; an estimate, says the API. ``int(count)`` works.

    Attributes:
        input_tokens: all input, images and documents included.
        context_management: with context editing, what it was before (beta).
        media: the images and documents that are counted, each with what it costs by our own reckoning.

    """

    input_tokens: int
    context_management: Mapping[str, Any] | None = field(default=None, converter=freeze)
    media: tuple[Medium, ...] = field(
        default=(), converter=_media, kw_only=True, eq=False, repr=False
    )

    def __int__(self) -> int:
        return self.input_tokens

    def __index__(self) -> int:
        return self.input_tokens


async def counted(engine: Engine, turn: Turn, request: Request) -> TokenCount:
    """Take one request through the stages and the onion, and return its count.

    Raises:
        InputError: the server is of a kind that counts none.
        HooklineError: whatever else ended the turn. ``on_turn_end`` has run by then.

    """
    async with Life(engine, turn, request) as life:
        request = await prepared(engine, turn, request)
        try:
            response = await send(engine, turn, request)
        except APIError as error:
            profile = turn.profile
            if error.status != _NOT_FOUND or profile.count_tokens:
                raise
            raise InputError(
                f"a server of the kind {profile.name} counts no tokens; hookline.plugin.estimate(request) "
                "tells about how many there are"
            ) from error
        life.reply = Reply(
            response=response, request=request, prefill=turn.prefill, trace=turn.trace
        )
    return TokenCount(
        response.usage.input_tokens,
        response.context_management,
        media=surveyed(request, turn.models.get(request.model)),
        headers=response.headers,
        extra=response.extra,
    )
