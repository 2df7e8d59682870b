"""`hookline config`: what holds, who said so, and changing the user's own file."""

import json
import os
import re
import stat
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from hookline import HooklineError, Pipeline
from hookline.cli import main
from hookline.config import SETTINGS, load_settings, user_file


def users() -> Path:
    path = user_file(os.environ)
    assert path is not None
    return path


def shown(capfd: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(["config", *arguments, "--json"]) == 0
    return json.loads(capfd.readouterr().out)


def test_every_setting_is_shown_with_the_layer_that_won_and_those_that_lost(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("hookline.toml").write_text("\ntimeout = 3\n[plugins.retry]\nattempts = 4\n")
    monkeypatch.setenv("HOOKLINE_TIMEOUT", "4")
    monkeypatch.setenv("HOOKLINE_RETRY__ATTEMPTS", "5")
    assert main(["config", "set", "timeout", "5"]) == 0
    capfd.readouterr()
    found = shown(capfd)
    assert found["timeout"] == {
        "value": 4,
        "layer": "environment",
        "where": "HOOKLINE_TIMEOUT",
        "replaced": [
            {"value": 5, "layer": "user file", "where": f"{users()}:1"},
            {"value": 3, "layer": "found file", "where": "hookline.toml:2"},
        ],
    }
    assert found["plugins.retry.attempts"]["value"] == 5
    assert found["plugins.retry.attempts"]["replaced"][0]["where"] == "hookline.toml:4"
    assert found["model"] == {
        "value": load_settings(environ={}).model,
        "layer": "default",
        "where": None,
        "replaced": [],
    }
    lists = {"enable", "disable", "files"}
    assert {*SETTINGS} - lists | {f"plugins.{each}" for each in lists} <= set(found)
    assert main(["config"]) == 0
    table = capfd.readouterr().out
    assert "HOOKLINE_TIMEOUT" in table
    assert "not 5" in table


def test_a_file_that_is_named_is_looked_at(capfd: pytest.CaptureFixture[str]) -> None:
    Path("named.toml").write_text("timeout = 3\n")
    assert shown(capfd, "--config", "named.toml")["timeout"]["layer"] == "named file"


def test_no_secret_is_shown(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = f"'{sys.executable}' -c 'print(1)' canary-word"
    Path("named.toml").write_text(
        f"""
api_key = "command:{command}"
headers = {{ x-team = "canary-header" }}
[plugins.absent]
token = "canary-option"
"""
    )
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "canary-token")
    for arguments in (["config"], ["config", "--json"]):
        assert main([*arguments, "--config", "named.toml"]) == 0
        captured = capfd.readouterr()
        assert "canary" not in captured.out + captured.err
        assert "x-team" in captured.out
    monkeypatch.delenv("ANTHROPIC_AUTH_TOKEN")
    monkeypatch.setenv("SOME_KEY", "canary-key")
    Path("named.toml").write_text('api_key = "env:SOME_KEY"')
    found = shown(capfd, "--config", "named.toml")["api_key"]
    assert found["value"] == "Secret(…)"
    assert main(["config", "--config", "named.toml"]) == 0
    assert "canary" not in capfd.readouterr().out


def test_what_would_stop_a_pipeline_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    Path("hookline.toml").write_text('[plugins.images]\nstrategy = "base64"\n')
    assert main(["config"]) == 0
    assert (
        "plugins.images.strategy is not for a file that was merely found" in capfd.readouterr().err
    )
    Path("hookline.toml").write_text("modle = 1\n")
    assert main(["config"]) == 2
    assert "hookline.toml:1: unknown option" in capfd.readouterr().err


# Changing the user's file -------------------------------------------------------------------------


def test_a_value_is_set_and_every_comment_is_kept() -> None:
    path = users()
    path.parent.mkdir(parents=True)
    path.write_text("# mine\ntimeout = 3  # short\n\n[plugins.retry]  # again\nattempts = 4\n")
    for key, value in {
        "timeout": "4.5",
        "model": "claude-haiku-4-5",
        "plugins.retry.attempts": "5",
        "plugins.images.strategy": "base64",
        "plugins.images.roots": "a, b",
        "plugins.disable": "logging,cost",
        "always_stream": "true",
    }.items():
        assert main(["config", "set", key, value]) == 0
    text = path.read_text()
    for comment in ("# mine\n", "timeout = 4.5  # short\n", "[plugins.retry]  # again\n"):
        assert comment in text
    settings = load_settings()
    assert (settings.timeout, settings.model) == (4.5, "claude-haiku-4-5")
    assert settings.always_stream is True
    assert settings.disable == ("logging", "cost")
    assert settings.plugins == {
        "retry": {"attempts": 5},
        "images": {"strategy": "base64", "roots": ["a", "b"]},
    }


def test_a_new_file_is_the_users_alone() -> None:
    assert main(["config", "set", "timeout", "5"]) == 0
    if sys.platform != "win32":
        assert stat.S_IMODE(users().stat().st_mode) == 0o600
    assert [path.name for path in users().parent.iterdir()] == ["config.toml"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.toml"
    real.write_text("timeout = 3\n")
    users().parent.mkdir(parents=True)
    users().symlink_to(real)
    assert main(["config", "set", "timeout", "5"]) == 0
    assert users().is_symlink()
    assert real.read_text() == "timeout = 5\n"


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("modle", "x", "there is no option 'modle'; did you mean 'model'?"),
        ("plugins.retry.atempts", "5", "no option 'atempts'; did you mean 'attempts'?"),
        ("plugins.retyr.attempts", "5", "there is no option"),
        ("plugins", "5", "there is no option 'plugins'"),
        ("timeout", "-1", "timeout must be a number of seconds above 0, not -1"),
        ("http", "curl", "http must be one of"),
        ("plugins.images.strategy", "x", "plugins.images.strategy"),
        ("plugins.retry.attempts", "many", "plugins.retry.attempts"),
        ("plugins.retry.shadow", "maybe", "shadow must be true or false"),
        ("base_url", "http://x:y", "base_url must be an http"),
        ("api_key", "sk-canary", "a key does not belong into settings"),
        ("api_key", "command:echo x", "not for the user file"),
    ],
)
def test_what_would_not_work_is_refused_and_not_written(
    key: str, value: str, complaint: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "set", "timeout", "5"]) == 0
    before = users().read_text()
    assert main(["config", "set", key, value]) == 2
    told = capfd.readouterr().err
    assert complaint in told
    assert "canary" not in told
    assert users().read_text() == before


