"""`-p FILE`, `-p no:NAME`, `--only NAME`: which plugins take part in one run, those of files included."""

import json
from pathlib import Path
from typing import Any

import pytest

from hookline.cli import main

TWO = """
from hookline import hookimpl


class First:
    @hookimpl
    def build_history(self, request):
        return request.with_system("first")


class Second:
    @hookimpl
    def build_history(self, request):
        return request.with_system("second")
"""
MODULE = """
from hookline import hookimpl


@hookimpl
def build_history(request):
    return request.with_system("of a module")
"""
ENFORCER = """
from hookline import hookimpl


class Strict:
    role = "enforcer"

    @hookimpl
    def check_request(self): ...
"""
MISSPELT = """
from hookline import hookimpl


class Broken:
    @hookimpl
    def build_histroy(self): ...
"""


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    for name, text in (
        ("two", TWO),
        ("alone", MODULE),
        ("strict", ENFORCER),
        ("broken", MISSPELT),
    ):
        (tmp_path / f"{name}.py").write_text(text)


@pytest.fixture
def system(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "sim:")

    def run(*arguments: str) -> Any:
        assert main([*arguments, "explain", "Hi", "--json"]) == 0
        return json.loads(capfd.readouterr().out)["request"].get("system")

    return run


def test_one_of_a_file_s_plugins_is_left_out(system: Any) -> None:
    assert system("-p", "./two.py") == "first\n\nsecond"
    assert system("-p", "./two.py", "-p", "no:Second") == "first"
    assert system("-p", "./two.py", "-p", "no:First", "-p", "no:retry") == "second"
    assert system("-p", "./two.py", "-p", "no:First", "-p", "no:Second") is None
    assert system("-p", "./alone.py", "-p", "no:alone") is None
    assert system("-p", "./two.py:First", "-p", "./alone.py", "-p", "no:First") == "of a module"


def test_only_knows_them_as_well(system: Any) -> None:
    assert system("-p", "./alone.py", "--only", "alone,history") == "of a module"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-p", "./two.py", "-p", "no:Secnd"), "no plugin called 'Secnd'; did you mean 'Second'?"),
        (("-p", "./strict.py", "-p", "no:Strict"), "'Strict' of ./strict.py is an enforcer"),
        (
            (
                "-p",
                "no:nobody",
            ),
            "there is no plugin called 'nobody'",
        ),
        (("-p", "./gone.py", "-p", "no:retry"), "there is no plugin file './gone.py'"),
    ],
)
def test_what_cannot_be_left_out_is_said_in_a_line(
    arguments: tuple[str, ...], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "explain", "Hi"]) == 2
    assert said in capfd.readouterr().err


@pytest.mark.parametrize(
    ("before", "settings", "fix"),
    [
        (("-p", "./broken.py"), "", "leave out -p ./broken.py"),
        (("-p", "./broken.py:Broken"), "", "leave out -p ./broken.py:Broken"),
        ((), '[plugins]\nfiles = ["./broken.py"]\n', "out of [plugins] files"),
    ],
)
def test_doctor_says_how_a_broken_one_is_left_out(
    before: tuple[str, ...], settings: str, fix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("named.toml").write_text(settings)
    assert main([*before, "doctor", "--json", "--config", "named.toml"]) == 1
    found = {each["about"]: each for each in json.loads(capfd.readouterr().out)}
    assert fix in found["plugin Broken"]["fix"]
    assert "HOOKLINE_DISABLE" not in found["plugin Broken"]["fix"]
