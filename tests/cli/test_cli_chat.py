"""`hookline chat`: piped, and at a real terminal (a pty)."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hookline import Pipeline
from hookline.cli.chat.transcript import load_conversation, save_conversation
from hookline.errors import InputError
from hookline.values.blocks import TextBlock


def piped(
    text: str, environment: dict[str, str], directory: Path, *arguments: str, before: Any = ()
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "hookline", *before, "chat", *arguments],
        input=text,
        env=environment,
        cwd=directory,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )


def messages_of(path: Path) -> list[Any]:
    saved: list[Any] = json.loads(path.read_text())["messages"]
    return saved


# --- piped


def test_piped_lines_are_one_conversation(environment: dict[str, str], tmp_path: Path) -> None:
    done = piped("Hello\n\nAgain\n/save kept.json\n", environment, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.index("You said: Hello\n") < done.stdout.index("You said: Again\n")
    saved = messages_of(tmp_path / "kept.json")
    assert [each["role"] for each in saved] == ["user", "assistant"] * 2
    assert saved[2]["content"] == "Again"


def test_a_saved_conversation_goes_on(environment: dict[str, str], tmp_path: Path) -> None:
    piped("Hello\n/save kept.json\n", environment, tmp_path)
    done = piped("Again\n/save kept.json\n", environment, tmp_path, "--load", "kept.json")
    assert done.returncode == 0, done.stderr
    saved = messages_of(tmp_path / "kept.json")
    assert [each["content"] for each in saved[::2]] == ["Hello", "Again"]
    assert list(tmp_path.glob(".*")) == []  # no temporary file is left


def test_commands(environment: dict[str, str], tmp_path: Path) -> None:
    lines = [
        "/help",
        "/system Be brief.",
        "/system",
        "/system -",
        "/model claude-haiku-4-5",
        "Hello",
        "Again",
        "/undo",
        "/save kept.json",
        "/quit",
        "never",
    ]
    done = piped("\n".join(lines), environment, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "/save FILE" in done.stderr
    assert "/image PATH|DIR|URL  attach an image" in done.stderr
    assert "system prompt: Be brief." in done.stderr
    assert "there is no system prompt" in done.stderr
    assert "model: claude-haiku-4-5" in done.stderr
    assert "never" not in done.stdout
    assert len(messages_of(tmp_path / "kept.json")) == 2


MISTAKES = (
    ("/frob", "there is no command /frob"),
    ("/save", "name of a file"),
    ("/save gone/x.json", "cannot be saved"),
    ("/save .", "directory"),
    ("/save /dev/null", "not a regular file"),
    ("/image gone.png", "there is no file gone.png"),
    ("/undo", "nothing to undo"),
    ("/model haiku", "did you mean 'claude-haiku-5-5'"),
    ("/load", "name of a file"),
    ("/load gone.json", "gone.json: it cannot be read"),
    ("/load drip.toml", "not JSON"),
)


def test_mistakes_are_told_and_the_chat_goes_on(
    environment: dict[str, str], tmp_path: Path
) -> None:
    lines = [line for line, _ in MISTAKES]
    done = piped("\n".join([*lines, "Hello"]), environment, tmp_path)
    assert done.returncode == 2
    told = done.stderr.splitlines()
    assert len(told) == len(MISTAKES)
    for (line, said), text in zip(MISTAKES, told, strict=True):
        assert said in text, line
    assert "You said: Hello" in done.stdout


def test_a_failure_is_told_and_the_chat_goes_on(
    environment: dict[str, str], tmp_path: Path
) -> None:
    done = piped("break\nHello\n", environment, tmp_path)
    assert done.returncode == 1
    assert "529" in done.stderr
    assert "You said: Hello" in done.stdout


def test_an_image_goes_with_the_next_message(environment: dict[str, str], tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (7, 5), (200, 10, 10)).save(tmp_path / "a red.png")
    (tmp_path / "no.png").write_text("no image")
    text = "/image 'a red.png'\nWhat?\nAnd now?\n/image no.png\nWhat?\nHello\n/save kept.json\n"
    done = piped(text, environment, tmp_path)
    assert done.returncode == 2
    assert "not an image" in done.stderr
    saved = messages_of(tmp_path / "kept.json")
    assert [each["type"] for each in saved[0]["content"]] == ["image", "text"]
    assert saved[2]["content"] == "And now?"
    assert saved[4]["content"] == "Hello"  # the failed message left nothing behind


def test_a_backslash_goes_on_in_the_next_line(environment: dict[str, str], tmp_path: Path) -> None:
    text = "Hello\\\nagain\\\n\\\nand more\n/save kept.json\nlast\\\n"
    done = piped(text, environment, tmp_path)
    assert done.returncode == 0, done.stderr
    assert messages_of(tmp_path / "kept.json")[0]["content"] == "Hello\nagain\n\nand more"
    assert "You said: last\n" in done.stdout


def test_save_keeps_system_and_model_and_load_brings_them_back(
    environment: dict[str, str], tmp_path: Path
) -> None:
    first = ["/system Be brief.", "/model claude-haiku-4-5", "Hello", "/save kept.json"]
    assert piped("\n".join(first), environment, tmp_path).returncode == 0
    saved = json.loads((tmp_path / "kept.json").read_text())
    assert (saved["system"], saved["model"]) == ("Be brief.", "claude-haiku-4-5")
    done = piped("/load kept.json\n/system\n/model\n/show\n", environment, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 messages from kept.json" in done.stderr
    assert "system prompt: Be brief." in done.stderr
    assert "model: claude-haiku-4-5" in done.stderr
    assert re.search(
        r"system  Be brief\.\nuser  Hello\nassistant  .*You said: Hello", done.stdout, re.DOTALL
    )
    done = piped("/model\n", environment, tmp_path, "--load", "kept.json", "-m", "claude-opus-5-5")
    assert "model: claude-opus-5-5" in done.stderr


def test_a_default_model_is_saved_too(environment: dict[str, str], tmp_path: Path) -> None:
    environment["HOOKLINE_MODEL"] = "claude-haiku-4-5"
    assert piped("Hello\n/save kept.json\n", environment, tmp_path).returncode == 0
    assert json.loads((tmp_path / "kept.json").read_text())["model"] == "claude-haiku-4-5"


def test_save_overwrites_nothing_of_others(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    text = "Hello\n/save mine.txt\n/save new.json\nAgain\n/save new.json\nThird\n/save\n"
    done = piped(text, environment, tmp_path)
    assert done.returncode == 2
    assert "mine.txt exists and was left as it is" in done.stderr
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert len(messages_of(tmp_path / "new.json")) == 6  # its own file is kept up to date


def test_the_cost_of_a_chat(environment: dict[str, str], tmp_path: Path) -> None:
    done = piped("/cost\nHello\nAgain\n/cost\n", environment, tmp_path)
    assert "note: 0 replies\n" in done.stderr
    bill = re.search(r"2 replies · (\d+) → (\d+) tokens · \$(0\.\d{6})\n", done.stderr)
    assert bill
    assert int(bill[1]) > 0
    assert int(bill[2]) > 0
    assert float(bill[3]) > 0


def test_the_cost_of_a_chat_holds_that_of_summaries(
    environment: dict[str, str], tmp_path: Path
) -> None:
    settings = '[plugins.trim]\nby = "turns"\nkeep = 2\nhow = "summarise"\n'
    (tmp_path / "set.toml").write_text(settings)
    lines = "\n".join(["Hello"] * 4)
    with_trim = ("-p", "trim")
    done = piped(
        f"{lines}\n/cost\n", environment, tmp_path, "--config", "set.toml", before=with_trim
    )
    assert done.returncode == 0, done.stderr
    bill = re.search(
        r"4 replies · .* tokens · \$(0\.\d{6}) · \$(0\.\d{6}) of it beside the replies\n",
        done.stderr,
    )
    assert bill, done.stderr
    assert float(bill[1]) > float(bill[2]) > 0


def test_settings_that_are_wrong_end_it(environment: dict[str, str], tmp_path: Path) -> None:
    del environment["ANTHROPIC_BASE_URL"]
    done = piped("Hello\nAgain\n", environment, tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("ANTHROPIC_API_KEY") == 1


# --- conversations on disk


@pytest.fixture
def line() -> Iterator[Pipeline]:
    with Pipeline(base_url="sim:") as line:
        yield line


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not JSON"),
        ('{"role": "user"}', "with messages"),
        ('[{"role": "user", "content": "x"}, 3]', r"messages\[1\]"),
        ('[{"content": "x"}]', r"messages\[0\]"),
    ],
)
def test_a_file_that_is_no_conversation(
    content: str, said: str, tmp_path: Path, line: Pipeline
) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(InputError, match=said):
        load_conversation(str(path), line, {})


def test_a_failed_save_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: Pipeline
) -> None:
    path = tmp_path / "x.json"
    save_conversation(str(path), line.conversation().add("user", "old"))

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left"):
        save_conversation(str(path), line.conversation().add("user", "new"))
    assert load_conversation(str(path), line, {}).messages[0].text == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes of files")
def test_a_conversation_is_its_owners_alone(tmp_path: Path, line: Pipeline) -> None:
    save_conversation(str(tmp_path / "x.json"), line.conversation())
    assert (tmp_path / "x.json").stat().st_mode & 0o777 == 0o600


def test_any_text_survives(tmp_path: Path, line: Pipeline) -> None:
    talk = line.conversation(system="Sei kurz \ud800")
    talk.add("user", 'ünï\ud800\x00\u2028"').add("assistant", TextBlock("x"))
    save_conversation(str(tmp_path / "x.json"), talk)
    loaded = load_conversation(str(tmp_path / "x.json"), line, {})
    assert loaded.messages == talk.messages
    assert loaded.options == talk.options


def test_a_plain_list_of_messages_is_a_conversation_too(tmp_path: Path, line: Pipeline) -> None:
    (tmp_path / "x.json").write_text('[{"role": "user", "content": "x"}]')
    talk = load_conversation(str(tmp_path / "x.json"), line, {"system": "Be brief."})
    assert [each.text for each in talk.messages] == ["x"]
    assert talk.options == {"system": "Be brief."}
