"""``import hookline`` against importing httpx alone, each in a fresh interpreter."""

import subprocess
import sys
from collections.abc import Iterator

from benchmarks import interleaved, row

_TIMED = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def _import(statement: str) -> float:
    command = [sys.executable, "-c", _TIMED.format(statement)]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def report(rounds: int = 9) -> Iterator[str]:
    """Yield the report's lines."""
    found = interleaved(
        {
            "httpx": lambda: _import("httpx"),
            "hookline": lambda: _import("hookline"),
            "Pipeline": lambda: _import("hookline; hookline.Pipeline"),
        },
        rounds,
    )
    yield from row(
        "import hookline", found["hookline"], "import httpx", found["httpx"], "at most 1"
    )
    yield from row(
        "import hookline, Pipeline", found["Pipeline"], "import httpx", found["httpx"], "no aim"
    )
