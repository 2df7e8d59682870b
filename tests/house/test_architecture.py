"""What holds the house together: the wheel's content, import directions and what importing costs."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
HEAVY = (
    "httpx",
    "httpx2",
    "httpcore2",
    "aiohttp",
    "cattrs",
    "orjson",
    "PIL",
    "click",
    "rich",
    "uvicorn",
    "trio",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    code = f"from hatchling.build import build_wheel; print(build_wheel({str(folder)!r}))"
    built = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return zipfile.ZipFile(folder / built.stdout.split()[-1])


def test_the_wheel_holds_exactly_two_packages(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    metadata = {top for top in tops if top.endswith(".dist-info")}
    assert tops - metadata == {"hookline", "hookline_plugins"}
    assert len(metadata) == 1


def test_the_wheel_holds_nothing_that_runs_by_itself(wheel: zipfile.ZipFile) -> None:
    assert not [name for name in wheel.namelist() if name.endswith((".pth", ".so", ".exe"))]


def test_the_wheel_holds_types_and_the_table_of_models(wheel: zipfile.ZipFile) -> None:
    assert {
        "hookline/py.typed",
        "hookline_plugins/py.typed",
        "hookline/models.toml",
        "hookline/profiles.toml",
    } <= set(wheel.namelist())


def test_importing_hookline_loads_nothing_heavy() -> None:
    code = f"import hookline, sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert loaded.strip() == "[]"


def test_a_first_turn_loads_nothing_that_only_few_turns_need() -> None:
    code = (
        "import sys; from hookline import Pipeline\n"
        "with Pipeline(base_url='sim:', config={}) as line: line.send('Hello')\n"
        "names = 'PIL', 'difflib', 'sqlite3', 'hookline_plugins.images.one'\n"
        "print([name for name in names if name in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert loaded.strip() == "[]"


def test_the_standard_plugins_use_public_names_only() -> None:
    private = [
        f"{path.name}: {name}"
        for path in (ROOT / "plugins").rglob("*.py")
        for name in imported(path)
        if name.startswith("hookline.") and any(part.startswith("_") for part in name.split("."))
    ]
    assert not private


def test_top_level_folders_are_not_importable() -> None:
    assert not (ROOT / "pipeline" / "__init__.py").exists()
    assert not (ROOT / "plugins" / "__init__.py").exists()


def imported(path: Path) -> list[str]:
    """Return the dotted names that a module imports, ``from a import b`` as ``a.b``."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names
