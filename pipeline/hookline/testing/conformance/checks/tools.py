"""A check of the tools that a plugin registers: called with inputs that their schemas allow."""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from hookline.errors import DecodeError, InputError
from hookline.schema import check_value
from hookline.simulator import Rule
from hookline.simulator.answers.instance import instance_of
from hookline.testing.conformance.report import Finding
from hookline.testing.conformance.surfaces import Call, Colour, Outcome
from hookline.testing.conformance.trying import Trying
from hookline.testing.recording import RecordingSimulator

__all__ = ["tools"]

_TEXTS: Final = ("", "größte Ameise 🐜", "a" * 5000, "../../etc/passwd", "'; DROP TABLE ants; --")
_NUMBERS: Final = (0, -1, 10**12)
_BROKEN: Final = (
    "AttributeError",
    "IndexError",
    "KeyError",
    "NameError",
    "RecursionError",
    "TypeError",
    "UnboundLocalError",
    "ZeroDivisionError",
)
_LONGEST: Final = 80  # characters of an input that a finding shows
_MOST: Final = 12  # inputs that are tried of one tool


def tools(trying: Trying) -> Iterator[Finding]:
    """Check that each tool can be offered, and answers what its schema allows, in both colours."""
    line = trying.subject.line("sync", RecordingSimulator())
    with line:
        offered = {each.name: each.definition for each in line.registered.tools}
    schemas = {name: _schema(each) for name, each in offered.items()}
    defined = {name: each for name, each in schemas.items() if each is not None}
    if not defined:
        trying.nothing("it registers no tool that is a function")
        return
    declared: Mapping[str, Any] = getattr(trying.subject.object, "sample_inputs", {})
    for name, schema in defined.items():
        description = str(getattr(offered[name], "description", "") or "")
        if not description.strip():
            yield Finding(
                f"the tool {name!r} has no description",
                "its docstring is what the model knows of it",
            )
        for given in declared.get(name, _inputs(schema)):
            yield from _answered(trying, name, given)


def _schema(definition: Any) -> dict[str, Any] | None:
    schema = getattr(definition, "input_schema", None)
    return None if schema is None else json.loads(json.dumps(_plain(schema)))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _inputs(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Return inputs that fit: all there can be, what must be there alone, and odd values one by one."""
    whole = instance_of(schema)
    if not isinstance(whole, dict):
        return []
    required = schema.get("required", ())
    odd = [{**whole, name: value} for name, present in whole.items() for value in _odd(present)]
    least = {name: value for name, value in whole.items() if name in required}
    fitting = [each for each in (whole, least, *odd) if _fits(each, schema)]
    distinct = {json.dumps(each, sort_keys=True): each for each in fitting}
    return list(distinct.values())[:_MOST]


def _fits(value: Any, schema: dict[str, Any]) -> bool:
    try:
        check_value(value, schema)
    except (DecodeError, InputError):
        return False
    return True


def _odd(present: Any) -> tuple[Any, ...]:
    if isinstance(present, bool):
        return (not present,)
    if isinstance(present, str):
        return _TEXTS
    if isinstance(present, int | float):
        return _NUMBERS
    return ([],) if isinstance(present, list) else ()


def _answered(trying: Trying, name: str, given: dict[str, Any]) -> Iterator[Finding]:
    shown = json.dumps(given, ensure_ascii=False)
    shown = shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"
    said: list[str] = []
    colours: tuple[Colour, ...] = ("asyncio",) if trying.subject.asks_loop else ("sync", "asyncio")
    for colour in colours:
        simulator = partial(
            RecordingSimulator, Rule(tool_use={"name": name, "input": given}, times=1)
        )
        outcome = trying.take(Call(message="Use it.", simulator=simulator), colour)
        if outcome.error is not None:
            yield Finding(
                f"{name}({shown}) ended the turn ({colour}): {outcome.error}",
                "what goes wrong in a tool is for the model: raise, and it is told; return text, "
                "JSON values or blocks",
            )
            return
        said.append(_result(outcome))
        errors = outcome.reply.trace.tool_errors if outcome.reply is not None else []
        broken = next((each.error for each in errors if each.error.startswith(_BROKEN)), None)
        if broken:
            yield Finding(
                f"{name}({shown}), which its schema allows, broke ({colour}): {broken[:120]}",
                "let the parameters' types say what it takes (Literal, Annotated), or raise an error "
                "that a model understands",
            )
            return
    if trying.subject.deterministic and len(set(said)) > 1:
        yield Finding(
            f"{name}({shown}) answered {said[0][:60]!r} in sync and {said[1][:60]!r} in asyncio",
            "the same input has the same answer; or say deterministic = False",
        )


def _result(outcome: Outcome) -> str:
    """Return what the model was told of the call."""
    for message in reversed(outcome.bodies[-1]["messages"]):
        if isinstance(message["content"], list):
            for block in message["content"]:
                if block.get("type") == "tool_result":
                    return json.dumps(block.get("content", ""))
    return ""
