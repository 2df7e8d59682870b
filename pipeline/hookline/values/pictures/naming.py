"""What an attachment is called where people read it: never its content, never what of a URL may be secret."""

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from hookline.values.brief import size_text
from hookline.values.pictures.pixels import Pixels

__all__ = ["name_of"]

_SHOWN: Final = 60  # characters of a path or URL


def name_of(attachment: Any) -> str:
    """Return the source of an attachment in a few words."""
    return _NAMES[attachment.kind](attachment)


def _url_name(attachment: Any) -> str:
    # The query may be a signature and what stands before an @ a password: neither is shown.
    scheme, _, rest = str(attachment.source).partition("://")
    if not rest:  # a scheme without an authority: nothing tells what of it is secret
        return f"{scheme.partition(':')[0]}:…"
    address, mark, _ = rest.partition("?")
    authority, slash, path = address.partition("#")[0].partition("/")
    host = authority.rpartition("@")[2]
    return _short(f"{scheme}://{host}{slash}{path}") + ("?…" if mark else "")


def _data_name(attachment: Any) -> str:
    head, _, body = str(attachment.source).partition(",")
    media_type = head[len("data:") :].partition(";")[0]
    return f"<data: URL, {_short(media_type) or 'no type'}, {size_text(len(body) * 3 // 4)}>"


def _picture_name(attachment: Any) -> str:
    size = "x".join(str(side) for side in getattr(attachment.source, "size", ()))
    kind = "pixels" if isinstance(attachment.source, Pixels) else "PIL"
    return f"<{kind} {size} {getattr(attachment.source, 'mode', '')}>"


_NAMES: Final[Mapping[str, Callable[[Any], str]]] = {
    "path": lambda a: repr(_short(os.fsdecode(a.source))),
    "url": lambda a: repr(_url_name(a)),
    "uri": lambda a: repr(_url_name(a)),
    "data": _data_name,
    "bytes": lambda a: f"<{size_text(len(a.source))}>",
    "file": lambda a: f"<file {_short(str(getattr(a.source, 'name', '')))!r}>",
    "picture": _picture_name,
    "file_id": lambda a: f"file_id={_short(str(a.file_id))!r}",
}


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]}…{text[-_SHOWN // 2 :]}"
