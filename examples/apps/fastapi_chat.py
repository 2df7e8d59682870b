"""FastAPI: replies as server-sent events; a reader who leaves ends the request to the API, too.

``uvicorn --factory fastapi_chat:make_app`` serves it. One ``AsyncPipeline`` serves all requests: it is opened
and closed with the application.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from hookline import AsyncPipeline, AsyncStream, HooklineError, Principal

CONFIG = {"plugins": {"retry": {"attempts": 2}}}


class Question(BaseModel):
    """What a user asks."""

    text: str
    user: str = ""


def make_app(**options: Any) -> FastAPI:
    """Return the application; ``options`` are those of ``AsyncPipeline``."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # The owner's context holds for every call; a call adds to it, and overrides nothing.
        async with AsyncPipeline(config=CONFIG, context={"service": "chat"}, **options) as line:
            app.state.line = line
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/chat")
    async def chat(question: Question, request: Request) -> StreamingResponse:
        stream = request.app.state.line.stream(
            question.text,
            principal=Principal(user=question.user),
            context={"path": request.url.path},
        )
        return StreamingResponse(events(stream), media_type="text/event-stream")

    return app


async def events(stream: AsyncStream) -> AsyncIterator[str]:
    """Yield a stream as server-sent events: ``text`` as it comes, then ``done`` or ``error``.

    The server cancels this generator when the reader has left; leaving the ``async with`` then closes
    the connection to the API, and no further token is paid for.
    """
    try:
        async with stream:
            async for text in stream.text:
                yield event("text", text)
            reply = await stream.reply
            yield event("done", {"stop_reason": reply.stop_reason, "cost": str(reply.cost)})
    except HooklineError as error:  # the head has gone out: the error is an event like the others
        yield event("error", str(error))


def event(name: str, data: Any) -> str:
    """Return one server-sent event."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"
