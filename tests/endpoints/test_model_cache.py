"""What a server tells of its models is kept with its date, and read by later runs at that server."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from hookline import Pipeline
from hookline.cli import main
from hookline.endpoints.model_cache import keep, kept
from hookline.models import load_models

NOW = dt.datetime(2026, 11, 27, tzinfo=dt.UTC)
YES, NO = {"supported": True}, {"supported": False}
ENTRIES = [
    {
        "id": "claude-opus-4-5-20251101",
        "type": "model",
        "created_at": "2025-11-24T00:00:00Z",
        "lifecycle": "deprecated",
        "retires_at": "2027-02-01T00:00:00Z",
        "max_input_tokens": 100_000,
        "max_tokens": 32_000,
        "capabilities": {"effort": {"supported": True, "low": YES, "high": NO}},
    },
    {
        "id": "claude-opus-7",
        "type": "model",
        "display_name": "Claude Opus 7",
        "created_at": "2026-11-25T00:00:00Z",
        "lifecycle": "active",
        "line": "opus",
        "max_input_tokens": 2_000_000,
        "max_tokens": 256_000,
        "capabilities": {
            "image_input": YES,
            "thinking": {"supported": True, "types": {"adaptive": YES, "disabled": NO}},
        },
    },
    {"id": "ants-7b", "type": "model", "meta": {"n_ctx": 8192}},
    {"id": "silent-1b", "type": "model"},
]


@pytest.fixture
def server(loopback: Any, http: Any, message: Any) -> Any:
    def answer(request: Any) -> Any:
        if request.path.startswith("/v1/models"):
            return http(200, {"data": ENTRIES, "has_more": False})
        return http(200, message("The answer is (C"))

    return loopback(answer)


def refresh(server: Any, capsys: Any) -> str:
    assert main(["models", "--refresh", "--base-url", server.url, "--json"]) == 0
    out, err = capsys.readouterr()
    assert "kept in" in err
    return str(out)


def test_later_runs_go_by_what_was_kept(server: Any, capsys: Any) -> None:
    listed = {each["id"]: each for each in json.loads(refresh(server, capsys))}
    assert listed["claude-opus-7"]["context"] == 2_000_000
    with Pipeline(base_url=server.url, config={}) as line:
        opus = line.model_table.require("claude-opus-4-5")
        shipped = load_models().require("claude-opus-4-5")
        assert (opus.context, opus.max_output, opus.status) == (100_000, 32_000, "deprecated")
        assert (opus.retires, opus.released) == (dt.date(2027, 2, 1), shipped.released)
        assert opus.effort == ("low",)
        assert (opus.prices, opus.prefill, opus.vision) == (
            shipped.prices,
            shipped.prefill,
            shipped.vision,
        )
        assert line.model_table.require("ants-7b").context == 8192
        assert "silent-1b" not in line.model_table
    assert main(["models", "--base-url", server.url]) == 0
    assert "told on" in capsys.readouterr().err


def test_it_is_of_that_server_alone(server: Any, capsys: Any) -> None:
    refresh(server, capsys)
    with Pipeline(base_url="http://localhost:9", config={}) as line:
        assert line.model_table == load_models()


def test_a_claude_that_nobody_knew_is_taken_with_care(server: Any, capsys: Any) -> None:
    refresh(server, capsys)
    config = {"plugins": {"preflight": {"strict": True}}}
    with Pipeline(base_url=server.url, model="claude-opus-7", config=config) as line:
        facts = line.model_table.require("claude-opus-7")
        assert (facts.line, facts.prices, facts.thinking) == ("opus", None, ("adaptive",))
        assert facts.vision is not None
        assert facts.confirmed("thinking")
        assert not facts.confirmed("sampling")
        reply = line.send("Ant?", prefill="The answer is (", max_tokens=1)
        assert (reply.text, reply.prefill_mode) == ("The answer is (C", "instructed")
        # What the list does not tell may warn, and never refuses.
        reply = line.send("Ant?", temperature=0.5)
        assert "the API may refuse this" in str(reply.trace.notes)


def test_settings_and_plugins_have_the_last_word(server: Any, capsys: Any) -> None:
    refresh(server, capsys)
    config = {"models": {"ants-7b": {"context": 4096}}}
    with Pipeline(base_url=server.url, config=config) as line:
        assert line.model_table.require("ants-7b").context == 4096


def test_what_is_a_month_old_is_not_believed(server: Any) -> None:
    with Pipeline(base_url=server.url, config={}) as line:
        entries = list(line.models.all())
    path = keep(server.url, entries, now=NOW)
    assert path.stat().st_mode & 0o077 == 0
    found = kept(server.url, now=NOW + dt.timedelta(days=29))
    assert found is not None
    assert (found.fetched, [each.id for each in found.models]) == (NOW, [e["id"] for e in ENTRIES])
    assert kept(server.url, now=NOW + dt.timedelta(days=31)) is None
    assert kept("http://localhost:9", now=NOW) is None


def test_a_hundred_servers_are_kept_the_newest() -> None:
    for number in range(102):
        keep(f"http://localhost:{number}", [], now=NOW)
    assert kept("http://localhost:1", now=NOW) is None
    assert kept("http://localhost:2", now=NOW) is not None


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"servers": 5}', b'{"servers": {"URL": {}}}',
     b'{"servers": {"URL": {"fetched": "then", "models": []}}}',
     b'{"servers": {"URL": {"fetched": "2026-11-27T00:00:00+00:00", "models": [{}]}}}',
     b'{"servers": {"URL": {"fetched": "2026-11-27T00:00:00", "models": []}}}', b"\xff" * 9],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_as_good_as_none(
    server: Any, capsys: Any, logged: Any, content: bytes
) -> None:
    path: Path = keep(server.url, [])
    path.write_bytes(content.replace(b"URL", server.url.encode()))
    with Pipeline(base_url=server.url, config={}) as line:
        assert line.model_table == load_models()
    assert "hookline models --refresh" in logged[0]["message"]
    refresh(server, capsys)
    assert kept(server.url) is not None


def test_a_server_without_a_list_is_told(loopback: Any, http: Any, capsys: Any) -> None:
    server = loopback(lambda request: http(404, {}))
    assert main(["models", "--refresh", "--base-url", server.url]) != 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "404" in err
    assert kept(server.url) is None
