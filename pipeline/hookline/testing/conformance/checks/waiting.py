"""A check of what blocks an event loop: files, databases, sockets and sleeps, where others wait for their turn."""

import asyncio
import inspect
import sys
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType
from typing import Any, Final

from hookline.testing.conformance.report import Finding
from hookline.testing.conformance.surfaces import Call, waited
from hookline.testing.conformance.trying import Trying
from hookline.testing.recording import RecordingSimulator
from hookline.values.attachments import Image

__all__ = ["waiting"]

_BLOCKS: Final = {
    "open": "opens a file",
    "sqlite3.connect": "opens a database",
    "socket.connect": "connects to a server",
    "socket.getaddrinfo": "looks up a host's name",
    "time.sleep": "sleeps",
    "subprocess.Popen": "starts a process",
    "os.system": "starts a process",
    "os.listdir": "lists a folder",
    "os.scandir": "lists a folder",
}
_SURFACES: Final = ("send", "stream", "count_tokens", "tool step")


class _Watch:
    """Hears what the interpreter tells of blocking calls, while it is asked to."""

    def __init__(self) -> None:
        self.module = ""
        self.seen: dict[str, str] = {}
        self.installed = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.module or event not in _BLOCKS or not _in_loop():
            return
        module, self.module = self.module, ""  # not of what we do here
        try:
            where = _caller(inspect.currentframe(), module)
            if where:
                what = f" ({arguments[0]})" if event == "open" else ""
                self.seen.setdefault(where, f"{_BLOCKS[event]}{what}")
        finally:
            self.module = module


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


_WATCH: Final = _Watch()  # the interpreter never forgets one, so there is one


def _caller(frame: FrameType | None, module: str) -> str:
    """Return the function of the plugin on whose behalf it happens; empty if it is none's, or an import."""
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name.startswith("importlib"):
            return ""
        if name == module or name.startswith(f"{module}."):
            return frame.f_code.co_name
        frame = frame.f_back
    return ""


def waiting(trying: Trying) -> Iterator[Finding]:
    """Check that nothing blocks the event loop in which an ``AsyncPipeline`` runs."""
    if not _WATCH.installed:
        sys.addaudithook(_WATCH)
        _WATCH.installed = True
    _WATCH.seen.clear()
    asyncio.run(_calls(trying))
    for where, what in _WATCH.seen.items():
        yield Finding(
            f"{where} {what} in the event loop, and all other turns wait",
            "await turn.io.run_blocking(function, …), which serves both colours; or do it once, in `open`",
        )


async def _calls(trying: Trying) -> None:
    texts = (*trying.subject.own_samples, "Hello")
    calls = [Call(surface=each, message=text) for each in _SURFACES for text in texts]
    calls += [Call(message=[Image(each), "Look."]) for each in trying.subject.sources]
    trying.calls += len(calls)
    async with trying.subject.line("asyncio", RecordingSimulator()) as line:
        _WATCH.module = trying.subject.home
        try:
            for call in calls:
                with suppress(
                    Exception, SystemExit
                ):  # whether it fails is another check's business
                    await waited(line, call)
        finally:
            _WATCH.module = ""
