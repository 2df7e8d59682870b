"""The plugin `audit`: every turn has its record, no record is lost, and none is changed unseen."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from hookline import Pipeline, PolicyViolation, StreamInterrupted, hookimpl
from hookline.plugin import Principal
from hookline.simulator import Rule
from hookline_plugins.policy.audit import Audit
from hookline_plugins.policy.audit.chain import Broken, Chain, Sealed
from hookline_plugins.policy.audit.command import command_of
from hookline_plugins.policy.audit.jsonl import JSONLinesLog, line_of, read_line
from hookline_plugins.policy.audit.logs import SQLiteLog
from hookline_plugins.policy.redact import Redact
from hookline_plugins.storage.cache import Cache

MODEL = "claude-haiku-4-5"
CANARY = "canary-7f3a"
MAIL = "ada@example.org"
ADA = Principal(user="ada", team="risk", tags={"case": [1, 2]})
POSIX = pytest.mark.skipif(os.name == "nt", reason="signals and limits of POSIX")


@pytest.fixture(params=["audit.jsonl", "audit.db"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / request.param)


def line_of_pipeline(server: Any, *plugins: Any, **options: Any) -> dict[str, Any]:
    return {"base_url": server, "principal": ADA, "plugins": list(plugins), **options}


def records(audit: Audit) -> list[dict[str, Any]]:
    checked = list(audit.chain.checked(audit.log.records()))
    assert not any(isinstance(each, Broken) for each in checked)
    return [json.loads(each.record) for each in checked if isinstance(each, Sealed)]


def test_a_turn_has_one_record(run: Any, sim: Any, path: str, streamed: bool) -> None:
    audit = Audit(path=path, fsync=False, clock=lambda: 1_795_000_000.0)
    reply = run.outcome(streamed, f"Say {CANARY}", line=line_of_pipeline(sim(), audit, "cost"))
    (record,) = records(audit)
    assert record["outcome"] == "answered"
    assert record["time"] == "2026-11-18T11:06:40.000+00:00"
    assert (record["user"], record["team"], record["tags"]) == ("ada", "risk", {"case": [1, 2]})
    assert record["surface"] == ("stream" if streamed else "send")
    assert (record["model"], record["answered_by"]) == (MODEL, reply.model)
    assert record["usage"]["output_tokens"] == reply.usage.output_tokens
    assert record["cost"] == f"{reply.cost:f}"
    assert record["destination"] == "sim:"
    assert record["error"] is None
    (attempt,) = record["attempts"]
    assert (attempt["outcome"], attempt["status"]) == ("answered", 200)
    assert any(each.startswith("audit") for each in record["plugins"])
    assert any(each.startswith("history 0") for each in record["plugins"])
    assert len(record["digests"]["request"]) == len(record["digests"]["reply"]) == 64
    assert CANARY not in json.dumps(record)


def test_a_record_names_the_policies_that_held(
    blocking: Any, sim: Any, path: str, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text("[policy]\nid = 'acme'\n[bounds]\nmax_tokens = { max = 99 }\n")
    audit = Audit(path=path)
    blocking.send("Hello", line=line_of_pipeline(sim(), audit, policy=str(policy)))
    (record,) = records(audit)
    assert record["policies"] == [f"acme sha256:{sha256(policy.read_bytes()).hexdigest()}"]


def test_equal_contents_have_equal_digests_under_one_key_only(
    blocking: Any, sim: Any, tmp_path: Path
) -> None:
    digests = []
    for number, (key, text) in enumerate([("a", "x"), ("a", "x"), ("b", "x"), ("a", "y")]):
        audit = Audit(path=str(tmp_path / f"{number}.db"), hmac=key)
        blocking.send(text, line=line_of_pipeline(sim(), audit))
        digests.append(records(audit)[0]["digests"]["request"])
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


class Refuses:
    @hookimpl
    def check_request(self) -> None:
        raise PolicyViolation("not this", rule="this")


def test_a_refused_turn_has_its_record(run: Any, sim: Any, path: str, streamed: bool) -> None:
    audit = Audit(path=path)
    with pytest.raises(PolicyViolation):
        run.outcome(streamed, line=line_of_pipeline(sim(), audit, Refuses()))
    (record,) = records(audit)
    assert record["outcome"] == "refused"
    assert record["error"]["rule"] == "this"
    assert record["verdicts"][0]["reason"] == "not this"
    assert record["attempts"] == []


def test_a_failed_turn_has_its_record_without_what_was_said(
    run: Any, sim: Any, path: str, streamed: bool
) -> None:
    audit = Audit(path=path)
    server = sim(Rule(status=400, message=f"bad: {CANARY}"))
    with pytest.raises(Exception, match="bad"):
        run.outcome(streamed, line=line_of_pipeline(server, audit))
    (record,) = records(audit)
    assert record["outcome"] == "failed"
    assert record["error"]["status"] == 400
    assert record["attempts"][0]["outcome"] == "refused"
    assert CANARY not in json.dumps(record)


def test_an_abandoned_stream_has_its_record(run: Any, sim: Any, path: str) -> None:
    audit = Audit(path=path)

    async def body(line: Any) -> None:
        async with line.stream("Hello") as stream:
            async for _ in stream.text:
                break

    run(body, **line_of_pipeline(sim(Rule(reply="word " * 300, chunk=5)), audit))
    (record,) = records(audit)
    assert record["outcome"] == "abandoned"
    assert record["attempts"][0]["outcome"] == "interrupted"


def test_what_redact_and_the_cache_note_is_recorded(run: Any, sim: Any, path: str) -> None:
    audit = Audit(path=path)
    server = sim()

    async def body(line: Any) -> None:
        await line.send(MAIL)
        await line.send(MAIL)

    run(body, **line_of_pipeline(server, audit, Cache(), Redact()))
    first, second = records(audit)
    assert first["notes"] == ["redact: 1 mail replaced"]
    assert "cache: hit" in second["notes"]
    assert second["attempts"] == []
    assert second["usage"] is None
    assert MAIL not in json.dumps([first, second])


@pytest.mark.parametrize("content", ["none", "redacted", "full"])
def test_content(run: Any, sim: Any, path: str, streamed: bool, content: Any) -> None:
    audit = Audit(path=path, content=content, words=("zephyr",))
    server = sim(Rule(reply=f"Yes {MAIL}, {CANARY}"))
    run.outcome(
        streamed, f"Ask {MAIL} of Zephyr and {CANARY}", line=line_of_pipeline(server, audit)
    )
    (record,) = records(audit)
    kept = json.dumps(record)
    assert (CANARY in kept) == (content != "none")
    assert (MAIL in kept) == (content == "full")
    assert ("Zephyr" in kept) == (content == "full")
    if content == "redacted":
        assert record["content"]["reply"] == f"Yes [MAIL], {CANARY}"
        assert record["content"]["request"]["messages"][0]["content"].startswith(
            "Ask [MAIL] of [WO"
        )


def test_a_record_that_cannot_be_kept_keeps_the_reply_back(
    run: Any, sim: Any, path: str, streamed: bool
) -> None:
    audit = Audit(path=path)

    class Breaks:
        @hookimpl
        def on_attempt(self) -> None:
            audit.log.close()
            Path(path).unlink(missing_ok=True)
            Path(path).mkdir()

    with pytest.raises(PolicyViolation, match="could not be kept") as caught:
        run.outcome(streamed, line=line_of_pipeline(sim(), audit, Breaks()))
    assert caught.value.rule == "audit-record"


def test_a_disk_without_room_lets_nothing_out(
    run: Any, sim: Any, path: str, streamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.statvfs

    def full(where: Any) -> Any:
        info = list(real(where))
        info[4] = 3  # blocks that are free
        return os.statvfs_result(info)

    server = sim()
    audit = Audit(path=path)
    monkeypatch.setattr(os, "statvfs", full)
    with pytest.raises(PolicyViolation, match="is full, so nothing is sent"):
        run.outcome(streamed, line=line_of_pipeline(server, audit))
    assert server.calls == []
    assert [each["outcome"] for each in records(audit)] == ["refused"]


FULL = """
import resource, signal, sys
from hookline import Pipeline, PolicyViolation
from hookline_plugins.policy.audit import Audit

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Pipeline(base_url="sim:", model="claude-haiku-4-5", plugins=[Audit(path=sys.argv[1], content="full")]) as line:
    kept = 0
    for number in range(400):
        if number == 5:
            resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
        try:
            line.send("x" * 2000)
            kept += 1
        except PolicyViolation as error:
            print(kept, error.rule)
            break
