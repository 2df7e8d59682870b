"""The documentation is true: its snippets run, and it names every hook, name and command.

A page is one session: its blocks run in order, in one namespace, in an empty directory, against the
simulator. A block whose first line is a comment with a file's name is also written to that file, so
later blocks can import, load or test it.

========== ==========================================================================
language   what happens
========== ==========================================================================
python     executed; a ``test_….py`` is run by pytest instead
toml       parsed; ``hookline.toml`` is loaded as settings, ``scenario.toml`` as a scenario
bash       executed, and must end with 0
console    nothing: what must not, or cannot, run in a test
py, pycon  nothing: a signature, or an excerpt that stands in a docstring
========== ==========================================================================
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser

from hookline import errors
from hookline._journey.discovery import assemble
from hookline._journey.plugin_set import HOOKS
from hookline.config import load_settings
from hookline.simulator import Scenario

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([
    *ROOT.glob("*.md"),
    *(ROOT / "examples").glob("*.md"),
    *(page for page in DOCS.rglob("*.md") if "_build" not in page.parts),
])  # fmt: skip
FILE_NAME = re.compile(r"# ([\w./-]+\.(?:py|toml))\n")


def written(example: Example) -> Path | None:
    """Write a block that names its file to that file."""
    named = FILE_NAME.match(example.parsed)
    if named is None:
        return None
    path = Path(named[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(example.parsed, encoding="utf-8")
    return path


def run_python(example: Example) -> None:
    path = written(example)
    if path is not None and path.name.startswith("test_"):
        run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(path)])
        return
    lines = "\n" * (example.line + example.parsed.line_offset - 1)  # so that tracebacks are right
    code = compile(lines + example.parsed, example.path, "exec", dont_inherit=True)
    exec(code, example.namespace)  # noqa: S102 -- our own documentation


def run_toml(example: Example) -> None:
    path = written(example)
    table = tomllib.loads(example.parsed)
    if path is None or path.name == "pyproject.toml":
        return
    if path.name == "hookline.toml":
        assemble([], load_settings(path))
        path.unlink()  # it must not steer the blocks that follow
    else:
        assert Scenario.from_toml(path).rules or "urls" in table


def run_bash(example: Example) -> None:
    run(["bash", "-euo", "pipefail", "-c", example.parsed])


def run(command: list[str]) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


SYBIL = Sybil(
    parsers=[
        CodeBlockParser("python", run_python),
        CodeBlockParser("toml", run_toml),
        CodeBlockParser("bash", run_bash),
    ],
    path=str(ROOT),
)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory as the reader of a page has it before them: the examples, no key, a simulator."""
    for name in os.environ:
        if name.startswith(("ANTHROPIC_", "HOOKLINE_")):
            monkeypatch.delenv(name)
    (tmp_path / "examples").mkdir()
    for file in (ROOT / "examples").iterdir():
        if file.is_file():
            shutil.copy(file, tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "sim:")
    path = os.pathsep.join([str(tmp_path), *(entry for entry in sys.path if entry)])
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        origin = getattr(sys.modules[name], "__file__", None) or ""
        if origin.startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
@pytest.mark.usefixtures("session")
def test_every_snippet_of_a_page_runs(page: Path) -> None:
    for example in SYBIL.parse(page).examples():
        example.evaluate()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_block_says_its_language(page: Path) -> None:
    fences = re.findall(r"^```(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    languages = fences[::2]

    assert len(fences) % 2 == 0
    for language in languages:
        directive = language.startswith("{")
        known = ("python", "py", "pycon", "toml", "bash", "console", "text", "html")
        assert directive or language in known


@pytest.mark.parametrize(("lines", "least"), [(30, "from hookline import"), (10, "@hookimpl")])
def test_the_readme_keeps_its_word_about_length(lines: int, least: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    fitting = [
        block
        for block in blocks
        if least in block and len(re.findall(r"^.", block, re.MULTILINE)) <= lines
    ]

    assert fitting


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if not target.startswith(("http:", "https:", "mailto:")):
                assert (page.parent / target).exists(), f"{page}: {target}"


def test_every_page_stands_in_a_table_of_contents() -> None:
    listed: set[Path] = {DOCS / "index.md"}
    for page in DOCS.rglob("*.md"):
        for block in re.findall(r"```{toctree}\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
            names = [line for line in block.splitlines() if line and not line.startswith(":")]
            listed.update((page.parent / f"{name}.md").resolve() for name in names)

    assert {page.resolve() for page in DOCS.rglob("*.md")} == {page.resolve() for page in listed}


def test_every_error_is_in_the_guide() -> None:
    guide = (DOCS / "guide" / "errors.md").read_text(encoding="utf-8")

    for name in errors.__all__:
        assert f"`{name}`" in guide, name


def test_every_room_has_its_place_in_the_design() -> None:
    table = (DOCS / "design.md").read_text(encoding="utf-8")
    package = ROOT / "pipeline" / "hookline"
    modules = [path.name for path in package.glob("*.py") if path.name != "__init__.py"]
    packages = [f"{path.parent.name}/" for path in package.glob("*/__init__.py")]

    for name in modules + packages:
        assert f"`{name}`" in table, name
    for name in re.findall(r"^\| (`.+?`) \|", table, re.MULTILINE):
        for each in re.findall(r"`(.+?)`", name):
            assert (package / each).exists(), each


def test_every_standard_plugin_is_in_the_guide() -> None:
    guide = "".join(page.read_text(encoding="utf-8") for page in (DOCS / "guide").glob("*.md"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    for points in project["entry-points"].values():
        for name in points:
            assert f"`{name}`" in guide, name


def test_the_picture_shows_the_hooks_of_a_turn() -> None:
    picture = (DOCS / "journey.svg").read_text(encoding="utf-8")

    for hook, kind in HOOKS.items():
        if kind != "life":  # its names are common words
            assert (hook in picture) == (kind != "register"), hook


def test_every_command_is_in_the_reference(hookline_commands: Callable[[], list[str]]) -> None:
    reference = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")

    for command in hookline_commands():
        assert f"`hookline {command}" in reference, command


@pytest.fixture
def hookline_commands() -> Callable[[], list[str]]:
    """The commands as ``hookline --help`` lists them."""

    def commands() -> list[str]:
        script = "from hookline.cli import main; raise SystemExit(main(['--help']))"
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=True
        )
        listing = done.stdout.partition("Commands:\n")[2]
        names = re.findall(r"^  ([a-z-]+)", listing, re.MULTILINE)
        assert names, done.stdout
        return names

    return commands
