"""`hookline doctor` and `hookline plugins why`: what is wrong, why something is so, and the fix."""

import json
import re
import socket
import tomllib
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from hookline.cli import main
from hookline.cli.doctor.installation import EXTRAS
from hookline.cli.doctor.server import clock
from hookline.testing import FaultServer, error_answer, json_answer
from support.distributions import install

ROOT = Path(__file__).parents[2]


@pytest.fixture
def examined(capfd: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str) -> tuple[int, dict[str, Any]]:
        code = main(["doctor", "--json", *arguments])
        return code, {each["about"]: each for each in json.loads(capfd.readouterr().out)}

    return run


def test_all_is_well_on_the_simulator(
    examined: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "sim:")
    code, found = examined()
    assert code == 0
    assert (
        found["server"]["state"] == found["plugins"]["state"] == found["attrs"]["state"] == "good"
    )
    assert found["profile"]["what"].startswith("anthropic, by its host")
    assert found["policy"]["what"] == "there is none here"
    assert main(["doctor"]) == 0
    assert capfd.readouterr().out.rstrip().endswith("all is well")


def test_without_a_key_there_is_a_finding_and_its_fix(examined: Any) -> None:
    code, found = examined("--offline")
    assert code == 1
    assert found["credentials"]["state"] == "finding"
    assert "ANTHROPIC_API_KEY" in found["credentials"]["fix"]


@pytest.mark.parametrize(
    ("base_url", "headers", "state"),
    [
        ("https://api.anthropic.com.", "", "finding"),
        ("https://anthropic.com", "", "finding"),
        ("https://api.anthropic.com", '{ "X-Api-Key" = "k" }', "good"),
        # names that only hold the words
        ("https://api.anthropic.com.gateway.example", "", "note"),
        ("http://localhost:8080/api.anthropic.com", "", "note"),
    ],
)
def test_who_needs_a_key_says_the_table_of_servers(
    examined: Any, tmp_path: Path, base_url: str, headers: str, state: str
) -> None:
    file = tmp_path / "set.toml"
    file.write_text(f'base_url = "{base_url}"\n' + (f"headers = {headers}\n" if headers else ""))
    _, found = examined("--offline", "--config", str(file))
    assert found["credentials"]["state"] == state


