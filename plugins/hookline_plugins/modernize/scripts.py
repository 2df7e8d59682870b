"""Python files that call the SDK: where they are out of date. Nothing is run, and nothing is rewritten.

Calls are read as far as they stand there: literals, names that are bound once, texts put together. What is not
known is filled in, and the rules for requests judge the whole; each change is told with the line of the argument.
"""

import ast
from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import define, evolve, field, frozen

from hookline import DecodeError, InputError
from hookline_plugins.modernize.modern import Wanted, modernized_json
from hookline_plugins.modernize.rules import Change
from hookline_plugins.modernize.successors import is_gone, known_as

__all__ = ["Place", "places_in"]

_SPOKEN: Final = ("messages", "prompt")
_VERBS: Final = frozenset({"create", "stream", "parse", "count_tokens", "tool_runner"})
_HEADER: Final = "anthropic-beta"
_ANYTHING: Final = "…"  # stands for a text that is not known
_SPEAKERS: Final = {"HUMAN_PROMPT": "\n\nHuman:", "AI_PROMPT": "\n\nAssistant:"}
_MOST_NODES: Final = (
    20_000  # read for one request: a name may stand for others, and those for others
)
_MOST_DEEP: Final = 60
_GONE: Final = "Text Completions are gone, facts 0"
# What a call is filled up with where nothing is known.
_BLANKS: Final[Mapping[str, Any]] = {
    "model": "",
    "max_tokens": 1024,
    "messages": [{"role": "user", "content": _ANYTHING}],
    "prompt": f"\n\nHuman: {_ANYTHING}\n\nAssistant:",
}


class _Unknown(Exception):
    """A value that does not stand there."""


@frozen
class Place:
    """One place that is out of date.

    Attributes:
        line: the line, from 1.
        change: what there is to change.

    """

    line: int
    change: Change


@define
class _Script:
    """A file as it is read.

    Attributes:
        wanted: what its requests shall be valid for.
        named: what each name is bound to, where that is once.
        seen: nodes that a request was made of.
        left: how many nodes may still be read for the request at hand.
        deep: how deep inside of each other the nodes are that are being read.
        places: what was found.

    """

    wanted: Wanted
    named: dict[str, ast.expr]
    claude: bool
    seen: set[int] = field(factory=set)
    left: int = _MOST_NODES
    deep: int = 0
    places: list[Place] = field(factory=list)


