"""Files of an audit log that are put aside, taken elsewhere, and read while others write."""

import threading
from pathlib import Path

import pytest

from hookline import InputError
from hookline_plugins.policy.audit.chain import Broken, Chain, Sealed
from hookline_plugins.policy.audit.jsonl import JSONLinesLog

CHAIN = Chain(b"key")


def log_of(path: Path, rotate_bytes: int = 1) -> JSONLinesLog:
    return JSONLinesLog(str(path), CHAIN, fsync=False, rotate_bytes=rotate_bytes)


def test_a_file_that_was_put_aside_is_never_written_over(tmp_path: Path) -> None:
    """The oldest may have gone to an archive: what is left keeps its number, and the next has a new one."""
    path = tmp_path / "audit.jsonl"
    log = log_of(path)
    for number in range(3):
        log.append(b'{"n":%d}' % number)
    archived = (tmp_path / "audit.jsonl.1").read_bytes()
    (tmp_path / "audit.jsonl.1").unlink()
    kept = {name: (tmp_path / name).read_bytes() for name in ("audit.jsonl.2", "audit.jsonl.3")}
    log.append(b'{"n":3}')
    assert {name: (tmp_path / name).read_bytes() for name in kept} == kept
    assert (tmp_path / "audit.jsonl.4").exists()
    assert [each.number for each in log.records()] == [2, 3, 4]
    (tmp_path / "audit.jsonl.1").write_bytes(archived)  # back again, all of it fits
    assert not any(isinstance(each, Broken) for each in CHAIN.checked(log.records()))


def test_whoever_reads_while_files_are_put_aside_sees_a_whole_chain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.jsonl"
    log = log_of(path, rotate_bytes=10_000)
    log.append(b'{"n":1}')
    older = JSONLinesLog._older

    def meanwhile(self: JSONLinesLog) -> list[Path]:
        monkeypatch.undo()
        log_of(path).append(b'{"n":2}')  # puts the file aside that the reader has just opened
        log.append(b'{"n":3}')
        return older(self)

    monkeypatch.setattr(JSONLinesLog, "_older", meanwhile)
    read = list(CHAIN.checked(log.records()))
    assert all(isinstance(each, Sealed) for each in read)
    assert [each.number for each in read] == [1, 2]  # what came later is of the next reading
    assert [each.number for each in log.records()] == [1, 2, 3]


def test_readers_and_writers_at_once(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    writers = [log_of(path, rotate_bytes=300) for _ in range(3)]
    writers[0].append(b'{"n":0}')

    def write(log: JSONLinesLog) -> None:
        for number in range(40):
            log.append(b'{"n":%d}' % number)

    threads = [threading.Thread(target=write, args=(log,)) for log in writers]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        read = list(CHAIN.checked(log_of(path).records()))
        assert not [each for each in read if isinstance(each, Broken)]
    for thread in threads:
        thread.join()
    assert len(list(CHAIN.checked(log_of(path).records()))) == 121


def test_no_log_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no log at"):
        list(log_of(tmp_path / "audit.jsonl").records())
