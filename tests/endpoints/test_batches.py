"""Batches: every item takes the journey of a message, and so does every result."""

import json
from collections.abc import AsyncIterator
from inspect import isawaitable
from itertools import pairwise
from typing import Any

import pytest
from attrs import define
from hypothesis import given
from hypothesis import strategies as st

from hookline import (
    APIError,
    AsyncItems,
    Batch,
    BatchItem,
    Continue,
    DeadlineExceeded,
    DecodeError,
    Deleted,
    Destination,
    Image,
    InputError,
    Items,
    Message,
    Pipeline,
    PluginError,
    PolicyViolation,
    Response,
    StreamFilter,
    ToolResultBlock,
    TransportError,
    TurnLimitExceeded,
    hookimpl,
)
from hookline._io import SyncIO, drive
from hookline.simulator import Rule
from hookline.wire.json_lines import lines
from support.watcher import Watcher

ODD: Any = {"modle": "y"}
TWO = [BatchItem("a", "How do ants smell?"), BatchItem("b", "And bees?")]


async def settled(value: Any) -> Any:
    return await value if isawaitable(value) else value


async def everything(items: Any) -> list[Any]:
    if isinstance(items, AsyncItems):
        return [item async for item in items]
    assert isinstance(items, Items)
    return list(items)


async def finished(line: Any, items: Any) -> dict[str, Any]:
    """Create a batch, wait for it, and return its results by id."""
    batch = await settled(line.batches.create(items))
    batch = await settled(line.batches.wait(batch))
    return {found.custom_id: found for found in await everything(line.batches.results(batch))}


def results(run: Any, items: Any = TWO, **line: Any) -> Any:
    return run(lambda pipeline: finished(pipeline, items), **line)


@define
class Clock:
    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


# The whole way ------------------------------------------------------------------------------------


def test_a_batch_from_its_creation_to_its_deletion(run: Any, sim: Any) -> None:
    async def body(line: Any) -> None:
        batch = await settled(line.batches.create(TWO))
        assert isinstance(batch, Batch)
        assert batch.processing_status == "in_progress"
        assert not batch.ended
        assert batch.request_counts.processing == 2
        assert batch.request_id
        batch = await settled(line.batches.wait(batch, timeout=5))
        assert batch.ended
        assert batch.request_counts.succeeded == 2
        assert (await settled(line.batches.get(batch.id))) == batch
        assert [each.id for each in await settled(line.batches.list())] == [batch.id]
        assert [each.id for each in await everything(line.batches.all(limit=1))] == [batch.id]
        found = await everything(line.batches.results(batch))
        assert [(each.custom_id, each.type, each.error) for each in found] == [
            ("a", "succeeded", None),
            ("b", "succeeded", None),
        ]
        assert "How do ants smell?" in found[0].reply.text
        assert found[0].reply.usage.service_tier == "batch"
        deleted = await settled(line.batches.delete(batch))
        assert deleted == Deleted(batch.id, "message_batch_deleted")
        with pytest.raises(APIError, match="not found"):
            await settled(line.batches.get(batch))

    run(body, base_url=sim())


def test_a_result_costs_half(run: Any) -> None:
    async def body(line: Any) -> None:
        found = await finished(line, [BatchItem("a", "Hello")])
        reply = await line.send("Hello")
        assert found["a"].reply.cost * 2 == reply.cost

    run(body)


def test_the_reply_knows_its_request_where_the_batch_was_made(run: Any) -> None:
    items = [BatchItem("a", "The answer?", prefill="The answer is", system="Be brief.")]

    async def body(line: Any) -> None:
        batch = await settled(line.batches.create(items))
        (known,) = await everything(line.batches.results(await settled(line.batches.get(batch))))
        assert known.reply.text.startswith("The answer is")
        assert known.reply.prefill_mode == "native"
        assert known.reply.request.system == "Be brief."
        assert known.reply.messages[-1].text == known.reply.text
        (unknown,) = await everything(line.batches.results(batch.id))
        assert unknown.reply.prefill is None
        assert unknown.reply.text == known.reply.completion
        assert unknown.reply.request.messages == ()

    run(body)


