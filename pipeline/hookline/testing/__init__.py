"""A test kit for plugins and applications: a server that fails on command, time that obeys, leaks.

- ``FaultServer`` answers on the loopback interface with exactly the bytes and delays, the resets and
  silences that a script of actions names (``hookline.testing.actions``);
- ``json_answer``, ``error_answer``, ``stream_answer`` write what the Messages API would say;
- ``Authority`` makes throw-away certificates, good ones and bad ones;
- ``fake_time`` lets a pipeline's waits pass at once;
- ``no_leaks`` fails when connections, tasks, threads or descriptors are left behind.

Nothing in here needs pytest. For replies that make sense, use the simulator: ``base_url="sim:"``.
"""

from hookline.testing.actions import (
    Action,
    AtOnce,
    Bandwidth,
    Close,
    CutHandshake,
    Delay,
    Drip,
    HalfClose,
    NeverRead,
    Receive,
    Reset,
    Send,
    Slice,
    Stall,
)
from hookline.testing.answers import (
    error_answer,
    http_answer,
    json_answer,
    message,
    stream_answer,
    stream_events,
    stream_head,
    stream_parts,
)
from hookline.testing.clock import FakeClock, fake_time
from hookline.testing.fault_server import FaultServer, Received
from hookline.testing.leaks import Leak, busy_connections, no_leaks
from hookline.testing.tls import Authority

__all__ = [
    "Action",
    "AtOnce",
    "Authority",
    "Bandwidth",
    "Close",
    "CutHandshake",
    "Delay",
    "Drip",
    "FakeClock",
    "FaultServer",
    "HalfClose",
    "Leak",
    "NeverRead",
    "Receive",
    "Received",
    "Reset",
    "Send",
    "Slice",
    "Stall",
    "busy_connections",
    "error_answer",
    "fake_time",
    "http_answer",
    "json_answer",
    "message",
    "no_leaks",
    "stream_answer",
    "stream_events",
    "stream_head",
    "stream_parts",
]
