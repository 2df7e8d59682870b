"""The routing table, and links: which name leads where, and what goes out."""

import json
from typing import Any

import pytest

from hookline import ConfigError
from hookline.simulator import Rule
from hookline_plugins.tools import Tools
from hookline_plugins.tools.routes import Table, read_routes


def results(server: Any) -> list[Any]:
    return list(server.bodies[-1]["messages"][-1]["content"])


def anything(**given: Any) -> str:
    return json.dumps(given)


def table(*patterns: str) -> Table:
    return read_routes(dict.fromkeys(patterns, anything))


@pytest.mark.parametrize(
    ("patterns", "name", "wins"),
    [
        (["*", "get_*"], "get_ant", "get_*"),
        (["get_*", "get_a*"], "get_ant", "get_a*"),
        (["*_ant", "get*"], "get_ant", "*_ant"),
        (["*"], "anything", "*"),
        (["get_*"], "set_ant", None),
        (["a*b*c"], "a1b2c", "a*b*c"),
        (["a*b*c"], "acb", None),
    ],
)
def test_the_most_specific_line_wins(patterns: list[str], name: str, wins: str | None) -> None:
    row = table(*patterns).handler(name)
    assert (row.pattern if row else None) == wins


def test_a_name_wins_over_every_glob(run: Any, sim: Any) -> None:
    def add(a: int) -> str:
        """Add."""
        return "by name"

    server = sim(Rule(tool_use={"name": "add_up", "input": {"a": 1}}, times=1))
    tools = Tools(routes={"add_*": anything, "add_up": add})
    run.send(line={"base_url": server, "plugins": [tools]})
    assert results(server)[0]["content"] == "by name"


def test_equals_are_an_error_that_names_both(run: Any, sim: Any) -> None:
    definition = {"name": "get_ant", "input_schema": {"type": "object"}}
    tools = Tools(routes={"get_*": anything, "*_ant": anything})
    with pytest.raises(ConfigError, match="'get_ant' is handled twice") as raised:
        run.send(line={"base_url": sim(), "plugins": [tools]}, tools=[definition])
    assert "'get_*'" in str(raised.value)
    assert "'*_ant'" in str(raised.value)


def test_a_route_and_a_function_of_the_call_are_equals(run: Any, sim: Any) -> None:
    def add(a: int) -> str:
        """Add."""
        return ""

    tools = Tools(routes={"add": add})
    with pytest.raises(ConfigError, match="handled twice") as raised:
        run.send(line={"base_url": sim(), "plugins": [tools]}, tools=[add])
    assert "routes= of Tools" in str(raised.value)
    assert "tools= of the call" in str(raised.value)


@pytest.mark.parametrize("pattern", ["", "a b", "ä", "get.ant", "x" * 200, 5])
def test_a_pattern_that_fits_no_name_is_refused(pattern: Any) -> None:
    with pytest.raises(ConfigError, match="fits no tool"):
        Tools(routes={pattern: "client"})


@pytest.mark.parametrize(
    "route",
    [
        {},
        {"nonsense": 1},
        {"url": "https://example.com", "nonsense": 1},
        {"url": "https://example.com", "method": "BREW"},
        {"url": "https://$host.example.com/"},
        {"url": "https://example.com/${name}"},
        {"url": "https://example.com/", "headers": {"authorization": "env:NO_SUCH_VARIABLE"}},
        {"url": "https://example.com/", "description": "Says nothing of its input."},
    ],
)
def test_a_route_that_makes_no_sense_is_refused_when_it_is_built(route: Any) -> None:
    with pytest.raises(ConfigError, match="tools: "):
        Tools(routes={"a": route})


ODD: Any = [None, 5, 2.5, True, "", "x", "\x00", "https://[", "x" * 5_000, [], [5], {}, {"a": 5}]
ODD += [b"x", -1, float("nan"), object(), "https://e.com:99999/", "'unclosed"]
WHOLE: Any = {
    "url": "https://example.com/",
    "mcp": "cat",
    "memory": "notes",
    "bash": ".",
    "text_editor": ".",
    "server": "web_search",
    "connector": "https://example.com/",
    "deny": "no",
    "human": None,
    "computer": None,
    "browser": None,
}
OPTIONS = [
    "url",
    "method",
    "headers",
    "timeout",
    "description",
    "input_schema",
    "prefix",
    "allow",
    "env",
    "resources",
    "prompts",
    "changed",
    "sandbox",
    "seen_as",
    "type",
    "name",
    "token",
    "kind",
    "nonsense",
]


@pytest.mark.parametrize("key", WHOLE)
def test_whatever_a_table_holds_is_read_or_refused_in_words(key: str) -> None:
    tables = [{key: value} for value in ODD]
    tables += [{key: WHOLE[key], option: value} for option in OPTIONS for value in ODD]
    said = [text for route in tables if (text := refusal(route)) is not None]
    assert len(said) > len(OPTIONS)
    assert not [text for text in said if "__init__" in text or "object has no" in text]


