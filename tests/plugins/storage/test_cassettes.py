"""The plugins `record` and `replay`: what a cassette holds, what it answers, what it refuses."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from hookline import ConfigError, InputError, Pipeline, Request, StreamInterrupted
from hookline.simulator import Rule
from hookline.values.blocks import ImageBlock
from hookline.values.messages import Message
from hookline.values.sources import Base64Source
from hookline_plugins.storage.cassettes import Cassette, CassetteMismatch, DamagedCassette, shown
from hookline_plugins.storage.recording import Record, Replay


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.jsonl"


def line_of(server: Any, *plugins: Any) -> dict[str, Any]:
    return {"base_url": server, "plugins": list(plugins)}


def recorded(run: Any, server: Any, path: Path, *messages: str) -> None:
    async def body(line: Any) -> None:
        for message in messages:
            await line.send(message)

    run(body, **line_of(server, Record(path=path)))


def test_what_was_recorded_is_replayed(run: Any, sim: Any, path: Any, streamed: Any) -> None:
    server = sim(Rule(reply="once"))
    first = run.outcome(streamed, line=line_of(server, Record(path=path)))
    silent = sim()
    second = run.outcome(streamed, line=line_of(silent, Replay(path=path)))
    assert second.text == first.text == "once"
    assert second.response == first.response
    assert second.request_id == first.request_id
    assert silent.calls == []
    assert ("replay", "from calls.jsonl") in second.trace.notes


def test_a_stream_replays_a_plain_call_and_the_reverse(run: Any, sim: Any, path: Any) -> None:
    recorded(run, sim(Rule(reply="once")), path, "Hello")
    assert run.stream(line=line_of(sim(), Replay(path=path)))[0] == "once"
    path.unlink()
    run.stream(line=line_of(sim(Rule(reply="twice")), Record(path=path)))
    assert run.send(line=line_of(sim(), Replay(path=path))).text == "twice"


def test_the_same_request_gets_its_answers_in_order(run: Any, sim: Any, path: Any) -> None:
    server = sim(*(Rule(call=number, reply=f"answer {number}") for number in (1, 2)))
    recorded(run, server, path, "Hello", "Hello")

    async def body(line: Any) -> list[str]:
        return [(await line.send("Hello")).text for _ in range(3)]

    answers = run(body, **line_of(sim(), Replay(path=path)))
    assert answers == ["answer 1", "answer 2", "answer 2"]


def test_the_file_is_readable_and_ours_alone(run: Any, sim: Any, path: Any) -> None:
    recorded(run, sim(Rule(reply="once")), path, "Hello", "Bye")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0] == {"hookline_cassette": 1}
    assert [line["request"]["messages"][0]["content"] for line in lines[1:]] == ["Hello", "Bye"]
    assert lines[1]["response"]["content"][0]["text"] == "once"
    assert list(lines[1]["headers"]) == ["request-id"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["calls.jsonl"]


def test_no_secret_and_no_image_is_written(
    run: Any, sim: Any, path: Any, loopback: Any, http: Any, message: Any
) -> None:
    server = loopback(lambda request: http(200, message("hi"), {"set-cookie": "canary-cookie"}))
    picture = "QUJD" * 200
    servers = [{"type": "url", "url": "https://x.example", "authorization_token": "canary-token"}]

    async def body(line: Any) -> None:
        await line.send(
            [ImageBlock(Base64Source("image/png", picture)), "Hi"],
            mcp_servers=servers,
            betas=("mcp-client-2025-11-20",),
        )

    plugins = {"plugins": [Record(path=path)], "config": {"plugins": {"disable": ["images"]}}}
    run(body, **{**server.line, "api_key": "canary-key"}, **plugins)
    written = path.read_text()
    assert "canary" not in written
    assert picture not in written
    assert "sha256:" in written


def test_another_image_is_another_request() -> None:
    def of(data: str) -> dict[str, Any]:
        image = ImageBlock(Base64Source("image/png", data))
        return shown(Request("m", 1, [Message("user", [image])]))

    assert of("A" * 4000) != of("B" * 4000)
    assert of("A" * 4000) == of("A" * 4000)


@pytest.mark.parametrize(
    "change", [{"max_tokens": 5}, {"system": "Be brief."}, {"betas": ("files-api-2025-04-14",)}]
)
def test_a_request_that_was_not_recorded_is_refused(
    run: Any, sim: Any, path: Any, streamed: Any, change: Any
) -> None:
    recorded(run, sim(), path, "Bye", "Hello")
    server = sim()
    with pytest.raises(CassetteMismatch) as caught:
        run.outcome(streamed, line=line_of(server, Replay(path=path)), **change)
    said = str(caught.value)
    assert "entry 2 of 2 (line 3 of the file)" in said
    (name,) = change
    assert any(name in line for line in said.splitlines() if line.startswith(("+", "-", " ")))
    assert "record the cassette again" in said
    assert server.calls == []


def test_a_mismatch_is_not_retried_and_stays_short(run: Any, sim: Any, path: Any) -> None:
    recorded(run, sim(), path, "Hello")
    with pytest.raises(CassetteMismatch) as caught:
        run.send(
            "\n".join("x" * 10),
            line=line_of(sim(), Replay(path=path)),
            stop_sequences=[*"abc" * 30],
        )
    assert len(str(caught.value).splitlines()) < 40


def test_auto_records_first_and_replays_then(run: Any, sim: Any, path: Any, streamed: Any) -> None:
    server = sim(Rule(reply="once"))
    for _ in range(2):
        reply = run.outcome(streamed, line=line_of(server, Replay(path=path, mode="auto")))
        assert reply.text == "once"
    assert len(server.calls) == 1


def test_a_new_recording_replaces_the_old_one_once_it_has_something(
    run: Any, sim: Any, path: Any
) -> None:
    recorded(run, sim(), path, "Hello")
    before = path.read_bytes()
    record = Record(path=path)
    with pytest.raises(InputError):
        run.send("", line=line_of(sim(), record))
    assert path.read_bytes() == before
    recorded(run, sim(), path, "Bye")
    assert len(Cassette.load(path).exchanges) == 1


def test_what_breaks_is_not_recorded(run: Any, sim: Any, path: Any) -> None:
    with pytest.raises(StreamInterrupted):
        run.stream(line=line_of(sim(Rule(cut_after=5)), Record(path=path)))
    assert not path.exists()


DAMAGE = {
    "half a line": (lambda content: content[:-20], "middle of a line"),
    "no JSON": (
        lambda content: content.replace(b'"request"', b"request", 1),
        "line 2: it is not JSON",
    ),
    "no header": (lambda content: content.split(b"\n", 1)[1], "line 1: it is not"),
    "another version": (lambda content: content.replace(b":1}", b":2}", 1), "line 1: it is not"),
    "no response": (
        lambda content: content.replace(b'"response"', b'"answer"'),
        "response is wrong",
    ),
    "no content": (
        lambda content: content.replace(b'"content":[', b'"contents":['),
        "response is wrong",
    ),
    "no request": (lambda content: content.replace(b'"request"', b'"question"'), "no request"),
    "empty": (lambda content: b"", "middle of a line"),
    "binary": (lambda content: b"\xff\xfe\n", "line 1: it is not JSON"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_cassette_is_refused_when_it_is_built(
    run: Any, sim: Any, path: Any, kind: str
) -> None:
    recorded(run, sim(), path, "Hello")
    damage, said = DAMAGE[kind]
    path.write_bytes(damage(path.read_bytes()))
    content = path.read_bytes()
    with pytest.raises(DamagedCassette, match=said):
        Replay(path=path)
    assert path.read_bytes() == content


FOREIGN = ("no header", "empty", "binary")  # nothing says that these were cassettes


@pytest.mark.parametrize("kind", [kind for kind in DAMAGE if kind not in FOREIGN])
def test_in_auto_mode_it_is_set_aside_and_recorded_anew(
    run: Any, sim: Any, path: Any, kind: str, logged: Any
) -> None:
    recorded(run, sim(), path, "Hello")
    damage, _ = DAMAGE[kind]
    path.write_bytes(damage(path.read_bytes()))
    server = sim(Rule(reply="new"))
    assert run.send(line=line_of(server, Replay(path=path, mode="auto"))).text == "new"
    assert path.with_name("calls.jsonl.damaged-1").exists()
    assert len(Cassette.load(path).exchanges) == 1
    assert any("damaged" in record["message"] for record in logged)


@pytest.mark.parametrize("kind", FOREIGN)
def test_in_auto_mode_what_is_no_cassette_stays_where_it_is(
    run: Any, sim: Any, path: Any, kind: str
) -> None:
    recorded(run, sim(), path, "Hello")
    damage, said = DAMAGE[kind]
    path.write_bytes(damage(path.read_bytes()))
    content = path.read_bytes()
    with pytest.raises(DamagedCassette, match=said):
        Replay(path=path, mode="auto")
    assert path.read_bytes() == content
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_recording_never_takes_the_place_of_something_else(run: Any, sim: Any, path: Any) -> None:
    path.write_text("my thesis\n")
    with pytest.raises(ConfigError, match="no cassette; choose another path"):
        Record(path=path)
    path.unlink()
    late = Record(path=path)  # and then somebody writes there
    path.write_text("my thesis\n")
    with pytest.raises(ConfigError, match="no cassette; choose another path"):
        run.send(line=line_of(sim(), late))
    assert path.read_text() == "my thesis\n"


def test_an_empty_file_may_become_a_cassette_and_then_is_ours_alone(
    run: Any, sim: Any, path: Any
) -> None:
    path.touch(0o666)
    recorded(run, sim(), path, "Hello")
    assert len(Cassette.load(path).exchanges) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX only")
def test_a_pipe_is_no_cassette_and_holds_nobody_up(path: Any) -> None:
    os.mkfifo(path)
    for make in (Record, Replay):
        with pytest.raises(ConfigError, match="not a regular file"):
            make(path=path)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: Replay(path=path), "cannot be read.*record it first"),
        (
            lambda path: Replay(path=path, mode="lenient"),  # type: ignore[arg-type]  # refused
            "mode must be one of 'strict', 'auto'",
        ),
        (lambda path: Record(path=path.parent / "none" / "calls.jsonl"), "there is no directory"),
        (lambda path: Record(path=path, headers=("Set-Cookie",)), "holds a secret"),
        (
            lambda path: Record(path=path, headers="request-id"),  # type: ignore[arg-type]  # refused
            "headers is a list",
        ),
    ],
)
def test_bad_options_are_refused_when_it_is_built(path: Path, make: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make(path)


@pytest.mark.parametrize("name", ["record", "replay"])
def test_without_a_path_the_pipeline_does_not_open(name: str) -> None:
    line = Pipeline(base_url="sim:", plugins=[name])
    with pytest.raises(ConfigError, match=f"{name}: path is empty"):
        line.send("Hello")
    with pytest.raises(ConfigError, match=f"{name}: path is empty"):
        line.__enter__()


def test_they_can_be_configured_in_a_file(path: Path) -> None:
    with Pipeline(base_url="sim:", config={"plugins": {"record": {"path": str(path)}}}) as line:
        line.send("Hello")
        names = [each.plugin for each in line.plugins.of("send")]
    assert names[-2:] == ["record", "uploads"]
    with Pipeline(base_url="sim:", config={"plugins": {"replay": {"path": str(path)}}}) as line:
        assert line.send("Hello").trace.attempts == []


def test_a_disk_that_is_full_is_told(sim: Any, path: Any, monkeypatch: Any) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hookline._files.os.fsync", full)
    with (
        Pipeline(model="claude-haiku-4-5", **line_of(sim(), Record(path=path))) as line,
        pytest.raises(ConfigError, match="No space left"),
    ):
        line.send("Hello")
    assert list(path.parent.iterdir()) == []


def test_threads_record_into_one_file(sim: Any, path: Any) -> None:
    import threading

    with Pipeline(model="claude-haiku-4-5", **line_of(sim(), Record(path=path))) as line:
        threads = [threading.Thread(target=line.send, args=(f"{n}",)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(Cassette.load(path).exchanges) == 8
