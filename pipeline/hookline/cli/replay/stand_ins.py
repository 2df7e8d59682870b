"""Media of which a cassette kept only the hash: the smallest of their kind stands for each.

So the rules about requests judge everything else, and find nothing wrong with what is not there.
"""

import base64
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["stood_in"]

_HASHED: Final = "sha256:"  # how a cassette begins what stands for the data

_PDF: Final = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\n"
    b"trailer<</Root 1 0 R>>\n%%EOF\n"
)
_SMALLEST: Final[Mapping[str, str]] = {  # one pixel, or one empty page
    "image/png": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==",
    "image/gif": "R0lGODdhAQABAIEAAAAAAAAAAAAAAAAAACwAAAAAAQABAAAIBAABBAQAOw==",
    "image/webp": "UklGRhoAAABXRUJQVlA4TA4AAAAvAAAAAAcQEf0PRET/Aw==",
    "image/jpeg": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAP//////////////////////////////////////////////////////////"
        "////////////////////////////wAALCAABAAEBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAA//EABQQAQAAAAAAAAAA"
        "AAAAAAAAAAD/2gAIAQEAAD8AN//Z"
    ),
    "application/pdf": base64.b64encode(_PDF).decode(),
}


def stood_in(value: Any) -> tuple[Any, bool]:
    """Return JSON in which something stands for each medium that is only a hash.

    Returns:
        The JSON, and whether there was one.

    """
    if isinstance(value, Mapping):
        data, kind = value.get("data"), str(value.get("media_type"))
        if value.get("type") == "base64" and str(data).startswith(_HASHED):
            return {**value, "data": _SMALLEST.get(kind, data)}, True
        parts = {name: stood_in(item) for name, item in value.items()}
        return {name: part for name, (part, _) in parts.items()}, any(
            hashed for _, hashed in parts.values()
        )
    if isinstance(value, list | tuple):
        items = [stood_in(item) for item in value]
        return [item for item, _ in items], any(hashed for _, hashed in items)
    return value, False