def refusal(route: Any) -> str | None:
    try:
        Tools(routes={"a": route})
    except ConfigError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("route", "said"),
    [
        (
            {"url": "https://example.com/", "methd": "PUT"},
            "beside url there may be .*, not 'methd'",
        ),
        ({"url": "https://example.com/", "timeout": "5 s"}, "timeout must be a number of seconds"),
        ({"url": "https://example.com:99999/"}, "Port out of range"),
        ({"mcp": "cat", "allow": ["a", 5]}, "allow must be a list of texts"),
        ({"mcp": "cat", "env": {"A": 5}}, "env must be a table of texts"),
        ({"mcp": "cat", "prefix": "a."}, "prefix must be letters"),
        ({"deny": 5}, "deny must be text, not 5"),
        ({"deny": "no", "reason": "x"}, "beside deny there may be nothing, not 'reason'"),
    ],
)
def test_a_slip_in_a_table_is_told_where_it_is(route: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as raised:
        Tools(routes={"a": route})
    assert str(raised.value).startswith("tools: route 'a': ")


@pytest.mark.parametrize("link", ["https://[", "https://example.com:99999/", "mcp:", "server:"])
def test_a_text_that_is_no_route_is_refused(link: str) -> None:
    assert str(refusal(link)).startswith("tools: ")


def test_client_brings_a_call_back(run: Any, sim: Any) -> None:
    definition = {"name": "get_ant", "input_schema": {"type": "object"}}
    server = sim(Rule(tool_use={"name": "get_ant", "input": {}}))
    tools = Tools(routes={"get_*": anything, "get_ant": "client"})
    reply = run.send(line={"base_url": server, "plugins": [tools]}, tools=[definition])
    assert [call.name for call in reply.tool_uses] == ["get_ant"]


def linked(
    run: Any, sim: Any, tool_server: Any, given: Any, path: str = "/", **options: Any
) -> tuple[Any, Any]:
    """Call a tool behind a link; return what the link got, and the result."""
    schema = {"type": "object"}
    route = {"url": f"{tool_server.url}{path}", "input_schema": schema, **options}
    server = sim(Rule(tool_use={"name": "ant", "input": given}, times=1))
    run.send(
        line={"base_url": server, "config": {"plugins": {"tools": {"routes": {"ant": route}}}}}
    )
    (result,) = results(server)
    return (tool_server.requests[0] if tool_server.requests else None), result


def test_names_in_an_address_are_filled_and_quoted(
    run: Any, sim: Any, loopback: Any, http: Any
) -> None:
    tool_server = loopback(lambda request: http(200, {"ok": True}))
    request, result = linked(
        run,
        sim,
        tool_server,
        {"kind": "a/b?c#d", "count": 3, "rest": "x y"},
        "/ants/$kind/$$",
        method="GET",
    )
    assert request.method == "GET"
    assert request.path == "/ants/a%2Fb%3Fc%23d/$?count=3&rest=x+y"
    assert request.body == b""
    assert json.loads(result["content"]) == {"ok": True}


@pytest.mark.parametrize(
    ("given", "said"), [({"kind": ".."}, "step up"), ({"other": 1}, "needs kind")]
)
def test_an_input_that_does_not_fit_an_address_sends_nothing(
    run: Any, sim: Any, loopback: Any, http: Any, given: Any, said: str
) -> None:
    tool_server = loopback(lambda request: http(200))
    request, result = linked(run, sim, tool_server, given, "/ants/$kind")
    assert request is None
    assert said in result["content"]
    assert result["is_error"] is True


def test_headers_take_secrets_from_the_environment_and_show_none(
    run: Any, sim: Any, loopback: Any, http: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANT_KEY", "s3cret$kind")
    tool_server = loopback(lambda request: http(200, {}))
    headers = {"authorization": "Bearer env:ANT_KEY", "x-kind": "$kind"}
    request, _ = linked(run, sim, tool_server, {"kind": "red"}, headers=headers)
    assert request.headers["authorization"] == "Bearer s3cret$kind"
    assert request.headers["x-kind"] == "red"
    assert "s3cret" not in repr(Tools(routes={"a": {"url": tool_server.url, "headers": headers}}))


def test_a_header_cannot_be_broken_out_of(run: Any, sim: Any, loopback: Any, http: Any) -> None:
    tool_server = loopback(lambda request: http(200, {}))
    request, result = linked(
        run, sim, tool_server, {"kind": "red\r\nx-evil: 1"}, headers={"x-kind": "$kind"}
    )
    assert request is None
    assert result["is_error"] is True


def test_an_answer_may_be_an_image(run: Any, sim: Any, loopback: Any, http: Any) -> None:
    gif = (
        b"GIF89a\x01\x00\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
    )
    tool_server = loopback(lambda request: http(200, gif))
    _, result = linked(run, sim, tool_server, {})
    assert result["content"][0]["source"]["media_type"] == "image/gif"


def test_a_link_that_says_nothing_is_given_up(run: Any, sim: Any, loopback: Any, wait: Any) -> None:
    tool_server = loopback(lambda request: [wait])
    _, result = linked(run, sim, tool_server, {}, timeout=0.3)
    assert result["is_error"] is True


def test_a_redirect_is_not_followed(run: Any, sim: Any, loopback: Any, http: Any) -> None:
    elsewhere = loopback(lambda request: http(200, {}))
    tool_server = loopback(lambda request: http(302, b"", {"location": elsewhere.url}))
    _, result = linked(run, sim, tool_server, {}, method="GET")
    assert result["is_error"] is True
    assert elsewhere.requests == []
