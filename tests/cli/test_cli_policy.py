"""`hookline policy`: rules tried on requests that nobody sends."""

import json
from pathlib import Path
from typing import Any

import pytest

from hookline import Pipeline
from hookline.cli import main
from hookline.policy import reading

POLICY = """
[policy]
id = "acme"
[bounds]
max_tokens = { max = 900 }
[plugins]
require = ["retry"]
[[rule]]
id = "models"
models = { allow = ["claude-haiku-*"] }
reason = "Use an approved model."
[[rule]]
id = "no-codename"
forbid = { words = ["zephyr"] }
for = { teams = ["sales"] }
[[rule]]
id = "trial"
max_tokens = { max = 5 }
shadow = true
"""


@pytest.fixture(autouse=True)
def policy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Put the policy where the machine's would be."""
    place = tmp_path / "system.toml"
    place.write_text(POLICY)
    monkeypatch.setattr(reading, "system_path", lambda _environ: place)
    return place


def request(text: str = "Hello", **fields: Any) -> str:
    body = {
        "model": "claude-haiku-4-5",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": text}],
        **fields,
    }
    Path("request.json").write_text(json.dumps(body))
    return "request.json"


def test_check_exits_by_the_verdict(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "check", request()]) == 0
    assert "in shadow, trial would refuse" in capfd.readouterr().out
    assert main(["policy", "check", request("Zephyr")]) == 0
    assert main(["policy", "check", request("Zephyr"), "--team", "sales"]) == 4
    out = capfd.readouterr().out
    assert "rule no-codename" in out
    assert "found in messages, 6 characters at 0" in out
    assert main(["policy", "check", request(), "--model", "claude-opus-4-5", "--json"]) == 4
    found = json.loads(capfd.readouterr().out)
    assert (found["decision"], found["rule"]) == ("refuse", "models")
    assert found["reason"] == "Use an approved model."
    assert main(["policy", "check", request(max_tokens=901)]) == 4
    assert "bounds.max_tokens" in capfd.readouterr().out


