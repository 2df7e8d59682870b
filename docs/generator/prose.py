"""Docstrings as Markdown: the few constructs of reStructuredText that ours use."""

import ast
import inspect
import re
import tomllib
from collections.abc import Iterable, Iterator
from typing import Final

__all__ = ["cell", "fence", "inline", "markdown", "summary", "table"]

_SECTION: Final = re.compile(
    r"^(Args|Attributes|Returns|Yields|Raises|Example|Examples|Note):\n", re.MULTILINE
)
_TITLES: Final = {"Args": "Arguments", "Example": "", "Examples": "", "Note": ""}
_LISTS: Final = {"Args", "Attributes", "Raises"}
_ENTRY: Final = re.compile(r"^(\*{0,2}\w[\w.]*(?:, \*{0,2}\w+)*): *", re.MULTILINE)
_CODE: Final = re.compile(r"(``.+?``|`[^`]+`)", re.DOTALL)
_EMPHASIS: Final = re.compile(r"(\*{1,2}\w[^*]*\*{1,2})|[*<\[\]]")
_ROLE: Final = re.compile(r":\w+:`~?(?:[\w.]*\.)?(\w+)`")


def markdown(docstring: str) -> str:
    """Return a docstring, sections included."""
    first, *rest = _SECTION.split(inspect.cleandoc(docstring) + "\n")
    parts = [_text(first)]
    for name, body in zip(rest[::2], rest[1::2], strict=True):
        # What stands at the margin again belongs to no section any more.
        inside, behind = _split_at_margin(body)
        inside = inspect.cleandoc("\n" + inside)
        title = _TITLES.get(name, name)
        shown = _entries(inside) if name in _LISTS else _text(inside)
        parts += [f"**{title}**\n\n{shown}" if title else shown, _text(behind)]
    return "\n\n".join(part for part in parts if part)


def summary(docstring: str) -> str:
    """Return the first sentence, on one line."""
    first = inspect.cleandoc(docstring).partition("\n\n")[0].removesuffix("::")
    joined = " ".join(first.split())
    return inline(re.split(r"(?<=[.!?]) (?=[A-Z`])", joined)[0])


def inline(text: str) -> str:
    """Return one paragraph with Markdown's marks."""
    parts = _CODE.split(_ROLE.sub(r"``\1``", text))
    for place, part in enumerate(parts):
        if place % 2:
            parts[place] = "`" + " ".join(part.strip("`").split()) + "`"
        else:
            parts[place] = _EMPHASIS.sub(lambda match: match[1] or f"\\{match[0]}", part)
    return "".join(parts)


def cell(text: str) -> str:
    """Return text for a cell of a table: one line, no bars."""
    return " ".join(text.split()).replace("|", "\\|")


def fence(code: str, language: str = "py") -> str:
    """Return a block of code. ``py`` is shown, and not run by the tests as ``python`` is."""
    return f"```{language}\n{code.strip()}\n```"


def _split_at_margin(body: str) -> tuple[str, str]:
    back = re.search(r"^\S", body, re.MULTILINE)
    return (body[: back.start()], body[back.start() :]) if back else (body, "")


def _entries(body: str) -> str:
    _, *rest = _ENTRY.split(body)
    if not rest:
        return _text(body)
    pairs = zip(rest[::2], rest[1::2], strict=True)
    return "\n".join(f"- `{name}`: {inline(' '.join(text.split()))}" for name, text in pairs)


def _text(body: str) -> str:
    return "\n\n".join(_blocks(body))


def _blocks(body: str) -> Iterator[str]:
    literal = False
    for block in _paragraphs(body):
        if literal and block.startswith(" "):
            code = inspect.cleandoc("\n" + block)
            yield fence(code, _language(code))
            continue
        if block.startswith(">>>"):
            yield fence(block, "pycon")
            continue
        literal = block.endswith("::")
        text = block.removesuffix("::").rstrip()
        if re.match(r"=+ +=", text):
            yield _table(text)
        elif text:
            yield inline(text) + (":" if literal and not text.endswith(":") else "")


def _paragraphs(body: str) -> Iterator[str]:
    """Yield paragraphs; an indented block stays one, with its empty lines."""
    waiting: list[str] = []
    for block in re.split(r"\n\s*\n", body.strip("\n")):
        if not block.strip():
            continue
        if block.startswith(" ") and waiting and waiting[-1].startswith(" "):
            waiting[-1] += "\n\n" + block
        else:
            # A line that ends with :: opens a literal block even without an empty line behind it.
            waiting.append(block)
    yield from waiting


def _language(code: str) -> str:
    for language, parse in (("toml", tomllib.loads), ("py", ast.parse)):
        try:
            parse(code)
        except (SyntaxError, tomllib.TOMLDecodeError):
            continue
        return language
    return "text"


def _table(text: str) -> str:
    """Return a simple table of reStructuredText: columns begin where its first line has them."""
    rule, *lines = text.splitlines()
    starts = [match.start() for match in re.finditer("=+", rule)]
    slices = [slice(start, end) for start, end in zip(starts, [*starts[1:], None], strict=True)]
    rows: list[list[str]] = []
    for line in lines:
        if set(line) <= {"=", " "}:
            continue
        cells = [line[each].strip() for each in slices]
        if cells[0] or not rows:
            rows.append(cells)
        else:
            rows[-1] = [f"{old} {new}".strip() for old, new in zip(rows[-1], cells, strict=True)]
    head, *body = [[cell(inline(each)) for each in row] for row in rows]
    if sum(set(line) <= {"=", " "} for line in lines) == 1:  # none below a first row: no head
        head, body = [""] * len(head), [head, *body]
    shown = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(row) + " |" for row in shown)


def table(*head: str, rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table of cells that are Markdown already."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
