"""Sealed records as lines of JSON, in files that are rotated.

``{"number":7,"seal":"…","record":{…}}``: the seal covers the very bytes of the record. A line that a process
was killed in has no end; it was never acknowledged, and the next one to write cuts it off.
"""

import os
import re
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import BinaryIO, Final

from attrs import define, field, frozen

from hookline import InputError
from hookline_plugins.policy.audit.chain import START, Chain, Damaged, Sealed
from hookline_plugins.policy.audit.guarded import Guarded
from hookline_plugins.policy.audit.logs import NO_LOG

__all__ = ["JSONLinesLog", "line_of", "read_line"]

_LINE: Final = re.compile(rb'\{"number":(\d{1,15}),"seal":"([0-9a-f]{64})","record":(\{.*\})\}')
_BEGIN: Final = b'{"number":'
_TAIL: Final = 64 * 1024


def line_of(sealed: Sealed) -> bytes:
    """Return a record as a line, its end included."""
    head = f'{{"number":{sealed.number},"seal":"{sealed.seal}","record":'
    return head.encode() + sealed.record + b"}\n"


def read_line(line: bytes, where: str) -> Sealed:
    """Read a line.

    Args:
        line: without its end.
        where: it stands, for messages.

    Raises:
        Damaged: it is none of ours.

    """
    match = _LINE.fullmatch(line)
    if match is None:
        raise Damaged(f"audit: {where} is no line of an audit log")
    return Sealed(int(match[1]), match[2].decode(), match[3])


@define
class _Last:
    """The end of the file as this process left it."""

    inode: int = -1
    size: int = -1
    number: int = 0
    seal: str = START


@frozen(eq=False)
class JSONLinesLog:
    """Records in files: ``NAME`` is written to, ``NAME.1``, ``NAME.2`` … are older, the first the oldest.

    Attributes:
        path: the file; its directory must exist.
        chain: seals records.
        fsync: whether a record is on the disk, and not only with the operating system, when it is kept.
        rotate_bytes: the size at which a file is put aside.

    """

    path: str
    chain: Chain
    fsync: bool = True
    rotate_bytes: int = 64 * 1024 * 1024
    _guarded: Guarded = field(init=False, repr=False)
    _last: _Last = field(factory=_Last, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_guarded", Guarded(self.path))

    def append(self, record: bytes) -> Sealed:
        """See ``Log.append``."""
        with self._guarded.alone() as descriptor:
            size = self._whole(descriptor)
            last = self._last
            sealed = self.chain.seal(last.seal, last.number + 1, record)
            self._write(descriptor, line_of(sealed), size)
            last.number, last.seal = sealed.number, sealed.seal
            if last.size >= self.rotate_bytes:
                self._rotate()
        return sealed

    def records(self) -> Iterator[Sealed]:
        """See ``Log.records``."""
        older, newest = self._settled()
        with newest or nullcontext():
            if newest is None and not older:
                raise InputError(NO_LOG.format(self.path))
            for path in older:
                with path.open("rb") as file:
                    yield from _lines(file, path)
            if newest is not None:
                yield from _lines(newest, Path(self.path))

    def _settled(self) -> tuple[list[Path], BinaryIO | None]:
        """Return the files that were put aside and, opened, the one after them.

        Nobody waits for a reader, so files may be put aside between these looks, and a list of a folder may
        then show a later one and not an earlier. Two lists that agree had nothing of that between them.
        """
        before = self._older()
        while True:
            newest = None
            with suppress(FileNotFoundError):
                newest = Path(self.path).open("rb")  # noqa: SIM115 -- whoever reads closes it
            if (now := self._older()) == before:
                return now, newest
            before = now
            if newest is not None:
                newest.close()

    def open(self) -> None:
        """See ``Log.open``; looks whether the file is ours."""
        with self._guarded.alone() as descriptor:
            self._whole(descriptor)
        self._guarded.keep()

    def close(self) -> None:
        """See ``Log.close``."""
        self._guarded.let_go()

    def _whole(self, descriptor: int) -> int:
        """Cut off a line that nobody finished, and learn the last seal; return the size."""
        info = os.fstat(descriptor)
        size = info.st_size
        if (info.st_ino, size) == (self._last.inode, self._last.size):
            return size
        end = self._end_of_lines(descriptor, size)
        if end < size:
            begun = _read_at(descriptor, end, len(_BEGIN))
            if begun != _BEGIN[: len(begun)]:  # somebody else's file, which must not be cut
                raise Damaged(f"audit: what {self.path} ends in is no line of an audit log")
            os.ftruncate(descriptor, end)
        self._last.inode, self._last.size = info.st_ino, end
        self._last.number, self._last.seal = self._before(descriptor, end)
        return end

    def _end_of_lines(self, descriptor: int, size: int) -> int:
        position = size
        while position > 0:
            start = max(0, position - _TAIL)
            place = _read_at(descriptor, start, position - start).rfind(b"\n")
            if place >= 0:
                return start + place + 1
            position = start
        return 0

    def _before(self, descriptor: int, end: int) -> tuple[int, str]:
        """Return number and seal of the last record."""
        if end == 0:
            older = self._older()
            if not older:
                return 0, START
            with older[-1].open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                return self._before(file.fileno(), size) if size else (0, START)
        start = self._end_of_lines(descriptor, end - 1)
        sealed = read_line(_read_at(descriptor, start, end - 1 - start), f"the last of {self.path}")
        return sealed.number, sealed.seal

    def _write(self, descriptor: int, line: bytes, size: int) -> None:
        self._last.size = -1  # whatever happens now, the file is looked at again
        try:
            written = 0
            while written < len(line):
                written += os.write(descriptor, line[written:])
            if self.fsync:
                os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
        self._last.size = size + len(line)

    def _rotate(self) -> None:
        number = max(self._numbered(), default=0) + 1  # the oldest may have been taken elsewhere
        Path(self.path).rename(f"{self.path}.{number}")
        self._last.size = -1
        if self.fsync:
            self._sync_folder()

    def _sync_folder(self) -> None:
        if os.name == "nt":  # pragma: no cover -- a folder cannot be opened there
            return
        folder = os.open(Path(self.path).parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _older(self) -> list[Path]:
        """Return the files that were put aside, the oldest first."""
        found = self._numbered()
        return [found[number] for number in sorted(found)]

    def _numbered(self) -> dict[int, Path]:
        """Return the files that were put aside, by number."""
        path = Path(self.path)
        return {
            int(each.name.rpartition(".")[2]): each
            for each in path.parent.glob(f"{_literal(path.name)}.*")
            if each.name.rpartition(".")[2].isdecimal()
        }


def _lines(file: BinaryIO, path: Path) -> Iterator[Sealed]:
    """Yield the records of one file; a line without an end was never acknowledged."""
    for number, line in enumerate(file, 1):
        if line.endswith(b"\n"):
            yield read_line(line[:-1], f"{path}:{number}")


def _read_at(descriptor: int, start: int, count: int) -> bytes:
    os.lseek(descriptor, start, os.SEEK_SET)
    pieces = []
    while count > 0 and (piece := os.read(descriptor, count)):
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def _literal(name: str) -> str:
    """Return a name as a glob pattern that matches nothing else."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
