"""One test body for pipelines of every colour."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Self

import trio
from attrs import frozen

from hookline import AsyncPipeline, Pipeline
from hookline._io import drive
from hookline._journey.discovery import installed

COLOURS: Final = ("sync", "asyncio", "trio")
MODEL: Final = "claude-haiku-4-5"

# Tests count what is sent and want failures at once; test_retry enables the plugin on purpose.
_NO_RETRIES: Final = {
    "plugins": {"disable": [each.name for each in installed() if each.name == "retry"]}
}


class _SyncStream:
    """A ``Stream`` behind the names of an ``AsyncStream``."""

    def __init__(self, stream: Any) -> None:
        self.inner = stream

    async def __aenter__(self) -> Self:
        self.inner.__enter__()
        return self

    async def __aexit__(self, *error: Any) -> None:  # noqa: PYI036 -- handed on
        self.inner.__exit__(*error)

    @property
    async def text(self) -> AsyncIterator[str]:
        for piece in self.inner.text:
            yield piece

    @property
    async def events(self) -> AsyncIterator[Any]:
        for event in self.inner.events:
            yield event

    @property
    async def output(self) -> AsyncIterator[Any]:
        for value in self.inner.output:
            yield value

    @property
    async def reply(self) -> Any:
        return self.inner.reply

    async def close(self) -> None:
        self.inner.close()


class _SyncFace:
    """A ``Pipeline`` or ``Conversation`` behind the names of its async twin."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def send(self, *given: Any, **options: Any) -> Any:
        return self.inner.send(*given, **options)

    async def count_tokens(self, *given: Any, **options: Any) -> Any:
        return self.inner.count_tokens(*given, **options)

    async def explain(self, *given: Any, **options: Any) -> Any:
        return self.inner.explain(*given, **options)

    async def resume(self, *given: Any, **options: Any) -> Any:
        return self.inner.resume(*given, **options)

    def stream(self, *given: Any, **options: Any) -> _SyncStream:
        return _SyncStream(self.inner.stream(*given, **options))

    def resume_stream(self, *given: Any, **options: Any) -> _SyncStream:
        return _SyncStream(self.inner.resume_stream(*given, **options))

    def conversation(self, **options: Any) -> "_SyncFace":
        return _SyncFace(self.inner.conversation(**options))

    def __len__(self) -> int:
        return len(self.inner)


@frozen
class Runner:
    """Runs one test body, written once as ``async def body(line)``, in one colour."""

    colour: str

    @asynccontextmanager
    async def line(self, **options: Any) -> AsyncIterator[Any]:
        options = {"base_url": "sim:", "model": MODEL, "config": _NO_RETRIES, **options}
        if self.colour == "sync":
            with Pipeline(**options) as line:
                yield _SyncFace(line)
        else:
            async with AsyncPipeline(**options) as aline:
                yield aline

    def run(self, function: Callable[[], Awaitable[Any]]) -> Any:
        if self.colour == "sync":
            return drive(function())
        if self.colour == "asyncio":
            return asyncio.run(function())  # type: ignore[arg-type]  # always a coroutine
        with warnings.catch_warnings():
            # The HTTP libraries leave their own generators to the garbage collector.
            warnings.filterwarnings("ignore", "Async generator '(httpx|httpcore)", ResourceWarning)
            warnings.filterwarnings("ignore", "Async generator '.*SimulatorStream", ResourceWarning)
            return trio.run(function)

    def __call__(self, body: Callable[[Any], Awaitable[Any]], **options: Any) -> Any:
        async def main() -> Any:
            async with self.line(**options) as line:
                return await body(line)

        return self.run(main)

    def send(self, message: Any = "Hello", *, line: Mapping[str, Any], **options: Any) -> Any:
        """Send one message through a pipeline made with the options ``line``."""
        return self(lambda pipeline: pipeline.send(message, **options), **line)

    def stream(
        self, message: Any = "Hello", *, line: Mapping[str, Any], **options: Any
    ) -> tuple[str, Any]:
        """Stream one message; return the pieces of text joined, and the reply."""

        async def body(pipeline: Any) -> tuple[str, Any]:
            async with pipeline.stream(message, **options) as stream:
                pieces = [piece async for piece in stream.text]
                return "".join(pieces), await stream.reply

        result: tuple[str, Any] = self(body, **line)
        return result

    def outcome(self, streamed: bool, message: Any = "Hello", **given: Any) -> Any:
        """Return the reply of a plain or a streamed turn."""
        if streamed:
            return self.stream(message, **given)[1]
        return self.send(message, **given)
