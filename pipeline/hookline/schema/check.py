"""Whether a value fits a JSON Schema of any draft, which somebody else may have written.

A tool's schema may come from a server that nobody here has read: no reference leaves the schema, no
pattern runs for long, and no depth ends the process.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from hookline.errors import DecodeError, InputError
from hookline.schema.effort import effort
from hookline.values.frozen import freeze, thaw

__all__ = ["check_schema", "check_value"]

_DEEPEST: Final = 64
_BACKTRACKS: Final = 10_000
_COMPILED: Final = 1_000_000  # bytes of one compiled pattern
_MOST_MEETINGS: Final = 10_000_000  # of a schema and a part of a value: a second
_EXPLAINED: Final = 5_000  # which may be looked at again and again to say what is wrong,
_TIMES: Final = 20  # or so many of each part of the value
_MOST_ERRORS: Final = 3
_SHOWN: Final = 200


def check_schema(schema: Mapping[str, Any], where: str) -> None:
    """Refuse a schema by which nothing can be checked.

    Args:
        schema: any draft; 2020-12 where it does not say.
        where: whose it is, for an error's text.

    Raises:
        InputError: it is no schema, refers to another document, or is nested too deeply.

    """
    try:
        _validator_of(schema)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def check_value(value: Any, schema: Mapping[str, Any], name: str = "parameter") -> None:
    """Refuse a value that does not fit.

    Args:
        value: JSON, frozen or plain.
        schema: what it must fit.
        name: what the members of its root are called, for an error's text.

    Raises:
        DecodeError: it does not fit; the text names the places.
        InputError: the schema itself is of no use, or would keep us for ever.

    """
    said: list[str] = []
    validator, plain = _validator_of(schema), thaw(value)
    work = effort(plain, schema)
    if work is None or work.meetings > _MOST_MEETINGS:
        raise InputError(
            "the schema's references lead to one another so often that nothing can be checked by it"
        )
    if validator.is_valid(plain):
        return
    if work.meetings > max(_EXPLAINED, _TIMES * work.parts):  # each of them takes long to explain
        raise DecodeError("this does not fit the schema", path="")
    for error in validator.iter_errors(plain):
        place = ".".join(map(str, error.instance_path))
        text = _short(_said(error, name))
        said.append(f"{name} {place}: {text}" if place else text)
        if len(said) == _MOST_ERRORS:
            break
    if said:
        raise DecodeError("; ".join(said), path="")


def _validator_of(schema: Mapping[str, Any]) -> Any:
    _check_depth(schema)  # first: nothing else here survives a depth without end
    return _validator(freeze(schema))


@lru_cache(256)
def _validator(schema: Any) -> Any:
    import jsonschema_rs  # noqa: PLC0415 -- only turns whose tools run need it

    try:
        return jsonschema_rs.validator_for(
            thaw(schema),
            retriever=_refused,
            pattern_options=jsonschema_rs.FancyRegexOptions(
                backtrack_limit=_BACKTRACKS, size_limit=_COMPILED, dfa_size_limit=_COMPILED
            ),
        )
    except (ValueError, TypeError) as error:  # the package's own errors are ValueErrors
        raise InputError(f"this is no usable JSON schema: {_short(str(error))}") from error


def _refused(uri: str) -> Any:
    raise ValueError(f"{uri!r} is another document; references may only lead to $defs")


def _check_depth(schema: Any) -> None:
    level: list[Any] = [schema]
    for _ in range(_DEEPEST):
        level = [
            inner
            for each in level
            for inner in (each.values() if isinstance(each, Mapping) else each)
            if isinstance(inner, Mapping | list | tuple)
        ]
        if not level:
            return
    raise InputError(f"the schema is nested more than {_DEEPEST} levels deep")


def _said(error: Any, name: str) -> str:
    unexpected = getattr(error.kind, "unexpected", None)
    if unexpected:
        return f"there is no {name} {', '.join(unexpected)}"
    missing = getattr(error.kind, "property", None)
    if missing is not None:
        return f"the {name} {missing!r} is missing"
    message: str = error.message
    return message


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
