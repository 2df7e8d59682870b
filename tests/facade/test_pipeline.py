"""``Pipeline`` and ``AsyncPipeline``: one surface, keys and addresses, bad input, threads."""

import asyncio
import inspect
import threading
from pathlib import Path
from typing import Any

import pytest
import trio

import hookline
from hookline import (
    AsyncConversation,
    AsyncPipeline,
    AsyncStream,
    ConfigError,
    Conversation,
    HooklineError,
    Image,
    InputError,
    Pipeline,
    Stream,
    hookimpl,
)
from hookline.simulator import Rule

KEY = "sk-ant-canary-4711"


# One surface


def public(thing: type) -> dict[str, Any]:
    return {name: getattr(thing, name) for name in dir(thing) if not name.startswith("_")}


PAIRS = [(Pipeline, AsyncPipeline), (Conversation, AsyncConversation), (Stream, AsyncStream)]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_both_classes_have_the_same_public_names(one: type, other: type) -> None:
    assert public(one).keys() == public(other).keys()


@pytest.mark.parametrize(("one", "other"), [*PAIRS])
def test_both_classes_take_the_same_parameters(one: type, other: type) -> None:
    for name, member in public(one).items():
        if not inspect.isfunction(member):
            assert type(getattr(one, name)) is type(getattr(other, name)), name
            continue
        ours, theirs = (inspect.signature(getattr(each, name)) for each in (one, other))
        assert [(p.name, p.kind, p.default) for p in ours.parameters.values()] == [
            (p.name, p.kind, p.default) for p in theirs.parameters.values()
        ], name


def test_the_constructors_take_the_same_parameters() -> None:
    ours, theirs = inspect.signature(Pipeline), inspect.signature(AsyncPipeline)
    assert ours.parameters == theirs.parameters
    assert {
        "model",
        "max_tokens",
        "api_key",
        "base_url",
        "timeout",
        "config",
        "plugins",
        "policy",
        "client",
        "context",
    } <= set(ours.parameters)


def test_send_and_stream_take_every_field_of_a_request() -> None:
    from attrs import fields

    from hookline.send_options import SendOptions
    from hookline.values.messages import Request

    known = {field.name for field in fields(Request) if not field.name.startswith("_")}
    ours = {"prefill", "images", "output", "tools", "timeout", "context", "extra"}
    assert known - {"stream"} | ours <= set(SendOptions.__annotations__)


def test_all_public_names_exist() -> None:
    for name in hookline.__all__:
        assert getattr(hookline, name) is not None
    assert sorted(hookline.__all__) == hookline.__all__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = hookline.nothing


# Basic use


def test_a_message_gets_a_reply(run: Any, streamed: Any) -> None:
    reply = run.outcome(streamed, "Hello, Claude", line={})
    assert "simulator" in reply.text
    assert "Hello, Claude" in reply.text
    assert reply.stop_reason == "end_turn"
    assert reply.model.startswith("claude-haiku-4-5")
    assert reply.usage.input_tokens > 0
    assert reply.cost > 0
    assert reply.request_id.startswith("req_")
    assert reply.response.status == 200
    assert [attempt.status for attempt in reply.trace.attempts] == [200]


def test_request_fields_reach_the_wire(run: Any, sim: Any, streamed: Any) -> None:
    server = sim()
    run.outcome(
        streamed,
        line={"base_url": server, "max_tokens": 99},
        system="Be brief.",
        stop_sequences=["END"],
        temperature=0.3,
        metadata={"user_id": "u1"},
    )
    body = server.bodies[0]
    assert body["max_tokens"] == 99
    assert body["system"] == "Be brief."
    assert body["stop_sequences"] == ["END"]
    assert body["temperature"] == 0.3
    assert body["metadata"] == {"user_id": "u1"}
    assert body.get("stream", False) == streamed


def test_a_pipeline_works_inside_a_running_loop() -> None:
    async def notebook() -> str:
        with Pipeline(base_url="sim:") as line, line.stream("Hello") as stream:
            return line.send("Hello").text + "".join(stream.text)

    assert asyncio.run(notebook()).count("Hello") == 2
    assert trio.run(notebook).count("Hello") == 2


def test_an_async_pipeline_serves_a_second_loop() -> None:
    line = AsyncPipeline(base_url="sim:")

    async def main() -> str:
        return (await line.send("Hello")).text

    assert asyncio.run(main()) == asyncio.run(main()) == trio.run(main)
    asyncio.run(line.close())