LAYOUTS = [
    "",
    "model = 'x'",
    "# dotted\nplugins.disable = ['cost']\nmodel = 'x'\n",
    "plugins.images.strategy = 'base64'  # dotted\nmodel = 'x'\n",
    "[plugins]\ndisable = ['cost']\n[models.x]\ncontext = 3\n",
    "plugins = { disable = ['cost'] }  # inline\nmodel = 'x'\n",
    "[plugins.images]\nstrategy = 'base64'\n\n[models.x]\ncontext = 3\n\n[plugins.cost]\n# apart\n",
    "[plugins.cost]\n[models.x]\ncontext = 3\n[plugins.images]\nstrategy = 'base64'\n",
    "[plugins]\nimages.strategy = 'base64'\nretry = { attempts = 2 }\n",
    "\ufefftimeout = 5 # five\r\nmodel = 'x'\r\n",
]


@pytest.mark.parametrize("text", LAYOUTS)
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("timeout", 7.5),
        ("plugins.disable", ["logging"]),
        ("plugins.images.strategy", "url"),
        ("plugins.retry.attempts", 5),
        ("plugins.images.roots", ["a", "b"]),
    ],
)
def test_however_a_file_is_written_one_value_changes_and_no_other(
    text: str, key: str, value: Any
) -> None:
    users().parent.mkdir(parents=True)
    users().write_text(text, newline="")
    wanted = tomllib.loads(text.removeprefix("\ufeff"))
    *tables, name = key.split(".")
    inner = wanted
    for part in tables:
        inner = inner.setdefault(part, {})
    inner[name] = value
    given = ",".join(value) if isinstance(value, list) else str(value)
    assert main(["config", "set", key, given]) == 0
    changed = users().read_text()
    assert tomllib.loads(changed) == wanted
    for comment in re.findall("#.*", text):
        assert comment.strip() in changed
    assert main(["config", "unset", key]) == 0
    after = tomllib.loads(users().read_text())
    assert name not in after.get("plugins", {}).get(tables[-1] if tables else "", {})
    assert after.get("models") == wanted.get("models")


def test_what_is_no_text_or_no_table_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "set", "model", "\udcff"]) == 2
    assert "not UTF-8" in capfd.readouterr().err
    users().parent.mkdir(parents=True)
    users().write_text("plugins = 3\n")
    assert main(["config", "set", "plugins.images.strategy", "url"]) == 2
    assert "plugins must be a table, not 3" in capfd.readouterr().err
    assert users().read_text() == "plugins = 3\n"


