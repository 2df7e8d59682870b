"""The plugin ``audit``: one record a turn, kept before the caller has the reply, and tamper-evident.

Read `record` for what it says, `chain` for what makes tampering show, `logs` and `jsonl` for where it is kept.
"""

import os
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import field, frozen

from hookline import ConfigError, InputError, PolicyViolation, Turn, hookimpl
from hookline.plugin import Outcome, checks_options, option
from hookline.values import Secret
from hookline_plugins.policy.audit.chain import Chain
from hookline_plugins.policy.audit.jsonl import JSONLinesLog
from hookline_plugins.policy.audit.logs import Log, SQLiteLog
from hookline_plugins.policy.audit.record import Shown, record_of
from hookline_plugins.storage.paths import file_path

if TYPE_CHECKING:
    import click

__all__ = ["Audit"]

_ROOM: Final = 1024 * 1024  # bytes that must be free before a turn is let out
_FAILURES: Final = (OSError, sqlite3.Error, InputError, ConfigError)


def _secret(given: str | Secret | None) -> Secret | None:
    return Secret(given) if isinstance(given, str) else given


@checks_options
@frozen(eq=False, kw_only=True)
class Audit:
    """Keeps one record of every turn: refused, failed and abandoned ones too.

    A turn whose record cannot be kept is refused: the caller gets no reply, or no end of the stream. Where the
    disk has less than a megabyte left nothing is sent in the first place.

    Attributes:
        path: the file; ``….jsonl`` is lines of JSON, anything else SQLite. Its directory must exist.
        content: ``"none"`` keeps digests of request and reply alone, ``"full"`` what they say,
            ``"redacted"`` that with the finds of `redact` masked (extra ``redact``).
        hmac: a key, without which nobody can seal a record; a reference in a file: ``"env:NAME"``.
        fsync: whether a record is on the disk when the caller has the reply. Without it, the
            death of the machine may lose the last ones, that of the process never.
        rotate_bytes: the size at which a file of JSON lines is put aside.
        countries: see `redact`; for ``content = "redacted"``.
        patterns: the same.
        words: the same.

    """

    name = "audit"
    role = "enforcer"
    inline = True
    last = True  # its record tells what the other plugins' `conclude` has come to

    path: str = field(default="", converter=file_path)
    content: Literal["none", "redacted", "full"] = "none"
    hmac: Secret | None = field(default=None, converter=_secret, metadata=option(secret=True))
    fsync: bool = True
    rotate_bytes: int = field(default=64 * 1024 * 1024, metadata=option(least=1))
    countries: tuple[str, ...] = ()
    patterns: Mapping[str, str] = field(factory=dict)
    words: tuple[str, ...] = ()
    _clock: Callable[[], float] = field(default=time.time, repr=False)
    log: Log = field(init=False, repr=False)
    chain: Chain = field(init=False, repr=False)
    _shown: Shown = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        chain = Chain(self.hmac.reveal().encode() if self.hmac is not None else b"")
        log: Log = (
            JSONLinesLog(self.path, chain, self.fsync, self.rotate_bytes)
            if self.path.endswith(".jsonl")
            else SQLiteLog(self.path, chain, self.fsync)
        )
        object.__setattr__(self, "chain", chain)
        object.__setattr__(self, "log", log)
        object.__setattr__(self, "_shown", self._showing())

    @hookimpl
    def open(self) -> None:
        """Open the log."""
        if not self.path:
            raise ConfigError(
                'audit: say where records are kept: path = "….jsonl", or a SQLite file'
            )
        try:
            self.log.open()
        except InputError as error:  # it names the file
            raise ConfigError(f"audit: {error}") from error
        except _FAILURES as error:
            raise ConfigError(f"audit: {self.path} cannot be used: {error}") from error

    @hookimpl
    def close(self) -> None:
        """Close the log."""
        self.log.close()

    @hookimpl
    def check_request(self) -> None:
        """Refuse what could not be recorded."""
        if _free(self.path) < _ROOM:
            raise PolicyViolation(
                "the disk of the audit log is full, so nothing is sent; make room there",
                rule="audit-room",
            )

    @hookimpl
    async def conclude(self, turn: Turn, outcome: Outcome) -> None:
        """Keep the record of the turn."""
        record = record_of(turn, outcome, self._clock(), self._shown, self.chain.digest)
        try:
            await turn.io.run_blocking(self.log.append, record)
        except _FAILURES as error:
            raise PolicyViolation(
                "the record of this turn could not be kept, so its reply is not handed over "
                f"({type(error).__name__}: {error})",
                rule="audit-record",
            ) from error

    @hookimpl
    def register_commands(self, register: Any) -> None:
        """Offer ``hookline audit``."""
        from hookline_plugins.policy.audit.command import command_of  # noqa: PLC0415 -- click is an extra

        command: click.Command = command_of(self.log, self.chain)
        register(command)

    def _showing(self) -> Shown:
        if self.content == "redacted":
            from hookline_plugins.policy.redact import Redact  # noqa: PLC0415 -- an extra

            return Redact(
                action="mask", countries=self.countries, patterns=self.patterns, words=self.words
            ).shown
        return _as_it_is if self.content == "full" else None


def _as_it_is(value: Any) -> Any:
    return value


def _free(path: str) -> int:
    folder = os.path.dirname(path) or "."  # noqa: PTH120 -- asked before every attempt
    if sys.platform != "win32":
        there = os.statvfs(folder)
        return there.f_bavail * there.f_frsize
    import shutil  # noqa: PLC0415 -- reads archives too, and takes a moment to import

    return shutil.disk_usage(folder).free
