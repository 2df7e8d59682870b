"""``hookline modernize``: files with requests, and scripts that call the SDK."""

import datetime as dt
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from hookline.cli import main
from hookline.models import load_models
from hookline_plugins.modernize import Wanted
from hookline_plugins.modernize.scripts import places_in
from support.old_code import SCRIPTS, user

OLD = {
    "model": "claude-3-5-sonnet-20241022",
    "max_tokens": 100,
    "temperature": 0,
    "messages": [user("Grüezi")],
}
VALID = {"model": "claude-haiku-5-5", "max_tokens": 100, "messages": [user("Hi")]}
WANTED = Wanted(models=load_models(), today=dt.date(2026, 11, 26), allow_price=True)


def file(name: str, content: Any) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return name


def report(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = main(["modernize", "--json", *arguments])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, found


def test_what_is_valid_needs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["modernize", file("a.json", VALID)]) == 0
    assert capsys.readouterr() == ("", "nothing to do\n")


def test_a_table_shows_what_changes_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["modernize", file("a.json", OLD)]) == 3

    out, err = capsys.readouterr()
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [
        ["a.json", "model"],
        ["a.json", "thinking"],
        ["a.json", "output_config.effort"],
        ["a.json", "temperature"],
    ]
    assert "facts 9.1" in out
    assert "4 changes needed in 1 files" in err
    assert [path.name for path in Path.cwd().iterdir()] == ["a.json"]


def test_a_new_file_is_written_beside_the_old_one(capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(file("a.json", OLD))
    path.chmod(0o640)

    assert main(["modernize", "a.json", "--write"]) == 3

    modern = json.loads(Path("a.modern.json").read_text(encoding="utf-8"))
    assert modern["model"] == "claude-sonnet-5-5"
    assert modern["messages"] == OLD["messages"]
    assert json.loads(path.read_text(encoding="utf-8")) == OLD
    assert Path("a.modern.json").stat().st_mode & 0o777 == 0o640
    assert "wrote a.modern.json" in capsys.readouterr().err
    assert main(["modernize", "a.modern.json"]) == 0


def test_a_file_is_changed_in_its_place() -> None:
    assert main(["modernize", file("a.json", OLD), "--in-place"]) == 3
    assert main(["modernize", "a.json"]) == 0
    assert [path.name for path in Path.cwd().iterdir()] == ["a.json"]


def test_lines_without_a_change_stay_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    first = '{"custom_id":  "1", "params": ' + json.dumps(VALID) + "}"
    second = json.dumps({"custom_id": "2", "params": OLD})
    file("batch.jsonl", f"{first}\n\n{second}\n")

    code, found = report(capsys, "batch.jsonl", "--write")

    assert code == 3
    assert {(each["line"], each["where"]) for each in found["changes"]} == {
        (3, f"params.{name}")
        for name in ("model", "thinking", "output_config.effort", "temperature")
    }
    assert found["written"] == ["batch.modern.jsonl"]
    lines = Path("batch.modern.jsonl").read_text(encoding="utf-8").split("\n")
    assert lines[0] == first
    assert json.loads(lines[2])["params"]["model"] == "claude-sonnet-5-5"
    assert lines[1] == lines[3] == ""


def test_the_requests_of_a_batch_are_found(capsys: pytest.CaptureFixture[str]) -> None:
    items = [{"custom_id": "1", "params": VALID}, {"custom_id": "2", "params": OLD}]

    code, found = report(capsys, file("batch.json", {"requests": items}), "--in-place")

    assert code == 3
    assert found["changes"][0]["where"] == "requests.1.params.model"
    saved = json.loads(Path("batch.json").read_text(encoding="utf-8"))
    assert saved["requests"][0] == items[0]
    assert "temperature" not in saved["requests"][1]["params"]


def test_the_standard_input_goes_to_the_output(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(OLD).encode())))

    assert main(["modernize", "-", "--write"]) == 3

    out, err = capsys.readouterr()
    assert json.loads(out)["model"] == "claude-sonnet-5-5"
    assert "temperature 0 left out" in err


def test_the_model_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = report(capsys, file("a.json", VALID), "--model", "claude-opus-5-5")

    assert code == 3
    (change,) = [each for each in found["changes"] if each["rule"] == "model"]
    assert "0.10 and 0.50 per million tokens in and out becomes 4 and 20, by more" in change["what"]


def test_another_price_is_named_and_taken_only_when_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    dear = {**VALID, "model": "claude-3-opus-20240229"}

    code, found = report(capsys, file("a.json", dear), "--write")
    assert (code, found["written"]) == (3, [])
    assert [each["done"] for each in found["changes"]] == [False]

    code, found = report(capsys, "a.json", "--write", "--allow-price")
    assert (code, found["written"]) == (3, ["a.modern.json"])


def test_strict_says_it_as_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["modernize", "--strict", file("a.json", OLD)]) == 3

    out, err = capsys.readouterr()
    assert out == ""
    assert "hookline: error: a.json: temperature: temperature 0 left out (sampling" in err


def test_a_prefill_is_told_and_needs_nothing_of_us(capsys: pytest.CaptureFixture[str]) -> None:
    body = {**VALID, "messages": [user("Hi"), {"role": "assistant", "content": "{"}]}

    code, found = report(capsys, file("a.json", body))

    assert code == 0
    assert [(each["rule"], each["done"]) for each in found["changes"]] == [("prefill", False)]


