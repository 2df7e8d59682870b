"""Settings: a file, the environment, code; the later wins, and mistakes are named."""

from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from hookline import ConfigError, Pipeline, hookimpl
from hookline._http.transport import Timeouts
from hookline._journey.made import configured
from hookline.config import FILE_NAME, Settings, load_settings


def write(text: str, name: str = FILE_NAME) -> None:
    Path(name).write_text(text, encoding="utf-8")


def test_without_anything_the_defaults_hold() -> None:
    assert load_settings(environ={}) == Settings()


def test_the_file_is_weaker_than_the_environment_and_that_than_code() -> None:
    write('model = "file"\nmax_tokens = 1\ntimeout = 1.5\nbase_url = "sim:"\n')
    environ = {"HOOKLINE_MODEL": "environment", "HOOKLINE_MAX_TOKENS": "2"}
    settings = load_settings(environ=environ, model="code")
    assert (settings.model, settings.max_tokens, settings.timeout) == ("code", 2, 1.5)


def test_a_file_may_be_named_by_argument_or_environment(tmp_path: Path) -> None:
    write('model = "one"', "one.toml")
    write('model = "two"', "two.toml")
    environ = {"HOOKLINE_CONFIG": "two.toml"}
    assert load_settings("one.toml", environ=environ).model == "one"
    assert load_settings(tmp_path / "one.toml", environ={}).model == "one"
    assert load_settings(environ=environ).model == "two"
    assert load_settings({"model": "three"}, environ=environ).model == "three"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("modle = 'x'", "hookline.toml:1: unknown option 'modle'; did you mean 'model'?"),
        ("zzz = 1", "unknown option 'zzz'; there are model"),
        ("model = 5", "model must be a text, not 5"),
        (
            "\n# c\n\nmax_tokens = 'many'",
            "hookline.toml:4: max_tokens must be a whole number above 0, not",
        ),
        ("max_tokens = true", "max_tokens must be a whole number above 0, not True"),
        ("timeout = 'x'", "timeout must be a number of seconds above 0, not 'x'"),
        ("connect_timeout = 0", "connect_timeout must be a number of seconds above 0, not 0"),
        ("write_timeout = -1.5", "write_timeout must be a number of seconds above 0, not -1.5"),
        ("read_timeout = inf", "read_timeout must be a number of seconds above 0, not inf"),
        ("read_timeout = nan", "read_timeout must be a number of seconds above 0, not nan"),
        ("read_timeout = 'x'", "read_timeout must be a number of seconds above 0"),
        ("max_connections = 0", "max_connections must be a whole number above 0"),
        ("max_connections = 1.5", "max_connections must be a whole number above 0"),
        ("max_steps = 0", "max_steps must be a whole number above 0"),
        ("api_key = 'sk-canary'", "a key does not belong into settings"),
        ("auth_token = 'sk-canary'", "a key does not belong into settings"),
        ("plugins = 5", "plugins must be a table, not 5"),
        ("[plugins]\nimages = 5", "hookline.toml:2: plugins.images must be a table"),
        ("[plugins]\ndisable = 'images'", "disable must be a list of names"),
        ("model =", "hookline.toml"),
    ],
)
def test_a_mistake_in_the_file_is_named(text: str, complaint: str) -> None:
    write(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(FILE_NAME, environ={})
    assert complaint in str(caught.value)
    assert FILE_NAME in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("HOOKLINE_MODLE", "x", "unknown environment variable HOOKLINE_MODLE; did you mean"),
        (
            "HOOKLINE_MAX_TOKENS",
            "many",
            "HOOKLINE_MAX_TOKENS: max_tokens must be a whole number above 0, not 'many'",
        ),
        (
            "HOOKLINE_TIMEOUT",
            "-1",
            "HOOKLINE_TIMEOUT: timeout must be a number of seconds above 0, not -1",
        ),
        ("HOOKLINE_TIMEOUT", "nan", "timeout must be a number of seconds above 0"),
    ],
)
def test_a_mistake_in_the_environment_is_named(variable: str, value: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(environ={variable: value})
    assert complaint in str(caught.value)


def test_an_empty_variable_says_nothing() -> None:
    environ = {"HOOKLINE_MODEL": "", "ANTHROPIC_API_KEY": "", "ANTHROPIC_BASE_URL": ""}
    assert load_settings(environ=environ) == Settings()


def test_the_phases_of_an_exchange_have_their_own_time_outs() -> None:
    with Pipeline(base_url="sim:", connect_timeout=1, write_timeout=2, read_timeout=3) as line:
        times = line._upstreams.reach().timeouts
        assert (times.connect, times.write, times.read) == (1, 2, 3)
    with Pipeline(base_url="sim:") as line:
        assert line._upstreams.reach().timeouts == Timeouts()
    with pytest.raises(ConfigError, match="read_timeout"):
        Pipeline(base_url="sim:", read_timeout=0)


def test_a_turn_has_as_long_streamed_or_not() -> None:
    with Pipeline(base_url="sim:") as line:
        assert [line._turn(surface).timeout for surface in ("send", "stream")] == [600, 600]
    with Pipeline(base_url="sim:", timeout=7) as line:
        assert [line._turn(surface).timeout for surface in ("send", "stream")] == [7, 7]


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"headers": 5}, "headers must be a table, not int"),
        ({"headers": "x: canary"}, "headers must be a table, not str"),
        ({"headers": {"x": 5}}, "headers: the value of 'x' must be one line of printable ASCII"),
        ({"headers": {5: "x"}}, "headers: 5 is no name of a header"),
        ({"timeout": "5"}, "timeout must be a number of seconds above 0, not '5'"),
        ({"model": 5}, "model must be a text"),
        ({"model": ""}, "model must be the id of a model"),
        ({"http": "curl"}, "http must be one of 'auto', 'httpcore2', 'aiohttp'"),
        ({"api_key": 5}, "api_key must be a string of printable ASCII"),
        ({"disable": "logging"}, "disable must be a list of names, not 'logging'"),
        ({"always_stream": 1}, "always_stream must be true or false, not 1"),
        ({"base_url": 5}, "base_url must be a text, not 5"),
        ({"config": 5}, "config must be a file or a table of settings, not 5"),
    ],
)
def test_a_wrong_argument_is_named(given: Any, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Pipeline(**given)
    assert str(caught.value).startswith(complaint)


def test_a_setting_that_there_is_not_is_named_in_code_too() -> None:
    with pytest.raises(ConfigError, match="no setting 'time_out'; did you mean 'timeout'"):
        load_settings(environ={}, time_out=5)


@pytest.mark.parametrize(
    "name", ["Transfer-Encoding", "content-length", "Host", "connection", "TE", "upgrade"]
)
def test_headers_that_are_the_transports_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"'{name}' is set by the HTTP library"):
        Pipeline(base_url="sim:", headers={name: "x"})


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\n", "ä", "x(y)"])
def test_a_name_that_no_header_can_have_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="is no name of a header"):
        Pipeline(base_url="sim:", headers={name: "canary"})


