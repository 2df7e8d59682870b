"""The layers of settings: where each is found, which wins, what may be said there, and where it stands."""

import os
import sys
import time
import types
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline import ConfigError, MissingExtra, Pipeline
from hookline.config import FILE_NAME, Origin, Settings, load_settings, user_file
from hookline.config.files import TomlFile


def write(text: str, path: str | Path = FILE_NAME) -> Path:
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return target


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment with a user's folder for settings, which is still empty."""
    return {"XDG_CONFIG_HOME": str(tmp_path / "user"), "APPDATA": str(tmp_path / "user")}


def users(environ: dict[str, str], text: str) -> Path:
    path = user_file(environ)
    assert path is not None
    return write(text, path)


# Which wins --------------------------------------------------------------------------------------


def test_each_layer_is_stronger_than_the_one_before(environ: dict[str, str]) -> None:
    write("max_tokens = 1\nmax_steps = 1\ntimeout = 1\nread_timeout = 1\nwrite_timeout = 1\n")
    users(environ, "max_steps = 2\ntimeout = 2\nread_timeout = 2\nwrite_timeout = 2\n")
    environ |= {
        "HOOKLINE_TIMEOUT": "4",
        "HOOKLINE_READ_TIMEOUT": "4",
        "HOOKLINE_WRITE_TIMEOUT": "4",
    }
    settings = load_settings(environ=environ, write_timeout=6)
    names = ("max_tokens", "max_steps", "timeout", "write_timeout", "connect_timeout")
    assert [getattr(settings, name) for name in names] == [1, 2, 4, 6, 5]
    assert [settings.origin(name) for name in names] == [
        Origin.FOUND_FILE,
        Origin.USER_FILE,
        Origin.ENVIRONMENT,
        Origin.CODE,
        Origin.DEFAULT,
    ]
    assert [each.origin.name for each in settings.layers("write_timeout")] == [
        "CODE",
        "ENVIRONMENT",
        "USER_FILE",
        "FOUND_FILE",
    ]


def test_a_file_that_was_named_takes_the_place_of_the_one_to_be_found(
    environ: dict[str, str],
) -> None:
    write("max_tokens = 1\nmax_steps = 1\n")
    users(environ, "max_steps = 2\ntimeout = 2\n")
    write("timeout = 3\n", "named.toml")
    settings = load_settings("named.toml", environ=environ)
    assert (settings.max_tokens, settings.max_steps, settings.timeout) == (4096, 2, 3)
    assert settings.layers("timeout")[0].where(("timeout",)) == "named.toml:1"


def test_a_table_is_code_and_no_file_is_read_then(environ: dict[str, str]) -> None:
    write("nonsense = 1")
    users(environ, "nonsense = 1")
    environ["HOOKLINE_MODEL"] = "environment"
    settings = load_settings({"model": "table", "timeout": 1}, environ=environ, timeout=2)
    assert (settings.model, settings.timeout) == ("table", 2)


def test_the_options_of_a_plugin_come_from_several_layers(environ: dict[str, str]) -> None:
    users(environ, '[plugins.images]\nstrategy = "base64"\nmax_fetches = 3\n')
    environ["HOOKLINE_IMAGES__MAX_FETCHES"] = "4"
    settings = load_settings(environ=environ)
    assert settings.plugins == {"images": {"strategy": "base64", "max_fetches": 4}}
    assert settings.origin("plugins", "images", "strategy") is Origin.USER_FILE
    assert settings.origin("plugins", "images", "max_fetches") is Origin.ENVIRONMENT


def test_an_option_called_like_a_setting_is_the_plugins_own() -> None:
    settings = load_settings({"plugins": {"x": {"enable": 5, "model": 6}}}, environ={})
    assert settings.plugins == {"x": {"enable": 5, "model": 6}}
    assert settings.enable == ()


