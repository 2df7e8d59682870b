"""`hookline replay`: what another configuration would make of recorded requests."""

import json
from pathlib import Path
from typing import Any

import pytest

from hookline import Image, Pipeline, hookimpl
from hookline.cli import main
from hookline.simulator import Rule, Scenario, Simulator
from hookline.testing import FaultServer, error_answer

ANT = Path(__file__).parents[2] / "examples" / "ant.png"
EDITOR = """
from hookline import hookimpl, StreamFilter

class Editor:
    @hookimpl
    def send(self, request, call_next):
        return call_next(request.map_text(lambda text: text.replace("Ada", "[name]")))

    @hookimpl
    def filter_stream(self):
        return StreamFilter.deltas(lambda text: text.replace("darn", "****"), look_behind=3)
"""
STAYS = "Nothing here changes."


@pytest.fixture(autouse=True)
def tape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cassette of two exchanges, in the directory where the commands run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "sim:")
    Path("editor.py").write_text(EDITOR)
    return record("Ada asks", STAYS)


def record(*messages: Any, sim: Simulator | None = None, **options: Any) -> Path:
    path = Path("calls.jsonl")
    settings = {"plugins": {"record": {"path": str(path)}}}
    with Pipeline(
        base_url=sim or Simulator(Scenario.of(Rule(when="Ada", reply="Oh darn"))),
        config=settings,
        plugins=["record"],
        model="claude-haiku-4-5",
    ) as line:
        for message in messages:
            line.send(message, **options)
    return path


@pytest.fixture
def replayed(capfd: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str) -> tuple[int, dict[str, Any]]:
        code = main(["replay", "calls.jsonl", "--json", *arguments])
        out, err = capfd.readouterr()
        assert not err
        return code, json.loads(out)

    return run


def test_the_same_configuration_changes_nothing(replayed: Any) -> None:
    code, found = replayed()
    assert code == 0
    assert found["changed"] == 0
    assert found["cost"]["was"] == found["cost"]["now"] > 0


def test_a_plugin_is_shown_by_what_it_edits(replayed: Any) -> None:
    code, found = replayed("--plugins", "./editor.py")
    assert code == 3
    first, second = found["exchanges"]
    assert (first["plugins"], first["decision"]) == (["Editor"], "allow")
    assert '-      "content": "Ada asks"' in first["request_diff"]
    assert '+      "content": "[name] asks"' in first["request_diff"]
    assert first["reply_diff"] == ["-Oh darn", "+Oh ****"]
    assert not second["changed"]
    assert second["was"] == second["now"]


def test_a_policy_is_shown_by_whom_it_refuses(replayed: Any) -> None:
    Path("new.toml").write_text(
        "[[rule]]\nid = 'names'\nforbid = {words = ['ada']}\nreason = 'No names.'\n"
        "[[rule]]\nid = 'trial'\nmax_tokens = {max = 5}\nshadow = true\n"
    )
    code, found = replayed("--policy", "new.toml")
    assert code == 3
    first, second = found["exchanges"]
    assert (first["decision"], first["by"], first["reason"]) == ("refuse", "names", "No names.")
    assert first["now"]["cost"] == first["now"]["input_tokens"] == 0
    assert not second["changed"]
    assert "in shadow, trial would refuse" in second["notes"][0]


def test_a_rule_about_replies_judges_the_recorded_one(replayed: Any) -> None:
    Path("new.toml").write_text(
        "[[rule]]\nid = 'manners'\nforbid = {words = ['darn'], in = ['reply']}\n"
    )
    code, found = replayed("--policy", "new.toml")
    assert code == 3
    first, _ = found["exchanges"]
    assert (first["decision"], first["by"]) == ("refuse", "manners")
    assert first["now"]["cost"] == first["was"]["cost"], "it has been answered, and is to be paid"


def test_another_model_has_another_price(replayed: Any) -> None:
    code, found = replayed("--model", "claude-opus-4-6")
    assert code == 3
    assert found["cost"]["now"] > found["cost"]["was"]
    assert all(each["now"]["estimated"] for each in found["exchanges"])