def test_results_may_be_read_twice(run: Any) -> None:
    async def body(line: Any) -> None:
        batch = await settled(line.batches.create(TWO))
        first = await everything(line.batches.results(batch))
        again = await everything(line.batches.results(batch))
        assert [each.reply.text for each in first] == [each.reply.text for each in again]

    run(body)


# The journey --------------------------------------------------------------------------------------


def test_an_item_and_its_result_pass_every_hook(run: Any, sim: Any) -> None:
    watcher, server = Watcher(), sim()
    found = results(run, [BatchItem("a", "Hello")], base_url=server, plugins=[watcher])
    assert watcher.seen == [
        "on_turn_start",
        "build_history",
        "inject_prefill",
        "resolve_images",
        "send",
        "check_request",
        "on_attempt 1 200 From a transform.",
        "conclude",
        "on_turn_end",
        "on_turn_start",
        "filter_stream",
        "post_process",
        "check_reply",
        "conclude",
        "on_turn_end",
    ]
    assert watcher.surfaces == {"batch"}
    (sent, sent_error), (reply, error) = watcher.ends
    assert sent_error is None
    assert sent.response.content == ()
    assert sent.request.system == "From a transform."
    assert error is None
    assert reply is found["a"].reply


def test_what_leaves_is_what_the_hooks_made_of_it(run: Any, sim: Any) -> None:
    server = sim()
    run(
        lambda line: settled(line.batches.create([BatchItem("a", "Hello", max_tokens=7)])),
        base_url=server,
        plugins=[Watcher()],
    )
    ((item,),) = (body["requests"] for body in server.bodies)
    assert item == {
        "custom_id": "a",
        "params": {
            "model": "claude-haiku-4-5",
            "max_tokens": 7,
            "system": "From a transform.",
            "metadata": {"user_id": "from the onion"},
            "messages": [{"role": "user", "content": "Hello"}],
        },
    }


def test_images_are_resolved(run: Any, sim: Any) -> None:
    pytest.importorskip("PIL")
    from PIL import Image as Picture

    Picture.new("RGB", (8, 8)).save("ant.png")
    server = sim()
    found = results(run, [BatchItem("a", [Image("ant.png"), "What is it?"])], base_url=server)
    assert found["a"].reply is not None
    (item,) = json.loads(server.calls[0].body)["requests"]
    assert item["params"]["messages"][0]["content"][0]["source"]["type"] == "base64"


def test_the_betas_of_all_items_go_into_the_header(run: Any, loopback: Any, http: Any) -> None:
    batch = {"id": "b", "type": "message_batch", "processing_status": "in_progress"}
    server = loopback(lambda _: http(200, batch))
    items = [BatchItem("a", "x", betas=["one", "two"]), BatchItem("b", "x", betas=["two"])]
    run(lambda line: settled(line.batches.create(items, betas=["zero"])), **server.line)
    assert server.requests[0].headers["anthropic-beta"] == "zero,one,two"


class Refuser:
    role = "enforcer"

    @hookimpl
    def check_request(self, request: Any) -> Any:
        if "secret" in request.messages[-1].text:
            raise PolicyViolation("no secrets", rule="secrets")


def test_one_refused_item_refuses_the_batch_and_is_named(run: Any, sim: Any) -> None:
    server, watcher = sim(), Watcher()
    items = [BatchItem("fine", "Hello"), BatchItem("leak", "A secret"), BatchItem("late", "x")]

    async def body(line: Any) -> None:
        with pytest.raises(PolicyViolation, match=r"batch item 'leak': no secrets") as caught:
            await settled(line.batches.create(items))
        assert caught.value.rule == "secrets"
        assert watcher.ends == [(None, caught.value)] * 2

    run(body, base_url=server, plugins=[watcher], policy=Refuser())
    assert server.calls == []


