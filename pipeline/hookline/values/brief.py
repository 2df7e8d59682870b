"""Short, safe text for values of any size: reprs and error messages never hold megabytes."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hookline._said import without_keys
from hookline.values.redaction import shown_member

__all__ = ["base64_size", "brief", "size_text"]

_TEXT_LIMIT: Final = 60
_ITEM_LIMIT: Final = 3
_DEPTH_LIMIT: Final = 3
_INT_BITS_LIMIT: Final = 256


def brief(value: Any, depth: int = 0) -> str:
    """Render a value in a few words, whatever its size.

    Args:
        value: anything.
        depth: how deep inside another value it stands; deep ones are left out.

    Returns:
        A ``repr`` where long texts, lists and objects are shortened.

    """
    kind = type(value)  # isinstance() would believe what a value says of itself
    if issubclass(kind, str):
        shown = without_keys(value[: 2 * _TEXT_LIMIT])  # a server may have echoed one, in any field
        if len(value) > _TEXT_LIMIT:
            return f"{shown[:_TEXT_LIMIT]!r}… ({len(value):,} characters)"
        return repr(shown)
    if issubclass(kind, bytes | bytearray | memoryview):
        return f"<{size_text(len(value))}>"
    if issubclass(kind, int) and value.bit_length() > _INT_BITS_LIMIT:
        return f"<int of {value.bit_length()} bits>"  # repr() refuses the largest ones
    if issubclass(kind, Mapping | list | tuple):
        return _brief_container(value, depth)
    return repr(value)


def _brief_container(value: Mapping[Any, Any] | list[Any] | tuple[Any, ...], depth: int) -> str:
    mapping = isinstance(value, Mapping)
    opening, closing = "{}" if mapping else "[]" if isinstance(value, list) else "()"
    if depth >= _DEPTH_LIMIT and value:
        return f"{opening}…{closing}"
    first: Sequence[Any]
    if mapping:
        first = [shown_member(key, value[key]) for key in list(value)[:_ITEM_LIMIT]]
    else:
        first = value[:_ITEM_LIMIT]
    parts = [brief(item, depth + 1) for item in first]
    if mapping:
        parts = [f"{brief(key)}: {part}" for key, part in zip(value, parts, strict=False)]
    if len(value) > _ITEM_LIMIT:
        parts.append(f"… {len(value) - _ITEM_LIMIT} more")
    elif isinstance(value, tuple) and len(value) == 1:
        return f"({parts[0]},)"
    return opening + ", ".join(parts) + closing


def size_text(count: int) -> str:
    """Write a number of bytes for people.

    Args:
        count: bytes.

    Returns:
        For example ``"1.2 MB"`` (decimal units).

    """
    size = float(count)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:  # noqa: PLR2004 -- decimal units
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"


def base64_size(data: str) -> str:
    """Show base64 data as its size: the ``repr`` of fields that may hold megabytes.

    Args:
        data: base64 text.

    Returns:
        For example ``"<1.2 MB>"``.

    """
    return f"<{size_text(len(data) * 3 // 4)}>" if isinstance(data, str) else brief(data)
