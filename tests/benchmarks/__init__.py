"""Benchmarks: ratios to a floor that is measured in the same run, interleaved with it."""

import statistics
from collections.abc import Callable, Iterator, Mapping

__all__ = ["interleaved", "row"]


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