def test_many_threads_use_one_pipeline() -> None:
    failures: list[BaseException] = []

    class Slow:
        @hookimpl
        async def build_history(self, turn: Any, request: Any) -> Any:
            await turn.io.sleep(0.001)
            return request.evolve(system=turn.context["name"])

    with Pipeline(base_url="sim:", plugins=[Slow()]) as line:

        def work(number: int) -> None:
            try:
                for _ in range(5):
                    name = f"thread {number}"
                    reply = line.send(name, context={"name": name})
                    assert name in reply.text
                    assert reply.request.system == name
                    with line.stream(name, context={"name": name}) as stream:
                        assert name in "".join(stream.text)
            except BaseException as error:  # noqa: BLE001 -- looked at below
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []


def test_many_tasks_use_one_async_pipeline() -> None:
    async def main() -> list[str]:
        async with AsyncPipeline(base_url="sim:") as line:
            replies = await asyncio.gather(*(line.send(f"task {n}") for n in range(30)))
        return [reply.text for reply in replies]

    texts = asyncio.run(main())
    assert all(f"task {number}" in text for number, text in enumerate(texts))


def test_a_call_cannot_override_the_context_of_the_owner(run: Any) -> None:
    with pytest.raises(InputError, match=r"context\['user'\] is fixed by the pipeline"):
        run.send(line={"context": {"user": "a"}}, context={"user": "b"})


def test_context_of_pipeline_and_call_are_joined(run: Any) -> None:
    seen: list[Any] = []

    class Looks:
        @hookimpl
        def on_turn_start(self, turn: Any) -> None:
            seen.append(dict(turn.context))
            with pytest.raises(TypeError):
                turn.context["user"] = "other"

    run.send(
        line={"plugins": [Looks()], "context": {"user": "a", "tenant": "t"}}, context={"step": 2}
    )
    assert seen == [{"step": 2, "user": "a", "tenant": "t"}]


def test_models_of_a_plugin_are_known_to_the_pipeline(run: Any, sim: Any) -> None:
    from hookline import ModelFacts

    class Models:
        @hookimpl
        def register_models(self, register: Any) -> None:
            register(ModelFacts(id="claude-of-my-own", prefill=True))

    async def body(line: Any) -> Any:
        return await line.explain("Hello", model="claude-of-my-own", prefill="So")

    explanation = run(body, plugins=[Models()], base_url=sim())
    assert explanation.request.messages[-1].role == "assistant"


def test_routes_of_a_plugin_are_listed() -> None:
    class Routes:
        @hookimpl
        def register_routes(self, register: Any) -> None:
            register("/stats", "an app")

    with Pipeline(base_url="sim:", plugins=[Routes()]) as line:
        assert line.registered.routes == (("/stats", "an app"),)


# Keys and addresses


def answered(loopback: Any, http: Any, message: Any) -> Any:
    return loopback(lambda request: http(200, message("Hi!")))


