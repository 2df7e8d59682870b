"""A pipeline among forty installed plugins of which two take part, against one where none is installed."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import as_installed, interleaved, row

__all__ = ["install", "report"]

_MODULE = '''
"""A plugin that is slow to import: it does what a heavy library does."""
import json
from hookline import hookimpl

_TABLE = json.loads(json.dumps([{{str(n): list(range(20)) for n in range(200)}}] * 20))

class Plugin:
    name = "many-{number}"

    @hookimpl
    def build_history(self, request):
        return None
'''
_TIMED = (
    "import time; t = time.perf_counter()\n"
    "import sys, hookline\n"
    "line = hookline.Pipeline(base_url='sim:', config={}, plugins=%r)\n"
    "spent = time.perf_counter() - t\n"
    "print(spent, *sorted(name for name in sys.modules if name.startswith('many_')))\n"
)


def install(folder: Path, count: int) -> None:
    """Make as many installed distributions, each with one plugin that is off until it is asked for."""
    for number in range(count):
        metadata = folder / f"many_{number}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: many-{number}\nVersion: 1.0\n"
        )
        (metadata / "entry_points.txt").write_text(
            f"[hookline.plugins.optional]\nmany-{number} = many_{number}:Plugin\n"
        )
        (folder / f"many_{number}.py").write_text(_MODULE.format(number=number))


def built(names: list[str], environment: Mapping[str, str]) -> tuple[float, list[str]]:
    """Build a pipeline in a fresh interpreter.

    Returns:
        The seconds from ``import hookline`` on, and which of the many modules were imported.

    """
    done = subprocess.run(
        [sys.executable, "-c", _TIMED % names],
        capture_output=True,
        check=True,
        text=True,
        env=environment,
    )
    seconds, *modules = done.stdout.split()
    return float(seconds), modules


def _seconds(names: list[str], environment: Mapping[str, str]) -> float:
    return built(names, environment)[0]


def report(rounds: int = 9) -> Iterator[str]:
    """Yield the report's lines."""
    with as_installed() as environment, TemporaryDirectory() as name:
        install(Path(name), 40)
        path = f"{name}:{environment.get('PYTHONPATH', '')}".rstrip(":")
        among = {**environment, "PYTHONPATH": path}
        subjects: dict[str, Callable[[], float]] = {
            "none": partial(_seconds, [], environment),
            "forty": partial(_seconds, [], among),
            "two": partial(_seconds, ["many-3", "many-17"], among),
        }
        interleaved(subjects, 1)
        found = interleaved(subjects, rounds)
    yield from row(
        "40 plugins installed, none on", found["forty"], "none installed", found["none"], "no aim"
    )
    yield from row(
        "40 plugins installed, two on", found["two"], "none installed", found["none"], "no aim"
    )
