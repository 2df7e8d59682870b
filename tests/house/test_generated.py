"""The generated parts of the documentation are current, complete, and name public things only."""

import re
import tomllib
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

import hookline
from generator import pages, prose
from generator.source import public_names
from hookline._journey.plugin_set import HOOKS

ROOT = Path(__file__).parent.parent.parent
INSIDE = {"design.md", "house.md"}  # the pages about the inside of the house
REMEDY = "run `make docs`, and commit what it writes"


def test_what_is_generated_is_current() -> None:
    stale = [
        path.relative_to(ROOT).as_posix()
        for path, text in pages.drawn().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]

    assert not stale, REMEDY


def test_a_stale_region_would_be_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "Before\n<!-- generated: rules -->\n\nstale words\n\n<!-- end -->\nbehind\n", "utf-8"
    )
    monkeypatch.setattr(pages, "DOCS", tmp_path)

    drawn = pages.drawn()[page]

    assert drawn.startswith("Before\n<!-- generated: rules -->\n\n| rule |")
    assert drawn.endswith("<!-- end -->\nbehind\n")
    assert "stale words" not in drawn


def regions(kind: str) -> list[list[str]]:
    """Return the words of all regions of one kind, without the members that they leave out."""
    found = [words for _, words in pages.regions() if words[0] == kind]
    return [words[1 : words.index("without") if "without" in words else None] for words in found]


def test_every_public_name_of_hookline_is_described_once() -> None:
    described = [name for path, *names in regions("names") if path == "hookline" for name in names]

    assert sorted(described) == sorted(set(hookline.__all__) - {"__version__"})


def test_every_public_path_has_its_place_in_the_reference() -> None:
    folder = ROOT / "pipeline" / "hookline"
    paths = {path.stem for path in folder.glob("*.py")} | {
        path.parent.name for path in folder.glob("*/__init__.py")
    }
    public = {f"hookline.{name}" for name in paths if not name.startswith("_")}

    assert {path for (path,) in regions("face")} == public
    for path in public:
        assert public_names(path), f"{path} has no __all__"


def test_members_that_are_left_out_exist() -> None:
    for _, words in pages.regions():
        if "without" in words:
            given, left_out = words[1 : words.index("without")], words[words.index("without") + 1 :]
            path, *names = given
            offered = [getattr(import_module(path), name) for name in names or public_names(path)]
            for member in left_out:
                assert any(hasattr(each, member) for each in offered), member


def test_every_hook_has_its_signature_and_its_words() -> None:
    folder = ROOT / "docs" / "plugins"
    listed = (folder / "hooks.md").read_text(encoding="utf-8")

    assert sorted(regions("hook")) == sorted([name] for name in HOOKS)
    for name, kind in HOOKS.items():
        assert re.search(
            rf"^\| \[`{name}`\]\(hooks/{name}\.md\) \| {kind} \| \w", listed, re.MULTILINE
        )
        text = (folder / "hooks" / f"{name}.md").read_text(encoding="utf-8")
        assert re.search(rf"^(async )?def {name}\(", text, re.MULTILINE)
        assert "@hookimpl" in text, "shows an example"
        assert "**Arguments**" in text
        assert "## If it fails" in text


def test_every_group_of_standard_plugins_is_listed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    groups = [each for each in project["entry-points"] if each.startswith("hookline.")]
    assert sorted(regions("plugins")) == sorted([group] for group in groups)


def inside_names(text: str) -> Iterator[str]:
    """Yield the dotted names in a text that are a package's own business."""
    for path in re.findall(r"\bhookline(?:\.\w+)+", text):
        first, *rest = path.split(".")[1:]
        private = any(part.startswith("_") and part != "__all__" for part in (first, *rest))
        below = f"hookline.{first}"
        if (
            private
            or (rest and (ROOT / "pipeline" / "hookline" / first / f"{rest[0]}.py").exists())
            or (
                first not in NO_MODULES
                and find_spec(below) is None
                and not hasattr(hookline, first)
            )
        ):
            yield path


NO_MODULES = {"toml", "plugins", "__all__"}  # a file's name, a group of entry points


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("see `hookline.values.TextBlock` and hookline.toml", []),
        ("`hookline.values.blocks.TextBlock`", ["hookline.values.blocks.TextBlock"]),
        ("from hookline._io import drive", ["hookline._io"]),
        ("`hookline.asking`", ["hookline.asking"]),
    ],
)
def test_a_name_of_the_inside_would_be_noticed(text: str, named: list[str]) -> None:
    assert list(inside_names(text)) == named


def test_pages_name_public_paths_only() -> None:
    found = {
        page.relative_to(ROOT).as_posix(): names
        for page in [*pages.pages(), *ROOT.glob("*.md"), *(ROOT / "examples").glob("*.md")]
        if page.name not in INSIDE and (names := list(inside_names(page.read_text("utf-8"))))
    }

    assert not found


def test_no_page_needs_more_than_markdown_to_be_read() -> None:
    for page in pages.pages():
        directives = re.findall(r"^(?:```|:::)\{(\w+)\}", page.read_text("utf-8"), re.MULTILINE)
        assert set(directives) <= {"toctree"}, page


@pytest.mark.parametrize(
    ("docstring", "shown"),
    [
        ("Say ``a`` and ``b < c`` of <d>.", "Say `a` and `b < c` of \\<d>."),
        ("See :class:`~hookline.turn.Turn`.", "See `Turn`."),
        ("Never *this*, rather **that**; 2 * 3.", "Never *this*, rather **that**; 2 \\* 3."),
        ("Like this::\n\n    x = f(1)\n\nDone.", "Like this:\n\n```py\nx = f(1)\n```\n\nDone."),
        ("Example:\n    >>> f(1)\n    2", "```pycon\n>>> f(1)\n2\n```"),
        (
            "Do.\n\nArgs:\n    a, b: two\n        lines.\n    *c: more.\n\nRaises:\n    E: no.\n",
            "Do.\n\n**Arguments**\n\n- `a, b`: two lines.\n- `*c`: more.\n\n**Raises**\n\n- `E`: no.",
        ),
        (
            "=== ==\na   b\n=== ==\nc   d\n    e|\n=== ==",
            "| a | b |\n| --- | --- |\n| c | d e\\| |",
        ),
    ],
)
def test_a_docstring_becomes_markdown(docstring: str, shown: str) -> None:
    assert prose.markdown(docstring) == shown