def test_a_missing_key_tells_three_ways_and_the_simulator(run: Any, streamed: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        run.outcome(streamed, line={"base_url": None})
    text = str(caught.value)
    assert "api_key=" in text
    assert "ANTHROPIC_API_KEY" in text
    assert "ANTHROPIC_AUTH_TOKEN" in text
    assert 'base_url="sim:"' in text


@pytest.mark.parametrize(
    ("environment", "options", "wanted"),
    [
        ({}, {"api_key": KEY}, ("x-api-key", KEY)),
        ({}, {"auth_token": KEY}, ("authorization", f"Bearer {KEY}")),
        ({"ANTHROPIC_API_KEY": KEY}, {}, ("x-api-key", KEY)),
        ({"ANTHROPIC_AUTH_TOKEN": KEY}, {}, ("authorization", f"Bearer {KEY}")),
        ({"ANTHROPIC_API_KEY": "other"}, {"api_key": KEY}, ("x-api-key", KEY)),
        ({"ANTHROPIC_API_KEY": "other"}, {"auth_token": KEY}, ("authorization", f"Bearer {KEY}")),
        ({"ANTHROPIC_AUTH_TOKEN": "other"}, {"api_key": KEY}, ("x-api-key", KEY)),
        ({"ANTHROPIC_API_KEY": f" {KEY}\n"}, {}, ("x-api-key", KEY)),
    ],
)
def test_keys_come_from_argument_or_environment(
    run: Any,
    loopback: Any,
    http: Any,
    message: Any,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    options: dict[str, str],
    wanted: tuple[str, str],
) -> None:
    server = answered(loopback, http, message)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    run.send(line={"base_url": server.url, **options})
    headers = server.requests[0].headers
    name, value = wanted
    assert headers[name] == value
    assert len({"x-api-key", "authorization"} & headers.keys()) == 1


def test_the_address_of_the_environment_is_honoured(
    run: Any, loopback: Any, http: Any, message: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = answered(loopback, http, message)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url + "/")
    assert run.send(line={"base_url": None}).text == "Hi!"
    assert server.requests[0].path == "/v1/messages"


def test_the_environment_may_name_the_simulator(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "sim:")
    assert "simulator" in run.send(line={"base_url": None}).text


def test_the_simulator_takes_a_scenario_file(run: Any, tmp_path: Path) -> None:
    (tmp_path / "rain.toml").write_text('[[rule]]\nreply = "It rains."\n', encoding="utf-8")
    assert run.send(line={"base_url": "sim:rain.toml"}).text == "It rains."


def test_a_scenario_file_that_is_not_there_is_an_error_at_construction() -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml"):
        Pipeline(base_url="sim:nowhere.toml")


def test_headers_that_are_sent(
    run: Any, loopback: Any, http: Any, message: Any, streamed: Any
) -> None:
    server = answered(loopback, http, message)
    line = {**server.line, "headers": {"X-Team": "blue"}, "api_version": "2026-10-21"}
    run.outcome(streamed, line=line, betas=["one", "two"])
    headers = server.requests[0].headers
    assert headers["content-type"] == "application/json"
    assert headers["anthropic-version"] == "2026-10-21"
    assert headers["anthropic-beta"] == "one,two"
    assert headers["x-team"] == "blue"
    assert headers["user-agent"].startswith("hookline/")
    assert headers["x-api-key"] == "test-key"


def test_a_local_server_needs_no_key(run: Any, loopback: Any, http: Any, message: Any) -> None:
    server = answered(loopback, http, message)
    assert run.send(line={"base_url": server.url}).text == "Hi!"
    assert not {"x-api-key", "authorization"} & server.requests[0].headers.keys()


@pytest.mark.parametrize("option", ["api_key", "auth_token"])
@pytest.mark.parametrize("key", [f"{KEY}\n", f"{KEY}é", f"a {KEY}", 4711, f"{KEY}\r\nx: y"])
def test_a_key_that_cannot_be_a_header_is_refused_without_showing_it(option: str, key: Any) -> None:
    options: dict[str, Any] = {option: key}
    with pytest.raises(ConfigError, match=option) as caught:
        Pipeline(base_url="http://127.0.0.1:1", **options)
    assert "4711" not in str(caught.value)


@pytest.mark.parametrize("value", [5, "a\nb", "é"])
def test_a_header_that_cannot_be_sent_is_refused_without_showing_it(value: Any) -> None:
    with pytest.raises(ConfigError, match="x-team") as caught:
        Pipeline(base_url="sim:", headers={"x-team": value})
    assert repr(value) not in str(caught.value)


# Bad input: each its own clear error, and nothing sent


def refused(run: Any, sim: Any, streamed: Any, *given: Any, **options: Any) -> str:
    server = sim()
    with pytest.raises(InputError) as caught:
        run.outcome(streamed, *given, line={"base_url": server}, **options)
    assert server.calls == []
    return str(caught.value)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("", "the message is empty"),
        ("  \n", "the message is empty"),
        (None, "nothing to send"),
        ([], "the message is empty"),
        (["Hello", " "], "empty text"),
        (5, "not int"),
        (5.5, "not float"),
        ([5], "not int"),
        ([b"bytes"], "not bytes"),
        (b"bytes", "not bytes"),
        (Path("ant.jpg"), "Image"),
        ({"Hello"}, "not set"),
    ],
)
def test_a_message_that_is_none_is_refused(
    run: Any, sim: Any, streamed: Any, given: Any, text: str
) -> None:
    assert text in refused(run, sim, streamed, given)


def test_a_missing_file_is_refused(run: Any, sim: Any, streamed: Any) -> None:
    text = refused(run, sim, streamed, [Image("ant.jpg"), "What is this?"])
    assert "ant.jpg" in text


def test_a_file_that_is_no_image_is_refused(
    run: Any, sim: Any, streamed: Any, tmp_path: Path
) -> None:
    (tmp_path / "ant.jpg").write_text("no image")
    assert "ant.jpg" in refused(run, sim, streamed, "What is this?", images=["ant.jpg"])


