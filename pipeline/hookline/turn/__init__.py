"""A turn: one journey of a message through the pipeline, and what plugins know about it.

Read ``turn`` first; ``io`` is the only way in which plugins touch the world, ``options`` what the caller asked
for, ``ending`` how an exchange ended.
"""

from hookline.turn.ending import ENDED_EARLY as ENDED_EARLY
from hookline.turn.ending import Ending
from hookline.turn.io import IO, Alongside, Fetched, Uploads
from hookline.turn.options import (
    BoundTool,
    CallNext,
    CallTool,
    Continue,
    OnProgress,
    Progress,
    Resolve,
    Resumed,
    RunTool,
    TurnOptions,
)
from hookline.turn.turn import Turn

__all__ = [
    "IO",
    "Alongside",
    "BoundTool",
    "CallNext",
    "CallTool",
    "Continue",
    "Ending",
    "Fetched",
    "OnProgress",
    "Progress",
    "Resolve",
    "Resumed",
    "RunTool",
    "Turn",
    "TurnOptions",
    "Uploads",
]