def test_a_credential_of_a_stronger_layer_replaces_the_other_kind(environ: dict[str, str]) -> None:
    environ |= {"ANTHROPIC_AUTH_TOKEN": "bearer", "SOME_KEY": "key"}
    users(environ, 'api_key = "env:SOME_KEY"')
    settings = load_settings(environ=environ)
    assert (settings.api_key, settings.auth_token.reveal()) == (None, "bearer")  # type: ignore[union-attr]  # it is there
    settings = load_settings(environ=environ, api_key="mine")
    assert (settings.api_key.reveal(), settings.auth_token) == ("mine", None)  # type: ignore[union-attr]  # as above


# Where a file is found ---------------------------------------------------------------------------


def test_a_file_is_found_upward_to_the_root_of_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("max_tokens = 1", tmp_path / FILE_NAME)
    here = tmp_path / "repository" / "a" / "b"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    assert load_settings(environ={}).max_tokens == 4096  # what lies above is anybody's
    (tmp_path / "repository" / ".git").mkdir()
    assert load_settings(environ={}).max_tokens == 4096
    above = write("max_tokens = 2", tmp_path / "repository" / FILE_NAME)
    settings = load_settings(environ={})
    assert settings.max_tokens == 2
    assert settings.layers("max_tokens")[0].where(("max_tokens",)) == f"{above}:1"
    write("max_tokens = 3", here.parent / FILE_NAME)
    assert load_settings(environ={}).max_tokens == 3


def test_without_a_repository_it_is_found_below_the_users_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write("max_tokens = 1", tmp_path / FILE_NAME)
    here = tmp_path / "a" / "b"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    assert load_settings(environ={}).max_tokens == 4096
    write("max_tokens = 2", tmp_path / "a" / FILE_NAME)
    assert load_settings(environ={}).max_tokens == 2


def test_a_project_holds_settings_in_a_table_of_its_own() -> None:
    write("[project]\nname = 'x'\n[tool.hookline]\nmax_tokens = 7\n", "pyproject.toml")
    settings = load_settings(environ={})
    assert (settings.max_tokens, settings.origin("max_tokens")) == (7, Origin.FOUND_FILE)
    assert settings.layers("max_tokens")[0].where(("max_tokens",)) == "pyproject.toml:4"
    assert load_settings("pyproject.toml", environ={}).origin("max_tokens") is Origin.NAMED_FILE
    write("max_tokens = 8")
    assert load_settings(environ={}).max_tokens == 8


@pytest.mark.parametrize(
    "text", ["[project]\nname = 'hookline'\n", "[tool.other]\nx = 1\n", "not TOML at all"]
)
def test_a_project_without_settings_is_none(text: str) -> None:
    write(text, "pyproject.toml")
    assert load_settings(environ={}) == Settings()


def test_a_project_that_was_named_must_have_them() -> None:
    write("[project]\nname = 'x'\n", "pyproject.toml")
    with pytest.raises(ConfigError, match=r"no table \[tool.hookline\]"):
        load_settings("pyproject.toml", environ={})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[tool]\nhookline = 5\n", "tool.hookline must be a table"),
        ("[tool.hookline]\nmodle = 1\n", "pyproject.toml:2: unknown option"),
        (
            "[tool.hookline]\nbase_url = 'https://evil.example'\n",
            "pyproject.toml:2: such a base_url",
        ),
    ],
)
def test_a_mistake_in_a_projects_settings_is_named(text: str, complaint: str) -> None:
    write(text, "pyproject.toml")
    with pytest.raises(ConfigError) as caught:
        load_settings(environ={})
    assert complaint in str(caught.value)


def test_a_folder_that_is_gone_holds_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    try:
        gone.rmdir()
    except OSError:
        pytest.skip("this system does not let the current directory go")
    assert load_settings(environ={}) == Settings()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_no_file_with_settings() -> None:
    os.mkfifo("pipe.toml")
    with pytest.raises(ConfigError, match="no regular file"):
        load_settings("pipe.toml", environ={})


