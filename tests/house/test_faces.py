"""What is public, and that each package's face says so once: imports, ``__all__`` and homes agree."""

import ast
import importlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent.parent / "pipeline" / "hookline"
LAZY = ("", "endpoints", "plugin", "schema", "testing", "wire")

# The paths that applications and plugins may import. Of a package, only the names in its face are
# public; where a thing stands inside is the package's own business.
PUBLIC = {
    "cli",
    "config",
    "conversation",
    "endpoints",
    "errors",
    "filters",
    "hookspecs",
    "models",
    "pipeline",
    "plugin",
    "policy",
    "profiles",
    "reply",
    "schema",
    "send_options",
    "simulator",
    "streams",
    "testing",
    "trace",
    "turn",
    "values",
    "wire",
}


def test_the_public_paths_are_these_and_no_others() -> None:
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}

    assert {name for name in modules | packages if not name.startswith("_")} == PUBLIC


def test_every_folder_says_what_it_is_for() -> None:
    folders = {path.parent for path in PACKAGE.rglob("*.py")}

    for folder in folders:
        text = (folder / "__init__.py").read_text(encoding="utf-8")
        assert ast.get_docstring(ast.parse(text)), folder


@pytest.mark.parametrize("package", LAZY, ids=lambda name: name or "hookline")
def test_a_face_names_the_same_in_all_its_lists(package: str) -> None:
    text = (PACKAGE / package / "__init__.py").read_text(encoding="utf-8")
    tree = ast.parse(text)
    for_types = {
        (node.module, alias.name)
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "face"
    ]
    assert len(calls) == 1
    homes = ast.literal_eval(calls[0].args[1])
    at_run_time = {(home, name) for home, names in homes.items() for name in names}

    face = importlib.import_module(f"hookline.{package}".rstrip("."))
    assert for_types == at_run_time
    assert {name for _, name in at_run_time} == set(face.__all__) - {"__version__"}
    for name in face.__all__:
        assert getattr(face, name) is not None