@pytest.mark.parametrize(
    ("item", "kind", "text"),
    [
        (BatchItem("empty", ""), InputError, "batch item 'empty': the message is empty"),
        (BatchItem("odd", "x", **ODD), InputError, "batch item 'odd': there is no parameter"),
        (BatchItem("none"), InputError, "batch item 'none': there is nothing to send"),
        (BatchItem("gone", [Image("gone.png")]), InputError, "batch item 'gone': "),
    ],
)
def test_an_item_that_cannot_be_sent_is_named(
    run: Any, sim: Any, item: Any, kind: Any, text: str
) -> None:
    server = sim()

    async def body(line: Any) -> None:
        with pytest.raises(kind, match=text):
            await settled(line.batches.create([BatchItem("ok", "x"), item]))

    run(body, base_url=server)
    assert server.calls == []


def test_a_failing_plugin_names_the_item_too(run: Any) -> None:
    class Broken:
        @hookimpl
        def build_history(self, request: Any) -> Any:
            raise ZeroDivisionError

    async def body(line: Any) -> None:
        with pytest.raises(PluginError, match=r"batch item 'a': .*ZeroDivisionError") as caught:
            await settled(line.batches.create(TWO))
        assert caught.value.hook == "build_history"

    run(body, plugins=[Broken()])


def test_an_onion_that_answers_by_itself_cannot_hide_an_item_from_what_lies_inside(
    run: Any, sim: Any
) -> None:
    class Cache:
        @hookimpl
        def send(self, request: Any, call_next: Any) -> Any:
            return Response(id="cached")

    server = sim()

    async def body(line: Any) -> None:
        with pytest.raises(InputError, match=r"batch item 'a': .*without sending"):
            await settled(line.batches.create(TWO))

    run(body, base_url=server, plugins=[Cache()])
    assert server.calls == []


def test_a_batch_that_the_api_refuses_ends_every_turn(run: Any, loopback: Any, http: Any) -> None:
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "Too odd"}}
    server, watcher = loopback(lambda _: http(400, error)), Watcher()

    async def body(line: Any) -> None:
        with pytest.raises(APIError, match="Too odd") as caught:
            await settled(line.batches.create(TWO))
        assert watcher.ends == [(None, caught.value)] * 2
        assert watcher.seen.count("on_attempt 1 400 From a transform.") == 2

    run(body, plugins=[watcher], **server.line)


# Before anything is looked at ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("items", "text"),
    [
        ([], "takes a list"),
        (BatchItem("a", "x"), "takes a list"),
        ("ab", "takes a list"),
        ([{"custom_id": "a"}], r"items\[0\] must be a BatchItem, not dict"),
        ([BatchItem("", "x")], r"items\[0\]: custom_id"),
        ([BatchItem("a b", "x")], r"items\[0\]: custom_id"),
        ([BatchItem("a\n", "x")], r"items\[0\]: custom_id"),
        ([BatchItem("ä", "x")], r"items\[0\]: custom_id"),
        ([BatchItem("a" * 65, "x")], r"items\[0\]: custom_id"),
        ([BatchItem(7, "x")], r"items\[0\]: custom_id"),  # type: ignore[arg-type]  # on purpose
        ([*TWO, BatchItem("a", "x")], r"items\[2\]: custom_id 'a' is that of items\[0\] too"),
        ([BatchItem("a", "x")] * 100_001, "100,000 items at most, not 100,001"),
    ],
)
def test_a_malformed_batch_is_refused_at_once(
    blocking: Any, sim: Any, items: Any, text: str
) -> None:
    server = sim()

    async def body(line: Any) -> None:
        with pytest.raises(InputError, match=text):
            line.batches.create(items)

    blocking(body, base_url=server)
    assert server.calls == []


def test_ids_at_the_limit_are_fine(run: Any) -> None:
    found = results(run, [BatchItem("a" * 64, "x"), BatchItem("A-z_09", "x")])
    assert set(found) == {"a" * 64, "A-z_09"}


