"""The plugin ``tools``: functions and links, their results, and the bounds of the loop."""

import json
from typing import Annotated, Any, Literal

import pytest
from loguru import logger
from pydantic import Field

from hookline import (
    ConfigError,
    DeadlineExceeded,
    HooklineError,
    Image,
    InputError,
    Pipeline,
    PluginError,
    PolicyViolation,
    TurnLimitExceeded,
    hookimpl,
)
from hookline.simulator import Rule, Scenario, Simulator
from hookline_plugins.tools import Tools

ADD = {"name": "add", "input": {"a": 1, "b": 2}}
DEFINITION = {
    "name": "add",
    "description": "Add.",
    "input_schema": {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    },
}
GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"


def add(a: int, b: int = 0) -> int:
    """Add two numbers.

    Args:
        a: the first.
        b: the second.

    """
    return a + b


async def add_later(a: int, b: int) -> int:
    """Add, some time."""
    return a + b


def results(server: Any) -> list[Any]:
    """The tool results of the last request."""
    return [
        block for block in server.bodies[-1]["messages"][-1]["content"] if "tool_use_id" in block
    ]


def test_a_function_of_the_call_is_run_and_its_result_sent(
    run: Any, sim: Any, streamed: Any
) -> None:
    server = sim(Rule(tool_use=ADD, times=1), Rule(reply="It is 3."))
    reply = run.outcome(streamed, line={"base_url": server}, tools=[add])
    assert reply.text == "It is 3."
    (definition,) = server.bodies[0]["tools"]
    assert definition["name"] == "add"
    assert definition["description"] == "Add two numbers."
    assert definition["input_schema"]["properties"]["a"] == {
        "type": "integer",
        "description": "the first.",
    }
    assert definition["input_schema"]["required"] == ["a"]
    (result,) = results(server)
    assert result["content"] == "3"
    assert "is_error" not in result
    assert server.bodies[1]["messages"][1]["role"] == "assistant"
    assert server.bodies[1]["messages"][1]["content"][-1]["id"] == result["tool_use_id"]
    assert len(reply.earlier) == 1


def test_an_async_function_is_awaited(run: Any, sim: Any) -> None:
    server = sim(Rule(tool_use={"name": "add_later", "input": {"a": 1, "b": 2}}, times=1))
    run.send(line={"base_url": server}, tools=[add_later])
    assert results(server)[0]["content"] == "3"


def test_several_calls_are_answered_in_one_message_in_order(run: Any, sim: Any) -> None:
    calls = [{"name": "add", "input": {"a": number}} for number in range(5)]
    server = sim(Rule(tool_use=calls, times=1))
    run.send(line={"base_url": server}, tools=[add])
    assert [result["content"] for result in results(server)] == ["0", "1", "2", "3", "4"]


def test_tools_of_plugins_are_offered_on_every_turn(run: Any, sim: Any) -> None:
    server = sim(Rule(tool_use=ADD, times=1))

    class Offers:
        @hookimpl
        def register_tools(self, register: Any) -> None:
            register(add)
            register({**DEFINITION, "name": "plus"}, lambda **given: sum(given.values()))

    run.send(line={"base_url": server, "plugins": [Offers()]})
    assert [tool["name"] for tool in server.bodies[0]["tools"]] == ["add", "plus"]
    assert results(server)[0]["content"] == "3"


def test_thoughts_go_back_as_they_came(run: Any, sim: Any, streamed: bool) -> None:
    def look() -> str:
        """Look."""
        return "six legs"

    use = {"name": "look", "input": {}}
    server = sim(Rule(call=1, thinking="I had better look.", tool_use=use), Rule(reply="Six."))
    thinks = {"thinking": {"type": "enabled", "budget_tokens": 1_024}, "max_tokens": 4_000}
    reply = run.outcome(streamed, line={"base_url": server}, tools=[look], **thinks)
    thought, called = server.bodies[1]["messages"][1]["content"]
    (came, _) = reply.earlier[0].content
    assert thought["thinking"] == came.thinking == "I had better look."
    assert thought["signature"] == came.signature
    assert called["name"] == "look"


