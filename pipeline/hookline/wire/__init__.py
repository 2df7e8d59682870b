"""Values to JSON bytes and back.

Read ``codec`` first: the functions that encode a request and read what comes back. The rules are those of
the values themselves; ``json`` holds the bytes. A stream comes in through ``sse``, ``event_order`` holds its events to the
order of the protocol, ``assembler`` makes a response of them, and ``replay`` events of a response;
``partial_json`` and ``json_lines`` read JSON while it arrives.
"""

from typing import TYPE_CHECKING

from hookline._faces import face

if TYPE_CHECKING:
    from hookline.wire.assembler import Assembler, assemble_block
    from hookline.wire.codec import (
        JSONDecodeError,
        decode_request,
        dumps,
        encode_message,
        encode_request,
        loads,
        loads_unique,
        structure_block,
        structure_event,
        structure_message,
        structure_request,
        structure_response,
        unstructure,
    )
    from hookline.wire.event_order import EventOrder
    from hookline.wire.json_lines import lines
    from hookline.wire.partial_json import NOTHING, PartialJSON
    from hookline.wire.replay import events_of, events_of_block, replayed
    from hookline.wire.sse import ServerSentEvent, SSEDecoder

__all__ = [
    "NOTHING",
    "Assembler",
    "EventOrder",
    "JSONDecodeError",
    "PartialJSON",
    "SSEDecoder",
    "ServerSentEvent",
    "assemble_block",
    "decode_request",
    "dumps",
    "encode_message",
    "encode_request",
    "events_of",
    "events_of_block",
    "lines",
    "loads",
    "loads_unique",
    "replayed",
    "structure_block",
    "structure_event",
    "structure_message",
    "structure_request",
    "structure_response",
    "unstructure",
]

__getattr__, __dir__ = face(
    __name__,
    {
        "hookline.wire.codec": (
            "JSONDecodeError",
            "decode_request",
            "dumps",
            "encode_message",
            "encode_request",
            "loads",
            "loads_unique",
            "structure_block",
            "structure_event",
            "structure_message",
            "structure_request",
            "structure_response",
            "unstructure",
        ),
        "hookline.wire.assembler": ("Assembler", "assemble_block"),
        "hookline.wire.event_order": ("EventOrder",),
        "hookline.wire.replay": ("events_of", "events_of_block", "replayed"),
        "hookline.wire.sse": (
            "SSEDecoder",
            "ServerSentEvent",
        ),
        "hookline.wire.partial_json": (
            "NOTHING",
            "PartialJSON",
        ),
        "hookline.wire.json_lines": ("lines",),
    },
)
