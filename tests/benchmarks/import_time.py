"""``import hookline`` against importing httpx alone, each in a fresh interpreter."""

import subprocess
import sys
from collections.abc import Iterator, Mapping

from benchmarks import as_installed, interleaved, row

_TIMED = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def _import(statement: str, environment: Mapping[str, str]) -> float:
    command = [sys.executable, "-c", _TIMED.format(statement)]
    return float(
        subprocess.run(command, capture_output=True, check=True, text=True, env=environment).stdout
    )


def report(rounds: int = 9) -> Iterator[str]:
    """Yield the report's lines."""
    statements = {
        "httpx": "httpx",
        "hookline": "hookline",
        "Pipeline": "hookline; hookline.Pipeline",
    }
    with as_installed() as environment:
        subjects = {
            name: lambda statement=statement: _import(statement, environment)
            for name, statement in statements.items()
        }
        interleaved(subjects, 1)
        found = interleaved(subjects, rounds)
    yield from row(
        "import hookline", found["hookline"], "import httpx", found["httpx"], "at most 1"
    )
    yield from row(
        "import hookline, Pipeline", found["Pipeline"], "import httpx", found["httpx"], "no aim"
    )
