"""Mutants of the cookbook's plugins: how many `hookline check-plugin` finds, and how many its tests.

``PYTHONPATH=tests python -m benchmarks.plugin_mutants [MOST]`` makes at most MOST mutants of each plugin (8),
spread over all that there could be, and tries each on both. ``… written`` tries the mistakes of
``cookbook_mutants.toml``, which people make, on the suite alone. The suite knows the contract and not what a plugin
is for, so it cannot find a word that is masked wrongly; that is what the plugin's own tests are for. A
mutant that neither finds is printed, since it shows what is not tried.
"""

import ast
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from attrs import frozen

ROOT: Final = Path(__file__).parents[2]
COOKBOOK: Final = ROOT / "examples" / "plugins"
MISTAKES: Final = Path(__file__).parent / "cookbook_mutants.toml"
_TIMEOUT: Final = 120  # seconds for one run; a mutant that hangs is found

_COMPARED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
}


@frozen
class Mutant:
    """One changed plugin.

    Attributes:
        plugin: the file's name.
        line: where.
        what: was done.
        source: the changed text.

    """

    plugin: str
    line: int
    what: str
    source: str


def _compared(node: ast.AST) -> ast.AST | None:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARED:
        node.ops[0] = _COMPARED[type(node.ops[0])]()
        return node
    return None


def _joined(node: ast.AST) -> ast.AST | None:
    if isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return node
    return None


def _decided(node: ast.AST) -> ast.AST | None:
    if isinstance(node, ast.If | ast.IfExp):
        node.test = ast.UnaryOp(ast.Not(), node.test)
        return node
    return None


def _constant(node: ast.AST) -> ast.AST | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | str) and node.value:
        value = node.value
        changed = (
            not value if isinstance(value, bool) else value + 1 if isinstance(value, int) else ""
        )
        return ast.Constant(changed)
    return None


def _returned(node: ast.AST) -> ast.AST | None:
    if isinstance(node, ast.Return) and node.value is not None:
        return ast.Return(None)
    return None


def _left_out(node: ast.AST) -> ast.AST | None:
    documents = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Expr | ast.Assign | ast.AugAssign | ast.Raise) and not documents:
        return ast.Pass()
    return None


def _not_awaited(node: ast.AST) -> ast.AST | None:
    return node.value if isinstance(node, ast.Await) else None


def _text_of_messages_only(node: ast.AST) -> ast.AST | None:
    """Do what our own docs once did: overlook tool results, documents and the system prompt."""
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "map_text"
        and len(node.args) == 1
        and not node.keywords
        and getattr(node.func.value, "id", "") == "request"
    ):
        where = ast.Tuple([ast.Constant("messages")], ast.Load())
        node.keywords = [ast.keyword("where", where)]
        return node
    return None


def _system_as_a_string(node: ast.AST) -> ast.AST | None:
    """Do the other thing they once did: take the system prompt, and a message, for a string."""
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "with_system"
    ):
        joined = ast.parse("f'{request.system}{x}'", mode="eval").body
        assert isinstance(joined, ast.JoinedStr)
        assert isinstance(joined.values[1], ast.FormattedValue)
        joined.values[1].value = node.args[0]
        evolved = ast.Attribute(node.func.value, "evolve", ast.Load())
        return ast.Call(evolved, [], [ast.keyword("system", joined)])
    return None


OPERATORS: Final[dict[str, Callable[[ast.AST], ast.AST | None]]] = {
    "compares the other way": _compared,
    "and for or": _joined,
    "decides the other way": _decided,
    "another constant": _constant,
    "returns nothing": _returned,
    "a statement left out": _left_out,
    "not awaited": _not_awaited,
    "text of messages only": _text_of_messages_only,
    "system prompt as a string": _system_as_a_string,
}


def written() -> list[tuple[Mutant, dict[str, str]]]:
    """Return the mistakes that were written down, each with what its table says besides.

    Raises:
        ValueError: one of them no longer fits the plugin.

    """
    found = []
    for each in tomllib.loads(MISTAKES.read_text(encoding="utf-8"))["mutant"]:
        text = (COOKBOOK / f"{each['plugin']}.py").read_text(encoding="utf-8")
        before, old, after = text.rpartition(each["old"])
        if not old:
            raise ValueError(f"{each['plugin']} does not hold {each['old']!r}")
        text = before + each["new"] + after
        if "also" in each:
            if each["also"][0] not in text:
                raise ValueError(f"{each['plugin']} does not hold {each['also'][0]!r}")
            text = text.replace(*each["also"])
        line = before.count("\n") + 1
        found.append((Mutant(each["plugin"], line, each["mistake"], text), each))
    return found