def test_an_older_version_of_the_api_can_be_meant(capsys: pytest.CaptureFixture[str]) -> None:
    file("a.json", {**VALID, "model": "claude-opus-4-6", "temperature": 0.5})

    assert main(["modernize", "a.json"]) == 3
    assert main(["modernize", "a.json", "--api-version", "2023-06-01"]) == 0


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", '{\n"model": }', "a.json:2: not JSON"),
        ("a.jsonl", json.dumps(VALID) + "\n{", "a.jsonl:2: not JSON"),
        ("a.json", '{"name": "package"}', "a.json: there is no request in it"),
        ("a.json", "", "a.json:1: not JSON"),
        ("a.json", '{"a": 1, "a": 2}', "a.json:1: not JSON"),
        (
            "a.jsonl",
            json.dumps({"custom_id": "1", "params": {"model": "m", "messages": [{}]}}),
            "a.jsonl:1: params: no request:",
        ),
        ("a.py", "print(", "a.py:1: not Python"),
        ("a.py", "a = 1\n\x00", "not Python"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(
    capsys: pytest.CaptureFixture[str], name: str, content: str, said: str
) -> None:
    assert main(["modernize", file(name, content)]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["nowhere.json"],
        ["a.json", "--write", "--in-place"],
        ["a.json", "--strict", "--write"],
        ["-", "--in-place"],
        ["a.json", "--model", "claude-nope"],
        ["a.json", "--model", "claude-3-opus-20240229"],
        [],
    ],
)
def test_misuse_is_one_message(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    file("a.json", VALID)

    assert main(["modernize", *arguments]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_folder_is_searched_and_what_is_no_request_passed_over(
    capsys: pytest.CaptureFixture[str],
) -> None:
    file("src/a.json", OLD)
    file("src/package.json", {"name": "package"})
    file("src/deep/b.py", SCRIPTS["2024, hello"][0])
    file("src/node_modules/c.json", OLD)
    file("src/.git/d.json", OLD)
    file("src/a.modern.json", OLD)

    code, found = report(capsys, "src")

    assert code == 3
    assert found["problems"] == []
    paths = {Path(each["path"]).as_posix() for each in found["changes"]}
    assert paths == {"src/a.json", "src/deep/b.py"}


def test_one_bad_file_does_not_hide_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    file("src/a.json", "{")
    file("src/b.json", OLD)

    code, found = report(capsys, "src")

    assert code == 2
    assert len(found["problems"]) == 1
    assert len(found["changes"]) == 4


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_places_of_a_script_are_found(name: str) -> None:
    source, expected = SCRIPTS[name]

    found = {(place.line, place.change.rule) for place in places_in(source.encode(), WANTED)}

    assert found == expected


def test_a_script_is_never_written(capsys: pytest.CaptureFixture[str]) -> None:
    source = SCRIPTS["2024, hello"][0]

    code, found = report(capsys, file("a.py", source), "--in-place")

    assert (code, found["written"]) == (3, [])
    assert Path("a.py").read_text(encoding="utf-8") == source


@pytest.mark.parametrize(
    "source",
    [
        'client.chat.completions.create(model="gpt-4o", messages=[], temperature=0)',
        'client.completions.create(model="gpt-3.5-turbo-instruct", prompt="Hi")',
        'import anthropic\nclient.messages.create(model="gpt-4", messages=[], temperature=0)',
        (
            'import anthropic\nanthropic.Anthropic().messages.create(model="claude-haiku-5-5", '
            'max_tokens=9, messages=[{"role": "user", "content": "Hi"}])'
        ),
        'twilio.messages.create(to="+41", body="Hi")',
        "import anthropic\nclient.messages.create(**settings)",
        'print("claude-3-opus-20240229 was a fine model")',
    ],
)
def test_what_is_not_out_of_date_is_not_told(source: str) -> None:
    assert places_in(source.encode(), WANTED) == ()


@pytest.mark.parametrize(
    "source",
    [
        "messages = [messages, messages]",
        "a = b\nb = a\nmessages = [a]",
        "a0 = []\n" + "".join(f"a{n + 1} = [a{n}, a{n}]\n" for n in range(60)) + "messages = a60",
        "messages = " + "[" * 80 + "]" * 80,
    ],
)
def test_names_without_an_end_are_not_followed_for_ever(source: str) -> None:
    call = 'client.messages.create(model="claude-2", max_tokens=5, messages=messages, top_k=1)'
    script = f"import anthropic\n{source}\n{call}\n"

    assert "model" in {each.change.rule for each in places_in(script.encode(), WANTED)}


def test_line_endings_of_windows_stay() -> None:
    lines = [json.dumps(OLD), json.dumps(VALID), json.dumps(OLD), ""]
    Path("a.jsonl").write_bytes("\r\n".join(lines).encode())

    assert main(["modernize", "a.jsonl", "--in-place"]) == 3
    assert Path("a.jsonl").read_bytes().count(b"\r\n") == 3


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('MODELS = ["claude-2", "claude-haiku-5-5"]', {(1, "model")}),
        (
            (
                'import httpx\nhttpx.post(URL, json={"model": "claude-opus-5-5",\n"max_tokens": 5,\n'
                '"temperature": 0.5,\n"messages": history})'
            ),
            {(4, "sampling")},
        ),
        (
            (
                "import anthropic\nasync def f():\n    await client.messages.create(\n"
                "        model=pick(), max_tokens=5, messages=history,\n        top_k=3)"
            ),
            {(5, "sampling")},
        ),
        (
            (
                "import anthropic\nclient.messages.with_raw_response.create(\n  model='claude-2.1',"
                "\n  max_tokens=n, messages=m, extra_headers={'anthropic-beta': 'pdfs-2024-09-25'})"
            ),
            {(3, "model"), (2, "thinking-default"), (4, "beta")},
        ),
    ],
)
def test_requests_are_found_in_other_forms(source: str, found: set[tuple[int, str]]) -> None:
    assert {(each.line, each.change.rule) for each in places_in(source.encode(), WANTED)} == found
