"""What servers told of their models, kept with its date for later runs: ``hookline models --refresh``.

One file in the user's cache folder, by base URL. What is a month old is not believed any more: by then a new
Hookline may know better. A file that cannot be read is as good as none, since all of it can be had again.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen
from loguru import logger

from hookline._files import cache_folder, read_file, write_file
from hookline.errors import DecodeError, InputError
from hookline.models import ModelTable

if TYPE_CHECKING:
    from hookline.endpoints.models import ModelInfo

__all__ = ["Kept", "keep", "kept", "refreshed"]

_BELIEVED: Final = timedelta(days=30)
_MOST_SERVERS: Final = 100
_MOST_BYTES: Final = 20_000_000


@frozen
class Kept:
    """What one server told.

    Attributes:
        fetched: when.
        models: the entries of its list.

    """

    fetched: datetime
    models: "tuple[ModelInfo, ...]"


def keep(base_url: str, models: "Sequence[ModelInfo]", *, now: datetime | None = None) -> Path:
    """Keep what a server told of its models.

    Args:
        base_url: the server.
        models: the entries of its list, all of them.
        now: when it told so; the present if it is left out.

    Returns:
        The file.

    Raises:
        InputError: the file cannot be written.

    """
    from hookline.wire import unstructure  # noqa: PLC0415 -- loads cattrs

    path = _path()
    servers = _read(path)
    servers.pop(base_url, None)
    fetched = (now or datetime.now(UTC)).isoformat(timespec="seconds")
    servers[base_url] = {"fetched": fetched, "models": [unstructure(each) for each in models]}
    for oldest in list(servers)[: max(0, len(servers) - _MOST_SERVERS)]:
        del servers[oldest]
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return write_file(path, json.dumps({"version": 1, "servers": servers}).encode())


def kept(base_url: str, *, now: datetime | None = None) -> Kept | None:
    """Return what a server told of its models, if that was within the last thirty days.

    Args:
        base_url: the server.
        now: the present, if it is left out.

    """
    path = _path()
    if not path.is_file():
        return None
    entry = _read(path).get(base_url)
    if entry is None:
        return None
    from hookline.endpoints.models import ModelInfo  # noqa: PLC0415 -- few have asked a server
    from hookline.endpoints.objects import read  # noqa: PLC0415 -- as above

    try:
        fetched = datetime.fromisoformat(entry["fetched"])
        models = tuple(read(ModelInfo, each) for each in entry["models"])
        old = (now or datetime.now(UTC)) - fetched > _BELIEVED
    except (KeyError, TypeError, ValueError, DecodeError) as error:
        _unreadable(path, error)
        return None
    return None if old else Kept(fetched, models)


def refreshed(table: ModelTable, base_url: str) -> ModelTable:
    """Return a table with what a server told of its models, if that has been kept."""
    found = kept(base_url)
    if found is None:
        return table
    from hookline.endpoints.model_facts import refreshed_facts  # noqa: PLC0415 -- as above

    facts = (refreshed_facts(info, table.get(info.id)) for info in found.models)
    return table.with_models(*[each for each in facts if each is not None])


def _path() -> Path:
    return cache_folder() / "models.json"


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(read_file(path, most=_MOST_BYTES))["servers"].items())
    except (
        InputError,
        LookupError,
        TypeError,
        AttributeError,
        ValueError,
        RecursionError,
    ) as error:
        _unreadable(path, error)
        return {}


def _unreadable(path: Path, error: Exception) -> None:
    logger.warning(
        "{} is ignored, since it cannot be read ({}): `hookline models --refresh`", path, error
    )
