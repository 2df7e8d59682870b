"""State kept by key (a model, a tenant, a destination) that cannot grow without end."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Final, Generic, TypeVar

__all__ = ["Book"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_MOST: Final = 1000


class Book(Generic[K, V]):
    """Values by key, made when first asked for; the one that was not used for longest goes first.

    One book may be used from many threads and tasks.

    Args:
        most: how many values are kept.

    Example:
        >>> gates: Book[str, Gate] = Book()
        >>> gates.get("claude-haiku-5-5", lambda: Gate(64))

    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._values: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """Return the value of a key; ``make`` makes it if there is none."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            else:
                self._values[key] = make()
                if len(self._values) > self._most:
                    self._values.popitem(last=False)
            return self._values[key]

    def find(self, key: K) -> V | None:
        """Return the value of a key, or None where there is none; nothing is made."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[V]:
        with self._lock:
            return iter(tuple(self._values.values()))