class Routing:
    """Registers routes."""

    def __init__(self, *routes: Any) -> None:
        self.routes = routes

    @hookimpl
    def register_tools(self, register: Any) -> None:
        for name, route in self.routes:
            register(name, route)


def test_a_plugin_may_register_routes(
    run: Any, sim: Any, loopback: Any, http: Any, tmp_path: Any
) -> None:
    site = loopback(lambda _: http(200, {"legs": 6}))
    link = {"url": site.line["base_url"] + "/ants", "input_schema": {"type": "object"}}
    plugin = Routing(
        ("count", link),
        ("memory", f"memory:{tmp_path / 'notes'}"),
        ("del*", {"deny": "Nothing is deleted here."}),
        ("twice*", lambda number: number * 2),
    )
    uses = [
        {"name": "count", "input": {}},
        {"name": "memory", "input": {"command": "view", "path": "/memories"}},
        {"name": "delete", "input": {}},
        {"name": "twice_that", "input": {"number": 4}},
    ]
    server = sim(Rule(call=1, tool_use=uses), Rule(call=3, tool_use=uses[1]), Rule(reply="Done."))
    own = [{"name": name, "input_schema": {"type": "object"}} for name in ("delete", "twice_that")]

    async def body(line: Any) -> None:
        await line.send("Go", tools=own)
        counted, noted, denied, doubled = server.bodies[1]["messages"][-1]["content"]
        assert counted["content"] == '{"legs": 6}'
        assert noted["content"] == "/memories"
        assert denied["content"] == "Nothing is deleted here."
        assert doubled["content"] == "8"
        await line.send("Again", tools=own)
        assert server.bodies[3]["messages"][-1]["content"][0]["content"] == "/memories"

    run(body, base_url=server, plugins=[plugin])
    assert {"count", "memory"} < {tool.get("name") for tool in server.bodies[0]["tools"]}


def test_equal_routes_of_a_plugin_and_the_table_name_both(run: Any, sim: Any) -> None:
    plugin = Routing(("count", lambda: 6))
    with pytest.raises(ConfigError, match=r"routes= of Tools.*plugin 'Routing'"):
        run.send(
            line={"base_url": sim(), "plugins": [Tools(routes={"count": lambda: 5}), plugin]},
            tools=[{"name": "count", "input_schema": {"type": "object"}}],
        )


def test_a_route_that_a_plugin_registers_wrongly_is_named(run: Any, sim: Any) -> None:
    with pytest.raises(ConfigError, match="teleport"):
        run.send(line={"base_url": sim(), "plugins": [Routing(("count", "teleport:home"))]})


def test_a_definition_registered_without_a_function_is_refused() -> None:
    class Offers:
        @hookimpl
        def register_tools(self, register: Any) -> None:
            register(DEFINITION)

    with pytest.raises(Exception, match="and a function"):
        Pipeline(base_url="sim:", plugins=[Offers()])


def test_a_route_leads_a_tool_of_the_caller_to_a_function(run: Any, sim: Any) -> None:
    server = sim(Rule(tool_use=ADD, times=1))
    run.send(line={"base_url": server, "plugins": [Tools(routes={"add": add})]}, tools=[DEFINITION])
    assert [tool["description"] for tool in server.bodies[0]["tools"]] == ["Add."]
    assert results(server)[0]["content"] == "3"


def test_a_route_to_a_function_brings_its_definition(run: Any, sim: Any) -> None:
    server = sim(Rule(tool_use={"name": "plus", "input": {"a": 4}}, times=1))
    run.send(line={"base_url": server, "plugins": [Tools(routes={"plus": add})]})
    assert [tool["name"] for tool in server.bodies[0]["tools"]] == ["plus"]
    assert results(server)[0]["content"] == "4"