def test_a_file_that_is_no_text_or_too_large_is_refused() -> None:
    Path("bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings("bytes.toml", environ={})
    Path("large.toml").write_bytes(b"#" * (1 << 20) + b"\n")
    with pytest.raises(ConfigError, match="larger than 1 MiB"):
        load_settings("large.toml", environ={})
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings("nul\0.toml", environ={})


# What a file that was merely found may say -------------------------------------------------------

HARMLESS = {
    "model": "m",
    "max_tokens": 9,
    "timeout": 9,
    "connect_timeout": 9,
    "read_timeout": 9,
    "write_timeout": 9,
    "max_steps": 9,
    "cache_breakpoints": "auto",
    "server": "ollama",  # how a request is shaped; not where it goes
    "models": {"ants-7b": {"context": 8192}},
}
NOT_HARMLESS = {
    "base_url": "https://evil.example",
    "api_key": "env:ANTHROPIC_API_KEY",
    "auth_token": "file:/etc/passwd",
    "api_version": "2023-06-01",
    "headers": {"x": "canary"},
    "always_stream": True,
    "max_connections": 5,
    "unknown_models": "allow",
    "http": "httpx",
    "ca_bundle": "evil.pem",
}


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + "}"
    return str(value).lower() if isinstance(value, bool) else repr(value)


def test_these_settings_are_harmless_and_no_others() -> None:
    lists = {"enable", "disable", "files", "plugins", "said"}
    assert {each.name for each in Settings.__attrs_attrs__} - lists == {*HARMLESS, *NOT_HARMLESS}
    write("".join(f"{name} = {toml(value)}\n" for name, value in HARMLESS.items()))
    settings = load_settings(environ={})
    assert {name: getattr(settings, name) for name in HARMLESS} == HARMLESS


@pytest.mark.parametrize("name", NOT_HARMLESS)
def test_a_found_file_may_not_say_what_harms(name: str) -> None:
    write(f"max_tokens = 5\n{name} = {toml(NOT_HARMLESS[name])}\n")
    with pytest.raises(ConfigError) as caught:
        load_settings(environ={"HOOKLINE_HTTP": "httpx"}, base_url="sim:", headers={"y": "z"})
    text = str(caught.value)
    assert text.startswith(f"{FILE_NAME}:2: ")
    assert f"{name} is not for a file that was merely found" in text
    for way in (f"config='{FILE_NAME}'", f"--config {FILE_NAME}", f"HOOKLINE_CONFIG={FILE_NAME}"):
        assert way in text
    assert "canary" not in text


@pytest.mark.parametrize("name", ["enable", "disable"])
def test_a_found_file_switches_no_plugin_on_or_off(name: str) -> None:
    write(f'[plugins]\n{name} = ["logging"]\n')
    with pytest.raises(ConfigError, match=rf"hookline\.toml:2: plugins\.{name} is not for a file"):
        load_settings(environ={})
    assert getattr(load_settings(FILE_NAME, environ={}), name) == ("logging",)


@pytest.mark.parametrize("address", ["sim:", "sim:scenario.toml", "sim:a/b.toml"])
def test_a_found_file_may_ask_for_the_simulator(address: str) -> None:
    write(f'base_url = "{address}"')
    assert load_settings(environ={}).base_url == address


@pytest.mark.parametrize(
    "address",
    ["http://localhost:1", "http://127.0.0.1:8765", "sim:/etc/passwd", "sim:../x", "sim:a/../../x"],
)
def test_a_found_file_may_name_no_other_address_or_path(address: str) -> None:
    write(f'base_url = "{address}"')
    with pytest.raises(
        ConfigError, match="such a base_url is not for a file that was merely found"
    ):
        load_settings(environ={})
    assert load_settings(environ={"HOOKLINE_CONFIG": FILE_NAME}).base_url == address


# On which line -----------------------------------------------------------------------------------


def test_lines_of_keys() -> None:
    text = (
        """# a comment
model = "x"

max_tokens = [
  1,  # over several lines
]
name.of."a key" = """
        "'''\nlong = 1\n[no.table]\n'''"
        """
[plugins . images]   # spaces
strategy = { a = 1, b = { c = 2 } }
[[plugins.fallback.elsewhere]]
base_url = "one"
[[plugins.fallback.elsewhere]]
api_key_env = "two"
"""
    )
    file = TomlFile("f", text, {})
    for key, line in {
        ("model",): 2,
        ("max_tokens",): 4,
        ("name", "of", "a key"): 7,
        ("plugins", "images"): 11,
        ("plugins", "images", "strategy"): 12,
        ("plugins", "images", "strategy", "b", "c"): 12,
        ("plugins", "fallback", "elsewhere"): 13,
        ("plugins", "fallback", "elsewhere", "base_url"): 14,
        ("plugins", "fallback", "elsewhere", "api_key_env"): 16,
        ("model", "nothing", "below"): 2,
    }.items():
        assert file.where(key) == f"f:{line}", key
    assert file.where(("absent",)) == "f"


@given(st.lists(st.sampled_from(["\n", "# c\n", "x = 1\n", 'y = """\n[a]\n"""\n'])))
def test_a_key_stands_after_whatever_came_before(lines: list[str]) -> None:
    before = "".join(dict.fromkeys(lines))
    file = TomlFile("f", f"{before}wanted = [\n1]\n", {})
    assert file.where(("wanted",)) == f"f:{before.count(chr(10)) + 1}"


# Secrets by reference ----------------------------------------------------------------------------


def key_of(text: str, environ: dict[str, str]) -> str:
    write(text, "named.toml")
    key = load_settings("named.toml", environ=environ).api_key
    assert key is not None
    return key.reveal()


def test_a_file_says_where_a_key_is_kept(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    environ["MY_KEY"] = "sk-variable"
    write("sk-file\n", "key.txt")
    kept = types.SimpleNamespace(
        get_password=lambda *place: {("some/service", "me"): "sk-keyring"}.get(place)
    )
    monkeypatch.setitem(sys.modules, "keyring", kept)
    command = f"'{sys.executable}' -c 'print(\\\"sk-command\\\")'"
    assert key_of('api_key = "env:MY_KEY"', environ) == "sk-variable"
    assert key_of('api_key = "file:key.txt"', environ) == "sk-file"
    assert key_of('api_key = "keyring:some/service/me"', environ) == "sk-keyring"
    assert key_of(f'api_key = "command:{command}"', environ) == "sk-command"


@pytest.mark.parametrize(
    ("reference", "complaint"),
    [
        ("sk-canary", "a key does not belong into settings; say where it is kept: env:NAME"),
        ("vault:canary", "a key does not belong into settings"),
        ("env:", "a key does not belong into settings"),
        ("env:ABSENT", "the environment variable ABSENT is not set"),
        ("file:absent.txt", "there is no file of a secret 'absent.txt'"),
        ("file:empty.txt", "what it points to is empty"),
        ("file:two.txt", "was a line break copied along?"),
        ("keyring:me", "keyring: takes SERVICE/NAME"),
        ("command:", "a key does not belong into settings"),
        ("command:no-such-program-anywhere", "command: it cannot be run"),
        ("command:'open", "command: it cannot be run"),
        ("command: ", "command: names no command"),
        ("command:{python} -c 'print(1/0)'", "ended with exit code 1"),
        ("command:{python} -c 'while 1: print(0xCA7A)'", "prints more than 64 KiB"),
        ("command:{python} -c 'print(*range(99999))'", "prints more than 64 KiB"),
        ("command:{python} loud.py", "ended with exit code 3"),
        ("command:{python} bytes.py", "printed something that is no UTF-8"),
    ],
)
def test_a_wrong_reference_is_named_and_shows_no_secret(
    reference: str, complaint: str, environ: dict[str, str]
) -> None:
    write(" \n", "empty.txt")
    write("canary\ncanary\n", "two.txt")
    write(
        "import sys\nfor _ in range(9000): print('canary' * 99, file=sys.stderr)\nsys.exit(3)",
        "loud.py",
    )
    write("import sys\nsys.stdout.buffer.write(b'canary\\xff')", "bytes.py")
    reference = reference.replace("{python}", sys.executable)
    write(f'model = "m"\napi_key = "{reference}"\n', "named.toml")
    with pytest.raises(ConfigError) as caught:
        load_settings("named.toml", environ=environ)
    text = str(caught.value)
    assert complaint in text
    assert text.startswith("named.toml:2: ")
    assert "canary" not in text


@pytest.mark.parametrize(
    "words",
    ["-c 'import time; time.sleep(60)'", "child.py"],
    ids=["one that does not end", "one whose child keeps its output open"],
)
def test_a_command_has_its_seconds_and_no_more(
    words: str, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hookline.config.references._PATIENCE", 0.5)
    child = "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(40)'])"
    write(child, "child.py")
    write(f'api_key = "command:{sys.executable} {words}"', "named.toml")
    began = time.monotonic()
    with pytest.raises(ConfigError, match=r"took longer than 0\.5 s"):
        load_settings("named.toml", environ=environ)
    assert time.monotonic() - began < 30


def test_a_keyring_needs_its_library(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    write('api_key = "keyring:a/b"', "named.toml")
    with pytest.raises(MissingExtra, match=r"hookline\[keyring\]"):
        load_settings("named.toml", environ=environ)


def test_only_a_file_that_was_named_runs_a_command(environ: dict[str, str]) -> None:
    users(environ, 'api_key = "command:touch ran"')
    with pytest.raises(ConfigError, match="not for the user file"):
        load_settings(environ=environ)
    with pytest.raises(ConfigError, match="not for the code"):
        load_settings({"api_key": "command:touch ran"}, environ=environ)
    assert not Path("ran").exists()


def test_a_reference_that_lost_is_not_followed(environ: dict[str, str]) -> None:
    write('api_key = "command:touch ran"', "named.toml")
    settings = load_settings("named.toml", environ=environ, api_key="sk-mine")
    assert settings.api_key is not None
    assert not Path("ran").exists()


def test_an_error_about_a_value_that_lost_is_told_all_the_same(environ: dict[str, str]) -> None:
    users(environ, "max_tokens = -1")
    with pytest.raises(ConfigError, match="max_tokens must be a whole number above 0, not -1"):
        load_settings(environ=environ, max_tokens=5)


@pytest.mark.parametrize("said", ["sk-ant-canary", "env", 3])
def test_a_key_in_a_file_is_an_error_whoever_wins(environ: dict[str, str], said: Any) -> None:
    write(f"auth_token = {said!r}", "named.toml")
    stronger: Any
    for stronger in ({"api_key": "sk-mine"}, {"auth_token": "sk-mine"}):
        with pytest.raises(ConfigError, match=r"named.toml:1: a key does not belong") as caught:
            load_settings("named.toml", environ=environ, **stronger)
        assert "canary" not in str(caught.value)


# Base URLs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("tail", ["", "/", "/v1", "/v1/", "/v1/messages", "/v1/messages/"])
@pytest.mark.parametrize("base", ["https://api.example", "http://[::1]:80/some/path"])
def test_what_is_added_to_a_base_url_may_stand_in_it(base: str, tail: str) -> None:
    assert load_settings(environ={"ANTHROPIC_BASE_URL": base + tail}).base_url == base
    with Pipeline(base_url=base + tail, api_key="k", config={}) as line:
        assert line._upstreams.reach().base_url == base


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1 ",
        " http://127.0.0.1:1",
        "http://127.0.0.1:1\n",
        "http://exa mple.com",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:abc",
        "http://127.0.0.1:",
        "http://127.0.0.1:0",
        "http://[::1",
        "http://::1]",
        "http://host/[x",
        "http://127.0.0.1:1?tenant=x",
        "http://127.0.0.1:1#x",
        "http://127.0.0.1:1/?",
        "http://good.example\\evil.example",
        "ftp://example.com",
        "example.com",
        "http://",
        "https:///v1",
        "",
    ],
)
def test_what_is_no_base_url_is_refused_when_it_is_given(url: str) -> None:
    ways: list[dict[str, Any]] = [{"base_url": url}, {"config": {"base_url": url}}]
    for given_as in ways:
        with pytest.raises(ConfigError, match="base_url must be an http"):
            Pipeline(api_key="k", **given_as)


@pytest.mark.parametrize("url", ["https://user:canary@example.com", "https://canary@example.com/x"])
def test_a_password_in_a_base_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigError, match="user name or password") as caught:
        Pipeline(base_url=url, api_key="k")
    assert "canary" not in str(caught.value)