def test_a_file_is_not_written_where_another_value_would_change(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from hookline.cli import user_settings

    users().parent.mkdir(parents=True)
    users().write_text("timeout = 5\n")
    monkeypatch.setattr(user_settings, "_in_tables", lambda *_: "timeout = 7\nmodel = 'lost'\n")
    monkeypatch.setattr(user_settings, "_at_the_end", lambda *_: "timeout = \n")
    assert main(["config", "set", "timeout", "7"]) == 2
    assert "cannot be added to; write it there by hand" in capfd.readouterr().err
    assert users().read_text() == "timeout = 5\n"


def test_a_file_that_is_no_toml_is_not_touched(capfd: pytest.CaptureFixture[str]) -> None:
    users().parent.mkdir(parents=True)
    users().write_text("timeout = \n")
    assert main(["config", "set", "timeout", "5"]) == 2
    assert str(users()) in capfd.readouterr().err
    assert users().read_text() == "timeout = \n"


def test_a_value_is_taken_out_and_every_comment_is_kept(capfd: pytest.CaptureFixture[str]) -> None:
    users().parent.mkdir(parents=True)
    users().write_text(
        "# mine\ntimeout = 5\nold = 1  # of a version before\n\n[plugins.retry]\nattempts = 2\n"
    )
    for key in ("timeout", "old", "plugins.retry.attempts"):
        assert main(["config", "unset", key]) == 0
        assert f"{key} is no longer set in {users()}" in capfd.readouterr().out
    assert users().read_text().strip() == "# mine"  # no empty table, which would enable the plugin
    for key in ("timeout", "plugins.retry.attempts", "timeout.x"):
        assert main(["config", "unset", key]) == 0
        assert f"{key} is not set" in capfd.readouterr().out


def test_without_a_home_there_is_nothing_to_set(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("XDG_CONFIG_HOME", "APPDATA", "HOME"):
        monkeypatch.delenv(variable, raising=False)
    assert main(["config", "set", "timeout", "5"]) == 2
    assert "set HOME" in capfd.readouterr().err


# The schema --------------------------------------------------------------------------------------


def test_the_schema_knows_every_option_and_its_bounds(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--schema"]) == 0
    schema = json.loads(capfd.readouterr().out)
    settings = schema["properties"]
    assert set(settings) == {*SETTINGS, "plugins"} - {"enable", "disable", "files"}
    assert settings["timeout"]["exclusiveMinimum"] == 0
    assert settings["timeout"]["default"] == 600
    assert "streamed or not" in settings["timeout"]["description"]
    assert settings["http"]["enum"] == ["auto", "httpcore2", "aiohttp", "httpx", "httpx2"]
    assert settings["api_key"]["pattern"].startswith("^(env|file|keyring|command)")
    plugins = settings["plugins"]["properties"]
    assert plugins["disable"]["items"] == {"type": "string"}
    assert plugins["images"]["properties"]["strategy"]["enum"] == ["auto", "url", "base64", "file"]
    assert plugins["images"]["properties"]["strategy"]["description"]
    assert plugins["pause"]["properties"]["limit"]["minimum"] == 0
    assert plugins["tools"]["properties"]["routes"] == {
        "type": "object",
        "description": plugins["tools"]["properties"]["routes"]["description"],
    }
    elsewhere = plugins["fallback"]["properties"]["elsewhere"]["items"]["$ref"]
    within = schema["$defs"][elsewhere.removeprefix("#/$defs/")]
    assert "base_url" in within["properties"]
    assert within["required"] == ["base_url"]
    assert "gateway" in within["description"]
    assert all(table["additionalProperties"] is False for table in (schema, plugins["retry"]))


_ANTS = '[models."ants-7b"]\n'
_LIMIT = '[[plugins.budget.limits]]\nby = "team"\nper = "day"\n'


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ('[headers]\nx-team = "risk"', True),
        ("[headers]\nx-team = 7", False),
        ('[headers]\nx-team = "two\\nlines"', False),
        ('[headers]\n"x team" = "risk"', False),
        ('[headers]\nHost = "elsewhere"', False),
        (_ANTS + 'context = 8192\nvision = "high"\nthinking = ["adaptive"]', True),
        (_ANTS + 'vision = false\nprices = { input = "0.10", output = 0.4 }', True),
        (_ANTS + "context = 0", False),
        (_ANTS + "contxt = 8192", False),
        (_ANTS + 'prefill = "yes"', False),
        (_ANTS + "vision = true", False),
        (_ANTS + "prices = { input = 1 }", False),
        (_ANTS + "prices = { input = -1, output = 1 }", False),
        (_ANTS + 'prices = { input = "1", output = "much" }', False),
        ("models = { ants = 1 }", False),
        ('[models."claude-haiku-4-5"]\ncontext = 1', False),
        (_LIMIT + "usd = 5\nwarn_at = 0.5", True),
        (_LIMIT + "usd = -5", False),
        (_LIMIT + "usd = 5\nwarn_at = 2", False),
        (_LIMIT + "tokens = 1.5", False),
        (_LIMIT + "usd = 5\nper_user = true", False),
        ('[[plugins.budget.limits]]\nby = "team"\nusd = 5', False),
        ('[[plugins.fallback.elsewhere]]\nbase_url = "https://gateway.example"', True),
        ('[[plugins.fallback.elsewhere]]\nmodel = "ants-7b"', False),
        ('[plugins.redact]\npatterns = { ticket = "T-[0-9]+" }', True),
        ("[plugins.redact]\npatterns = { ticket = 7 }", False),
        ('[plugins.images]\nroots = ["/srv"]', True),
        ('[plugins.images]\nroots = "/srv"', False),
    ],
)
def test_the_schema_says_what_the_reader_says(
    text: str, fits: bool, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "--schema"]) == 0
    schema = jsonschema_rs.validator_for(json.loads(capfd.readouterr().out))
    path = tmp_path / "budget.db"
    file = tmp_path / "hookline.toml"
    more = f"\n[plugins.budget]\npath = '{path}'\n" if "budget" in text else ""
    file.write_text(text + more)
    assert schema.is_valid(tomllib.loads(text + more)) is fits
    if fits:
        Pipeline(config=file, api_key="k").close()
    else:
        with pytest.raises(HooklineError):
            Pipeline(config=file, api_key="k").close()
