"""F66 and F67: a process that is killed while it writes, and disks that will not have it."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hookline import Pipeline
from hookline.testing import FaultServer, json_answer, message
from hookline_plugins.storage.cache import Cache

# One clean process, which forks a child for every step at which to be killed.
_KILLED = '''
import json, os, signal, sys
from pathlib import Path

left = 0

def step(*_):
    """Count down, and die at zero, as by a power cut of the process."""
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def until_it_survives(work, check):
    """Kill the work at its first step, its second ..., and check what is left each time."""
    global left
    number = 0
    while True:
        number += 1
        acknowledged, told = os.pipe()
        child = os.fork()
        if child == 0:
            left = number
            try:
                work(number, lambda each: os.write(told, bytes([each])))
            finally:
                os._exit(0)
        os.close(told)
        done = b"".join(iter(lambda: os.read(acknowledged, 100), b""))
        os.close(acknowledged)
        _, status = os.waitpid(child, 0)
        check(number, list(done))
        if not os.WIFSIGNALED(status):
            assert list(done) == [0, 1, 2], done
            print(json.dumps(number))
            return
'''

_STORE = """
import sqlite3
from contextlib import closing
from hookline_plugins.storage.stores import SQLiteStore

connect = sqlite3.connect

def watched(*arguments, **options):
    db = connect(*arguments, **options)
    db.set_trace_callback(step)  # called before every statement
    return db

def store(number):
    return SQLiteStore(f"{sys.argv[1]}/{number}.db", 10, 1_000_000)

def work(number, acknowledge):
    sqlite3.connect = watched
    kept = store(number)
    for each in range(3):
        kept.put(bytes([each]), b"value %d" % each * 5000, 1000.0)
        acknowledge(each)

def check(number, done):
    path = f"{sys.argv[1]}/{number}.db"
    if os.path.exists(path):
        with closing(connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    kept = store(number)
    for each in range(3):
        found = kept.get(bytes([each]))
        assert found in (None, b"value %d" % each * 5000)
        assert found is not None or each not in done, (number, each, done)
    assert list(kept.reports()) == []
    assert not list(Path(sys.argv[1]).glob("*damaged*"))

until_it_survives(work, check)
"""

_CASSETTE = """
import tempfile
from hookline import Message, Request, Response
from hookline_plugins.storage.cassettes import Cassette, Exchange

def before(owner, name):
    real = getattr(owner, name)
    def stepped(*arguments, **options):
        step()
        result = real(*arguments, **options)
        step()
        return result
    setattr(owner, name, stepped)

def exchange(each):
    return Exchange.of(Request("m", 1, [Message("user", str(each))]), Response(id=f"msg_{each}"), ())

def work(number, acknowledge):
    for owner, name in ((tempfile, "mkstemp"), (os, "fsync"), (Path, "replace")):
        before(owner, name)
    cassette = Cassette(Path(sys.argv[1]) / f"{number}.jsonl")
    for each in range(3):
        cassette.exchanges.append(exchange(each))
        cassette.save()
        acknowledge(each)

def check(number, done):
    path = Path(sys.argv[1]) / f"{number}.jsonl"
    if not path.exists():
        assert not done
        return
    found = [each.response["id"] for each in Cassette.load(path).exchanges]
    assert found[: len(done)] == [f"msg_{each}" for each in done]
    assert len(found) <= len(done) + 1

until_it_survives(work, check)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked children")
@pytest.mark.parametrize(("script", "least"), [(_STORE, 20), (_CASSETTE, 15)])
def test_f66_a_kill_while_writing_loses_nothing_that_was_acknowledged(
    script: str, least: int, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", _KILLED + script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) > least, "the steps are no longer seen"


FULL = ("PRAGMA max_page_count = 1", "PRAGMA max_page_count = 1000000")  # 1: as many as there are
READ_ONLY = ("PRAGMA query_only = 1", "PRAGMA query_only = 0")


@pytest.mark.parametrize(("trouble", "end"), [FULL, READ_ONLY], ids=["full", "read-only"])
def test_f67_a_disk_that_takes_nothing_costs_the_cache_not_the_turn(
    trouble: str, end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answers are larger than the room that a page of the empty file leaves."""
    cache = Cache(path=str(tmp_path / "cache.db"))
    connect = sqlite3.connect
    opened: list[sqlite3.Connection] = []

    def kept(*arguments: Any, **options: Any) -> sqlite3.Connection:
        opened.append(connect(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr("sqlite3.connect", kept)
    large = json_answer(message("ants " * 20_000))
    with (
        FaultServer(large) as server,
        Pipeline(base_url=server.url, model="claude-haiku-4-5", plugins=[cache]) as line,
    ):
        line.send("Hello", context={"cache": "first"})
        kept_open = opened[-1]
        kept_open.execute(trouble)
        assert line.send("Hello, disk").text
        assert line.send("Hello, disk").response.headers.get("hookline-cache") is None
        kept_open.execute(end)  # as soon as there is room again, it is used
        assert line.send("Hello, disk").text
        assert line.send("Hello, disk").response.headers["hookline-cache"] == "hit"


def test_f67_a_file_that_was_deleted_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    with Pipeline(
        base_url="sim:", model="claude-haiku-4-5", plugins=[Cache(path=str(path))]
    ) as line:
        line.send("Hello")
        for each in tmp_path.iterdir():
            each.unlink()
        assert line.send("Hello").response.headers.get("hookline-cache") is None
        assert line.send("Hello").response.headers["hookline-cache"] == "hit"
