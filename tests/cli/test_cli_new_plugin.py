"""`hookline new-plugin`: what it writes passes its own checks at once."""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from hookline.cli import main
from hookline.cli.author.new_plugin import _KINDS

QUICK = ("request-editor", "conversation-store")


@pytest.mark.parametrize(
    "kind",
    [each if each in QUICK else pytest.param(each, marks=pytest.mark.slow) for each in _KINDS],
)
def test_a_new_project_passes_its_own_checks(tmp_path: Path, kind: str) -> None:
    assert main(["new-plugin", f"my-{kind}", "--kind", kind, "--dir", "project", "--yes"]) == 0
    for command in (
        ["pytest", "-q", "-p", "no:cacheprovider", "-W", "error"],
        ["ruff", "check", "--no-cache", "."],
        ["ruff", "format", "--no-cache", "--check", "."],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=tmp_path / "project",
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_its_metadata_leads_to_the_plugin(tmp_path: Path) -> None:
    assert main(["new-plugin", "hookline-kind-words", "--kind", "observer", "--yes"]) == 0
    folder = tmp_path / "hookline-kind-words"
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["name"] == "hookline-kind-words"
    target = project["entry-points"]["hookline.plugins"]["kind-words"]
    assert target == "hookline_kind_words:KindWords"
    assert "class KindWords:" in (folder / "src/hookline_kind_words/__init__.py").read_text()
    assert (folder / "LICENSE").is_file()
    assert "${{ matrix.python }}" in (folder / ".github/workflows/ci.yml").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--kind", "observer", "--yes"], "there is no NAME"),
        (["kind-words", "--yes"], "say which kind: --kind request-editor|"),
        (["Kind_Words", "--kind", "observer", "--yes"], "small letters, digits and hyphens"),
        (["retry", "--kind", "observer", "--yes"], "has a plugin called 'retry' already"),
        (["kind-words", "--kind", "observer", "--dir", ".", "--yes"], "is there and not empty"),
        (["kind-words", "--kind", "observer", "--dir", "file", "--yes"], "is there and not empty"),
    ],
)
def test_what_cannot_be_written_is_refused_with_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    (tmp_path / "file").write_text("mine")
    assert main(["new-plugin", *arguments]) == 2
    err = capfd.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert (tmp_path / "file").read_text() == "mine"


def test_on_a_terminal_it_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: Any = iter(["kind-words", "enforcer"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.prompt", lambda *_, **__: next(answers))
    monkeypatch.setattr("click.confirm", lambda *_, **__: True)
    assert main(["new-plugin"]) == 0
    text = (tmp_path / "hookline-kind-words/src/hookline_kind_words/__init__.py").read_text()
    assert 'role = "enforcer"' in text