def test_a_route_in_the_settings_leads_to_a_link(
    run: Any, sim: Any, loopback: Any, http: Any
) -> None:
    tool_server = loopback(lambda request: http(200, {"sum": 3}))
    server = sim(Rule(tool_use=ADD, times=1))
    config = {"plugins": {"tools": {"routes": {"add": f"{tool_server.url}/add?x=1"}}}}
    run.send(line={"base_url": server, "config": config}, tools=[DEFINITION])
    (request,) = tool_server.requests
    assert (request.method, request.path) == ("POST", "/add?x=1")
    assert request.json == {"a": 1, "b": 2}
    assert "x-api-key" not in request.headers
    assert "authorization" not in request.headers
    assert json.loads(results(server)[0]["content"]) == {"sum": 3}


@pytest.mark.parametrize("failure", ["status", "refused"])
def test_a_link_that_fails_becomes_a_result_that_says_so(
    run: Any, sim: Any, loopback: Any, http: Any, failure: str
) -> None:
    tool_server = loopback(lambda request: http(503, b"try later"))
    if failure == "refused":
        tool_server.stop()
    server = sim(Rule(tool_use=ADD, times=1))
    config = {"plugins": {"tools": {"routes": {"add": tool_server.url}}}}
    run.send(line={"base_url": server, "config": config}, tools=[DEFINITION])
    (result,) = results(server)
    assert result["is_error"] is True
    assert ("503" if failure == "status" else "127.0.0.1") in result["content"]


@pytest.mark.parametrize(
    "link", ["http://example.com/x", "ftp://example.com", "add", "https://", "file:///etc/passwd"]
)
def test_a_link_must_be_https_or_on_this_machine(link: str) -> None:
    with pytest.raises(ConfigError, match="https"):
        Tools(routes={"add": link})


def test_a_route_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(ConfigError, match="'add' must be a function or an https link"):
        Tools(routes={"add": 5})


def test_an_unknown_tool_goes_back_to_the_caller_and_the_others_are_run(
    run: Any, sim: Any, streamed: Any
) -> None:
    other = {"name": "other", "input": {}}
    server = sim(Rule(tool_use=[ADD, other]))
    definition = {**DEFINITION, "name": "other"}
    reply = run.outcome(streamed, line={"base_url": server}, tools=[add, definition])
    assert [call.name for call in reply.tool_uses] == ["other"]
    assert [result.content for result in reply.tool_results] == ["3"]
    assert reply.stop_reason == "tool_use"
    assert len(server.calls) == 1


def fails(a: int, b: int) -> int:
    raise LookupError("no such number")


def wants_text(a: str, b: str) -> str:
    return a + b


def refuses(a: int, b: int) -> int:
    raise InputError("not today")


def says_nothing(a: int, b: int) -> int:
    raise InputError


def raises_nothing(a: int, b: int) -> int:
    raise ValueError("  ")


def wants_more(a: int, b: int, c: int) -> int:
    return a


def wants_less(a: int) -> int:
    return a


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (fails, "LookupError: no such number"),
        (wants_text, "parameter a"),
        (refuses, "not today"),
        (says_nothing, "InputError"),
        (raises_nothing, "ValueError"),
        (wants_more, "'c'"),
        (wants_less, "no parameter b"),
    ],
)
def test_what_goes_wrong_in_a_tool_is_told_to_the_model(
    run: Any, sim: Any, function: Any, text: str
) -> None:
    server = sim(Rule(tool_use={**ADD, "name": function.__name__}, times=1))
    run.send(line={"base_url": server}, tools=[function])
    (result,) = results(server)
    assert result["is_error"] is True
    assert text in result["content"]


@pytest.mark.parametrize("error", [DeadlineExceeded("tools", 1.0), PolicyViolation("no")])
def test_the_turns_own_end_is_not_the_tools_failure(run: Any, sim: Any, error: Any) -> None:
    def ends(a: int, b: int) -> int:
        raise error

    server = sim(Rule(tool_use={**ADD, "name": "ends"}, times=1))
    with pytest.raises(type(error)):
        run.send(line={"base_url": server}, tools=[ends])