# Results ------------------------------------------------------------------------------------------


def test_an_errored_item_has_the_error_of_the_api(run: Any) -> None:
    items = [BatchItem("a", "Hello"), BatchItem("b", "Hello", model="claude-none")]
    found = results(run, items, unknown_models="allow")
    assert found["a"].error is None
    assert (found["b"].type, found["b"].reply) == ("errored", None)
    error = found["b"].error
    assert isinstance(error, APIError)
    assert (error.type, error.message) == ("not_found_error", "model: claude-none")
    assert not error.retryable


def test_canceled_and_expired_items_have_neither_reply_nor_error(run: Any, sim: Any) -> None:
    clock = Clock()
    server = sim(clock=clock, batch_seconds=10 * 24 * 3600)

    async def body(line: Any) -> None:
        canceled = await settled(line.batches.create(TWO))
        expired = await settled(line.batches.create(TWO))
        with pytest.raises(APIError, match="In progress batches cannot be deleted"):
            await settled(line.batches.delete(canceled))
        with pytest.raises(APIError, match="no available results"):
            await everything(line.batches.results(canceled))
        asked = await settled(line.batches.cancel(canceled))
        assert asked.cancel_initiated_at is not None
        clock.now += 24 * 3600 + 1
        for batch, kind in ((canceled, "canceled"), (expired, "expired")):
            found = await everything(line.batches.results(batch))
            assert [(each.type, each.reply, each.error) for each in found] == [
                (kind, None, None)
            ] * 2

    run(body, base_url=server)


def test_filters_and_post_process_work_on_results(run: Any) -> None:
    class Rewriter:
        @hookimpl
        def filter_stream(self) -> Any:
            return StreamFilter.deltas(lambda text: text.replace("ants", "****"), look_behind=4)

        @hookimpl
        def post_process(self, reply: Any) -> Any:
            return reply.with_text(reply.text.upper())

    found = results(run, plugins=[Rewriter()])
    assert "HOW DO **** SMELL?" in found["a"].reply.text


def test_a_second_step_is_an_error_that_keeps_the_reply(run: Any, sim: Any) -> None:
    server = sim(Rule(tool_use={"name": "smell", "input": {}}))

    class Goer:
        @hookimpl
        def post_process(self, reply: Any) -> Any:
            if not reply.tool_uses:
                return None
            result = ToolResultBlock(reply.tool_uses[0].id, "sweet")
            return Continue(
                reply.request.evolve(messages=(*reply.messages, Message("user", (result,))))
            )

    found = results(run, base_url=server, plugins=[Goer()])
    assert found["a"].type == "succeeded"
    assert found["a"].reply is None
    error = found["a"].error
    assert isinstance(error, TurnLimitExceeded)
    assert "a batch has no second step" in str(error)
    assert "send(messages=error.following.messages)" in str(error)
    assert error.following is not None
    following = error.following.messages
    assert [each.role for each in following] == ["user", "assistant", "user"]
    run(lambda line: line.send(messages=following))  # what the error says works when typed
    assert error.partial is not None
    assert error.partial.tool_uses[0].name == "smell"


def test_what_a_plugin_refuses_spares_the_other_results(run: Any) -> None:
    class Picky:
        role = "enforcer"

        @hookimpl
        def post_process(self, reply: Any) -> Any:
            if "bees" in reply.text:
                raise PolicyViolation("no bees")

    watcher = Watcher()
    found = results(run, policy=Picky(), plugins=[watcher])
    assert found["a"].reply is not None
    assert isinstance(found["b"].error, PolicyViolation)
    assert found["b"].reply is None
    assert watcher.ends[-1] == (None, found["b"].error)