def places_in(source: bytes, wanted: Wanted, path: str = "<script>") -> tuple[Place, ...]:
    """Return the places of a script that are out of date, in order.

    Args:
        source: the file.
        wanted: what its requests shall be valid for.
        path: for the text of an error.

    Raises:
        InputError: it is not Python.

    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        line = getattr(problem, "lineno", None) or 1
        raise InputError(f"{path}:{line}: not Python: {problem}") from problem
    # Nothing is taken here, so what a successor would need is told in any case.
    wanted = evolve(wanted, allow_price=True)
    script = _Script(wanted, _bound_once(tree), _imports_sdk(tree))
    nodes = list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Call):
            _call(node, script)
    for node in nodes:
        if isinstance(node, ast.Dict):
            _table(node, script)
    for node in nodes:
        _single(node, script)
    told = {(each.line, each.change.rule, each.change.what): each for each in script.places}
    return tuple(sorted(told.values(), key=lambda each: each.line))


def _bound_once(tree: ast.AST) -> dict[str, ast.expr]:
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=targets, value=value):
                names = targets
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                names = [target]
            case _:
                continue
        for name in names:
            if isinstance(name, ast.Name):
                found.setdefault(name.id, []).append(value)
    return {name: values[0] for name, values in found.items() if len(values) == 1}


def _imports_sdk(tree: ast.AST) -> bool:
    return any(
        (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "anthropic")
        or (
            isinstance(node, ast.Import)
            and any(name.name.split(".")[0] == "anthropic" for name in node.names)
        )
        for node in ast.walk(tree)
    )


def _call(node: ast.Call, script: _Script) -> None:
    """Judge a call that makes a request."""
    arguments: dict[str, ast.expr] = {}
    for keyword in node.keywords:
        value = _followed(keyword.value, script)
        if keyword.arg is not None:
            arguments[keyword.arg] = keyword.value
        elif isinstance(value, ast.Dict):
            arguments |= _items(value)
            script.seen.add(id(value))
    extra = _followed(arguments.pop("extra_body", node), script)
    if isinstance(extra, ast.Dict):
        arguments |= _items(extra)
    if _is_request(node, arguments, script):
        _judge(node, arguments, script)


def _items(table: ast.Dict) -> dict[str, ast.expr]:
    return {
        key.value: value
        for key, value in zip(table.keys, table.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }


def _is_request(node: ast.Call, arguments: Mapping[str, ast.expr], script: _Script) -> bool:
    """Say whether a call makes a request of this API, and of no other that looks alike."""
    names = _chain(node.func)
    if "chat" in names or not any(name in arguments for name in (*_SPOKEN, "model")):
        return False
    model = arguments.get("model")
    if model is not None and _is_claude(model, script) is False:
        return False
    if not script.claude and (model is None or not _is_claude(model, script)):
        return False
    verb = names[-1] if names else ""
    of_client = "messages" in names[:-1] or "completions" in names[:-1]
    return (of_client and verb in _VERBS) or any(name in arguments for name in _SPOKEN)


def _is_claude(model: ast.expr, script: _Script) -> bool | None:
    """Say whether a model is Claude; None where the name does not stand there."""
    try:
        name = _value(model, script)
    except _Unknown:
        return None
    if not isinstance(name, str):
        return False
    return name.startswith("claude") or (script.claude and script.wanted.models.is_claude(name))


def _chain(node: ast.expr) -> list[str]:
    """Return the names of ``client.messages.create``: ``["client", "messages", "create"]``."""
    names: list[str] = []
    while isinstance(node, ast.Attribute | ast.Call):
        if isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value
        else:
            node = node.func
    if isinstance(node, ast.Name):
        names.append(node.id)
    return names[::-1]


def _table(node: ast.Dict, script: _Script) -> None:
    """Judge a dict that has the shape of a request, and was handed to no call that was judged."""
    arguments = _items(node)
    if id(node) in script.seen or "model" not in arguments:
        return
    if any(name in arguments for name in _SPOKEN) and _is_claude(arguments["model"], script):
        _judge(node, arguments, script)


def _judge(node: ast.expr, arguments: Mapping[str, ast.expr], script: _Script) -> None:
    body = _body(arguments, script)
    wanted = script.wanted if body["model"] else evolve(script.wanted, model=None)
    try:
        _, changes = modernized_json(body, wanted)
    except (DecodeError, InputError):  # what was filled in does not fit what stands there
        return
    for change in changes:
        script.places.append(Place(_line(node, arguments, change.where, script), change))
    _mark(arguments.get("model"), script)


def _body(arguments: Mapping[str, ast.expr], script: _Script) -> dict[str, Any]:
    """Return the request that a call makes, with what is not known filled in or left out."""
    body: dict[str, Any] = {}
    script.left = _MOST_NODES
    for name, node in arguments.items():
        try:
            body[name] = _value(node, script)
        except _Unknown:
            if name in _BLANKS:
                body[name] = _BLANKS[name]
    for name in ("model", "max_tokens"):
        body.setdefault(name, _BLANKS[name])
    if "prompt" not in body:
        body.setdefault("messages", _BLANKS["messages"])
    if not isinstance(body["model"], str):
        body["model"] = ""
    return {name: value for name, value in body.items() if not name.startswith("extra_")}


def _followed(node: ast.AST, script: _Script) -> ast.AST:
    """Return what a name is bound to, or the node itself."""
    for _ in range(10):  # names of names, and no circle
        if not isinstance(node, ast.Name) or node.id not in script.named:
            break
        node = script.named[node.id]
    return node


def _value(node: ast.AST, script: _Script) -> Any:
    """Return the value that stands there.

    Raises:
        _Unknown: it does not, or has no end.

    """
    script.left -= 1
    script.deep += 1
    try:
        if script.left < 0 or script.deep > _MOST_DEEP:
            raise _Unknown
        return _read(_followed(node, script), script)
    finally:
        script.deep -= 1


def _read(node: ast.AST, script: _Script) -> Any:
    match node:
        case ast.Constant(value=str() | int() | float() | None as value):
            return value
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in _SPEAKERS:
            return _SPEAKERS[name]
        case ast.JoinedStr():
            return "".join(_part(each, script) for each in node.values)
        case (
            ast.BinOp(op=ast.Add()) | ast.Call(func=ast.Attribute(attr="format" | "strip" | "join"))
        ):
            return _text(node, script)
        case ast.Dict():
            return {name: _or_blank(value, script) for name, value in _items(node).items()}
        case ast.List() | ast.Tuple():
            return [_or_blank(each, script) for each in node.elts]
        case _:
            raise _Unknown


def _or_blank(node: ast.expr, script: _Script) -> Any:
    try:
        return _value(node, script)
    except _Unknown:
        return _ANYTHING


def _part(node: ast.expr, script: _Script) -> str:
    if isinstance(node, ast.FormattedValue):
        node = node.value
    found = _or_blank(node, script)
    return found if isinstance(found, str) else str(found)


def _text(node: ast.BinOp | ast.Call, script: _Script) -> str:
    """Return a text that is put together; what is not known in it is an ellipsis."""
    if isinstance(node, ast.BinOp):
        sides = [_or_blank(node.left, script), _or_blank(node.right, script)]
        if not any(isinstance(each, str) and each != _ANYTHING for each in sides):
            raise _Unknown
        return "".join(map(str, sides))
    function = node.func
    if isinstance(function, ast.Attribute) and function.attr != "join":
        return _part(function.value, script)
    return _ANYTHING


def _line(node: ast.expr, arguments: Mapping[str, ast.expr], where: str, script: _Script) -> int:
    """Return the line of a place in a request: of the innermost part of it that stands there."""
    first, *rest = where.split(".")
    at: ast.AST = arguments.get(first, arguments.get("betas", node) if first == "betas" else node)
    line = getattr(at, "lineno", 1)
    for part in (None, *rest):
        if part is not None:
            at = _inside(at, part)
        at = _followed(at, script)
        line = getattr(at, "lineno", line)
    return int(line)


def _inside(node: ast.AST, part: str) -> ast.AST:
    if isinstance(node, ast.Dict):
        return _items(node).get(part, node)
    if isinstance(node, ast.List | ast.Tuple) and part.isdigit() and int(part) < len(node.elts):
        return node.elts[int(part)]
    return node


def _mark(node: ast.AST | None, script: _Script) -> None:
    if node is not None:
        script.seen.add(id(_followed(node, script)))


def _single(node: ast.AST, script: _Script) -> None:
    """Judge what stands alone: a model's name, names of betas in a header, the marks of old prompts."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        _name(node, script)
    elif isinstance(node, ast.Dict):
        betas = _items(node).get(_HEADER)
        names = _or_blank(betas, script) if betas is not None else ""
        if isinstance(names, str) and names:
            listed = [name.strip() for name in names.split(",")]
            _betas(betas or node, listed, script)
    elif isinstance(node, ast.ImportFrom) and node.module == "anthropic":
        for each in node.names:
            if each.name in _SPEAKERS:
                what = f"{each.name} marked a speaker in a prompt; messages have roles"
                change = Change(rule="completion", where="import", what=what, fact=_GONE)
                script.places.append(Place(node.lineno, change))


def _name(node: ast.Constant, script: _Script) -> None:
    if id(node) in script.seen or "claude-" not in str(node.value):
        return
    known = known_as(str(node.value), script.wanted.models)
    if known is None or not is_gone(known, script.wanted.today):
        return
    body = {**_BLANKS, "model": node.value}
    del body["prompt"]
    _, changes = modernized_json(body, script.wanted)
    script.places += (Place(node.lineno, each) for each in changes if each.rule == "model")


def _betas(node: ast.expr, names: Sequence[str], script: _Script) -> None:
    body = {**_BLANKS, "betas": [name for name in names if name]}
    del body["prompt"]
    _, changes = modernized_json(body, evolve(script.wanted, model=None))
    script.places += (Place(node.lineno, each) for each in changes if each.rule == "beta")
