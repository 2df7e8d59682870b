"""Anthropic's own tools: the right definition for each model, and those that run at Anthropic's."""

from typing import Any

import pytest

from hookline import ConfigError
from hookline.simulator import Rule
from hookline_plugins.tools import Tools


class Pages:
    """Remembers what was done in a browser."""

    def __init__(self) -> None:
        self.done: list[Any] = []

    def navigate(self, url: str) -> str:
        self.done.append(url)
        return f"at {url}"

    async def click(self, target: Any) -> str:
        self.done.append(target)
        raise ValueError("nothing there")


class BlockingPages(Pages):
    """The same for a ``Pipeline``."""

    def click(self, target: Any) -> str:  # type: ignore[override]  # of another colour
        self.done.append(target)
        raise ValueError("nothing there")


def offered(run: Any, sim: Any, model: str, routes: Any, **options: Any) -> Any:
    """Return the body of a request with routes."""
    server = sim(Rule(reply="Done."))
    run.send(
        line={"base_url": server, "model": model, "plugins": [Tools(routes=routes)]}, **options
    )
    return server


@pytest.mark.parametrize(
    ("model", "tool", "kind"),
    [
        ("claude-haiku-4-5", "web_search", "web_search_20250305"),
        ("claude-sonnet-4-6", "web_search", "web_search_20260209"),
        ("claude-opus-5-5", "web_search", "web_search_20260318"),
        ("claude-haiku-4-5", "code_execution", "code_execution_20250825"),
        ("claude-opus-5-5", "code_execution", "code_execution_20260521"),
        ("claude-opus-5-5", "web_fetch", "web_fetch_20260318"),
        ("claude-haiku-4-5", "web_fetch", "web_fetch_20250910"),
    ],
)
def test_a_model_is_offered_the_type_that_there_was_when_it_came(
    blocking: Any, sim: Any, model: str, tool: str, kind: str
) -> None:
    server = offered(blocking, sim, model, {tool: f"server:{tool}"})
    assert server.bodies[0]["tools"] == [{"type": kind, "name": tool}]


def test_options_and_another_type_are_the_operators(run: Any, sim: Any) -> None:
    route = {"server": "web_search", "type": "web_search_20250305", "max_uses": 3}
    server = offered(run, sim, "claude-opus-5-5", {"web_search": route})
    wanted = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
    assert server.bodies[0]["tools"] == [wanted]


def test_tool_search_goes_with_tools_that_wait(blocking: Any, sim: Any) -> None:
    name = "tool_search_tool_bm25"
    waits = {"name": "ants", "input_schema": {"type": "object"}, "defer_loading": True}
    server = offered(blocking, sim, "claude-opus-5-5", {name: f"server:{name}"}, tools=[waits])
    assert [tool["name"] for tool in server.bodies[0]["tools"]] == ["ants", name]


@pytest.mark.parametrize(
    ("routes", "names"),
    [
        ({"memory": "memory:notes"}, ["memory"]),
        ({"bash": {"bash": ".", "sandbox": "sh"}}, ["bash"]),
        ({"str_*": {"text_editor": "."}}, ["str_replace_based_edit_tool"]),
        ({"web_search": "server:web_search"}, None),
    ],
)
def test_a_model_of_others_is_told_a_schema_where_the_tool_runs_here(
    blocking: Any, loopback: Any, http: Any, message: Any, routes: Any, names: Any
) -> None:
    server = loopback(lambda _: http(200, message("Done.", model="ants-7b")))
    line = {**server.line, "model": "ants-7b", "plugins": [Tools(routes=routes)]}
    blocking.send(line=line)
    tools = server.requests[0].json.get("tools")
    assert (tools and [tool["name"] for tool in tools]) == names
    assert all(tool["input_schema"]["type"] == "object" for tool in tools or ())
    assert all("type" not in tool for tool in tools or ())


