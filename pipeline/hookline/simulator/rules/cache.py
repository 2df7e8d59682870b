"""The rules about ``cache_control``: at most four, longer lives first."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from hookline.simulator.errors import invalid
from hookline.simulator.measures.tokens import blocks_of

_MOST: Final = 4


def check_cache(body: Mapping[str, Any]) -> None:
    """Check the cache breakpoints of a request.

    Args:
        body: A request of the right shape.

    Raises:
        ApiError: 400 with the API's text.

    """
    markers = list(_markers(body))
    found = len(markers) + (1 if body.get("cache_control") else 0)
    if found > _MOST:
        raise invalid(
            f"A maximum of {_MOST} blocks with cache_control may be provided. Found {found}."
        )
    short: str | None = None
    for where, marker in markers:
        if marker.get("ttl", "5m") == "5m":
            short = where
        elif short is not None:  # wording approximate
            raise invalid(
                f"{where}.cache_control.ttl: a ttl='1h' cache_control block must not come after a "
                "ttl='5m' cache_control block."
            )


def _markers(body: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for position, tool in enumerate(body.get("tools") or ()):
        yield from _marker(tool, f"tools.{position}")
    yield from _in_content(body.get("system"), "system")
    for position, message in enumerate(body["messages"]):
        yield from _in_content(message["content"], f"messages.{position}.content")


def _in_content(content: Any, where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for place, block in enumerate(blocks_of(content)):
        inner = block.get("content")
        if block["type"] == "tool_result" and isinstance(inner, list):
            yield from _in_content(inner, f"{where}.{place}.content")
        yield from _marker(block, f"{where}.{place}")


def _marker(block: Mapping[str, Any], where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    marker = block.get("cache_control")
    if marker:
        yield where, marker
