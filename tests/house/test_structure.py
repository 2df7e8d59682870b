"""The house as a stranger draws it: its rooms, their sizes, who imports whom, and no circle."""

import ast
from pathlib import Path

from generator import imports

ROOT = Path(__file__).parent.parent.parent
SHOWN = ("pipeline", "plugins", "tests", "docs/generator")
MOST_MODULES = 20
LONGEST = 420  # lines; the alarm of the house rules rings at 350, and a table may be longer
DESCRIBED = {"hookspecs.py"}  # the contract, which is all signatures and words

# Tests of the whole house rather than of one room.
ACROSS = {"benchmarks", "facade", "faults", "house", "plugins", "soak", "support"}

# Circles through an import inside a function, each with its reason.
EXCUSED = {
    # A request reads the dicts that `evolve` is given by the rules that are made of its own class.
    (
        "hookline.values.conversion.reading",
        "hookline.values.conversion.rules",
        "hookline.values.editing.blocks",
        "hookline.values.editing.text",
        "hookline.values.events",
        "hookline.values.messages",
    ),
}


def folders() -> dict[Path, list[Path]]:
    """Return every folder of code with its modules."""
    found: dict[Path, list[Path]] = {}
    for top in SHOWN:
        for module in sorted((ROOT / top).rglob("*.py")):
            found.setdefault(module.parent, []).append(module)
    return found


def test_no_folder_holds_more_modules_than_one_can_survey() -> None:
    crowded = {
        folder.relative_to(ROOT).as_posix(): len(modules)
        for folder, modules in folders().items()
        if len([each for each in modules if each.name != "__init__.py"]) > MOST_MODULES
    }

    assert not crowded


def test_no_module_is_a_book() -> None:
    long = {
        module.relative_to(ROOT).as_posix(): lines
        for folder, modules in folders().items()
        if ROOT / "tests" not in [folder, *folder.parents]
        for module in modules
        if module.name not in DESCRIBED
        if (lines := len(module.read_text(encoding="utf-8").splitlines())) > LONGEST
    }

    assert not long


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        module.relative_to(ROOT).as_posix()
        for modules in folders().values()
        for module in modules
        if not ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    ]

    assert not silent


def module_imports(*, later: bool) -> dict[str, list[str]]:
    """Return who imports whom at run time; with ``later``, inside functions too."""
    graph = imports.graph()
    return {
        module: [
            other
            for other in sorted(graph.find_modules_directly_imported_by(module))
            if later or not imports.waits(module, other)
        ]
        for module in sorted(graph.modules)
    }


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert imports.circles(module_imports(later=False)) == []


def test_no_modules_need_each_other_in_a_circle_when_they_are_called() -> None:
    circles = imports.circles(module_imports(later=True))

    assert [circle for circle in circles if tuple(circle) not in EXCUSED] == []


def test_no_packages_import_each_other_in_a_circle() -> None:
    rooms = imports.room_imports()
    excused = {tuple(sorted({imports.room_of(each) for each in circle})) for circle in EXCUSED}

    assert [circle for circle in imports.circles(rooms) if tuple(circle) not in excused] == []


def test_a_circle_would_be_found() -> None:
    graph = {"a": ["b"], "b": ["c", "d"], "c": ["a"], "d": ["e"], "e": ["d"], "f": ["f", "a"]}

    assert imports.circles(graph) == [["d", "e"], ["a", "b", "c"]]


def test_an_import_inside_a_function_says_why() -> None:
    unexplained = [
        f"{module.relative_to(ROOT).as_posix()}:{node.lineno}"
        for folder, modules in folders().items()
        if ROOT / "tests" not in [folder, *folder.parents]
        for module in modules
        for lines in [module.read_text(encoding="utf-8").splitlines()]
        for function in ast.walk(ast.parse("\n".join(lines)))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
        if not lines[node.lineno - 1].partition("PLC0415 -")[2].strip("- ")
    ]

    assert not unexplained


def test_tests_mirror_the_packages() -> None:
    package = ROOT / "pipeline" / "hookline"
    rooms = {path.parent.name.lstrip("_") for path in package.glob("*/__init__.py")}
    tested = {path.parent.name for path in (ROOT / "tests").glob("*/*.py")}

    assert tested - ACROSS <= rooms
    plugins = ROOT / "plugins" / "hookline_plugins"
    for folder in plugins.glob("*/__init__.py"):
        assert (ROOT / "tests" / "plugins" / folder.parent.name).is_dir(), folder


def test_no_two_tests_have_the_same_name() -> None:
    """Folders of tests are no packages, so pytest would take one module for the other."""
    names = [path.stem for path in (ROOT / "tests").rglob("test_*.py")]

    assert len(names) == len(set(names))
