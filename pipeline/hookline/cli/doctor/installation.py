"""What is installed: Python, Hookline, the libraries it stands on, and its extras."""

import platform
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from typing import Final

from hookline.cli.doctor.found import Found

__all__ = ["EXTRAS", "extras", "versions"]

_REQUIREMENT: Final = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*>=\s*(\d+(?:\.\d+)*)")

EXTRAS: Final[Mapping[str, tuple[str, str]]] = {
    "author": ("jinja2", "`hookline new-plugin` cannot write"),
    "images": ("PIL", "pictures are sent as they are, and not fitted"),
    "pdf": ("pikepdf", "PDFs are sent with the metadata that they have"),
    "vips": ("pyvips", "pictures are fitted by Pillow, which takes twice as long"),
    "sim": ("uvicorn", "`hookline sim` cannot serve"),
    "fast": ("aiohttp", "AsyncPipeline stands on httpcore2, which is slower with many calls"),
    "keyring": ("keyring", "settings cannot say keyring:SERVICE/NAME"),
    "socks": ("socksio", "SOCKS proxies cannot be used"),
    "policy": ("re2", "the plugin `rules` cannot hold a policy's rules"),
    "redact": ("phonenumbers", "the plugin `redact` cannot find personal data"),
    "presidio": ("presidio_analyzer", "the plugin `redact` finds without Presidio's recognisers"),
    "redis": ("redis", "the plugin `budget` cannot share spending by Redis"),
    "otel": ("opentelemetry", "the plugin `otel` cannot tell of spans"),
    "mcp": ("mcp", "tools of MCP servers cannot be used"),
    "computer": ("Xlib", "the plugin `tools` has no screen for computer use"),
}
"""A module of each extra, and what is not there without it; ``cli`` is, since this runs."""


def versions() -> Iterator[Found]:
    """Look at versions."""
    yield Found("python", "good", f"{platform.python_version()} on {platform.system()}")
    try:
        ours, wanted = version("hookline"), requires("hookline") or []
    except PackageNotFoundError:
        yield Found(
            "hookline", "finding", "it is not installed as a distribution", "pip install hookline"
        )
        return
    yield Found("hookline", "good", ours)
    for text in wanted:
        match = _REQUIREMENT.match(text)
        if match is None or "extra ==" in text:
            continue
        name, least = match[1], match[2]
        try:
            there = version(name)
        except PackageNotFoundError:
            yield Found(name, "finding", "it is missing", f"pip install '{text.partition(';')[0]}'")
            continue
        if _numbers(there) < _numbers(least):
            yield Found(
                name,
                "finding",
                f"{there} is older than {least}",
                f"pip install -U '{name}>={least}'",
            )
        else:
            yield Found(name, "good", there)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def extras() -> Iterator[Found]:
    """Look for extras that are not there, which is no fault."""
    for extra, (module, without) in EXTRAS.items():
        if find_spec(module) is None:
            yield Found(
                f"extra {extra}",
                "note",
                f"not installed: {without}",
                f"pip install 'hookline[{extra}]'",
            )
