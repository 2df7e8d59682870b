"""The gate of the plugin ``limiter``: who may send now, and how long the others wait.

It decides and does no waiting itself. Two kinds of scarcity, two ways to queue:

- Requests and tokens per minute are buckets that refill continuously, as the API's own do (facts
  12.7). A call takes its share at once, even from an empty bucket, and is told how long to wait
  until the debt is paid. So the order is that of arrival, and everybody sleeps once.
- Calls in flight are places. Nobody knows when one becomes free, so those who wait stand in a
  line and ask again, the first in line soonest; a place is only ever given to those in front.
"""

import math
import threading
from collections import deque
from typing import Final

from attrs import Factory, define, field, frozen

__all__ = ["Bucket", "Gate", "Ticket"]

_MINUTE: Final = 60.0
_RECOVERY: Final = 0.1  # share of the full rate that comes back each second after a 429
_LEAST: Final = 0.1
_STEP: Final = 0.02  # seconds between two looks of the first in line; the n-th waits n times that
_LONGEST_STEP: Final = 0.5
_INSTANT: Final = 1e-6  # seconds; what rounding leaves is no debt


@define(eq=False)
class Bucket:
    """So much a minute, refilled continuously.

    Args:
        limit: what one minute brings, and what the bucket holds.
        since: the second at which ``level`` was right.
        cap: the most that ``limit`` may become.
        level: what is in it; below 0 while calls wait for their share.

    """

    limit: float
    since: float
    cap: float = math.inf
    level: float = field(default=Factory(lambda self: self.limit, takes_self=True))

    def refill(self, now: float, share: float) -> None:
        """Add what the time since has brought, at ``share`` of the full rate."""
        gained = max(0.0, now - self.since) * self.limit / _MINUTE * share
        self.level = min(self.limit, self.level + gained)
        self.since = now

    def price(self, tokens: float) -> float:
        """Return what a call takes; more than a minute's worth would never be let through."""
        return min(tokens, self.limit)

    def wait(self, share: float) -> float:
        """Return the seconds until the debt is paid."""
        return max(0.0, -self.level * _MINUTE / (self.limit * share))


@frozen(eq=False)
class Ticket:
    """One call at the gate.

    Attributes:
        tokens: what it is expected to take.

    """

    tokens: float


@define(eq=False)
class Gate:
    """Limits of one upstream and model; thread-safe.

    Args:
        places: most calls in flight; None for any number.
        queue: most calls that wait.
        adaptive: slow down after a 429.

    """

    places: int | None
    queue: int
    adaptive: bool
    buckets: dict[str, Bucket] = field(factory=dict)
    _line: deque[Ticket] = field(factory=deque, init=False)
    _inside: set[Ticket] = field(factory=set, init=False)
    _due: dict[Ticket, float] = field(factory=dict, init=False)
    _closed_until: float = field(default=-math.inf, init=False)
    _share: float = field(default=1.0, init=False)
    _slowed: float = field(default=-math.inf, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def arrive(self, ticket: Ticket, now: float) -> bool:
        """Join the line; False if it is full."""
        with self._lock:
            free = 0 if self.places is None else self._width(now) - len(self._inside)
            if len(self._line) >= max(1, self.queue) + max(0, free):
                return False
            self._line.append(ticket)
            return True

    def ask(self, ticket: Ticket, now: float) -> float:
        """Return 0 if the call may go, else the seconds after which to ask again."""
        with self._lock:
            closed = self._closed_until - now
            if closed > 0:
                return closed
            place = self._line.index(ticket)
            if self.places is not None and place >= self._width(now) - len(self._inside):
                return min(_LONGEST_STEP, _STEP * (place + 1))
            owed = self._charge(ticket, now)
            if owed > _INSTANT:
                return owed
            self._line.remove(ticket)
            self._inside.add(ticket)
            return 0.0

    def leave(self, ticket: Ticket, now: float, *, used: float | None = None) -> None:
        """Leave the line or the inside, and settle.

        Args:
            ticket: the call.
            now: the current second.
            used: the tokens that the call took; None if it was never sent, which gives all back.

        """
        with self._lock:
            sent = ticket in self._inside
            self._inside.discard(ticket)
            if not sent and ticket in self._line:
                self._line.remove(ticket)
            if self._due.pop(ticket, None) is None:
                return
            self._refill(now)
            for name, bucket in self.buckets.items():
                taken = 1 if name == "requests" else bucket.price(ticket.tokens)
                if not sent:
                    bucket.level += taken
                elif used is not None and name != "requests":
                    bucket.level += taken - used
                bucket.level = min(bucket.level, bucket.limit)

    def throttled(self, now: float, seconds: float) -> None:
        """Take in a 429: nobody goes for ``seconds``, and then fewer for a while."""
        self.pause(now, seconds)
        with self._lock:
            if self.adaptive and now - self._slowed >= 1.0:  # one burst of 429s is one lesson
                self._refill(now)
                self._share = max(_LEAST, self._shared(now) / 2)
                self._slowed = now

    def told(self, name: str, limit: float, remaining: float, now: float) -> None:
        """Take in what the upstream says of one of its limits; the stricter of its and ours holds.

        Args:
            name: ``"requests"`` or ``"tokens"``.
            limit: per minute.
            remaining: how much is left of it.
            now: the current second.

        """
        with self._lock:
            self._refill(now)
            bucket = self.buckets.setdefault(name, Bucket(limit, now))
            bucket.limit = min(bucket.cap, limit)
            bucket.level = min(bucket.level, remaining, bucket.limit)

    def pause(self, now: float, seconds: float) -> None:
        """Let nobody in for ``seconds``."""
        with self._lock:
            self._closed_until = max(self._closed_until, now + seconds)

    def _charge(self, ticket: Ticket, now: float) -> float:
        """Take the call's share from every bucket, once; return the seconds until it is paid.

        The moment is fixed then: who comes later adds to the debt, but not to this call's wait.
        """
        due = self._due.get(ticket)
        if due is None:
            self._refill(now)
            for name, bucket in self.buckets.items():
                bucket.level -= 1 if name == "requests" else bucket.price(ticket.tokens)
            share = self._shared(now)
            due = now + max((bucket.wait(share) for bucket in self.buckets.values()), default=0.0)
            self._due[ticket] = due
        return due - now

    def _refill(self, now: float) -> None:
        share = self._shared(now)
        for bucket in self.buckets.values():
            bucket.refill(now, share)

    def _shared(self, now: float) -> float:
        """Return the share of the full rate in force: less after a 429, all of it ten seconds on."""
        return min(1.0, self._share + _RECOVERY * max(0.0, now - self._slowed))

    def _width(self, now: float) -> int:
        return max(1, int((self.places or 0) * self._shared(now)))
