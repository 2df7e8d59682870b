"""Who answers: the server, what kind it is taken for, and whether its clock is ours."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from hookline.cli.doctor.found import Found
from hookline.cli.doctor.profile import opened, profile
from hookline.config import Settings
from hookline.errors import APIError, HooklineError, TransportError

__all__ = ["clock", "server"]

_LATE: Final = (
    300.0  # seconds by which a clock may be wrong before signatures and certificates fail
)


def server(settings: Settings, config: str | None) -> Iterator[Found]:
    """Ask the server for a list of models, and look at the head of its answer."""
    try:
        with opened(config) as line:
            page = line.models.list(limit=1)
    except TransportError as error:
        yield Found(
            "server",
            "finding",
            f"{settings.base_url} does not answer: {error}",
            "look at the address (ANTHROPIC_BASE_URL), the network, the proxy and its certificates "
            "(ca_bundle)",
        )
    except APIError as error:
        yield from _refusal(settings, error)
        yield from _head(settings, config, error.headers)
    except HooklineError as error:
        yield Found("server", "note", f"it was not asked: {error}", "do as the error says")
    else:
        has = f"it has models ({page.data[0].id} …)" if page.data else "it lists no models"
        yield Found("server", "good", f"{settings.base_url} answers; {has}")
        yield from _head(settings, config, page.headers)


def _head(settings: Settings, config: str | None, headers: Mapping[str, str]) -> Iterator[Found]:
    yield from profile(settings, config, headers)
    yield from clock(headers.get("date", ""), datetime.now(UTC))


def _refusal(settings: Settings, error: APIError) -> Iterator[Found]:
    if error.status in (401, 403):
        yield Found("server", "finding", f"it refuses the credentials: {error}", "make a new key")
    elif error.status == 404:  # noqa: PLR2004 -- of HTTP
        yield Found(
            "server",
            "note",
            f"{settings.base_url} answers, and lists no models",
            "name the model yourself: model = …",
        )
    else:
        yield Found("server", "finding", f"it answers with an error: {error}", "try again later")


def clock(date: str, now: datetime) -> Iterator[Found]:
    """Compare this machine's clock with the server's.

    Args:
        date: the header of an answer; anything but a date says nothing.
        now: here.

    """
    try:
        away = (now - parsedate_to_datetime(date)).total_seconds()
    except (ValueError, TypeError):  # no date; or one without a zone
        return
    if abs(away) > _LATE:
        yield Found(
            "clock",
            "finding",
            f"this machine is {abs(away):.0f} s {'ahead' if away > 0 else 'behind'}",
            "set the clock; certificates and signatures depend on it",
        )
    else:
        yield Found("clock", "good", "it agrees with the server's")
