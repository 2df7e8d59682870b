"""What a ``FaultServer`` can be told to do: small values that make a script.

A script is a tuple of actions and plays for one request. Unless it begins with ``AtOnce``,
``NeverRead`` or ``CutHandshake``, the request is received before the first action. When the script
is over the connection stays open for the next request, unless an action closed it.
"""

from typing import TypeAlias

from attrs import field, frozen, validators

__all__ = [
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
]


@frozen
class Send:
    """Send bytes as fast as the client takes them."""

    data: bytes


@frozen
class Slice:
    """Send bytes in pieces that leave the machine one by one.

    Attributes:
        data: what to send.
        sizes: of the pieces, in turn and from the start again; ``(1,)`` cuts at every byte.
        pause: seconds between two pieces; 0 lets the client's kernel join what it has not read.

    """

    data: bytes
    sizes: tuple[int, ...] = field(
        default=(1,), validator=validators.deep_iterable(validators.gt(0))
    )
    pause: float = 0.0


@frozen
class Drip:
    """Send one byte, wait, send the next.

    Attributes:
        data: what to send.
        seconds: between two bytes.

    """

    data: bytes
    seconds: float


@frozen
class Bandwidth:
    """Send bytes at a limited rate, in a hundred pieces a second.

    Attributes:
        data: what to send.
        rate: bytes per second.

    """

    data: bytes
    rate: float = field(validator=validators.gt(0))


@frozen
class Delay:
    """Wait some seconds, or until the client is gone."""

    seconds: float


@frozen
class Stall:
    """Say nothing more until the client is gone or the server is stopped."""


@frozen
class NeverRead:
    """Leave whatever the client sends unread, so that its writes come to a halt."""


@frozen
class Receive:
    """Receive the request here, and not before the first action.

    Attributes:
        body: False stops after the head; the body is left in the network.

    """

    body: bool = True


@frozen
class AtOnce:
    """Begin when the connection stands, without waiting for a request."""


@frozen
class CutHandshake:
    """Send half of the TLS server's first flight, then close."""


@frozen
class Reset:
    """Break the connection with a TCP reset."""


@frozen
class HalfClose:
    """Send the end of the stream, and go on reading until the client closes too."""


@frozen
class Close:
    """Close the connection in good order."""


Action: TypeAlias = (
    Send
    | Slice
    | Drip
    | Bandwidth
    | Delay
    | Stall
    | NeverRead
    | Receive
    | AtOnce
    | CutHandshake
    | Reset
    | HalfClose
    | Close
)
"""One step of a script."""