def test_the_loop_is_bounded(run: Any, sim: Any, streamed: Any) -> None:
    server = sim(Rule(tool_use=ADD))
    with pytest.raises(TurnLimitExceeded, match="plugin 'tools'"):
        run.outcome(streamed, line={"base_url": server, "max_steps": 4}, tools=[add])
    assert len(server.calls) == 4


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "add"}])
def test_one_call_at_a_time_holds_for_the_whole_turn(run: Any, sim: Any, choice: Any) -> None:
    server = sim(Rule(call=1, tool_use=ADD))
    choice = {**choice, "disable_parallel_tool_use": True}
    run.send(line={"base_url": server}, tools=[add], tool_choice=choice)
    assert server.bodies[1]["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "add"}])
def test_a_forced_choice_does_not_loop(run: Any, sim: Any, streamed: Any, choice: Any) -> None:
    server = sim(Rule(call=1, tool_use=ADD))
    run.outcome(streamed, line={"base_url": server}, tools=[add], tool_choice=choice)
    assert server.bodies[0]["tool_choice"] == choice
    assert "tool_choice" not in server.bodies[1]
    assert len(server.calls) == 2


def test_a_choice_that_forces_nothing_stays(run: Any, sim: Any) -> None:
    server = sim(Rule(call=1, tool_use=ADD))
    run.send(line={"base_url": server}, tools=[add], tool_choice={"type": "auto"})
    assert server.bodies[1]["tool_choice"] == {"type": "auto"}


def test_an_image_in_a_result_is_resolved(run: Any, sim: Any) -> None:
    def camera(a: int, b: int) -> list[Any]:
        """Look."""
        return ["what I see", Image(GIF)]

    server = sim(Rule(tool_use={**ADD, "name": "camera"}, times=1))
    run.send(line={"base_url": server}, tools=[camera])
    text, image = results(server)[0]["content"]
    assert text == {"type": "text", "text": "what I see"}
    assert image["type"] == "image"
    assert image["source"]["type"] == "base64"
    assert image["source"]["media_type"] == "image/gif"


@pytest.mark.parametrize(
    ("value", "content"),
    [
        ("text", "text"),
        (None, "done"),
        ({"a": [1, None]}, '{"a":[1,null]}'),
        ([], "[]"),
        (["a", "b"], '["a","b"]'),
        (1.5, "1.5"),
        (True, "true"),
    ],
)
def test_results_become_text(run: Any, sim: Any, value: Any, content: str) -> None:
    def answers(a: int, b: int) -> Any:
        return value

    server = sim(Rule(tool_use={**ADD, "name": "answers"}, times=1))
    run.send(line={"base_url": server}, tools=[answers])
    assert results(server)[0]["content"] == content


def test_a_result_too_long_is_cut_and_marked(run: Any, sim: Any) -> None:
    def talks(a: int, b: int) -> str:
        return "x" * 50

    server = sim(Rule(tool_use={**ADD, "name": "talks"}, times=1))
    config = {"plugins": {"tools": {"max_result": 10}}}
    run.send(line={"base_url": server, "config": config}, tools=[talks])
    assert results(server)[0]["content"] == "xxxxxxxxxx\n[cut: 50 characters in all]"


def test_a_stream_shows_every_step_and_ends_with_the_last_reply(run: Any, sim: Any) -> None:
    server = sim(Rule(tool_use=ADD, reply="I add.", times=1), Rule(reply="It is 3."))

    async def body(line: Any) -> tuple[str, Any]:
        async with line.stream("Add", tools=[add]) as stream:
            pieces = [piece async for piece in stream.text]
            return "".join(pieces), await stream.reply

    text, reply = run(body, base_url=server)
    assert text == reply.text == "I add.It is 3."
    assert reply.response.text == "It is 3."


def test_a_conversation_keeps_the_whole_exchange(run: Any, sim: Any) -> None:
    server = sim(Rule(tool_use=ADD, times=1))

    async def body(line: Any) -> None:
        chat = line.conversation(tools=[add])
        await chat.send("Add")
        assert [message.role for message in chat.messages] == ["user", "assistant"] * 2
        await chat.send("Thanks")

    run(body, base_url=server)
    assert len(server.bodies[-1]["messages"]) == 5


def found_in(where: str) -> Any:
    def search(q: str) -> str:
        return f"from {where}"

    return search


class OffersSearch:
    def __init__(self, name: str) -> None:
        self.name = name

    @hookimpl
    def register_tools(self, register: Any) -> None:
        register(found_in(self.name))


SEARCH = {"name": "search", "input_schema": {"type": "object"}}


@pytest.mark.parametrize(
    ("plugins", "tools", "origins"),
    [
        ([], [found_in("web"), found_in("files")], ["tools= of the call"]),
        (["web", "files"], [], ["plugin 'web'", "plugin 'files'"]),
        (["web"], [found_in("files")], ["plugin 'web'", "tools= of the call"]),
        (["web"], [SEARCH], ["plugin 'web'", "a definition of the request"]),
        ([], [found_in("web"), SEARCH], ["tools= of the call", "a definition of the request"]),
    ],
)
def test_two_tools_of_one_name_are_refused_with_both_origins(
    run: Any, plugins: Any, tools: Any, origins: Any
) -> None:
    with pytest.raises(InputError, match="two tools are called 'search'") as raised:
        run.send(line={"plugins": [OffersSearch(name) for name in plugins]}, tools=tools)
    for origin in origins:
        assert origin in str(raised.value)


def test_a_wrong_thing_is_refused(run: Any) -> None:
    with pytest.raises(InputError, match=r"tools\[0\] must be a function, a Tool or a dict"):
        run.send(line={}, tools=[5])


def test_an_enumeration_reaches_the_function_as_it_is(run: Any, sim: Any) -> None:
    def paint(colour: Literal["red", "blue"]) -> str:
        """Paint."""
        return f"{colour}!"

    server = sim(Rule(tool_use={"name": "paint", "input": {"colour": "blue"}}, times=1))
    run.send(line={"base_url": server}, tools=[paint])
    assert results(server)[0]["content"] == "blue!"


async def needs_a_loop(city: str) -> str:
    """Look the weather up."""
    import asyncio

    await asyncio.sleep(0.01)
    return city


def test_an_async_tool_in_a_pipeline_is_the_developers_error_not_the_models() -> None:
    simulator = Simulator(
        Scenario.of(
            Rule(when="weather", tool_use={"name": "needs_a_loop", "input": {"city": "Bern"}})
        )
    )
    with Pipeline(base_url=simulator) as line, pytest.raises(PluginError, match="AsyncPipeline"):
        line.send("weather?", tools=[needs_a_loop])


def test_a_failure_is_seen_by_the_developer_too(run: Any, sim: Any, streamed: Any) -> None:
    server = sim(Rule(tool_use={**ADD, "name": "fails"}, times=1))
    lines: list[str] = []
    logger.enable("hookline_plugins")
    handler = logger.add(lambda line: lines.append(str(line)), level="WARNING", format="{message}")
    try:
        reply = run.outcome(streamed, line={"base_url": server}, tools=[fails])
    finally:
        logger.remove(handler)
        logger.disable("hookline_plugins")
    (error,) = reply.tool_errors
    assert (error.tool, error.error) == ("fails", "LookupError: no such number")
    assert "raise LookupError" in error.traceback
    assert "raise LookupError" not in repr(error)
    assert [error.to_dict()] == reply.trace.to_dict()["tool_errors"]
    assert "LookupError" in reply.trace.render()
    (note,) = [text for plugin, text in reply.trace.notes if plugin == "tools"]
    assert "test_tools_plugin.py" in note
    assert any("tool fails failed: LookupError" in line for line in lines)


def test_the_text_of_a_failure_is_cut_like_that_of_a_success(run: Any, sim: Any) -> None:
    def shouts(a: int, b: int) -> str:
        raise ValueError("x" * 1_000)

    server = sim(Rule(tool_use={**ADD, "name": "shouts"}, times=1))
    config = {"plugins": {"tools": {"max_result": 20}}}
    reply = run.send(line={"base_url": server, "config": config}, tools=[shouts])
    assert results(server)[0]["content"] == "ValueError: xxxxxxxx\n[cut: 1,012 characters in all]"
    assert len(reply.tool_errors[0].error) <= 1_012


def test_half_characters_in_a_result_do_no_harm(run: Any, sim: Any) -> None:
    def half(a: int, b: int) -> str:
        return "ant \ud83d"

    server = sim(Rule(tool_use={**ADD, "name": "half"}, times=1))
    run.send(line={"base_url": server}, tools=[half])
    assert results(server)[0]["content"] == "ant ?"


@pytest.mark.parametrize("given", [{"input": None}, {}, {"input": "{}"}])
def test_a_call_whose_input_is_no_object_is_run_or_answered(
    run: Any, loopback: Any, http: Any, message: Any, given: Any
) -> None:
    def now() -> str:
        """Tell the time."""
        return "noon"

    call = {"type": "tool_use", "id": "toolu_1", "name": "now", **given}
    answers = iter([message("", content=[call], stop_reason="tool_use"), message("It is noon.")])
    server = loopback(lambda request: http(200, next(answers)))
    reply = run.send(line=server.line, tools=[now])
    assert reply.text == "It is noon."
    (result,) = server.requests[1].json["messages"][-1]["content"]
    assert result["content"] == "noon"


def test_a_call_whose_input_is_no_json_gets_an_answer(
    run: Any, loopback: Any, http: Any, message: Any
) -> None:
    call = {"type": "tool_use", "id": "toolu_1", "name": "add", "input": "three and four"}
    answers = iter([message("", content=[call], stop_reason="tool_use"), message("I see.")])
    server = loopback(lambda request: http(200, next(answers)))
    run.send(line=server.line, tools=[add])
    (result,) = server.requests[1].json["messages"][-1]["content"]
    assert result["is_error"] is True
    assert "three and four" in result["content"]


def test_a_cut_call_never_runs(run: Any, loopback: Any, http: Any, message: Any) -> None:
    ran: list[int] = []

    def delete(path: str) -> str:
        ran.append(1)
        return path

    call = {"type": "tool_use", "id": "toolu_1", "name": "delete", "input": {"path": "/"}}
    server = loopback(
        lambda request: http(200, message("", content=[call], stop_reason="max_tokens"))
    )
    reply = run.send(line=server.line, tools=[delete])
    assert ran == []
    assert reply.truncated
    assert reply.pending is None


def test_a_function_that_takes_anything_works_with_a_definition_and_others_are_refused(
    run: Any, sim: Any
) -> None:
    class Offers:
        def __init__(self, function: Any) -> None:
            self.function = function

        @hookimpl
        def register_tools(self, register: Any) -> None:
            register(DEFINITION, self.function)

    server = sim(Rule(tool_use=ADD, times=1))
    run.send(line={"base_url": server, "plugins": [Offers(lambda **given: given)]})
    assert results(server)[0]["content"] == '{"a":1,"b":2}'
    with pytest.raises(HooklineError, match="takes no b"):
        Pipeline(base_url="sim:", plugins=[Offers(lambda a: a)])


def test_an_input_is_held_to_the_schema_before_the_function_sees_it(run: Any, sim: Any) -> None:
    seen: list[Any] = []

    def legs(number: Annotated[int, Field(ge=6, le=8)]) -> str:
        """Count legs."""
        seen.append(number)
        return "ok"

    server = sim(Rule(tool_use={"name": "legs", "input": {"number": 5}}, times=1))
    run.send(line={"base_url": server}, tools=[legs])
    assert "parameter number" in results(server)[0]["content"]
    assert seen == []