# Options of plugins


@frozen
class Opted:
    """A plugin with typed options."""

    word: str = "x"
    count: int = 1
    names: tuple[str, ...] = ()

    @hookimpl
    def build_history(self) -> None:
        """Do nothing."""


def test_options_reach_the_plugin_with_their_types() -> None:
    assert configured("opted", Opted, {"word": "y", "count": 2, "names": ["a"]}) == Opted(
        "y", 2, ("a",)
    )


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"wrod": "y"}, "plugin 'opted' has no option 'wrod'; did you mean 'word'?"),
        ({"zzz": 1}, "there are word, count, names"),
        ({"count": "2"}, "plugins.opted.count"),
        ({"count": True}, "plugins.opted.count"),
        ({"names": [5]}, "plugins.opted.names"),
    ],
)
def test_a_wrong_option_of_a_plugin_is_named(options: Any, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured("opted", Opted, options)
    assert complaint in str(caught.value)


def test_options_of_plugins_come_from_file_and_environment(
    run: Any, sim: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = sim()
    write('[plugins.history]\nsystem = "from the file"\n')
    run.send(line={"base_url": server, "config": FILE_NAME})
    monkeypatch.setenv("HOOKLINE_HISTORY__SYSTEM", "from the environment")
    monkeypatch.setenv("HOOKLINE_CONFIG", FILE_NAME)
    run.send(line={"base_url": server, "config": None})
    assert [body["system"] for body in server.bodies] == ["from the file", "from the environment"]


def test_plugins_can_be_disabled_and_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    def names(config: Any = None) -> set[str]:
        with Pipeline(base_url="sim:", config=config) as line:
            return {plugin.name for plugin in line.plugins.plugins}

    assert "logging" in names()
    assert "logging" not in names({"plugins": {"disable": ["logging"]}})
    assert names({"plugins": {"enable": ["echo", "history"]}}) == {"echo", "history"}
    monkeypatch.setenv("HOOKLINE_DISABLE", "logging, images")
    assert not {"logging", "images"} & names()


@pytest.mark.parametrize("where", ["enable", "disable"])
def test_a_plugin_that_there_is_not_is_named(where: str) -> None:
    with pytest.raises(ConfigError, match=r"no plugin called 'imagse'; did you mean 'images'\?"):
        Pipeline(base_url="sim:", config={"plugins": {where: ["imagse"]}})


def test_options_for_a_plugin_that_there_is_not_are_refused() -> None:
    with pytest.raises(ConfigError, match="no plugin called 'imagse'"):
        Pipeline(base_url="sim:", config={"plugins": {"imagse": {"strategy": "url"}}})


def test_options_for_a_plugin_handed_over_in_code_are_refused() -> None:
    with pytest.raises(ConfigError, match="handed over in code"):
        Pipeline(base_url="sim:", plugins=[Opted()], config={"plugins": {"Opted": {"word": "y"}}})


def test_settings_show_no_secret() -> None:
    settings = load_settings(environ={}, api_key="sk-canary", headers={"x": "canary"})
    assert "canary" not in repr(settings) + str(settings)