@pytest.mark.parametrize("text", ["{", "[]", '{"model": 7}', '{"messages": 1}'])
def test_what_cannot_be_read_is_2(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    Path("bad.json").write_text(text)
    assert main(["policy", "check", "bad.json"]) == 2
    assert main(["policy", "check", "gone.json"]) == 2
    assert "gone.json: it cannot be read: no such file" in capfd.readouterr().err


def test_a_policy_that_cannot_be_understood_is_2(
    policy: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    policy.write_text("[polic]\n")
    assert main(["policy", "check", request()]) == 2
    assert f"{policy}:1" in capfd.readouterr().err
    policy.unlink()
    assert main(["policy", "check", request()]) == 2
    assert "there is no policy here" in capfd.readouterr().err


def test_explain_says_what_holds_for_somebody(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "explain", "--team", "sales", "--json"]) == 0
    rows = {row["id"]: (row["says"], row["limits"]) for row in json.loads(capfd.readouterr().out)}
    assert rows["models"] == ("models: only claude-haiku-*", "")
    assert rows["no-codename"] == ("never zephyr anywhere", "teams: sales")
    assert rows["trial"] == ("max tokens: max 5", "in shadow: nothing is stopped")
    assert rows["max_tokens"][0] == "must be at most 900"
    assert rows["retry"][0] == "must take part"
    assert main(["policy", "explain"]) == 0
    assert "no-codename" not in capfd.readouterr().out


CASES = """
[[case]]
name = "ordinary"
expect = "allow"
request = {model = "claude-haiku-4-5", max_tokens = 9, messages = [{role = "user", content = "Hi"}]}
[[case]]
name = "codename"
expect = "refuse"
rule = "no-codename"
principal = {team = "sales"}
request = {model = "claude-haiku-4-5", max_tokens = 9, messages = [{role = "user", content = "zephyr"}]}
[[case]]
name = "from a file"
expect = "%s"
file = "request.json"
"""


def test_test_compares_with_what_is_expected(capfd: pytest.CaptureFixture[str]) -> None:
    request(model="claude-opus-4-5")
    Path("cases.toml").write_text(CASES % "refuse")
    assert main(["policy", "test", "cases.toml"]) == 0
    assert "WRONG" not in capfd.readouterr().out
    Path("cases.toml").write_text(CASES % "allow")
    assert main(["policy", "test", "cases.toml"]) == 1
    assert "WRONG" in capfd.readouterr().out
    assert main(["policy", "test", "cases.toml", "--json"]) == 1
    rows = json.loads(capfd.readouterr().out)
    assert [row["ok"] for row in rows] == [True, True, False]
    ordinary = CASES.partition('[[case]]\nname = "codename"')[0]
    for bad in (
        "x",
        "[[case]]\nexpect = 'maybe'\n",
        "[[case]]\nexpect = 'allow'\n",
        "[[cases]]\n",
        f"{ordinary}surface = 'sned'\n",
        f"{ordinary}context = 7\n",
        f"{ordinary}principal = {{user = 7}}\n",
        f"{ordinary}principal = {{users = 'ada'}}\n",
    ):
        Path("cases.toml").write_text(bad)
        assert main(["policy", "test", "cases.toml"]) == 2


LINT = [
    ("max_tokens = {max = 9}\nsample = 0.0", "for nobody"),
    ("max_tokens = {max = 9}\nfor = {teams = []}", "can never match: for.teams is empty"),
    ("models = {allow = ['a'], deny = ['a*']}", "allowed and denied"),
    ("forbid = {words = ['x y'], in = ['reply']}\nfor = {surfaces = ['upload']}", "never match"),
    ("forbid = {pattern = 'x*', in = ['system']}", "matches an empty text"),
    ("forbid = {pattern = '[a-z]{4}', in = ['system']}", "matches an ordinary sentence"),
    ("forbid = {words = ['qx']}", "the word 'qx' is too broad"),
    (r"forbid = {pattern = 'qx\s+zy'}", "streams are held back to their end"),
    ("max_tokens = {max = 9}\n[[rule]]\nid='s'\nmax_tokens = {max = 10}", "it never decides: 'r'"),
    (
        "forbid = {words = ['qxz', 'abc']}\n[[rule]]\nid='s'\nforbid = {words = ['qxz'], in = ['system']}",
        "it never decides: 'r'",
    ),
]


@pytest.mark.parametrize(("rule", "finding"), LINT, ids=[finding for _, finding in LINT])
def test_lint_finds_what_is_wrong(
    policy: Path, rule: str, finding: str, capfd: pytest.CaptureFixture[str]
) -> None:
    policy.write_text(f"[[rule]]\nid = 'r'\n{rule}\n")
    assert main(["policy", "lint"]) == 1
    assert finding in capfd.readouterr().out


def test_lint_is_content_with_good_rules(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "lint"]) == 0
    assert capfd.readouterr().out == ""


def test_diff_shows_what_would_change(policy: Path, capfd: pytest.CaptureFixture[str]) -> None:
    new = policy.with_name("new.toml")
    new.write_text("[[rule]]\nid = 'stricter'\nmax_tokens = {max = 50}\n")
    bodies = [json.loads(Path(request(max_tokens=n)).read_text()) for n in (10, 100)]
    lines = [
        json.dumps(bodies[0]),
        json.dumps({"request": bodies[1], "principal": {"user": "ada"}}),
    ]
    Path("traces.jsonl").write_text("\n".join(lines))
    assert (
        main(["policy", "diff", str(policy), str(new), "--traces", "traces.jsonl", "--json"]) == 0
    )
    found = json.loads(capfd.readouterr().out)
    assert found["requests"] == 2
    assert found["changed"] == [
        {"request": "traces.jsonl:2", "old": "allow", "new": "refuse stricter"}
    ]
    assert main(["policy", "diff", str(policy), str(new), "--traces", "traces.jsonl"]) == 0
    assert "1 of 2 requests" in capfd.readouterr().out


