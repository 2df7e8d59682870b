"""Tests of time limits that hold however slow the machine is."""

from collections.abc import Iterator

__all__ = ["SLACK", "widening"]

SLACK = 10.0
"""Seconds that a busy machine may add to a limit: what a test forbids with it takes twice as long."""


def widening(shortest: float) -> Iterator[float]:
    """Yield ever longer limits: the first in which enough happens before it strikes is the one to judge.

    Args:
        shortest: in seconds, enough on a machine that has nothing else to do.

    """
    yield from (shortest, shortest * 8, shortest * 40)
