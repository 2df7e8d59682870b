"""The two ways to do I/O, and the driver that runs a coroutine without an event loop.

The core is written once, as coroutines. Everything that may wait goes through ``turn.io``. Under
``AsyncPipeline`` that is :class:`AsyncIO`, which waits on asyncio or trio through anyio. Under
``Pipeline`` it is :class:`SyncIO`, whose coroutines do the blocking thing and return: they never
suspend, so one ``send(None)`` runs a whole turn to its end. No loop, no thread, and it works inside
a loop that is already running (a notebook).

Generated twin classes were the alternative; they drift, and plugins would have to be written twice.

Read ``driver`` first, then ``sync`` and ``asynchronous``; ``race`` and ``pulled`` are what they are
asked for now and then.
"""

from hookline._io.asynchronous import AsyncIO
from hookline._io.driver import Waits, drive, within_deadline
from hookline._io.sync import SyncIO

__all__ = ["AsyncIO", "SyncIO", "Waits", "drive", "within_deadline"]
