"""Ids that look like the API's and are the same on every run."""

import hashlib
from typing import Final

from attrs import frozen

_LENGTH: Final = 24


@frozen
class Identity:
    """A source of ids for one call.

    Args:
        seed: What the ids derive from: the request and its number.

    """

    seed: bytes

    @classmethod
    def of(cls, number: int, *parts: bytes) -> "Identity":
        """Make the identity of call ``number`` with these contents."""
        digest = hashlib.blake2b(str(number).encode(), digest_size=32)
        for part in parts:
            digest.update(b"\x00" + part)
        return cls(digest.digest())

    def make(self, prefix: str, salt: str = "") -> str:
        """Return an id such as ``msg_01…``.

        Args:
            prefix: The kind, for example ``msg``.
            salt: Tells several ids of one kind apart.

        Returns:
            The id.

        """
        digest = hashlib.blake2b(f"{prefix}\x00{salt}".encode(), key=self.seed).hexdigest()
        return f"{prefix}_01{digest[:_LENGTH]}"
