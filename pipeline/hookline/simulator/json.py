"""JSON as the API reads and writes it; not the client side's, so that neither hides the other's faults.

The API's own words for a broken body ("no low surrogate in string: line 1 column 8 (char 7)", facts
16.2) are those of orjson, so orjson reads bodies here, as strictly as it does: no lone surrogates, no
NaN, nothing nested more than 1,024 levels deep.
"""

import json
from typing import Any

import orjson

JSONDecodeError = json.JSONDecodeError  # orjson raises a subclass of it


def loads(data: bytes) -> Any:
    """Parse one JSON document.

    Args:
        data: UTF-8 bytes.

    Returns:
        The value. Of a key that is given twice the last one counts.

    Raises:
        JSONDecodeError: It is not JSON; the text names what, line and column.

    """
    return orjson.loads(data)


def dumps(value: Any) -> bytes:
    """Write ``value`` as compact UTF-8 JSON.

    Args:
        value: What JSON has a form for. A scenario may hold lone surrogates, as damaged servers send
            them, and integers of any size: these are written too.

    Returns:
        The bytes.

    """
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")
