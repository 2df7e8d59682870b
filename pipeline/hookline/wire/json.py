"""JSON as bytes: fast where orjson is exact, the standard library where it is not.

orjson reads an integer beyond 64 bits as a float and refuses to write one, and it refuses lone
surrogates in both directions. A loss-free wire format cannot accept either, so those rare documents
take the slow road.
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

# 19 digits in a row may exceed 64 bits. Base64 and prose seldom hold such a run, and a false alarm
# costs only the slower parser.
_LONG_NUMBER: Final = b"0" * 19
_AS_ZERO: Final = bytes.maketrans(
    b"123456789", b"0" * 9
)  # a regular expression takes four times as long
# Such a run covers one of every 19 bytes, so where none of these is a digit there is no run.
_SAMPLE: Final = slice(18, None, 19)
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
    if not _has_long_number(raw):
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError:
            if b"\\u" not in raw:
                raise
    try:
        return json.loads(raw, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise JSONDecodeError(f"not UTF-8: {error.reason}", "", error.start) from error
    except JSONDecodeError:
        raise
    except RecursionError as error:
        raise JSONDecodeError("nested too deeply", "", 0) from error
    except ValueError as error:  # Python reads no number of more than 4,300 digits
        raise JSONDecodeError("a number has too many digits", "", 0) from error


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


def _has_long_number(raw: bytes) -> bool:
    return _DIGIT.search(raw[_SAMPLE]) is not None and _LONG_NUMBER in raw.translate(_AS_ZERO)


def _refuse_constant(name: str) -> Any:
    raise JSONDecodeError(f"{name} is not JSON", name, 0)
