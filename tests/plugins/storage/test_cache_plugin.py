"""The plugin `cache`: what is the same question, what is kept, and files that cannot be trusted."""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hookline import ConfigError, Pipeline, Principal, StreamFilter, StreamInterrupted, hookimpl
from hookline._io import drive
from hookline.simulator import Rule
from hookline.values.events import ContentBlockDelta
from hookline_plugins.storage.cache import Cache
from hookline_plugins.storage.stores import MemoryStore, SQLiteStore


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Options of a cache of either kind."""
    return {} if request.param == "memory" else {"path": str(tmp_path / "cache.db")}


def line_of(server: Any, cache: Any, **options: Any) -> dict[str, Any]:
    return {"base_url": server, "plugins": [cache], **options}


def numbered() -> tuple[Rule, ...]:
    """Answers that differ from call to call."""
    return tuple(Rule(call=number, reply=f"answer {number}") for number in range(1, 9))


def ask(run: Any, server: Any, cache: Any, *calls: dict[str, Any]) -> list[str]:
    async def body(line: Any) -> list[str]:
        return [(await line.send("Hello", **call)).text for call in calls]

    texts: list[str] = run(body, **line_of(server, cache))
    return texts


def test_the_same_request_is_sent_once(run: Any, sim: Any, store: Any) -> None:
    server = sim(*numbered())
    assert ask(run, server, Cache(**store), {}, {}, {}) == ["answer 1"] * 3
    assert len(server.calls) == 1


def test_a_hit_is_marked_and_makes_no_attempt(run: Any, sim: Any, store: Any) -> None:
    server = sim()

    async def body(line: Any) -> tuple[Any, Any]:
        return await line.send("Hello"), await line.send("Hello")

    first, second = run(body, **line_of(server, Cache(**store)))
    assert ("cache", "hit") in second.trace.notes
    assert second.response.headers["hookline-cache"] == "hit"
    assert "hookline-cache" not in first.response.headers
    assert second.trace.attempts == []
    assert second.response == first.response
    assert second.request_id == first.request_id


@pytest.mark.parametrize(
    "change",
    [
        {"model": "claude-opus-5-5"},
        {"max_tokens": 77},
        {"system": "Be brief."},
        {"temperature": 0.5},
        {"betas": ("files-api-2025-04-14",)},
        {"context": {"tenant": "b"}},
        {"context": {"user": "b"}},
        {"principal": Principal(user="b")},
        {"principal": Principal(tenant="b")},
        {"prefill": "I"},
    ],
    ids=str,
)
def test_whatever_is_sent_and_whoever_asks_makes_another_question(
    run: Any, sim: Any, store: Any, change: Any
) -> None:
    server = sim(*numbered())
    ask(run, server, Cache(**store), {}, change)
    assert len(server.calls) == 2


def test_other_context_does_not_matter(run: Any, sim: Any) -> None:
    server = sim(*numbered())
    ask(run, server, Cache(), {"context": {"trace_id": 1}}, {"context": {"trace_id": 2}})
    assert len(server.calls) == 1


def test_other_facts_of_a_principal_matter_where_it_is_said(run: Any, sim: Any) -> None:
    calls = [{"principal": Principal(team=each, tags={"desk": each})} for each in "ab"]
    for separate_by, asked in ((("tenant",), 1), (("team",), 2), (("desk",), 2), (("apart",), 1)):
        server = sim(*numbered())
        ask(run, server, Cache(separate_by=separate_by), *calls)
        assert len(server.calls) == asked


def test_a_namespace_and_an_upstream_separate_pipelines_on_one_file(
    run: Any, sim: Any, tmp_path: Any
) -> None:
    path = str(tmp_path / "cache.db")
    server = sim(*numbered())
    assert ask(run, server, Cache(path=path, namespace="a"), {}) == ["answer 1"]
    assert ask(run, server, Cache(path=path, namespace="b"), {}) == ["answer 2"]
    assert ask(run, server, Cache(path=path, namespace="a"), {}) == ["answer 1"]


def test_a_turn_can_pass_the_cache_by(run: Any, sim: Any, store: Any) -> None:
    server = sim(*numbered())
    texts = ask(run, server, Cache(**store), {}, {"context": {"cache": "off"}}, {})
    assert texts == ["answer 1", "answer 2", "answer 1"]


def test_a_context_that_cannot_be_told_apart_is_passed_by(run: Any, sim: Any) -> None:
    server = sim(*numbered())
    odd = {"context": {"user": object()}}
    assert ask(run, server, Cache(), odd, odd) == ["answer 1", "answer 2"]


@pytest.mark.parametrize("first_streamed", [False, True])
def test_streams_fill_the_cache_and_are_replayed_from_it(
    run: Any, sim: Any, store: Any, first_streamed: Any
) -> None:
    server = sim(*numbered())

    async def one(line: Any, streamed: Any) -> tuple[str, Any]:
        if not streamed:
            reply = await line.send("Hello")
            return reply.text, reply
        async with line.stream("Hello") as stream:
            pieces = [piece async for piece in stream.text]
            return "".join(pieces), await stream.reply

    async def body(line: Any) -> Any:
        return await one(line, first_streamed), await one(line, not first_streamed)

    (text, first), (again, second) = run(body, **line_of(server, Cache(**store)))
    assert text == again == "answer 1"
    assert first.response == second.response
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    "rule",
    [
        Rule(stop_reason="refusal", reply=""),
        Rule(stop_reason="max_tokens"),
        Rule(stop_reason="something_new"),
    ],
    ids=lambda rule: rule.stop_reason,
)
def test_what_is_no_whole_answer_is_not_kept(
    run: Any, sim: Any, store: Any, streamed: Any, rule: Any
) -> None:
    server = sim(rule)
    cache = Cache(**store)
    for _ in range(2):
        run.outcome(streamed, line=line_of(server, cache))
    assert len(server.calls) == 2


def test_a_broken_stream_is_not_kept(run: Any, sim: Any, store: Any) -> None:
    server = sim(Rule(cut_after=5, times=1), Rule(reply="whole"))
    cache = Cache(**store)
    with pytest.raises(StreamInterrupted):
        run.stream(line=line_of(server, cache))
    assert run.stream(line=line_of(server, cache))[0] == "whole"


def test_a_stream_that_the_caller_leaves_is_not_kept(run: Any, sim: Any, store: Any) -> None:
    server = sim(*numbered())
    cache = Cache(**store)

    async def body(line: Any) -> str:
        async with line.stream("Hello") as stream:
            async for _ in stream.text:
                break
        return str((await line.send("Hello")).text)

    assert run(body, **line_of(server, cache)) == "answer 2"


def test_filters_apply_once_to_a_hit_too(run: Any, sim: Any, streamed: Any) -> None:
    class Shout:
        name = "shout"

        @hookimpl
        def filter_stream(self) -> StreamFilter:
            return StreamFilter.deltas(lambda text: text.replace("a", "ab"), look_behind=0)

    server = sim(Rule(reply="a", chunk=100))
    cache = Cache()
    texts = [
        run.outcome(streamed, line=line_of(server, cache) | {"plugins": [cache, Shout()]}).text
        for _ in range(2)
    ]
    assert texts == ["ab", "ab"]


def test_an_answer_expires(sim: Any, store: Any) -> None:
    clock = Clock()
    server = sim(*numbered())
    with Pipeline(
        model="claude-haiku-4-5", **line_of(server, Cache(ttl=10, clock=clock, **store))
    ) as line:
        assert line.send("Hello").text == "answer 1"
        clock.now += 9.9
        assert line.send("Hello").text == "answer 1"
        clock.now += 0.2
        assert line.send("Hello").text == "answer 2"


def test_memory_forgets_what_was_asked_longest_ago() -> None:
    store = MemoryStore(entries=2, max_bytes=1000)
    for key in (b"a", b"b"):
        store.put(key, b"x", 60)
    assert store.get(b"a") == b"x"
    store.put(b"c", b"x", 60)
    assert (store.get(b"a"), store.get(b"b"), store.get(b"c")) == (b"x", None, b"x")


def test_memory_is_bounded_in_bytes() -> None:
    store = MemoryStore(entries=100, max_bytes=10)
    store.put(b"a", b"123456", 60)
    store.put(b"b", b"123456", 60)
    store.put(b"large", b"12345678901", 60)
    assert (store.get(b"a"), store.get(b"b"), store.get(b"large")) == (None, b"123456", None)


def rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("SELECT count(*) FROM entry").fetchone()[0])


def test_a_file_is_bounded_too(tmp_path: Any) -> None:
    clock = Clock()
    path = tmp_path / "cache.db"
    store = Cache(path=path, entries=3, max_bytes=25, clock=clock)._store
    for key in (b"a", b"b", b"c", b"d"):
        clock.now += 1
        store.put(key, b"12345", 60)
    assert [store.get(key) is not None for key in (b"a", b"b", b"d")] == [False, True, True]
    clock.now += 1
    store.put(b"e", b"x" * 20, 60)
    assert rows(path) == 2
    assert list(store.reports()) == []


def test_a_file_outlives_the_process_and_is_ours_alone(run: Any, sim: Any, tmp_path: Any) -> None:
    path = tmp_path / "cache.db"
    server = sim(*numbered())
    ask(run, server, Cache(path=path), {})
    assert ask(run, server, Cache(path=path), {}) == ["answer 1"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def damaged(path: Path) -> Iterator[Path]:
    return path.parent.glob(f"{path.name}.damaged-*")


@pytest.mark.parametrize("how", ["no database", "truncated", "overwritten"])
def test_a_damaged_file_is_set_aside_and_reported(
    run: Any, sim: Any, tmp_path: Any, how: Any, logged: Any
) -> None:
    path = tmp_path / "cache.db"
    server = sim(*numbered())
    ask(run, server, Cache(path=path), {})
    content = path.read_bytes()
    if how == "no database":
        path.write_bytes(b"this is no database at all, only a text" * 20)
    elif how == "truncated":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.write_bytes(content[:100] + b"\xff" * (len(content) - 100))

    async def body(line: Any) -> Any:
        return await line.send("Hello")

    reply = run(body, **line_of(server, Cache(path=path)))
    assert reply.text == "answer 2"
    assert [file.name for file in damaged(path)] == ["cache.db.damaged-1"]
    assert any("damaged" in text for plugin, text in reply.trace.notes if plugin == "cache")
    assert any("damaged" in record["message"] for record in logged)
    assert ask(run, server, Cache(path=path), {}) == ["answer 2"]


def test_damage_that_comes_later_is_found_and_the_turn_goes_on(sim: Any, tmp_path: Any) -> None:
    path = tmp_path / "cache.db"
    server, cache = sim(*numbered()), Cache(path=path)
    with Pipeline(model="claude-haiku-4-5", **line_of(server, cache)) as line:
        line.send("Hello")
    path.write_bytes(b"\0" * 5000)
    with Pipeline(model="claude-haiku-4-5", **line_of(server, cache)) as line:
        assert line.send("Hello").text == "answer 2"
        assert line.send("Hello").text == "answer 2"
    assert len(list(damaged(path))) == 1


def test_a_pipeline_opens_the_file_once_and_closes_it(sim: Any, tmp_path: Any) -> None:
    path = tmp_path / "cache.db"
    with Pipeline(model="claude-haiku-4-5", **line_of(sim(), Cache(path=path))) as line:
        for _ in range(3):
            line.send("Hello")
        assert path.with_name("cache.db-wal").exists()  # SQLite's, as long as it is open
    assert [file.name for file in tmp_path.iterdir()] == ["cache.db"]


def test_an_entry_that_was_changed_is_not_used(sim: Any, tmp_path: Any) -> None:
    path = tmp_path / "cache.db"
    server = sim(*numbered())
    with Pipeline(model="claude-haiku-4-5", **line_of(server, Cache(path=path))) as line:
        line.send("Hello")
        with closing(sqlite3.connect(path)) as db:
            value = db.execute("SELECT value FROM entry").fetchone()[0]
            db.execute("UPDATE entry SET value = ?", (value.replace(b"answer", b"falser"),))
            db.commit()
        assert line.send("Hello").text == "answer 2"
    assert len(list(damaged(path))) == 1


def test_a_locked_file_costs_the_cache_not_the_turn(
    sim: Any, tmp_path: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("hookline_plugins.storage.database._BUSY_SECONDS", 0.01)
    path = tmp_path / "cache.db"
    cache = Cache(path=path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with Pipeline(model="claude-haiku-4-5", **line_of(sim(), cache)) as line:
            reply = line.send("Hello")
        other.execute("ROLLBACK")
    assert any("could not be used" in text for _, text in reply.trace.notes)
    assert list(damaged(path)) == []


@pytest.mark.parametrize("version", [2, 99])
def test_a_file_from_the_future_is_refused_and_left_alone(tmp_path: Any, version: Any) -> None:
    path = tmp_path / "cache.db"
    Cache(path=path)
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(ConfigError, match=rf"version {version}.*choose another path"):
        Cache(path=path)
    assert path.exists()


def test_somebody_elses_database_is_refused_and_left_alone(tmp_path: Any) -> None:
    path = tmp_path / "accounts.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE account (name TEXT)")
    with pytest.raises(ConfigError, match="not a cache of Hookline"):
        Cache(path=path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("account",)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ttl": 0}, "ttl must be above 0"),
        ({"ttl": float("nan")}, "ttl must be above 0"),
        ({"entries": -1}, "entries must be above 0"),
        ({"max_bytes": 0}, "max_bytes must be above 0"),
        ({"separate_by": "tenant"}, "separate_by is a list"),
        ({"path": "/no/such/directory/cache.db"}, "cannot be used"),
    ],
)
def test_bad_options_are_refused_when_it_is_built(options: Any, said: Any) -> None:
    with pytest.raises(ConfigError, match=said):
        Cache(**options)


def test_it_is_off_until_it_is_asked_for(sim: Any) -> None:
    for options, wanted in (
        ({}, False),
        ({"plugins": ["cache"]}, True),
        ({"config": {"plugins": {"cache": {"ttl": 5}}}}, True),
    ):
        with Pipeline(base_url="sim:", **options) as line:
            assert (line.plugins.get("cache") is not None) is wanted


def test_explaining_answers_nothing_from_the_cache(run: Any, sim: Any) -> None:
    server = sim()

    async def body(line: Any) -> Any:
        await line.send("Hello")
        return await line.explain("Hello")

    assert run(body, **line_of(server, Cache())).request.messages
    assert len(server.calls) == 1


KEY = b"k" * 32


def store_at(path: Path) -> SQLiteStore:
    return SQLiteStore(str(path), 100, 10_000)


def test_a_store_that_is_open_keeps_its_connection_and_closes_it(
    tmp_path: Path, monkeypatch: Any
) -> None:
    made: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def counting(*given: Any, **options: Any) -> sqlite3.Connection:
        made.append(connect(*given, **options))
        return made[-1]

    store = store_at(tmp_path / "cache.db")
    monkeypatch.setattr("hookline_plugins.storage.stores.sqlite3.connect", counting)
    store.open()
    store.put(KEY, b"value", 60)
    assert [store.get(KEY) for _ in range(5)] == [b"value"] * 5
    assert len(made) == 1
    store.close()
    store.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        made[0].execute("SELECT 1")
    assert store.get(KEY) == b"value"  # as before, with a connection for this time
    assert list(store.reports()) == []


def test_an_open_store_notices_that_another_process_began_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    store = store_at(path)
    store.open()
    store.put(KEY, b"old", 60)
    for file in tmp_path.iterdir():
        file.rename(file.with_name(f"aside-{file.name}"))
    other = store_at(path)
    other.put(KEY, b"new", 60)
    assert store.get(KEY) == b"new"
    store.close()
    assert list(store.reports()) == []


def test_an_open_store_heals_a_file_that_is_damaged_under_it(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    store = store_at(path)
    store.open()
    store.put(KEY, b"value", 60)
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE entry SET value = x'00'")
        db.commit()
    assert store.get(KEY) is None
    assert any("damaged" in text for text in store.reports())
    store.put(KEY, b"again", 60)
    assert store.get(KEY) == b"again"
    store.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX only")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_uses_a_connection_of_its_own(tmp_path: Path) -> None:
    store = store_at(tmp_path / "cache.db")
    store.open()
    store.put(KEY, b"parent", 60)
    child = os.fork()
    if child == 0:  # no assertion may leave this branch: the child would go on with the tests
        store.put(KEY, b"child" if store.get(KEY) == b"parent" else b"lost", 60)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert store.get(KEY) == b"child"
    store.close()


@pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")
def test_a_file_with_loose_rights_is_tightened(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    path.touch()
    path.chmod(0o666)
    store_at(path).put(KEY, b"value", 60)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX only")
def test_a_pipe_is_no_cache_and_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="not a regular file"):
        Cache(path=str(tmp_path / "pipe"))


def test_two_threads_share_a_file(sim: Any, tmp_path: Any) -> None:
    import threading

    store = Cache(path=tmp_path / "cache.db")._store
    problems: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(10):
                key = f"{number}-{turn}".encode()
                store.put(key, key, 60)
                assert store.get(key) == key
        except BaseException as error:  # noqa: BLE001 -- told to the main thread
            problems.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert list(store.reports()) == []


def test_an_unread_stream_gives_its_connection_back() -> None:
    from hookline import Response
    from hookline.plugin import watched

    closed: list[str] = []
    ended: list[Any] = []

    async def source() -> Any:
        try:
            yield ContentBlockDelta(0, None)  # type: ignore[arg-type]  # never looked at
        finally:
            closed.append("source")

    async def end(outcome: Any) -> None:
        ended.append((outcome.usage, type(outcome.error)))

    outer = watched(watched(Response(events=source()), print, end), print, end)
    drive(outer.events.aclose())  # type: ignore[union-attr]  # a Relay
    assert (closed, ended) == (["source"], [(None, GeneratorExit)] * 2)