def test_context_and_state_of_an_item_reach_its_result(run: Any) -> None:
    seen: list[Any] = []

    class Keeper:
        @hookimpl
        def build_history(self, turn: Any) -> Any:
            turn.state[self] = turn.context["user"]

        @hookimpl
        def post_process(self, turn: Any) -> Any:
            seen.append((turn.context["user"], turn.state[self]))

    results(run, [BatchItem("a", "x", context={"user": "ann"})], plugins=[Keeper()])
    assert seen == [("ann", "ann")]


# Waiting ------------------------------------------------------------------------------------------


class Patient(SyncIO):
    """A clock of its own that sleeping moves on."""

    __slots__ = ("clock", "waits")

    def __init__(self, clock: Clock) -> None:
        super().__init__(None)  # type: ignore[arg-type]  # nothing is fetched
        self.clock = clock
        self.waits: list[float] = []

    def now(self) -> float:
        return self.clock.now

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.clock.now += seconds


def patient(clock: Clock, **options: Any) -> tuple[Pipeline, list[float]]:
    io = Patient(clock)

    class PatientPipeline(Pipeline):
        def _make_io(self) -> Patient:
            return io

    return PatientPipeline(model="claude-haiku-4-5", **options), io.waits


def test_waiting_asks_as_often_as_the_api_likes(sim: Any) -> None:
    clock = Clock()
    server = sim(clock=clock, batch_seconds=25)
    line, waits = patient(clock, base_url=server)
    with line:
        batch = line.batches.create(TWO)
        assert line.batches.wait(batch).ended
    assert waits == [10, 10, 10]


def test_waiting_ends_in_time_and_asks_once_more(sim: Any) -> None:
    clock = Clock()
    server = sim(clock=clock, batch_seconds=3600)
    line, waits = patient(clock, base_url=server)
    with line:
        batch = line.batches.create(TWO)
        with pytest.raises(DeadlineExceeded, match=f"the wait for batch {batch.id}"):
            line.batches.wait(batch, timeout=25)
    assert waits == [10, 10, 5]
    assert len(server.calls) == 1 + 4


def test_waiting_without_a_hint_is_polite(loopback: Any, http: Any) -> None:
    states = ["ended", "in_progress"]
    server = loopback(lambda _: http(200, {"id": "b", "processing_status": states.pop()}))
    line, waits = patient(Clock(), base_url=server.url, api_key="k")
    with line:
        assert line.batches.wait("b").ended
    assert waits == [30]


# Bytes --------------------------------------------------------------------------------------------


def result_line(custom_id: str, **result: Any) -> bytes:
    return json.dumps({"custom_id": custom_id, "result": result}).encode() + b"\n"


def test_results_are_read_as_a_stream(
    run: Any, loopback: Any, http: Any, message: Any, wait: Any
) -> None:
    first = result_line("a", type="succeeded", message=message("Yes"))
    kind = {"content-type": "application/x-jsonl"}
    server = loopback(lambda _: (http(200, first, kind, length=10_000), wait))

    async def body(line: Any) -> None:
        found = line.batches.results("b")
        one = await anext(found) if isinstance(found, AsyncItems) else next(found)
        assert one.reply.text == "Yes"
        await settled(found.close())
        await settled(found.close())

    run(body, **server.line)


def test_an_iterator_of_results_is_a_context_manager(
    run: Any, loopback: Any, http: Any, message: Any
) -> None:
    one = result_line("a", type="succeeded", message=message("Yes"))
    server = loopback(lambda _: http(200, one + one))

    async def body(line: Any) -> None:
        found = line.batches.results("b")
        assert server.requests == []
        if isinstance(found, AsyncItems):
            async with found as items:
                async for item in items:
                    assert item.custom_id == "a"
                    break
            assert [item async for item in found] == []
        else:
            with found as items:
                for item in items:
                    assert item.custom_id == "a"
                    break
            assert list(found) == []

    run(body, **server.line)


