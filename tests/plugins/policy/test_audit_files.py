"""Files of an audit log that are put aside, taken elsewhere, and read while others write."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from hookline import ConfigError, InputError
from hookline_plugins.policy.audit import guarded
from hookline_plugins.policy.audit.chain import Broken, Chain, Sealed
from hookline_plugins.policy.audit.command import command_of
from hookline_plugins.policy.audit.jsonl import JSONLinesLog
from hookline_plugins.policy.audit.logs import Log, SQLiteLog

if os.name != "nt":
    import fcntl

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


@pytest.mark.parametrize("torn", [False, True], ids=["whole", "torn"])
def test_whoever_reads_while_files_are_put_aside_sees_a_whole_chain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, torn: bool
) -> None:
    """A list of a folder may show the later of two files alone, if they are renamed while it is made."""
    path = tmp_path / "audit.jsonl"
    log = log_of(path, rotate_bytes=10_000)
    log.append(b'{"n":1}')
    older = JSONLinesLog._older
    looks = 0

    def meanwhile(self: JSONLinesLog) -> list[Path]:
        nonlocal looks
        looks += 1
        if looks != 2:
            return older(self)
        log_of(path).append(b'{"n":2}')  # puts the file aside that the reader has just opened
        log_of(path).append(b'{"n":3}')  # and the next
        log.append(b'{"n":4}')
        return older(self)[1:] if torn else older(self)

    monkeypatch.setattr(JSONLinesLog, "_older", meanwhile)
    read = list(CHAIN.checked(log.records()))
    assert all(isinstance(each, Sealed) for each in read)
    assert [each.number for each in read] == [1, 2, 3, 4]


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


@pytest.mark.parametrize("text", ["a note of mine", '{"a": 1}', '{"number', '{"number":1,"seal":"'])
def test_what_somebody_else_wrote_is_not_cut_off(tmp_path: Path, text: str) -> None:
    """A line of ours that a process was killed in is; it begins as ours do."""
    path = tmp_path / "notes.jsonl"
    path.write_text(text)
    if text.startswith('{"number'):
        log_of(path, 10_000).append(b'{"n":1}')
        assert [each.number for each in log_of(path).records()] == [1]
        return
    with pytest.raises(ConfigError, match="is no line of an audit log"):
        log_of(path).append(b'{"n":1}')
    assert path.read_text() == text


def record_of(user: str) -> bytes:
    names = ("time", "team", "surface", "model", "answered_by", "outcome", "error", "usage", "cost")
    return json.dumps(dict.fromkeys(names, "") | {"user": user, "error": None}).encode()


def told(log: Log, *words: str) -> Any:
    command: click.Command = command_of(log, CHAIN)
    return CliRunner().invoke(command, list(words))


DAMAGES = {
    "not ASCII": "UPDATE record SET seal = 'é' || substr(seal, 2) WHERE number = 2",
    "nothing": "UPDATE record SET record = '' WHERE number = 2",
    "other JSON": "UPDATE record SET record = '[]' WHERE number = 2",
    "a blob as seal": "UPDATE record SET seal = x'00ff' WHERE number = 2",
    "another table": "ALTER TABLE record RENAME TO other",
}


@pytest.mark.parametrize("damage", [*DAMAGES, "no database"])
def test_whatever_was_done_to_the_database_it_is_broken(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "audit.db"
    log = SQLiteLog(str(path), CHAIN)
    for user in ("ada", "bob", "eve"):
        log.append(record_of(user))
    assert told(log, "verify").exit_code == 0
    if damage == "no database":
        path.write_text("something else " * 100)
        path.with_name("audit.db-wal").unlink(missing_ok=True)
    else:
        with sqlite3.connect(path) as db:
            for trigger in ("record_stays", "record_is_final"):
                db.execute(f"DROP TRIGGER {trigger}")
            db.execute(DAMAGES[damage])
        db.close()
    verified = told(log, "verify")
    assert verified.exit_code == 1
    assert "BROKEN after" in verified.output
    if damage == "not ASCII":
        assert told(log, "show").exit_code == 0
    else:
        assert isinstance(told(log, "show").exception, ConfigError)


@pytest.mark.parametrize("line", [b"junk", b"\xff\xfe", b'{"number":2}', b""])
def test_whatever_was_done_to_a_line_it_is_broken(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "audit.jsonl"
    log = log_of(path, 10_000)
    for user in ("ada", "bob"):
        log.append(record_of(user))
    first, *_ = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + line + b"\n")
    verified = told(log, "verify", "--json")
    assert verified.exit_code == 1
    assert json.loads(verified.output)["records"] == 1
    assert isinstance(told(log, "show").exception, ConfigError)


POSIX = pytest.mark.skipif(os.name == "nt", reason="there are neither forks nor such locks")


def numbers(path: Path) -> list[int]:
    checked = list(CHAIN.checked(log_of(path).records()))
    assert not any(isinstance(each, Broken) for each in checked)
    return [each.number for each in checked if isinstance(each, Sealed)]


@POSIX
def test_a_log_that_is_kept_open_is_the_file_of_that_name(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = log_of(path, rotate_bytes=10_000)
    log.open()
    log.append(b"{}")
    path.rename(tmp_path / "audit.jsonl.1")  # another process has put it aside
    log.append(b"{}")
    assert numbers(path) == [1, 2]
    assert path.read_bytes().count(b"\n") == 1
    path.with_name("audit.jsonl.lock").unlink()
    log.append(b"{}")  # and locks what others lock
    beside = path.with_name("audit.jsonl.lock").open()
    with beside, log._guarded.alone(), pytest.raises(BlockingIOError):
        fcntl.flock(beside, fcntl.LOCK_EX | fcntl.LOCK_NB)
    path.chmod(0o644)
    log.append(b"{}")
    assert path.stat().st_mode & 0o777 == 0o600
    log.close()
    log.close()
    log.append(b"{}")
    assert numbers(path) == [1, 2, 3, 4, 5]


@POSIX
def test_a_fork_and_its_parent_write_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    code = (
        "import os, sys\n"
        "from hookline_plugins.policy.audit.chain import Chain\n"
        "from hookline_plugins.policy.audit.jsonl import JSONLinesLog\n"
        "log = JSONLinesLog(sys.argv[1], Chain(b'key'), False)\n"
        "log.open()\n"
        "log.append(b'{}')\n"
        "child = os.fork()\n"
        "for _ in range(50): log.append(b'{}')\n"
        "if child: sys.exit(os.waitpid(child, 0)[1])\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    assert numbers(path) == list(range(1, 102))


@POSIX
def test_a_process_that_stopped_while_it_wrote_holds_nobody_up_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded, "PATIENCE", 0.2)
    path = tmp_path / "audit.jsonl"
    log = log_of(path, rotate_bytes=10_000)
    log.open()
    with path.with_name("audit.jsonl.lock").open() as beside:
        fcntl.flock(beside, fcntl.LOCK_EX)
        with pytest.raises(TimeoutError, match="another process keeps the log locked"):
            log.append(b"{}")
    log.append(b"{}")
    with log._guarded.alone(), pytest.raises(TimeoutError, match="other threads"):
        log.append(b"{}")
    assert numbers(path) == [1]
    log.close()


def test_nothing_is_left_open(tmp_path: Path) -> None:
    log = log_of(tmp_path / "audit.jsonl")
    log.append(b"{}")
    log.open()
    log.append(b"{}")
    kept = log._guarded._kept[:]
    log.close()
    for each in kept:
        for descriptor in (each.lock, each.log):
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(descriptor)