def test_nothing_is_sent_and_no_observer_is_told(
    replayed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("teller.py").write_text(
        "from pathlib import Path\nfrom hookline import hookimpl\n"
        "@hookimpl\ndef on_turn_end(): Path('told').touch()\n"
        "@hookimpl\ndef conclude(): Path('concluded').touch()\n"
    )
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-none")
    with FaultServer(error_answer(500, "api_error")) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        code, _ = replayed("--plugins", "./teller.py,cache,breaker,limiter")
        assert code == 0
        assert not server.requests
    assert not Path("told").exists()
    assert not Path("concluded").exists()


def test_no_tool_runs_but_the_checks_are_asked(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("tool.py").write_text(
        "from pathlib import Path\nfrom hookline import PolicyViolation, hookimpl\n"
        "def touch() -> str:\n    'Touch.'\n    Path('ran').touch()\n    return 'done'\n"
        "@hookimpl\ndef register_tools(register): register(touch)\n"
    )
    record(
        "Do it",
        sim=Simulator(Scenario.of(Rule(tool_use={"name": "touch", "input": {}}))),
        tools=[TOUCH],
    )
    head, line = Path("calls.jsonl").read_text().splitlines()
    call = json.loads(line)
    del call["request"]["tools"]  # so that the plugin's is offered, and could run
    Path("calls.jsonl").write_text(f"{head}\n{json.dumps(call)}\n")
    assert main(["replay", "calls.jsonl", "--plugins", "./tool.py"]) == 3
    assert "tools are not run here: touch" in capfd.readouterr().out
    assert not Path("ran").exists()
    Path("no_tools.py").write_text(
        "from hookline import PolicyViolation, hookimpl\n"
        "@hookimpl\ndef check_tool(call): raise PolicyViolation('not this one')\n"
    )
    assert main(["replay", "calls.jsonl", "--plugins", "./no_tools.py"]) == 3
    assert "not this one" in capfd.readouterr().out


TOUCH = {"name": "touch", "input_schema": {"type": "object"}}


def test_send_really_sends(replayed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("other.toml").write_text("[[rule]]\nreply = 'Something else'\n")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "sim:other.toml")
    code, found = replayed("--send", "--plugins", "./editor.py")
    assert code == 3
    first, second = found["exchanges"]
    assert found["sent"]
    assert "+Something else" in first["reply_diff"]
    assert '+      "content": "[name] asks"' in first["request_diff"]
    assert "+Something else" in second["reply_diff"]
    assert not second["now"]["estimated"]


def test_the_recording_is_not_written_over(replayed: Any, tape: Path) -> None:
    before = tape.read_bytes()
    Path("mine.toml").write_text(
        "[plugins]\nenable = ['record']\n[plugins.record]\npath = 'calls.jsonl'\n"
    )
    replayed("--send", "--config", "mine.toml")
    assert tape.read_bytes() == before


def test_an_image_that_is_only_a_hash(replayed: Any, capfd: pytest.CaptureFixture[str]) -> None:
    record([Image(ANT), "What is this?"])
    code, found = replayed()
    assert code == 0
    assert "only the hash of an image" in found["exchanges"][0]["notes"][0]
    assert main(["replay", "calls.jsonl", "--send"]) == 2
    assert "replay it without --send" in capfd.readouterr().err


def test_requests_without_responses(replayed: Any) -> None:
    body = {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [], "system": "Ada"}
    body["messages"] = [{"role": "user", "content": "Ada"}]
    Path("calls.jsonl").write_text(
        json.dumps(body) + "\n" + json.dumps({"request": body, "principal": {"team": "bees"}})
    )
    Path("new.toml").write_text(
        "[[rule]]\nid = 'bees'\nforbid = {words = ['ada']}\nfor = {teams = ['bees']}\n"
    )
    code, found = replayed("--policy", "new.toml")
    assert code == 3
    assert [each["decision"] for each in found["exchanges"]] == ["allow", "refuse"]
    assert found["exchanges"][0]["was"]["output_tokens"] is None
    assert found["exchanges"][0]["was"]["estimated"]


def test_what_explain_prints_is_read_where_it_is_whole(
    capfd: pytest.CaptureFixture[str],
) -> None:
    for text, code in (("Ada asks", 0), ("Ada asks " * 100, 2)):
        assert main(["explain", text, "--json", "--model", "claude-haiku-4-5"]) == 0
        Path("shown.json").write_text(capfd.readouterr().out)
        assert main(["replay", "shown.json"]) == code
        said = capfd.readouterr().err
    assert "shown.json: a request whose long texts were cut" in said


def test_what_is_printed_for_a_person(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "calls.jsonl", "--plugins", "./editor.py"]) == 3
    out = capfd.readouterr().out
    assert "1 of 2 requests would change; cost $" in out
    assert "+Oh ****" in out
    assert out.index("calls.jsonl:2") < out.index("calls.jsonl:3")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gone.jsonl"], "no such file"),
        (["editor.py"], "editor.py:2: not JSON"),
        (["empty.jsonl"], "no request was recorded"),
        (["calls.jsonl", "--plugins", "edtor"], "there is no plugin called 'edtor'"),
        (["calls.jsonl", "--model", "claude-haiku-9"], "unknown model"),
        (["calls.jsonl", "--policy", "gone.toml"], "gone.toml"),
        (["broken.jsonl"], "broken.jsonl: its response is none"),
    ],
)
def test_what_cannot_be_read_is_refused(
    arguments: list[str], said: str, tape: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("empty.jsonl").write_text('{"hookline_cassette": 1}\n')
    first = json.loads(tape.read_text().splitlines()[1])
    Path("broken.jsonl").write_text(json.dumps({**first, "response": 3}))
    assert main(["replay", *arguments]) == 2
    assert said in capfd.readouterr().err


# --- the differences themselves


def test_a_difference_deep_in_a_long_text_is_shown() -> None:
    long = "word " * 500
    with Pipeline(base_url="sim:", config={}, plugins=[Swap()]) as line:
        trace = line.send([long + "here stands Ada, " + long, "and a second text"]).trace
    (change,) = (each for each in trace.changes if each.plugin == "swap")
    removed, added = (line for line in change.diff().splitlines() if line.startswith(("-", "+")))
    assert "here stands Ada, word" in removed
    assert "here stands Eve, word" in added
    assert "(5,017 characters)" in added


class Swap:
    name = "swap"

    @hookimpl
    def build_history(self, request: Any) -> Any:
        return request.map_text(lambda text: text.replace("Ada", "Eve"))