def test_a_server_that_is_not_there(examined: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("ANTHROPIC_BASE_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        code, found = examined()
    assert code == 1
    assert "does not answer" in found["server"]["what"]
    assert "ANTHROPIC_BASE_URL" in found["server"]["fix"]


def test_a_server_that_refuses_the_key(examined: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    date = {"date": "Thu, 01 Jan 2015 00:00:00 GMT"}
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-canary")
    with FaultServer(error_answer(401, "authentication_error", headers=date)) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        code, found = examined()
    assert code == 1
    assert "refuses the credentials" in found["server"]["what"]
    assert found["clock"]["state"] == "finding"
    assert "sk-ant-canary" not in str(found)


def test_what_a_server_shows_of_itself(
    examined: Any, monkeypatch: pytest.MonkeyPatch, loopback: Any, http: Any, sse: Any,
    message: Any, deltas: Any, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """It repeats a prefill in whole answers only, and says that it is llama.cpp."""
    named = {"server": "llama.cpp"}

    def answer(request: Any) -> Any:
        if request.path.startswith("/v1/models"):
            return http(200, {"data": []}, named)
        if request.json.get("stream"):
            head = {"content-type": "text/event-stream", **named}
            return http(200, sse(*deltas(" lazy")), head)
        return http(200, message(request.json["messages"][-1]["content"] + " lazy"), named)

    server = loopback(answer)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    monkeypatch.setenv("HOOKLINE_MODEL", "ants-7b")
    code, found = examined()
    assert code == 0
    assert found["server"]["what"].endswith("it lists no models")
    assert found["profile"]["what"] == (
        "llama.cpp, by the headers of its answers; it is without documents, output_config, files"
    )
    assert "repeats none in streams" in found["prefill"]["what"]
    assert main(["doctor"]) == 0
    shown = " ".join(capfd.readouterr().out.split())
    assert "repeats a prefill in whole answers (by an answer to a prefill)" in shown


@pytest.mark.parametrize(("server", "how"), [("vllm", "as the settings say"), ("", "by its host")])
def test_what_kind_of_server_it_is(
    examined: Any, monkeypatch: pytest.MonkeyPatch, loopback: Any, http: Any, server: str, how: str
) -> None:
    there = loopback(lambda request: http(404, {}))
    monkeypatch.setenv("ANTHROPIC_BASE_URL", there.url)
    monkeypatch.setenv("HOOKLINE_SERVER", server)
    _, found = examined()
    assert found["profile"]["what"].startswith(f"{server or 'generic'}, {how}")
    assert ("HOOKLINE_SERVER" in (found["profile"]["fix"] or "")) == (not server)
    assert ("prefill" in found) == bool(server)  # a Claude at an unknown server repeats nothing


def test_the_clock_may_be_a_little_off() -> None:
    now = datetime(2026, 11, 27, 12, tzinfo=UTC)
    (good,) = clock("Fri, 27 Nov 2026 12:01:00 GMT", now)
    (behind,) = clock("Fri, 27 Nov 2026 12:01:00 GMT", now - timedelta(hours=1))
    assert good.state == "good"
    assert "3660 s behind" in behind.what
    assert list(clock("no date", now)) == []


def test_a_broken_plugin_and_wrong_settings(
    examined: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "sim:")
    install(monkeypatch, tmp_path, module="raise RuntimeError('broken at import')")
    code, found = examined("--offline")
    assert code == 1
    assert "broken at import" in found["plugin stamp"]["what"]
    assert "HOOKLINE_DISABLE=stamp" in found["plugin stamp"]["fix"]
    (tmp_path / "hookline.toml").write_text("modle = 1")
    code, found = examined("--offline")
    assert code == 1
    assert "did you mean 'model'" in found["settings"]["what"]


def test_a_proxy_is_shown_without_its_password(
    examined: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "sim:")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:canary@proxy.example:3128")
    _, found = examined("--offline")
    assert "proxy.example" in found["proxy"]["what"]
    assert "canary" not in str(found)


def test_every_extra_is_looked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(EXTRAS) == set(project["optional-dependencies"]) - {"all", "cli"}
    for module, _ in EXTRAS.values():
        if module not in ("keyring", "presidio_analyzer"):  # which our tests do without
            assert find_spec(module) is not None


def test_an_extra_that_is_missing_is_a_note_with_its_fix(
    examined: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "sim:")
    monkeypatch.setattr("hookline.cli.doctor.installation.find_spec", lambda _name: None)
    code, found = examined("--offline")
    assert code == 0, "no fault"
    for extra in EXTRAS:
        note = found[f"extra {extra}"]
        assert (note["state"], note["fix"]) == ("note", f"pip install 'hookline[{extra}]'")


def test_a_policy_is_named_and_a_damaged_one_is_a_finding(
    examined: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "sim:")
    policy = tmp_path / "policy.toml"
    monkeypatch.setenv("HOOKLINE_POLICY", str(policy))
    policy.write_text(
        "[policy]\nid = 'acme'\n[plugins]\nrequire = ['retry']\n"
        "[[rule]]\nid = 'short'\nmax_tokens = {max = 9000}\n"
    )
    code, found = examined("--offline")
    assert code == 0
    assert found["policy"]["what"].startswith(f"acme ({policy}): 1 rules, ")
    assert "requires retry" in found["policy"]["what"]
    policy.write_text("[plugins]\nrequire = ['gone']\n")
    code, found = examined("--offline")
    assert code == 1
    assert "gone" in found["plugins"]["what"]
    assert found["plugins"]["fix"]
    policy.write_text("[lokc]\n")
    code, found = examined("--offline")
    assert code == 1
    assert "lock" in found["policy"]["what"]
    assert "whoever keeps it" in found["policy"]["fix"]


def listing(**headers: str) -> Any:
    return json_answer({"data": [], "has_more": False}, headers=headers)


@pytest.mark.parametrize(
    ("headers", "server", "state", "said"),
    [
        ({"server": "llama.cpp"}, "", "good", "llama.cpp, by the headers of its answers"),
        ({"server": "llama.cpp"}, "ollama", "finding", "taken for ollama"),
        ({"server": "llama.cpp"}, "llama.cpp", "good", "llama.cpp, as the settings say; "),
        ({}, "", "note", "generic, by its host"),
    ],
)
def test_what_kind_of_server_it_is_taken_for(
    headers: dict[str, str],
    server: str,
    state: str,
    said: str,
    examined: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-none")
    if server:
        monkeypatch.setenv("HOOKLINE_SERVER", server)
    with FaultServer(listing(**headers, date=formatdate(usegmt=True))) as there:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", there.url)
        code, found = examined()
    assert (found["profile"]["state"], code) == (state, 1 if state == "finding" else 0)
    assert said in found["profile"]["what"]
    assert found["clock"]["state"] == "good", "of an answer that went well, too"
    assert (found["profile"]["fix"] is None) == (state == "good")


def test_every_finding_and_note_has_a_fix(
    examined: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setattr("hookline.cli.doctor.installation.find_spec", lambda _name: None)
    install(monkeypatch, tmp_path, module="raise RuntimeError('broken at import')")
    seen = set()
    for status in (401, 404, 500):
        with FaultServer(error_answer(status, "api_error")) as server:
            monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
            for each in examined()[1].values():
                seen.add((each["about"], each["state"]))
                assert each["state"] == "good" or each["fix"], each
    assert {("server", "finding"), ("server", "note"), ("plugin stamp", "finding")} <= seen


# --- plugins why


@pytest.fixture
def why(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "sim:")

    def run(*arguments: str) -> Any:
        assert main(["plugins", "why", "--json", *arguments]) == 0
        return json.loads(capfd.readouterr().out)

    return run


def test_why_names_the_layer_that_said_so(
    why: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = tmp_path / "mine.toml"
    settings.write_text("[plugins.retry]\nattempts = 7\n")
    told = why("retry", "--config", str(settings))
    assert told["enabled"]
    assert told["said by"] == [f"{settings}:1: [plugins.retry]"]
    assert told["options"]["attempts"] == f"= 7, {settings}:2"
    assert told["options"]["quota"].endswith("its default")
    assert re.match(r"\d of \d", told["places"]["send"])
    monkeypatch.setenv("HOOKLINE_DISABLE", "echo")
    told = why("echo")
    assert told["because"] == "off: switched off by plugins.disable"
    assert told["said by"] == ["HOOKLINE_DISABLE: plugins.disable"]
    assert "optional" in why("replay")["because"]


def test_why_of_one_in_a_file_and_of_one_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "sim:")
    (tmp_path / "mine.py").write_text(
        "from hookline import hookimpl\n@hookimpl\ndef build_history(request): ...\n"
    )
    assert main(["-p", "./mine.py", "plugins", "why", "mine"]) == 0
    assert "on: its file is named" in capfd.readouterr().out
    assert main(["plugins", "why", "retyr"]) == 2
    assert "did you mean 'retry'" in capfd.readouterr().err
