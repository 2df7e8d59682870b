"""JSON as bytes: fast where orjson is exact, the standard library where it is not.

orjson reads an integer beyond 64 bits as a float and refuses to write one, and it refuses lone
surrogates in both directions. A loss-free wire format cannot accept either, so those rare documents
take the slow road.
"""

import json
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Sequence
from math import isfinite
from types import NoneType
from typing import Any, Final

import orjson

from hookline.values.brief import brief

# 19 digits in a row may exceed 64 bits. Base64 and prose seldom hold such a run, and a false alarm
# costs only the slower parser.
_LONG_NUMBER: Final = b"0" * 19
_AS_ZERO: Final = bytes.maketrans(
    b"123456789", b"0" * 9
)  # a regular expression takes four times as long
# Such a run covers one of every 19 bytes, so where none of these is a digit there is no run.
_SAMPLE: Final = slice(18, None, 19)
_LARGE: Final = 262_144  # bytes
_DIGIT: Final = re.compile(rb"[0-9]")

JSONDecodeError = json.JSONDecodeError  # orjson raises a subclass of it


def loads(data: bytes | str) -> Any:
    """Parse one JSON document.

    Args:
        data: UTF-8 bytes, or text.

    Returns:
        The value, integers of any size kept exact.

    Raises:
        JSONDecodeError: ``data`` is not JSON, or beyond what can be read: nested a thousand levels
            deep, a number of thousands of digits. NaN and Infinity are not JSON.

    """
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    raw = raw.removeprefix(BOM_UTF8)  # editors write it, and RFC 8259 lets readers ignore it
    if not _has_long_number(raw):
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError:
            if b"\\u" not in raw:
                raise
    try:
        return _loads_slowly(raw)
    except UnicodeDecodeError as error:
        raise JSONDecodeError(f"not UTF-8: {error.reason}", "", error.start) from error
    except JSONDecodeError:
        raise
    except RecursionError as error:
        raise JSONDecodeError("nested too deeply", "", 0) from error
    except ValueError as error:  # Python reads no number of more than 4,300 digits
        raise JSONDecodeError("a number has too many digits", "", 0) from error


def loads_unique(data: bytes) -> Any:
    """Parse one JSON document in which no name stands twice in one object.

    Of two members of one name each reader takes the one it likes: what a check has read would not be
    what another server reads. Use this for bytes that are handed on as they came.

    Args:
        data: UTF-8.

    Returns:
        The value, as `loads` gives it.

    Raises:
        JSONDecodeError: as for `loads`, or a name stands twice.

    """
    value = loads(data)
    # A lost member has lost its name, and with it two quotes. Quotes inside strings are written in one
    # way only, unless as a number; then, and where some are missing, the slow parser looks at the names.
    escapes = b"\\" in data
    if escapes and b"\\u0022" in data:
        _loads_slowly(data, object_pairs_hook=_unique)
        return value
    # Writing it is the fastest way to count, unless megabytes would be copied.
    there = dumps(value).count(b'"') if len(data) < _LARGE else _quotes(value, escapes=escapes)
    if there != data.count(b'"'):
        _loads_slowly(data, object_pairs_hook=_unique)
    return value


def _quotes(value: Any, *, escapes: bool) -> int:
    """Count the quotes that a value has as JSON; inside strings there are none without escapes."""
    if isinstance(value, str):
        return 2 + (value.count('"') if escapes else 0)
    if isinstance(value, dict):
        return sum([_quotes(item, escapes=escapes) for pair in value.items() for item in pair])
    return sum([_quotes(item, escapes=escapes) for item in value]) if isinstance(value, list) else 0


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        names = [name for name, _ in members]
        twice = next(name for name in names if names.count(name) > 1)
        raise JSONDecodeError(f"the name {brief(twice)} stands twice in one object", "", 0)
    return found


def _loads_slowly(raw: bytes, **hooks: Any) -> Any:
    text = raw.decode("utf-8", "surrogatepass")  # json.loads() would guess at other encodings
    return json.loads(text, parse_constant=_refuse_constant, parse_float=_finite, **hooks)


def _finite(digits: str) -> float:
    number = float(digits)
    if isfinite(number):
        return number
    raise JSONDecodeError(f"{brief(digits)} is beyond what a number can be", "", 0)


def reader(documents: Sequence[bytes]) -> Callable[[bytes], Any]:
    """Return what reads each of these documents: as `loads`, but looks for long numbers only once.

    Args:
        documents: JSON, UTF-8.

    Returns:
        A function of one document. It may raise ``JSONDecodeError`` for one that `loads` can read
        (lone surrogates): ask `loads` then.

    """
    return loads if _has_long_number(b" ".join(documents)) else orjson.loads


def dumps(value: Any) -> bytes:
    """Write ``value`` as compact UTF-8 JSON.

    Args:
        value: dicts with string keys, lists or tuples, strings, numbers, booleans, None.

    Returns:
        The bytes. A lone surrogate is written as its escape, since UTF-8 has no form for it.

    Raises:
        TypeError: ``value`` holds something that JSON has no form for.

    """
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        try:
            text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
        except ValueError as error:  # NaN, Infinity, or a circle
            raise TypeError(str(error)) from error
        return text.encode("ascii")


def fast_dumps(value: Any) -> bytes:
    """Write JSON as `dumps` does, but refuse what only the slower writer takes.

    Raises:
        TypeError: half surrogates, integers beyond 64 bits, whatever is not JSON.

    """
    return orjson.dumps(value, option=_EXACTLY)


_EXACTLY: Final = (
    orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)


def unwritable(value: Any) -> tuple[str, str] | None:
    """Find what JSON, or the Messages API, has no form for.

    Args:
        value: what `dumps` takes.

    Returns:
        The position, dotted (``content.0.text``), and what is wrong there; None where nothing is.

    """
    for position, item in _leaves(value, ""):
        kind = type(item)
        if kind is str:
            half = _HALF.search(item)
            if half is not None:
                code = f"U+{ord(half.group()):04X}"
                return position, f"half a surrogate pair ({code}); a character was cut in two"
        elif kind is float and not isfinite(item):
            return position, f"{item} is not JSON"
        elif kind is int and item.bit_length() > _MOST_BITS:
            return position, f"{brief(item)} has too many digits"
        elif kind not in _LEAVES:
            return position, f"{brief(item)} ({kind.__name__}), which JSON has no form for"
    return None


_HALF: Final = re.compile("[\ud800-\udfff]")
_MOST_BITS: Final = 14_000  # Python writes no number of more than 4,300 digits
_LEAVES: Final = frozenset({str, int, float, bool, NoneType})


def _leaves(value: Any, position: str) -> Iterator[tuple[str, Any]]:
    """Yield all that is neither object nor array, names included, with its position."""
    if isinstance(value, dict):
        for name, item in value.items():
            at = f"{position}.{name}" if position else str(name)
            yield at, name
            yield from _leaves(item, at)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{position}.{index}")
    else:
        yield position, value


def _has_long_number(raw: bytes) -> bool:
    return _DIGIT.search(raw[_SAMPLE]) is not None and _LONG_NUMBER in raw.translate(_AS_ZERO)


def _refuse_constant(name: str) -> Any:
    raise JSONDecodeError(f"{name} is not JSON", name, 0)
