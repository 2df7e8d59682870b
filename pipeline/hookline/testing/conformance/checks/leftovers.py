"""A check of what a plugin leaves behind: coroutines, threads, turns, and what is not its own to change."""

import asyncio
import gc
import locale
import logging
import os
import signal
import sys
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final

from attrs import define, field

from hookline._journey.plugin_set import Plugin
from hookline.hookspecs import hookimpl
from hookline.testing.conformance.report import Finding
from hookline.testing.conformance.surfaces import Call, waited, worked
from hookline.testing.conformance.trying import Trying
from hookline.testing.leaks import Leak, no_leaks
from hookline.testing.recording import RecordingSimulator
from hookline.turn import Turn
from hookline.values.principal import Principal

__all__ = ["leftovers"]

_CANARY: Final = "canary-0815-of-one-turn"
_DEEPEST: Final = 6  # steps from a module's name to what it holds
_KINDS: Final = (dict, list, tuple, set, frozenset)
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_SURROUNDINGS: Final[Mapping[str, Callable[[], Any]]] = {
    "os.environ": lambda: dict(os.environ),
    "the working directory": Path.cwd,
    "sys.path": lambda: list(sys.path),
    "the locale": lambda: locale.setlocale(locale.LC_ALL),
    "the root logger": lambda: (logging.getLogger().level, list(logging.getLogger().handlers)),
    "a signal's handler": lambda: [signal.getsignal(each) for each in _SIGNALS],
    "sys.stdout or sys.stderr": lambda: (id(sys.stdout), id(sys.stderr)),
    "sys.excepthook": lambda: id(sys.excepthook),
    "the recursion limit": sys.getrecursionlimit,
}


@define
class _Turns:
    """Notes the turns that end, without keeping them."""

    name = "conformance-turns"
    role = "observer"
    ended: list["weakref.ref[Turn]"] = field(factory=list)

    @hookimpl
    def on_turn_end(self, turn: Turn) -> None:
        """Note."""
        self.ended.append(weakref.ref(turn))


def leftovers(trying: Trying) -> Iterator[Finding]:
    """Check that after some calls everything is as it was before."""
    before = {name: look() for name, look in _SURROUNDINGS.items()}
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            with no_leaks():
                yield from _after_calls(trying)
        except Leak as leak:
            yield Finding(
                f"with the pipeline closed, something is {leak}",
                "end in `close` what `open` or a turn has begun: threads, files, connections",
            )
        gc.collect()
    for each in dict.fromkeys(str(each.message) for each in warned):
        if "was never awaited" in each:
            yield Finding(each, "await it: what is not awaited does not happen")
    for name, look in _SURROUNDINGS.items():
        if look() != before[name]:
            yield Finding(
                f"{name} was changed",
                "that is the application's; put back what must be changed for a moment",
            )
    for place in _shared(type(trying.subject.object)):
        yield Finding(
            f"{place} holds what a user said, after the pipeline was closed",
            "keep state on the instance, or in TurnState and ConversationState; not on the class or "
            "the module",
        )


def _after_calls(trying: Trying) -> Iterator[Finding]:
    """Take some calls in one pipeline, and look for turns that outlive them."""
    turns = _Turns()
    calls = [
        Call(
            surface=surface,
            message=f"{sample} {_CANARY}",
            options={"principal": Principal(user=_CANARY, team=_CANARY)},
        )
        for surface in ("send", "stream", "count_tokens", "tool step", "conversation")
        for sample in (*trying.subject.own_samples[:3], "Hello.")
    ]
    trying.calls += len(calls)
    beside = [Plugin.of(turns)]
    kept = 0

    def alive() -> int:
        gc.collect()
        return sum(each() is not None for each in turns.ended)

    if trying.subject.colour == "sync":
        with trying.subject.line("sync", RecordingSimulator(), beside=beside) as line:
            for call in calls:
                with suppress(
                    Exception, SystemExit
                ):  # whether it fails is another check's business
                    worked(line, call)
            kept = alive()
    else:

        async def main() -> int:
            async with trying.subject.line("asyncio", RecordingSimulator(), beside=beside) as line:
                for call in calls:
                    with suppress(Exception, SystemExit):
                        await waited(line, call)
                return alive()

        kept = asyncio.run(main())
    if kept > 1:  # the last one may still be in a frame of the pipeline's
        yield Finding(
            f"{kept} of {len(turns.ended)} turns are kept after their end",
            "keep what you need of a turn, and not the turn; TurnState goes with it",
        )


def _shared(kind: type) -> Iterator[str]:
    """Yield the attributes of a class, and the names of its module, that hold the canary."""
    module = sys.modules.get(kind.__module__)
    places = [(kind.__qualname__, vars(kind)), (kind.__module__, vars(module) if module else {})]
    for owner, names in places:
        for name, value in list(names.items()):
            if name.startswith("__") or isinstance(value, FunctionType | ModuleType | type):
                continue
            if _holds(value, _DEEPEST, set()):
                yield f"{owner}.{name}"


def _holds(value: Any, depth: int, seen: set[int]) -> bool:
    """Say whether the canary can be reached from a value through containers and attributes."""
    if isinstance(value, str):
        return _CANARY in value
    foreign = isinstance(value, FunctionType | ModuleType | type | threading.Thread)
    if depth == 0 or id(value) in seen or foreign:
        return False
    seen.add(id(value))
    inside: list[Any] = []
    if isinstance(value, Mapping):
        inside = [*value.keys(), *value.values()]
    elif isinstance(value, _KINDS):
        inside = list(value)
    else:
        slots = [name for each in type(value).__mro__ for name in getattr(each, "__slots__", ())]
        inside = [
            *getattr(value, "__dict__", {}).values(),
            *(
                getattr(value, name)
                for name in slots
                if isinstance(name, str) and _has(value, name)
            ),
        ]
    return any(_holds(each, depth - 1, seen) for each in inside)


def _has(value: Any, name: str) -> bool:
    return not name.startswith("__") and hasattr(value, name)
