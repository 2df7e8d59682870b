"""Counting tokens: the journey of a message, and what comes back."""

import json
from inspect import isawaitable
from typing import Any

import pytest

from hookline import (
    APIError,
    DeadlineExceeded,
    DecodeError,
    InputError,
    Message,
    PolicyViolation,
    TokenCount,
    hookimpl,
)
from hookline._journey.plugin_set import HOOKS
from support.watcher import Watcher


async def count(line: Any, *given: Any, **options: Any) -> Any:
    found = line.count_tokens(*given, **options)
    return await found if isawaitable(found) else found


def counted(run: Any, *given: Any, line: Any = None, **options: Any) -> Any:
    return run(lambda pipeline: count(pipeline, *given, **options), **(line or {}))


def test_the_watcher_takes_part_in_every_hook_of_a_turn() -> None:
    of_a_turn = {hook for hook, kind in HOOKS.items() if kind not in ("register", "life")}
    assert of_a_turn <= set(dir(Watcher))


def test_a_count_passes_every_stage_but_those_that_work_on_a_reply(run: Any) -> None:
    watcher = Watcher()
    counted(run, "Hello", line={"plugins": [watcher]})
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
    ]
    assert watcher.surfaces == {"count_tokens"}
    (answer,) = watcher.answers
    assert answer.usage.input_tokens > 0
    assert answer.content == ()
    (reply, error) = watcher.ends[0]
    assert error is None
    assert reply.usage.input_tokens > 0


def test_the_count_is_what_the_message_then_costs(run: Any) -> None:
    async def body(line: Any) -> None:
        found = await count(line, "How do ants find home?", system="Be brief.", prefill="They")
        reply = await line.send("How do ants find home?", system="Be brief.", prefill="They")
        assert isinstance(found, TokenCount)
        assert int(found) == found.input_tokens == reply.usage.input_tokens
        assert found.request_id
        assert found.rate_limits.requests is not None

    run(body)


def test_only_the_fields_that_the_endpoint_takes_are_sent(run: Any, sim: Any) -> None:
    server = sim()
    counted(
        run,
        "Hello",
        line={"base_url": server, "plugins": [Watcher()]},
        messages=[Message("user", "Before"), Message("assistant", "Yes")],
        max_tokens=5,
        stop_sequences=["x"],
        service_tier="auto",
        temperature=1.0,
        tool_choice={"type": "auto"},
        tools=[{"name": "t", "input_schema": {"type": "object"}}],
    )
    assert server.calls[0].path == "/v1/messages/count_tokens"
    assert set(server.bodies[0]) == {"model", "messages", "system", "tools", "tool_choice"}
    assert len(server.bodies[0]["messages"]) == 3


def test_betas_and_fields_of_an_api_newer_than_ours_are_sent(
    run: Any, loopback: Any, http: Any
) -> None:
    server = loopback(lambda _: http(200, {"input_tokens": 9, "new": [1]}))
    found = counted(
        run, "Hello", line=server.line, betas=["some-beta-2026-12-01"], extra={"newer": True}
    )
    (request,) = server.requests
    assert request.headers["anthropic-beta"] == "some-beta-2026-12-01"
    assert request.headers["x-api-key"] == "test-key"
    assert request.headers["anthropic-version"] == "2023-06-01"
    assert request.json["newer"] is True
    assert (int(found), dict(found.extra)) == (9, {"new": (1,)})


def test_context_editing_tells_the_count_before_it(run: Any, loopback: Any, http: Any) -> None:
    answer = {"input_tokens": 9, "context_management": {"original_input_tokens": 99}}
    server = loopback(lambda _: http(200, answer))
    found = counted(run, "Hello", line=server.line)
    assert found.context_management == {"original_input_tokens": 99}


def test_a_native_prefill_is_refused_by_models_without_it(run: Any, sim: Any) -> None:
    server = sim()
    with pytest.raises(InputError, match="does not continue an assistant message"):
        counted(
            run,
            "Hello",
            line={"base_url": server},
            model="claude-opus-5-5",
            prefill="Yes",
            prefill_mode="native",
        )
    assert server.calls == []


def test_a_policy_refuses_a_count_too(run: Any, sim: Any) -> None:
    class Policy:
        role = "enforcer"

        @hookimpl
        def check_request(self, request: Any) -> Any:
            raise PolicyViolation("nothing leaves")

    server, watcher = sim(), Watcher()
    with pytest.raises(PolicyViolation, match="nothing leaves") as caught:
        counted(run, "Hello", line={"base_url": server, "policy": Policy(), "plugins": [watcher]})
    assert server.calls == []
    assert watcher.ends == [(None, caught.value)]


def test_a_retry_in_the_onion_works_on_counts(run: Any, loopback: Any, http: Any) -> None:
    class Again:
        @hookimpl
        async def send(self, request: Any, call_next: Any) -> Any:
            try:
                return await call_next(request)
            except APIError:
                return await call_next(request)

    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}}
    answers = [http(200, {"input_tokens": 3}), http(529, overloaded)]
    server = loopback(lambda _: answers.pop())
    found = counted(run, "Hello", line={**server.line, "plugins": [Again()]})
    assert int(found) == 3
    assert len(server.requests) == 2


def test_an_error_of_the_api_is_typed(run: Any) -> None:
    with pytest.raises(APIError, match="model: claude-none") as caught:
        counted(run, "Hello", model="claude-none", line={"unknown_models": "allow"})
    assert (caught.value.status, caught.value.type) == (404, "not_found_error")


@pytest.mark.parametrize("answer", [{}, {"input_tokens": "9"}, {"input_tokens": True}, [9]])
def test_an_answer_without_a_count_is_an_error(
    run: Any, loopback: Any, http: Any, answer: Any
) -> None:
    server = loopback(lambda _: http(200, answer))
    with pytest.raises(DecodeError):
        counted(run, "Hello", line=server.line)


def test_a_count_has_a_deadline(run: Any, loopback: Any, wait: Any) -> None:
    server = loopback(lambda _: (wait,))
    watcher = Watcher()
    with pytest.raises(DeadlineExceeded) as caught:
        counted(run, "Hello", line={**server.line, "plugins": [watcher]}, timeout=0.2)
    assert watcher.ends[0][0] is None
    assert caught.value.timeout == 0.2


def test_a_count_may_stand_where_an_int_may() -> None:
    assert list(range(TokenCount(2))) == [0, 1]
    assert json.dumps(int(TokenCount(2))) == "2"


@pytest.mark.parametrize(
    ("server", "error", "said"),
    [("ollama", InputError, "of the kind ollama counts no tokens"), ("vllm", APIError, "404")],
)
def test_a_server_that_counts_no_tokens_is_told_as_one(
    run: Any, loopback: Any, http: Any, server: str, error: Any, said: str
) -> None:
    there = loopback(lambda request: http(404, {}))

    async def body(line: Any) -> None:
        with pytest.raises(error, match=said):
            await line.count_tokens("Hi")

    run(body, **{**there.line, "server": server, "model": "ants-7b"})
