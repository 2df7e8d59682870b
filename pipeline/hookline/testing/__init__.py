"""A test kit for plugins and applications: a server that fails on command, time that obeys, leaks.

- ``FaultServer`` answers on the loopback interface with exactly the bytes and delays, the resets and
  silences that a script of actions names (``hookline.testing.actions``);
- ``json_answer``, ``error_answer``, ``stream_answer`` write what the Messages API would say;
- ``Authority`` makes throw-away certificates, good ones and bad ones;
- ``fake_time`` lets a pipeline's waits pass at once;
- ``no_leaks`` fails when connections, tasks, threads or descriptors are left behind;
- ``run_hook`` runs one hook of one plugin; ``make_turn``, ``make_request`` and ``make_reply`` make what it gets;
- ``check_plugin`` tries a plugin on every surface and in every form of content;
- ``RecordingSimulator`` keeps what it is sent, ``TraceCapture`` the traces of turns.

Nothing in here needs pytest, but for ``pytest_plugin``, which pytest finds by itself. For replies that make sense, use the simulator: ``base_url="sim:"``.
"""

from typing import TYPE_CHECKING

from hookline._faces import face

if TYPE_CHECKING:
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
    from hookline.testing.conformance.suite import check_plugin
    from hookline.testing.fault_server import FaultServer, Received
    from hookline.testing.leaks import Leak, busy_connections, no_leaks
    from hookline.testing.making import make_reply, make_request, make_turn, run_hook
    from hookline.testing.recording import RecordingSimulator, TraceCapture
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
    "RecordingSimulator",
    "Reset",
    "Send",
    "Slice",
    "Stall",
    "TraceCapture",
    "busy_connections",
    "check_plugin",
    "error_answer",
    "fake_time",
    "http_answer",
    "json_answer",
    "make_reply",
    "make_request",
    "make_turn",
    "message",
    "no_leaks",
    "run_hook",
    "stream_answer",
    "stream_events",
    "stream_head",
    "stream_parts",
]

__getattr__, __dir__ = face(
    __name__,
    {
        "hookline.testing.actions": (
            "Action",
            "AtOnce",
            "Bandwidth",
            "Close",
            "CutHandshake",
            "Delay",
            "Drip",
            "HalfClose",
            "NeverRead",
            "Receive",
            "Reset",
            "Send",
            "Slice",
            "Stall",
        ),
        "hookline.testing.answers": (
            "error_answer",
            "http_answer",
            "json_answer",
            "message",
            "stream_answer",
            "stream_events",
            "stream_head",
            "stream_parts",
        ),
        "hookline.testing.clock": (
            "FakeClock",
            "fake_time",
        ),
        "hookline.testing.conformance.suite": ("check_plugin",),
        "hookline.testing.fault_server": (
            "FaultServer",
            "Received",
        ),
        "hookline.testing.leaks": (
            "Leak",
            "busy_connections",
            "no_leaks",
        ),
        "hookline.testing.making": (
            "make_reply",
            "make_request",
            "make_turn",
            "run_hook",
        ),
        "hookline.testing.recording": (
            "RecordingSimulator",
            "TraceCapture",
        ),
        "hookline.testing.tls": ("Authority",),
    },
)
