"""The journey of an upload: no model is asked, and no rule is skipped.

To hooks it is a request whose one message holds the file as an attachment. Of transforms and checks only
those of enforcers run, because history, prefill and images have nothing to do with a file; what they make of
the attachment is what leaves. Then come the exchange as an attempt, and ``conclude``.
"""

from binascii import b2a_base64
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeAlias, TypeVar

from attrs import frozen

from hookline._journey.checks import check
from hookline._journey.engine import Engine
from hookline._journey.failures import tell
from hookline._journey.life import Life
from hookline._journey.sending import attempt_record
from hookline._journey.stages import fold
from hookline.endpoints.objects import APIObject
from hookline.errors import PolicyViolation
from hookline.reply import Reply
from hookline.turn import Ending, Turn
from hookline.values.attachments import Attachment, Document, Image
from hookline.values.blocks import DocumentBlock, ImageBlock
from hookline.values.messages import Message, Request, Response
from hookline.values.sources import Base64Source

__all__ = ["Begin", "Journeys", "as_request", "uploaded"]

T = TypeVar("T", bound=APIObject)
Begin: TypeAlias = Callable[[str, bytes, str, float, Mapping[str, Any]], tuple[Turn, Request]]


@frozen(eq=False)
class Journeys:
    """How the turns of uploads begin.

    Attributes:
        engine: plugins.
        begin: makes the turn and the request of a file: name, content, media type, seconds, options.

    """

    engine: Engine
    begin: Begin


def as_request(blank: Request, content: bytes, media_type: str, betas: tuple[str, ...]) -> Request:
    """Return the request that stands for a file.

    Args:
        blank: with the pipeline's defaults.
        content: of the file.
        media_type: what it is said to be.
        betas: of the call.

    """
    kind = Image if media_type.startswith("image/") else Document
    attachment = kind(content, media_type=media_type)
    return blank.evolve(messages=(Message("user", [attachment]),), betas=betas)


async def uploaded(
    engine: Engine, turn: Turn, request: Request, send: Callable[[bytes], Awaitable[T]]
) -> T:
    """Take an upload through enforcers, checks and ``conclude``.

    Args:
        engine: the pipeline's.
        turn: the journey.
        request: what stands for the file.
        send: uploads the bytes that the enforcers left.

    Raises:
        HooklineError: whatever ended the turn. ``on_turn_end`` has run by then.

    """
    media_type = request.messages[0].blocks[0].media_type  # type: ignore[attr-defined]  # of an attachment
    async with Life(engine, turn, request) as life:
        for hook in ("build_history", "inject_prefill", "resolve_images"):
            request = await fold(engine, hook, turn, request, only="enforcer")
        turn.request = request
        # Other checks know messages only, and would miss what makes a request one that can be sent.
        judges = engine.plugins.of("check_request")
        enforcers = tuple(each for each in judges if each.role == "enforcer")
        content = _content(request)
        await check(enforcers, turn, _resolved(request, content, media_type))
        answered = await _exchange(engine, turn, request, partial(send, content))
        response = Response(model=request.model, headers=answered.headers)
        life.reply = Reply(response=response, request=request, trace=turn.trace)
    return answered


def _resolved(request: Request, content: bytes, media_type: str) -> Request:
    """Return the request as checks know requests: with the file's bytes in a block, as they would be sent.

    The media type is the caller's: an enforcer's transform changes the bytes and not what they go as.
    """
    kind = ImageBlock if media_type.startswith("image/") else DocumentBlock
    block = kind(Base64Source(media_type, b2a_base64(content, newline=False).decode("ascii")))
    return request.evolve(messages=(Message("user", [block]),))


async def _exchange(
    engine: Engine, turn: Turn, request: Request, send: Callable[[], Awaitable[T]]
) -> T:
    """Send the file; the exchange is the turn's attempt."""
    turn.attempt += 1
    began = turn.io.now()
    response: Response | None = None
    problem: BaseException | None = None
    try:
        answered = await send()
        response = Response(headers=answered.headers)
    except BaseException as error:
        problem = error
        raise
    finally:
        seconds = turn.io.now() - began
        record = attempt_record(
            request,
            number=turn.attempt,
            step=0,
            seconds=seconds,
            latency=seconds,
            upstream=turn.upstream,
            response=response,
            error=problem,
            ending=Ending(),
            models=turn.models,
        )
        turn.trace.attempts.append(record)
        await tell(engine.plugins.of("on_attempt"), turn, request, record)
    return answered


def _content(request: Request) -> bytes:
    """Return the bytes as the transforms left them: what is judged, and what is sent."""
    blocks = [block for message in request.messages for block in message.blocks]
    if (
        len(blocks) == 1
        and isinstance(blocks[0], Attachment)
        and isinstance(blocks[0].source, bytes)
    ):
        return blocks[0].source
    raise PolicyViolation(
        "an enforcer made something else of an upload than one file, so it was not sent",
        rule="fail-closed",
    )
