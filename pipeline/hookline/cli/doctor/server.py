"""Who answers: the server, what kind it is taken for, and whether its clock is ours."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from warnings import catch_warnings, simplefilter

from attrs import fields

from hookline.cli.doctor.found import Found
from hookline.config import Settings
from hookline.errors import APIError, HooklineError, PluginWarning, TransportError
from hookline.profiles import Profile, load_profiles

__all__ = ["clock", "profile", "server"]

_SECONDS: Final = 5.0  # that a server may take to answer
_LATE: Final = (
    300.0  # seconds by which a clock may be wrong before signatures and certificates fail
)
_TOLD: Final = ("prefill", "documents", "url_sources", "count_tokens", "output_config", "max_image")


def server(settings: Settings, config: str | None) -> Iterator[Found]:
    """Ask the server for a list of models, and look at the head of its answer."""
    from hookline.pipeline import Pipeline  # noqa: PLC0415 -- only where the server is asked

    try:
        with catch_warnings():
            simplefilter("ignore", PluginWarning)  # a broken plugin has been found already
            line = Pipeline(config=config, timeout=_SECONDS)
        with line:
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
        yield from _head(settings, error.headers)
    except HooklineError as error:
        yield Found("server", "note", f"it was not asked: {error}", "do as the error says")
    else:
        first = f"{page.data[0].id} …" if page.data else "none"
        yield Found("server", "good", f"{settings.base_url} answers; it has models ({first})")
        yield from _head(settings, page.headers)


def _head(settings: Settings, headers: Mapping[str, str]) -> Iterator[Found]:
    yield from profile(settings, headers)
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


def profile(settings: Settings, headers: Mapping[str, str]) -> Iterator[Found]:
    """Say what kind of server it is taken for, and whether it calls itself another one.

    Args:
        settings: may name a profile; else the host tells it.
        headers: of its answer, by which it may name itself.

    """
    table = load_profiles()
    taken = (
        table.require(settings.server) if settings.server else table.guess(str(settings.base_url))
    )
    named = table.named_by(headers)
    if named is not None and named.name != taken.name:
        yield Found(
            "profile",
            "finding" if settings.server else "note",
            f"it calls itself {named.name}, and is taken for {taken.name}",
            f'say so: server = "{named.name}"',
        )
    else:
        by = "as the settings say" if settings.server else "by its host"
        yield Found("profile", "good", f"{taken.name}, {by}{_limits(taken)}")


def _limits(taken: Profile) -> str:
    """Return what is less there than at Anthropic's own API."""
    usual = {each.name: each.default for each in fields(Profile)}
    other = [
        f"{name} = {getattr(taken, name)}"
        for name in _TOLD
        if getattr(taken, name) != usual[name] and getattr(taken, name) != 0
    ]
    return f"; {', '.join(other)}" if other else ""


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
