"""A decoder for server-sent events that works on bytes and in linear time.

It follows the WHATWG event stream format: lines end with LF, CR or CRLF, also where a chunk ends
between the two; a byte order mark is dropped; bytes that are no UTF-8 become U+FFFD. However the
bytes are cut into chunks, the events are the same.

One departure: an event whose lines are all complete is delivered at the end of the stream even
without its closing blank line (`SSEDecoder.flush`). A line that was cut is dropped, as it must be.
"""

import re
from typing import Final, NamedTuple

from hookline.errors import DecodeError

__all__ = ["SSEDecoder", "ServerSentEvent"]

_BOM: Final = b"\xef\xbb\xbf"
_RETRY_DIGITS: Final = (
    15  # of milliseconds; more is nonsense, and int() refuses thousands of digits
)

# What servers of the Messages API send: an optional name, one line of data, a blank line. Scanned in
# C, a whole chunk at a time. No id and no retry may stand between, so no state can change.
_USUAL_FRAMES: Final = re.compile(rb"(?:(?:event: [^\n]*\n)?data: [^\n]+\n\n)+")
_USUAL_DATA: Final = re.compile(rb"(?:event: [^\n]*\n)?data: ([^\n]+)\n\n")


class ServerSentEvent(NamedTuple):
    """One event.

    Attributes:
        event: its name; ``"message"`` where the server gave none.
        data: its data lines, joined by newlines.
        id: the last event id seen so far; ids carry over from event to event.
        retry: the reconnection time in milliseconds, if this event set it.

    """

    event: str
    data: str
    id: str = ""
    retry: int | None = None


class SSEDecoder:
    r"""Turns chunks of bytes into events.

    Args:
        max_event_bytes: the most that one event, or one line, may hold.

    Example:
        >>> decoder = SSEDecoder()
        >>> decoder.feed(b"event: ping\ndata: {}\n")
        []
        >>> decoder.feed(b"\n")
        [ServerSentEvent(event='ping', data='{}', id='', retry=None)]

    """

    def __init__(self, max_event_bytes: int = 8 * 1024 * 1024) -> None:
        self._limit = max_event_bytes
        # The unfinished line stays in pieces: joining it with each chunk would make an endless line
        # fed byte by byte cost its square.
        self._pieces: list[bytes] = []
        self._pending = 0  # bytes in _pieces
        self._after_cr = False
        self._first_line = True
        self._too_large = False
        self._event = b""
        self._data: list[bytes] = []
        self._size = 0  # bytes in _data, with the newlines
        self._id = ""
        self._retry: int | None = None

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Take in some bytes.

        Args:
            chunk: any number of bytes, cut anywhere.

        Returns:
            The events that they complete.

        Raises:
            DecodeError: an event exceeds ``max_event_bytes``. Events before it are returned first;
                the error comes with the next call then.

        """
        if self._too_large:
            raise self._overflow()
        if self._after_cr and chunk:
            self._after_cr = False
            if chunk.startswith(b"\n"):
                chunk = chunk[1:]
        if b"\r" in chunk:
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        events: list[ServerSentEvent] = []
        if b"\n" in chunk:
            self._pieces.append(chunk)
            lines = b"".join(self._pieces).split(b"\n")
            self._pieces = []
            self._pending = 0
            chunk = lines.pop()
            self._take(lines, events)
        if chunk:
            self._pieces.append(chunk)
            self._pending += len(chunk)
            self._too_large = self._too_large or self._size + self._pending > self._limit
        if self._too_large and not events:
            raise self._overflow()
        return events

    def payloads(self, chunk: bytes) -> list[bytes]:
        """Take in some bytes and return only the data of the events that they complete.

        For readers that find all they need in the data, as with the Messages API: much quicker than
        `feed` where frames are of the usual form, and the same otherwise.

        Args:
            chunk: as for `feed`; the two may be mixed.

        Returns:
            The data of each event, as bytes; not necessarily UTF-8.

        Raises:
            DecodeError: as `feed`.

        """
        if b"\r" in chunk or self._too_large:
            return self._slowly(chunk)
        found: list[bytes] = []
        start = 0
        if self._pieces or self._data or self._event or self._first_line or self._after_cr:
            start = chunk.find(b"\n\n") + 2  # the rest of the event that an earlier chunk began
            if start < 2:  # noqa: PLR2004 -- find's -1, and the two bytes
                return self._slowly(chunk)
            found = self._slowly(chunk[:start])
        end = chunk.rfind(b"\n\n", start) + 2
        if end - start > 2 and _USUAL_FRAMES.fullmatch(chunk, start, end):  # noqa: PLR2004 -- as above
            found += _USUAL_DATA.findall(chunk, start, end)
            start = end
        return found + self._slowly(chunk[start:]) if start < len(chunk) else found

    def _slowly(self, chunk: bytes) -> list[bytes]:
        return [event.data.encode() for event in self.feed(chunk)]

    def flush(self) -> list[ServerSentEvent]:
        """Tell the decoder that the stream has ended.

        Returns:
            The last event, if only its closing blank line was missing.

        Raises:
            DecodeError: an event exceeded ``max_event_bytes``.

        """
        if self._too_large:
            raise self._overflow()
        if self._pieces or not self._data:
            return []
        return [self._dispatch()]

    def _take(self, lines: list[bytes], events: list[ServerSentEvent]) -> None:
        if self._first_line:
            self._first_line = False
            lines[0] = lines[0].removeprefix(_BOM)
        limit = self._limit
        for line in lines:
            if not line:
                if self._data:
                    events.append(self._dispatch())
                else:
                    self._event = b""
                    self._retry = None
                continue
            if self._size + len(line) > limit:
                self._too_large = True
                return
            name, _, value = line.partition(b":")
            if value.startswith(b" "):
                value = value[1:]
            if name == b"data":
                self._data.append(value)
                self._size += len(value) + 1
            elif name == b"event":
                self._event = value
            elif name:  # a line that begins with a colon is a comment
                self._rare_field(name, value)

    def _rare_field(self, name: bytes, value: bytes) -> None:
        if name == b"id" and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit() and len(value) <= _RETRY_DIGITS:
            self._retry = int(value)

    def _dispatch(self) -> ServerSentEvent:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        event = ServerSentEvent(
            self._event.decode("utf-8", "replace") or "message",
            data.decode("utf-8", "replace"),
            self._id,
            self._retry,
        )
        self._event = b""
        self._data = []
        self._size = 0
        self._retry = None
        return event

    def _overflow(self) -> DecodeError:
        return DecodeError(
            f"an event of the stream is larger than {self._limit:,} bytes; raise max_event_bytes "
            "if that is expected"
        )