class _Put(ast.NodeTransformer):
    """Puts one node in the place of another."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old = old
        self.new = new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else self.generic_visit(node)


def mutants(file: Path) -> Iterator[Mutant]:
    """Yield every mutant of a file, in the order of the operators."""
    text = file.read_text(encoding="utf-8")
    count = sum(1 for _ in ast.walk(ast.parse(text)))
    for what, operator in OPERATORS.items():
        for place in range(count):
            tree = ast.parse(text)
            documentation = {
                id(node.value)
                for node in ast.walk(tree)
                if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            }
            node = next(each for i, each in enumerate(ast.walk(tree)) if i == place)
            changed = None if id(node) in documentation else operator(node)
            if changed is not None:
                changed = ast.copy_location(changed, node)
                mutant = ast.fix_missing_locations(_Put(node, changed).visit(tree))
                yield Mutant(file.stem, getattr(node, "lineno", 0), what, ast.unparse(mutant))


def chosen(file: Path, most: int) -> list[Mutant]:
    """Return at most so many, as different as can be: one of each operator, then the next of each."""
    by_operator: dict[str, list[Mutant]] = {}
    for each in mutants(file):
        by_operator.setdefault(each.what, []).append(each)
    turns = [
        group[turn] for turn in range(1000) for group in by_operator.values() if turn < len(group)
    ]
    return turns[:most]


def found_by_suite(mutant: Mutant, folder: Path) -> bool:
    """Run ``hookline check-plugin`` on a mutant."""
    path = folder / f"{mutant.plugin}.py"
    path.write_text(mutant.source, encoding="utf-8")
    return _fails([sys.executable, "-m", "hookline", "check-plugin", str(path)], folder)


def found_by_tests(mutant: Mutant, folder: Path) -> bool:
    """Run the cookbook's tests with a mutant in the place of the plugin."""
    copy = folder / "copy"
    if not copy.exists():
        shutil.copytree(ROOT / "examples", copy / "examples")
        (copy / "tests" / "house").mkdir(parents=True)
        shutil.copy(ROOT / "tests" / "house" / "test_cookbook.py", copy / "tests" / "house")
    path = copy / "examples" / "plugins" / f"{mutant.plugin}.py"
    original = path.read_text(encoding="utf-8")
    path.write_text(mutant.source, encoding="utf-8")
    command = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", "not conforms"]
    try:
        tests = copy / "tests" / "house" / "test_cookbook.py"
        return _fails([sys.executable, *command, "--rootdir", str(copy), str(tests)], copy)
    finally:
        path.write_text(original, encoding="utf-8")


def _fails(command: list[str], folder: Path) -> bool:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, timeout=_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        return True
    return done.returncode != 0


def report(most: int = 8) -> Iterator[str]:
    """Yield the report's lines, each as soon as it is known."""
    yield f"{'plugin':<18} {'mutants':>8} {'suite':>6} {'tests':>6} {'either':>7}"
    totals = [0, 0, 0, 0]
    for file in sorted(COOKBOOK.glob("*.py")):
        row, missed = [0, 0, 0, 0], []
        with tempfile.TemporaryDirectory() as name:
            whole = Mutant(file.stem, 0, "nothing", file.read_text(encoding="utf-8"))
            if found_by_suite(whole, Path(name)) or found_by_tests(whole, Path(name)):
                raise SystemExit(f"{file.stem} fails unchanged, so its mutants would tell nothing")
            for mutant in chosen(file, most):
                suite = found_by_suite(mutant, Path(name))
                tests = found_by_tests(mutant, Path(name))
                for column, count in enumerate((True, suite, tests, suite or tests)):
                    row[column] += count
                if not (suite or tests):
                    missed.append(f"    line {mutant.line}: {mutant.what}")
        totals = [total + count for total, count in zip(totals, row, strict=True)]
        yield f"{file.stem:<18} {row[0]:>8} {row[1]:>6} {row[2]:>6} {row[3]:>7}"
        yield from missed
    yield f"{'together':<18} {totals[0]:>8} {totals[1]:>6} {totals[2]:>6} {totals[3]:>7}"


def report_written() -> Iterator[str]:
    """Yield what the suite finds of the mistakes that were written down."""
    total = found = 0
    for mutant, table in written():
        with tempfile.TemporaryDirectory() as name:
            shutil.copy(COOKBOOK.parent / "ant.png", name)  # beside the plugin's folder, as there
            folder = Path(name) / "plugins"
            folder.mkdir()
            seen = found_by_suite(mutant, folder)
        total, found = total + 1, found + seen
        end = f"found by {table.get('check', '?')!r}" if seen else table.get("why", "MISSED")
        yield f"{mutant.plugin:<18} {mutant.what}: {end}"
    yield f"{found} of {total}"


if __name__ == "__main__":
    argument = sys.argv[1] if len(sys.argv) > 1 else "8"
    for line in report_written() if argument == "written" else report(int(argument)):
        print(line, flush=True)  # noqa: T201 -- a benchmark prints