def test_a_connector_names_its_server_and_brings_its_beta(
    run: Any, sim: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTS_TOKEN", "s3cret")
    route = {
        "connector": "https://mcp.example.com/ants",
        "name": "ants",
        "token": "env:ANTS_TOKEN",
        "allow": ["look"],
    }
    server = offered(run, sim, "claude-opus-5-5", {"ants": route})
    body = server.bodies[0]
    assert body["mcp_servers"] == [
        {
            "type": "url",
            "url": "https://mcp.example.com/ants",
            "name": "ants",
            "authorization_token": "s3cret",
        }
    ]
    assert body["tools"] == [
        {
            "type": "mcp_toolset",
            "mcp_server_name": "ants",
            "default_config": {"enabled": False},
            "configs": {"look": {"enabled": True}},
        }
    ]
    headers = {name.lower(): value for name, value in server.calls[0].headers}
    assert headers["anthropic-beta"] == "mcp-client-2025-11-20"
    assert "s3cret" not in repr(Tools(routes={"ants": route}))


def test_what_the_api_has_run_is_echoed_unchanged(run: Any, sim: Any) -> None:
    found = [
        {"type": "web_search_result", "url": "https://a", "title": "A", "encrypted_content": "x"}
    ]
    content: list[Any] = [
        {
            "type": "server_tool_use",
            "id": "srvtoolu_1",
            "name": "web_search",
            "input": {"query": "a"},
        },
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": found},
        {"type": "text", "text": "Found."},
    ]
    server = sim(Rule(call=1, reply=content), Rule(reply="Bye."))

    async def body(line: Any) -> None:
        chat = line.conversation()
        reply = await chat.send("Search")
        assert reply.text == "Found."
        assert reply.pending is None
        await chat.send("Thanks")

    run(body, base_url=server, plugins=[Tools(routes={"web_search": "server:web_search"})])
    echoed = server.bodies[1]["messages"][1]["content"]
    assert [block["type"] for block in echoed] == [block["type"] for block in content]
    assert echoed[1]["content"] == found


def test_a_cost_says_what_is_not_in_it(run: Any, sim: Any) -> None:
    used = {"server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0}}
    reply = run.send(line={"base_url": sim(Rule(reply="Found.", usage=used))})
    assert reply.cost > 0
    notes = [text for plugin, text in reply.trace.notes if plugin == "cost"]
    assert notes == ["without the fee for 2 web searches, which is not known"]


def test_a_browser_does_what_its_methods_can(
    run: Any, loopback: Any, http: Any, message: Any
) -> None:
    def use(place: int, name: str, **given: Any) -> dict[str, Any]:
        return {
            "type": "tool_use",
            "id": f"toolu_{place}",
            "name": name,
            "toolset_name": "browser",
            "input": given,
        }

    calls = [
        use(1, "navigate", url="https://a"),
        use(2, "click", target={"type": "ref", "ref": "e1"}),
        use(3, "navigate", url="https://b"),
    ]

    def answer(request: Any) -> Any:
        if len(request.json["messages"]) == 1:
            return http(200, message("", content=calls, stop_reason="tool_use"))
        return http(200, message("Done."))

    server, pages = loopback(answer), BlockingPages() if run.colour == "sync" else Pages()
    tools = Tools(routes={"browser": {"browser": pages}})

    async def body(line: Any) -> None:
        await line.send("Look", tools=[])

    run(body, **{**server.line, "model": "claude-opus-5-5", "plugins": [tools]})
    assert server.requests[0].json["tools"] == [{"type": "browser_toolset_20260801"}]
    first, second, third = server.requests[1].json["messages"][-1]["content"]
    assert first["content"] == "at https://a"
    assert second["is_error"]
    assert third["content"] == "Not executed: an earlier action in this turn failed."
    assert {each["toolset_name"] for each in (first, second, third)} == {"browser"}
    assert pages.done == ["https://a", {"type": "ref", "ref": "e1"}]


@pytest.mark.parametrize(
    ("route", "said"),
    [
        ("server:teleport", "server takes one of web_search"),
        ({"server": "bash"}, "server takes one of web_search"),
        ({"connector": "http://mcp.example.com"}, "https"),
        ({"connector": "https://a", "token": "s3cret"}, "env:NAME"),
        ({"connector": "https://a", "token": "env:NOT_SET"}, "env:NAME"),
        ({"connector": "https://a", "allow": "look"}, "a list"),
        ({"browser": object()}, "methods"),
    ],
)
def test_a_wrong_route_is_refused_when_it_is_built(route: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Tools(routes={"a*": route})
