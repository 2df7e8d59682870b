"""Benchmarks: ratios to a floor that is measured in the same run, interleaved with it."""

import os
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

__all__ = ["as_installed", "interleaved", "row"]


def interleaved(subjects: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Measure several things in turn, so that a noisy moment of the machine hits all of them.

    Args:
        subjects: name to a function that does the thing once and returns its seconds.
        rounds: how often each is measured.

    Returns:
        The median seconds of each.

    """
    found: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, measure in subjects.items():
            found[name].append(measure())
    return {name: statistics.median(seconds) for name, seconds in found.items()}


def row(what: str, seconds: float, floor: str, floor_seconds: float, aim: str) -> Iterator[str]:
    """Yield one line of a report: a figure, its floor, their ratio, and what is aimed at."""
    ratio = seconds / floor_seconds
    yield f"{what:<44} {seconds * 1e6:>10.1f} µs   {ratio:>6.2f} x {floor:<26} (aim: {aim})"


@contextmanager
def as_installed() -> Iterator[dict[str, str]]:
    """Yield an environment whose processes keep compiled code, as installers leave it behind.

    A checkout may have none, for example where ``PYTHONDONTWRITEBYTECODE`` is set; then all of
    Hookline, and nothing of the others, would be compiled anew by every process.
    """
    with tempfile.TemporaryDirectory(prefix="hookline-bench-") as directory:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": directory}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        yield environment