def test_results_that_break_off_are_an_error(
    run: Any, loopback: Any, http: Any, message: Any
) -> None:
    one = result_line("a", type="succeeded", message=message("Yes"))
    server = loopback(lambda _: http(200, one, length=10_000))

    async def body(line: Any) -> None:
        with pytest.raises(TransportError):
            await everything(line.batches.results("b"))

    run(body, **server.line)


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b"[]",
        b"{}",
        b'{"custom_id": 1, "result": {"type": "expired"}}',
        b'{"custom_id": "a", "result": {}}',
        b'{"custom_id": "a", "result": {"type": "succeeded"}}',
        b'{"custom_id": "a", "result": {"type": "succeeded", "message": {}}}',
    ],
)
def test_a_malformed_line_says_where(run: Any, loopback: Any, http: Any, line: bytes) -> None:
    server = loopback(lambda _: http(200, result_line("a", type="expired") + line))

    async def body(pipeline: Any) -> None:
        with pytest.raises(DecodeError, match=r"^line 2: "):
            await everything(pipeline.batches.results("b"))

    run(body, **server.line)


def test_results_newer_than_ours_are_kept(run: Any, loopback: Any, http: Any) -> None:
    body_lines = result_line("a", type="postponed", until="2027") + result_line(
        "b", type="errored", error={"type": "error", "error": {"type": "overloaded_error"}}
    )
    server = loopback(lambda _: http(200, body_lines))

    async def body(line: Any) -> None:
        postponed, errored = await everything(line.batches.results("b"))
        assert (postponed.type, postponed.extra) == ("postponed", {"until": "2027"})
        assert isinstance(errored.error, APIError)
        assert errored.error.retryable

    run(body, **server.line)


async def _pieces(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def _gathered(pieces: list[bytes], most: int) -> list[bytes]:
    return [line async for line in lines(_pieces(pieces), most)]


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_lines_do_not_depend_on_how_they_arrive(body: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    pieces = [body[a:b] for a, b in pairwise(edges)]
    expected = [line for line in body.split(b"\n") if line.strip()]
    assert drive(_gathered(pieces, 1000)) == expected


@pytest.mark.parametrize(
    "pieces", [[b"x" * 11], [b"x" * 6] * 2, [b"x" * 11 + b"\n"], [b"a\n" + b"x" * 11]]
)
def test_a_line_has_a_longest_size(pieces: list[bytes]) -> None:
    with pytest.raises(DecodeError, match="longer than 10 bytes"):
        drive(_gathered(pieces, 10))


def test_conclude_learns_the_cost_when_the_result_arrives(run: Any, sim: Any) -> None:
    concluded: list[tuple[int, int]] = []

    class Ledger:
        @hookimpl
        def conclude(self, outcome: Any) -> None:
            concluded.append((len(outcome.attempts), outcome.usage.output_tokens))

    async def body(line: Any) -> Any:
        batch = await settled(line.batches.create(TWO[:1]))
        assert concluded == [(1, 0)]  # what it will cost is not known yet
        ended = await settled(line.batches.wait(batch))
        (result,) = await everything(line.batches.results(ended))
        return result.reply.usage.output_tokens

    spent = run(body, base_url=sim(), plugins=[Ledger()])
    assert spent > 0
    assert concluded == [(1, 0), (1, spent)]


def test_an_item_that_a_plugin_sends_elsewhere_stays(run: Any, sim: Any) -> None:
    server = sim()

    class Redirects:
        @hookimpl
        async def send(self, turn: Any, request: Any, call_next: Any) -> Any:
            own = turn.destination
            turn.destination = Destination(base_url="https://eu.example", api_key="k")
            try:
                return await call_next(request)
            finally:
                turn.destination = own  # what counts is what was judged

    class OnlyThere:
        role = "enforcer"
        inline = True

        @hookimpl
        def check_request(self, turn: Any) -> None:
            if turn.upstream != "https://eu.example":
                raise PolicyViolation("only to Europe")

    with pytest.raises(InputError, match="another destination"):
        run(
            lambda line: settled(line.batches.create(TWO)),
            base_url=server,
            plugins=[Redirects()],
            policy=OnlyThere(),
        )
    assert server.calls == []
