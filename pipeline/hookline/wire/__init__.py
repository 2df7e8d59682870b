"""Values to JSON bytes and back.

Read ``codec`` first: the functions that encode a request and read what comes back. ``convert`` holds
the rules, ``json`` the bytes. A stream comes in through ``sse``, and ``assembler`` makes a response of its
events (and events of a response); ``partial_json`` and ``json_lines`` read JSON while it arrives.
"""

from typing import TYPE_CHECKING

from hookline._faces import face

if TYPE_CHECKING:
    from hookline.wire.assembler import Assembler, assemble_block, events_of, events_of_block
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
    from hookline.wire.json_lines import lines
    from hookline.wire.partial_json import NOTHING, PartialJSON
    from hookline.wire.sse import ServerSentEvent, SSEDecoder

__all__ = [
    "NOTHING",
    "Assembler",
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
        "hookline.wire.assembler": (
            "Assembler",
            "assemble_block",
            "events_of",
            "events_of_block",
        ),
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
