"""The chain of hashes that makes tampering show: each record's seal covers the seal before it.

A record that was changed, left out or moved breaks the chain at its place. Whoever can write the file can
also write a new chain: a key (HMAC) keeps that from everybody who has none, and a seal that was noted
elsewhere shows whether records at the end have gone.
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from typing import Final

from attrs import field, frozen

from hookline import ConfigError

__all__ = ["START", "Broken", "Chain", "Damaged", "Sealed"]

START: Final = "0" * 64
"""What stands for the seal before the first record."""


class Damaged(ConfigError):
    """What was a log, or should be one, cannot be read."""


@frozen
class Sealed:
    """A record as it is stored.

    Attributes:
        number: from 1.
        seal: 64 hexadecimal digits.
        record: JSON.

    """

    number: int
    seal: str
    record: bytes


@frozen
class Broken:
    """Where a chain breaks.

    Attributes:
        number: of the first record that does not fit.
        why: in words.

    """

    number: int
    why: str


@frozen
class Chain:
    """Seals records.

    Attributes:
        key: of the HMAC; empty for plain SHA-256.

    """

    key: bytes = field(default=b"", repr=False)

    def digest(self, content: bytes) -> str:
        """Return what stands for a content that is not kept."""
        return self._hash(b"content:" + content)

    def seal(self, before: str, number: int, record: bytes) -> Sealed:
        """Seal a record.

        Args:
            before: the seal of the record before, or ``START``.
            number: of this one.
            record: JSON.

        """
        return Sealed(number, self._hash(f"{before}:{number}:".encode() + record), record)

    def checked(self, records: Iterable[Sealed]) -> Iterator[Sealed | Broken]:
        """Yield records as long as they fit, then where they do not."""
        before = START
        for number, each in enumerate(records, 1):
            if each.number != number:
                yield Broken(number, f"it is missing; record {each.number} stands in its place")
                return
            sealed = self.seal(before, number, each.record)
            if not hmac.compare_digest(sealed.seal.encode(), each.seal.encode("utf-8", "replace")):
                yield Broken(
                    number, "it, or a record before it, was changed, or the key is another"
                )
                return
            before = each.seal
            yield each

    def _hash(self, content: bytes) -> str:
        if self.key:
            return hmac.digest(self.key, content, "sha256").hex()
        return hashlib.sha256(content).hexdigest()