def test_a_directory_is_no_image(run: Any, sim: Any, streamed: Any, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    assert "pictures" in refused(run, sim, streamed, "What is this?", images=["pictures"])


@pytest.mark.parametrize("model", ["claude-haiku-4-6", "claude-haiku-4-55", "gpt-5"])
def test_an_unknown_model_is_refused_with_the_nearest(
    run: Any, sim: Any, streamed: Any, model: str
) -> None:
    text = refused(run, sim, streamed, "Hello", model=model)
    assert f"unknown model {model!r}" in text
    assert "unknown_models" in text
    if model.startswith("claude"):
        assert "did you mean 'claude-haiku-4-5" in text


@pytest.mark.parametrize("model", ["", 5, None.__class__])
def test_a_model_that_is_no_name_is_refused(run: Any, sim: Any, streamed: Any, model: Any) -> None:
    assert "model must be the id of a model" in refused(run, sim, streamed, "Hello", model=model)


def test_an_unknown_model_may_be_allowed(run: Any, sim: Any) -> None:
    server = sim()
    with pytest.raises(HooklineError):
        run.send(line={"base_url": server, "unknown_models": "allow"}, model="claude-next")
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"prefil": "So"}, "did you mean 'prefill'?"),
        ({"zzz": 1}, "extra={…}"),
        ({"images": "ant.jpg"}, "images=[…]"),
        ({"timeout": 0}, "timeout must be a number of seconds above 0"),
        ({"timeout": "5"}, "timeout must be"),
        ({"timeout": float("nan")}, "timeout must be"),
        ({"stop_sequences": "END"}, "stop_sequences takes a list"),
        ({"messages": ["Hello"]}, "messages[0] must be a Message or a dict"),
        ({"prefill": 5}, "prefill must be a string"),
        ({"prefill": "So "}, "ends in whitespace"),
    ],
)
def test_a_wrong_option_is_refused(
    run: Any, sim: Any, streamed: Any, options: Any, text: str
) -> None:
    assert text in refused(run, sim, streamed, "Hello", **options)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"model": ""}, "model must be"),
        ({"max_tokens": 0}, "max_tokens must be a whole number above 0"),
        ({"max_tokens": 1.5}, "max_tokens must be"),
        ({"max_tokens": True}, "max_tokens must be"),
        ({"timeout": -1}, "timeout must be"),
        ({"max_steps": 0}, "max_steps must be"),
        ({"base_url": "example.com"}, "base_url must be an http(s) address"),
        ({"base_url": "ftp://example.com"}, "base_url must be an http(s) address"),
        ({"base_url": f"https://u:{KEY}@example.com"}, "user name or password"),
        ({"base_url": f"ftp://u:{KEY}@example.com"}, "user name or password"),
        ({"unknown_models": "yes"}, "unknown_models must be"),
        ({"plugins": "images"}, "plugins=[MyPlugin()]"),
        ({"plugins": ["nobody"]}, "no plugin called 'nobody'"),
        ({"plugins": ["image"]}, "did you mean 'images'?"),
        ({"client": object()}, "httpx"),
        ({"config": "nowhere.toml"}, "no configuration file 'nowhere.toml'"),
    ],
)
def test_a_wrong_option_of_the_pipeline_is_refused_when_it_is_built(
    options: Any, text: str
) -> None:
    for kind in (Pipeline, AsyncPipeline):
        with pytest.raises(ConfigError) as caught:
            kind(**{"base_url": "sim:", **options})
        assert text in str(caught.value)
        assert KEY not in str(caught.value)


def test_a_wish_whose_plugin_is_disabled_is_refused_and_not_dropped(run: Any) -> None:
    config = {"plugins": {"disable": ["prefill"]}}
    with pytest.raises(InputError, match="needs the plugin 'prefill'"):
        run.send(line={"config": config}, prefill="So")


# No secrets


def test_the_key_shows_nowhere(run: Any, sim: Any, streamed: Any, logged: Any) -> None:
    shown: list[str] = []

    class Fails:
        @hookimpl
        def post_process(self, turn: Any) -> None:
            shown.extend([repr(turn), str(turn), turn.trace.render(), repr(turn.trace)])
            raise ValueError("on purpose")

    options = {
        "base_url": sim(Rule(times=1)),
        "api_key": KEY,
        "headers": {"authorization": KEY},
        "plugins": [Fails()],
    }

    async def body(line: Any) -> None:
        inner = getattr(line, "inner", line)
        shown.extend([repr(inner), repr(inner.settings), str(inner.settings), repr(vars(inner))])
        try:
            if streamed:
                async with line.stream("Hello") as stream:
                    await stream.reply
            else:
                await line.send("Hello")
        except HooklineError as error:
            chain: BaseException | None = error
            while chain is not None:
                shown.extend([repr(chain), str(chain)])
                chain = chain.__cause__
        shown.append(repr(inner._upstreams))

    run(body, **options)
    assert shown
    assert KEY not in "".join(shown) + str(logged)


def test_the_prompt_is_not_in_representations(run: Any, streamed: Any) -> None:
    seen: list[str] = []

    class Looks:
        @hookimpl
        def on_turn_end(self, turn: Any) -> None:
            seen.extend([repr(turn), repr(turn.trace)])

    run.outcome(streamed, KEY, line={"plugins": [Looks()]}, system=KEY)
    assert KEY not in "".join(seen)


def test_representations_are_short(run: Any) -> None:
    async def body(line: Any) -> None:
        inner = getattr(line, "inner", line)
        assert len(repr(inner)) < 300
        reply = await line.send("x" * 5000)
        assert len(repr(reply)) < 200
        assert "<small" in reply._repr_html_()

    run(body)
