"""What happened in a turn: ``record`` holds it, ``difference`` draws who changed what, ``explanation`` is ``explain``'s."""

from hookline.trace.explanation import Explanation
from hookline.trace.record import (
    AttemptOutcome,
    AttemptRecord,
    Change,
    ToolError,
    Trace,
    Verdict,
)

__all__ = [
    "AttemptOutcome",
    "AttemptRecord",
    "Change",
    "Explanation",
    "ToolError",
    "Trace",
    "Verdict",
]
