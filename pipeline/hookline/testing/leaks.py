"""Nothing may be left behind: connections in use, tasks, threads, open descriptors."""

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any, Final

__all__ = ["Leak", "busy_connections", "no_leaks"]

_GRACE: Final = 1.0  # seconds in which threads and sockets may still go away by themselves
# A collection of a large heap takes a second in which no thread runs, and cannot end by itself.
_LOOKS: Final = 30
_LOOKS_A_COLLECTION: Final = 10
_POOLED: Final = "Trio thread"  # trio keeps idle threads of its own for ten seconds
_DESCRIPTORS: Final = ("/proc/self/fd", "/dev/fd")  # Linux, macOS; Windows has none


class Leak(AssertionError):
    """Something was left behind; the text says what."""


def busy_connections(line: Any) -> int:
    """Return how many connections of a pipeline are in use, or lost to use, at this moment.

    Args:
        line: a ``Pipeline`` or ``AsyncPipeline``, on whatever library.

    """
    upstreams = line._upstreams  # noqa: SLF001 -- the kit is part of the framework
    return sum(transport.in_use for transport in upstreams.transports)


@contextmanager
def no_leaks() -> Iterator[None]:
    """Fail if the block leaves threads or descriptors behind that were not there before.

    Put the whole life of a pipeline inside, its closing included; for async code, the event loop
    too, as in ``with no_leaks(): asyncio.run(main())``.

    Raises:
        Leak: after a second in which it did not go away by itself.

    """
    threads = set(threading.enumerate())
    descriptors = _descriptors()
    yield
    end = monotonic() + _GRACE
    looks = 0
    while (left := _left(threads, descriptors)) and (monotonic() < end or looks < _LOOKS):
        if looks % _LOOKS_A_COLLECTION == 0:
            gc.collect()
        looks += 1
        sleep(0.01)
    if left:
        raise Leak("left behind: " + ", ".join(left))


def _left(threads: set[threading.Thread], descriptors: dict[str, str]) -> list[str]:
    left = [
        f"thread {thread.name}"
        for thread in set(threading.enumerate()) - threads
        if not thread.name.startswith(_POOLED)
    ]
    now = _descriptors()
    left += [
        f"descriptor {number} ({target})"
        for number, target in now.items()
        if descriptors.get(number) != target
    ]
    return left


def _descriptors() -> dict[str, str]:
    """Return what each open descriptor points to; empty where the system does not say."""
    for directory in _DESCRIPTORS:
        if os.path.isdir(directory):  # noqa: PTH112 -- no file is meant, only a list of numbers
            found = {}
            for number in os.listdir(directory):  # noqa: PTH208 -- as above
                try:
                    found[number] = os.readlink(f"{directory}/{number}")  # noqa: PTH115 -- as above
                except OSError:
                    continue  # the one that read the directory
            return found
    return {}