def test_diff_reads_a_cassette(policy: Path, capfd: pytest.CaptureFixture[str]) -> None:
    settings = {"plugins": {"record": {"path": "calls.jsonl"}}}
    with Pipeline(
        base_url="sim:", config=settings, plugins=["record"], model="claude-haiku-4-5"
    ) as line:
        line.send("Hello", max_tokens=100)
    new = policy.with_name("new.toml")
    new.write_text("[[rule]]\nid = 'stricter'\nmax_tokens = {max = 50}\n")
    command = ["policy", "diff", str(policy), str(new), "--traces", "calls.jsonl", "--json"]
    assert main(command) == 0
    assert json.loads(capfd.readouterr().out) == {
        "requests": 1,
        "changed": [{"request": "calls.jsonl:2", "old": "allow", "new": "refuse stricter"}],
    }
    lines = Path("calls.jsonl").read_text().splitlines()
    Path("calls.jsonl").write_text("\n".join(['{"hookline_cassette": 2}', *lines[1:]]))
    assert main(command) == 2
    assert "a cassette of another version" in capfd.readouterr().err


def test_diff_reads_what_was_recorded(
    policy: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from hookline import Pipeline, Principal
    from hookline_plugins.storage.recording import Record

    policy.write_text("[[rule]]\nid = 'old'\nmax_tokens = {max = 900}\n")
    new = tmp_path / "new.toml"
    new.write_text(
        "[[rule]]\nid = 'sales'\nforbid = {words = ['ants']}\nfor = {teams = ['sales']}\n"
        "[[rule]]\nid = 'streams'\nmax_tokens = {max = 9}\nfor = {surfaces = ['stream']}\n"
    )
    named = tmp_path / "named.toml"
    named.write_text("[plugins.audit]\npath = 'audit.jsonl'\ncontent = 'full'\n")
    monkeypatch.setenv("HOOKLINE_CONFIG", str(named))
    tape = Record(path="tape.jsonl")
    sales = Principal(team="sales")
    with Pipeline(base_url="sim:", max_tokens=100, plugins=[tape], principal=sales) as line:
        line.send("About ants")
        line.send("About bees")
        with line.stream("About bees") as stream:
            _ = stream.reply

    def changes(name: str) -> list[str]:
        assert main(["policy", "diff", str(policy), str(new), "--traces", name, "--json"]) == 0
        found = json.loads(capfd.readouterr().out)
        return [f"{each['request']} {each['new']}" for each in found["changed"]]

    assert main(["audit", "export"]) == 0
    Path("export.jsonl").write_text(capfd.readouterr().out)
    assert changes("export.jsonl") == [
        "export.jsonl:1 refuse sales",
        "export.jsonl:3 refuse streams",
    ]
    assert changes("tape.jsonl") == []  # it does not know on whose behalf
    new.write_text("[[rule]]\nid = 'ants'\nforbid = {words = ['ants']}\n")
    assert changes("tape.jsonl") == ["tape.jsonl:2 refuse ants"]
    assert main(["explain", "About ants", "--base-url", "sim:", "--max-tokens", "9", "--json"]) == 0
    Path("explained.json").write_text(capfd.readouterr().out)
    assert changes("explained.json") == ["explained.json refuse ants"]
    for bad in ('{"record": {"user": ""}}', "7\n8", '{"request": 7}'):
        Path("bad.jsonl").write_text(bad)
        assert main(["policy", "diff", str(policy), str(new), "--traces", "bad.jsonl"]) == 2
        assert "bad.jsonl" in capfd.readouterr().err


def test_the_administrator_s_part_of_an_error_is_told(
    policy: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    policy.write_text("[plugins]\nrequire = ['gone']\n")
    assert main(["ask", "Hello", "--base-url", "sim:"]) == 2
    err = " ".join(capfd.readouterr().err.split())
    assert "for the administrator:" in err
    assert "plugin 'gone' is required" in err


def test_config_shows_what_the_policy_cut_and_locked(
    policy: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    policy.write_text(
        "[policy]\nid = 'acme'\n[lock]\nmodel = 'claude-haiku-4-5'\n[bounds]\nmax_tokens = {max = 9}\n"
    )
    assert main(["config", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert (found["model"]["layer"], found["model"]["where"]) == ("policy", f"{policy}:4")
    cut = found["max_tokens"]
    assert (cut["value"], cut["layer"], cut["where"]) == (9, "policy", f"{policy}:6")