"""


@POSIX
def test_a_full_disk_refuses_the_turn_and_leaves_the_log_whole(path: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, path], capture_output=True, text=True, check=True
    )
    kept, rule = done.stdout.split()
    assert rule == "audit-record", done.stderr
    assert int(kept) >= 5
    audit = Audit(path=path)
    assert len(records(audit)) == int(kept)
    audit.log.append(b'{"after":1}')  # there is room again
    assert len(records(audit)) == int(kept) + 1


KILLED = """
import json, os, signal, sys
from pathlib import Path
from hookline_plugins.policy.audit.chain import Chain
from hookline_plugins.policy.audit.jsonl import JSONLinesLog

def work(path, at, half, acknowledge):
    log = JSONLinesLog(path, Chain(b"k"), True, 400)
    write, calls = os.write, 0

    def dies(name):
        real = getattr(os, name)
        def call(*given, **more):
            nonlocal calls
            calls += 1
            if calls == at:
                if half and name == "write":
                    real(given[0], given[1][: len(given[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*given, **more)
        setattr(os, name, call)

    for name in ("write", "fsync", "ftruncate", "rename", "open", "close"):
        dies(name)
    log.open()
    for number in range(8):
        log.append(b'{"n":%d}' % number)
        write(acknowledge, b"%d " % number)

for at in range(1, 200):
    home = Path(sys.argv[1], str(at))
    home.mkdir()
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(out)
        work(str(home / "a.jsonl"), at, sys.argv[2] == "half", into)
        os._exit(0)
    os.close(into)
    with os.fdopen(out) as heard:
        acknowledged = heard.read().split()
    _, status = os.waitpid(child, 0)
    print(json.dumps([at, list(map(int, acknowledged))]))
    if status == 0:
        break
"""


@POSIX
@pytest.mark.parametrize("half", ["half", "none"])
def test_kill_9_at_every_step_loses_no_acknowledged_record(tmp_path: Path, half: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), half],
        capture_output=True,
        text=True,
        check=True,
    )
    runs = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(runs) > 40
    assert runs[-1][1] == list(range(8))  # the last one was not killed any more
    for at, acknowledged in runs:
        log = JSONLinesLog(str(tmp_path / str(at) / "a.jsonl"), Chain(b"k"), False, 400)
        log.append(b'{"n":"after"}')
        checked = list(Chain(b"k").checked(log.records()))
        assert not any(isinstance(each, Broken) for each in checked), at
        kept = [json.loads(each.record)["n"] for each in checked if isinstance(each, Sealed)]
        assert kept[-1] == "after"
        assert kept[: len(acknowledged)] == acknowledged
        assert len(kept) - 1 <= len(acknowledged) + 1


ENDLESS = """
import sys
from hookline import Pipeline
from hookline_plugins.policy.audit import Audit
with Pipeline(base_url="sim:", model="claude-haiku-4-5", plugins=[Audit(path=sys.argv[1])]) as line:
    while True:
        reply = line.send("Hello")
        print(reply.request_id, flush=True)
"""


@POSIX
def test_a_killed_process_has_recorded_every_turn_that_it_answered(path: str) -> None:
    for wanted in (1, 3, 8):
        child = subprocess.Popen(
            [sys.executable, "-c", ENDLESS, path], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        answered = [child.stdout.readline().strip() for _ in range(wanted)]
        child.send_signal(signal.SIGKILL)
        answered += [line.strip() for line in child.stdout if line.endswith("\n")]
        child.wait()
        child.stdout.close()
        kept = {
            attempt["request_id"]
            for record in records(Audit(path=path))
            for attempt in record["attempts"]
        }
        assert set(answered) <= kept


def log_of(path: str, key: bytes = b"", rotate: int = 10_000_000) -> Any:
    chain = Chain(key)
    if path.endswith(".jsonl"):
        return JSONLinesLog(path, chain, False, rotate)
    return SQLiteLog(path, chain, False)


def test_threads_and_processes_append_to_one_chain(path: str) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from hookline_plugins.policy.audit import Audit\n"
        "log = Audit(path=sys.argv[1], fsync=False, rotate_bytes=3000).log\n"
        "log.open()\n"
        "[log.append(b'{}') for _ in range(40)]\n"
        "log.close()\n"
    )
    here = str(Path(__file__).parent)
    children = [subprocess.Popen([sys.executable, "-c", code, path, here]) for _ in range(2)]
    log = log_of(path, rotate=3000)
    threads = [
        threading.Thread(target=lambda: [log.append(b"{}") for _ in range(20)]) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [child.wait() for child in children] == [0, 0]
    checked = list(Chain().checked(log.records()))
    assert not any(isinstance(each, Broken) for each in checked)
    assert [each.number for each in checked] == list(range(1, 141))


def tampered(path: str, change: str) -> None:
    """Change the file behind the log's back: record 2 of 4."""
    if path.endswith(".jsonl"):
        lines = Path(path).read_bytes().splitlines(keepends=True)
        if change == "changed":
            lines[1] = lines[1].replace(b'"n":1', b'"n":7')
        elif change == "left out":
            del lines[1]
        elif change == "moved":
            lines[1], lines[2] = lines[2], lines[1]
        else:
            del lines[3]
        Path(path).write_bytes(b"".join(lines))
        return
    with contextlib.closing(sqlite3.connect(path)) as db:
        for statement in {
            "changed": ["UPDATE record SET record = '{\"n\":7}' WHERE number = 2"],
            "left out": ["DELETE FROM record WHERE number = 2"],
            "moved": [
                "UPDATE record SET number = 9 WHERE number = 2",
                "UPDATE record SET number = 2 WHERE number = 3",
                "UPDATE record SET number = 3 WHERE number = 9",
            ],
            "cut off": ["DELETE FROM record WHERE number = 4"],
        }[change]:
            with pytest.raises(sqlite3.IntegrityError, match="records of an audit"):
                db.execute(statement)
            db.execute("DROP TRIGGER IF EXISTS record_stays")
            db.execute("DROP TRIGGER IF EXISTS record_is_final")
            db.execute(statement)
            db.execute(
                "CREATE TRIGGER record_stays BEFORE DELETE ON record "
                "BEGIN SELECT RAISE(ABORT, 'records of an audit are not deleted'); END"
            )
            db.execute(
                "CREATE TRIGGER record_is_final BEFORE UPDATE ON record "
                "BEGIN SELECT RAISE(ABORT, 'records of an audit are not changed'); END"
            )
        db.commit()


@pytest.mark.parametrize("change", ["changed", "left out", "moved", "cut off"])
def test_tampering_shows(path: str, change: str) -> None:
    log = log_of(path)
    sealed = [log.append(b'{"n":%d}' % number) for number in range(4)]
    command = command_of(log, Chain())
    note = f"{sealed[3].number}:{sealed[3].seal}"
    whole = CliRunner().invoke(command, ["verify", "--noted", note])
    assert whole.exit_code == 0
    assert whole.output == f"whole: 4 records, the last {note}\n"
    tampered(path, change)
    told = CliRunner().invoke(command, ["verify", "--noted", note, "--json"])
    assert told.exit_code == 1
    found = json.loads(told.output)
    if change == "cut off":
        assert CliRunner().invoke(command, ["verify"]).exit_code == 0
        assert found["problem"].startswith("record 4 is missing")
    else:
        assert found["records"] == 1
        assert found["problem"].startswith("record 2")
    assert CliRunner().invoke(command_of(log, Chain(b"other")), ["verify"]).exit_code == 1


@given(st.lists(st.binary(max_size=20).map(lambda b: json.dumps(b.hex()).encode()), max_size=6))
def test_a_line_is_read_as_it_was_written(contents: list[bytes]) -> None:
    before = "0" * 64
    for number, content in enumerate(contents, 1):
        sealed = Chain(b"k").seal(before, number, b'{"a":' + content + b"}")
        assert read_line(line_of(sealed)[:-1], "here") == sealed
        before = sealed.seal


def test_a_file_of_something_else_is_refused(path: str) -> None:
    Path(path).write_bytes(b'{"not": "ours"}\n' * 100)
    with (
        pytest.raises(PolicyViolation, match="audit"),
        Pipeline(model=MODEL, base_url="sim:", plugins=[Audit(path=path)]),
    ):
        pass
    assert Path(path).read_bytes() == b'{"not": "ours"}\n' * 100


def test_a_path_is_needed() -> None:
    with (
        pytest.raises(PolicyViolation, match="where records are kept"),
        Pipeline(model=MODEL, base_url="sim:", plugins=["audit"]),
    ):
        pass


def test_the_log_is_shown_and_exported(blocking: Any, sim: Any, path: str) -> None:
    audit = Audit(path=path)
    for user in ("ada", "bob\x1b[31m"):
        blocking.send(line=line_of_pipeline(sim(), audit, principal=Principal(user=user)))
    command = command_of(audit.log, audit.chain)
    drawn = CliRunner().invoke(command, ["show"], env={"COLUMNS": "200"}).output
    assert "ada" in drawn
    assert "bob" in drawn
    assert "\x1b" not in drawn
    (shown,) = json.loads(CliRunner().invoke(command, ["show", "--json", "--user", "ada"]).output)
    assert shown["number"] == 1
    exported = CliRunner().invoke(command, ["export", "--from", "2"]).stdout_bytes
    (line,) = exported.splitlines()
    assert read_line(line, "here").number == 2


def test_the_command_line_finds_the_log_by_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, capfd: pytest.CaptureFixture[str]
) -> None:
    from hookline.cli import main

    monkeypatch.setenv("AUDIT_KEY", "k")
    named = tmp_path / "acme.toml"
    named.write_text(
        f"[plugins.audit]\npath = '{path}'\nhmac = 'env:AUDIT_KEY'\n", encoding="utf-8"
    )
    with Pipeline(model=MODEL, base_url="sim:", config=str(named)) as line:
        line.send("Hello")
    assert main(["audit", "verify"]) == 2  # no setting asks for the plugin yet
    assert "hookline -p audit audit" in capfd.readouterr().err
    assert main(["-p", "audit", "audit", "verify"]) == 2  # now it is there, and knows no file
    assert "say where its file lies" in capfd.readouterr().err
    monkeypatch.setenv("HOOKLINE_CONFIG", str(named))
    assert main(["audit", "verify"]) == 0
    Path(path).rename(f"{path}.elsewhere")
    assert main(["audit", "verify"]) == 2  # a path that is wrong does not look whole
    assert "there is no log at" in capfd.readouterr().err
    assert not Path(path).exists()
    Path(f"{path}.elsewhere").rename(path)
    monkeypatch.setenv("AUDIT_KEY", "another")
    again = [sys.executable, "-m", "hookline", "audit", "verify"]
    other = subprocess.run(again, capture_output=True, text=True, check=False)
    assert other.returncode == 1
    assert "BROKEN after 0 records" in other.stdout
    assert other.stderr == ""


def test_a_stream_that_broke_is_a_failed_turn(run: Any, sim: Any, path: str) -> None:
    audit = Audit(path=path)
    with pytest.raises(StreamInterrupted):
        run.stream(line=line_of_pipeline(sim(Rule(reply="word " * 50, cut_after=9)), audit))
    assert [each["outcome"] for each in records(audit)] == ["failed"]
