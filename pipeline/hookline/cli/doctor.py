"""``hookline doctor``: what is wrong with this installation, and what to do about each thing.

Every look is a function of its own that yields what it found, so that one which fails hides no other.
"""

import os
import platform
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import click
from attrs import frozen

from hookline.cli.options import CONFIG, JSON, examples
from hookline.cli.output import console, print_json, styled
from hookline.cli.survey import survey
from hookline.config import Settings
from hookline.errors import APIError, ConfigError, HooklineError, TransportError
from hookline.policy import load_policy, policy_settings

if TYPE_CHECKING:
    from hookline.pipeline import Pipeline
    from hookline.send_options.options import SendOptions

__all__ = ["doctor"]

State: TypeAlias = Literal["good", "note", "finding"]

_SECONDS: Final = 5.0  # that a server may take to answer
_LATE: Final = (
    300.0  # seconds by which a clock may be wrong before signatures and certificates fail
)
_REQUIREMENT: Final = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*>=\s*(\d+(?:\.\d+)*)")
_EXTRAS: Final = {
    "images": ("PIL", "pictures are sent as they are, and not fitted"),
    "sim": ("uvicorn", "`hookline sim` cannot serve"),
    "fast": ("aiohttp", "AsyncPipeline stands on httpcore2, which is slower with many calls"),
    "keyring": ("keyring", "settings cannot say keyring:SERVICE/NAME"),
    "socks": ("socksio", "SOCKS proxies cannot be used"),
    "author": ("jinja2", "`hookline new-plugin` cannot write"),
}
_PROXIES: Final = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
_TELLING: Final = "The quick brown fox jumps over the"
_COLOURS: Final = {"good": "green", "note": "yellow", "finding": "bold red"}


@frozen
class Found:
    """One thing that was looked at.

    Attributes:
        about: what it is about.
        state: ``"good"``, a ``"note"``, or a ``"finding"``, which is to be mended.
        what: is so.
        fix: what to do.

    """

    about: str
    state: State
    what: str
    fix: str = ""

    def to_dict(self) -> dict[str, str | None]:
        """Return it as JSON-ready values."""
        return {
            "about": self.about,
            "state": self.state,
            "what": self.what,
            "fix": self.fix or None,
        }


@click.command(
    epilog=examples("hookline doctor", "hookline doctor --offline --json | jq '.[].fix'")
)
@click.option("--offline", is_flag=True, help="Do not ask the server.")
@CONFIG
@JSON
def doctor(config: str | None, *, offline: bool, as_json: bool) -> int:
    """Look for what is wrong with this installation; each finding comes with its fix.

    Looks at versions, extras, settings, credentials, proxies, plugins, the clock, the server and what kind of
    one it is; a local one is asked for two tokens, which shows whether it repeats a prefill. Exit code 1 says that there are findings.
    """
    found = [*_versions(), *_extras()]
    try:
        settings = policy_settings(load_policy(), config)
    except ConfigError as error:
        found.append(
            Found("settings", "finding", str(error), "correct it; `hookline config` shows all")
        )
    else:
        found.append(Found("settings", "good", "they can be read"))
        looks: list[Callable[[Settings, str | None], Iterator[Found]]] = [_credentials, _plugins]
        looks += [_proxies, *(() if offline else (_server, _profile))]
        for look in looks:
            found += look(settings, config)
    if as_json:
        print_json([each.to_dict() for each in found])
    else:
        _print(found)
    return 1 if any(each.state == "finding" for each in found) else 0


def _versions() -> Iterator[Found]:
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


def _extras() -> Iterator[Found]:
    for extra, (module, without) in _EXTRAS.items():
        if find_spec(module) is None:
            yield Found(
                f"extra {extra}",
                "note",
                f"not installed: {without}",
                f"pip install 'hookline[{extra}]'",
            )


def _credentials(settings: Settings, _config: str | None) -> Iterator[Found]:
    base_url = str(settings.base_url)
    kept = "an API key" if settings.api_key else "a bearer token" if settings.auth_token else ""
    if kept:
        yield Found("credentials", "good", f"there is {kept} for {base_url}")
    elif base_url.startswith("sim:"):
        yield Found("credentials", "good", "the simulator needs none")
    elif ".anthropic.com" in base_url:
        yield Found(
            "credentials",
            "finding",
            f"there is no key for {base_url}",
            "set ANTHROPIC_API_KEY, or ANTHROPIC_BASE_URL=sim: for the simulator",
        )
    else:
        yield Found("credentials", "note", f"there is no key for {base_url}, which may need none")


def _plugins(_settings: Settings, config: str | None) -> Iterator[Found]:
    try:
        looked = survey(config)
    except HooklineError as error:
        yield Found("plugins", "finding", str(error), "uninstall or rename one of the two")
        return
    broken = [each for each in looked.found if each.broken]
    for each in broken:
        yield Found(
            f"plugin {each.name}",
            "finding",
            each.reason,
            f"repair {each.distribution or 'it'}, or leave it out: HOOKLINE_DISABLE={each.name}",
        )
    if not broken:
        on = sum(each.enabled for each in looked.found)
        yield Found("plugins", "good", f"{on} of {len(looked.found)} are on, none is broken")


def _proxies(settings: Settings, _config: str | None) -> Iterator[Found]:
    for name in _PROXIES:
        value = os.environ.get(name) or os.environ.get(name.lower())
        if not value:
            continue
        shown = re.sub(r"//[^@/]*@", "//…@", value)
        if value.startswith("socks") and find_spec("socksio") is None:
            yield Found("proxy", "finding", f"{name} is {shown}", "pip install 'hookline[socks]'")
        else:
            yield Found("proxy", "note", f"requests to {settings.base_url} go by {name}, {shown}")


def _server(settings: Settings, config: str | None) -> Iterator[Found]:
    from hookline.pipeline import Pipeline  # noqa: PLC0415 -- only where the server is asked

    try:
        with Pipeline(config=config, timeout=_SECONDS, disable=[]) as line:
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
    except HooklineError as error:
        yield Found("server", "note", f"it was not asked: {error}")
    else:
        has = f"it has models ({page.data[0].id} …)" if page.data else "it lists no models"
        yield Found("server", "good", f"{settings.base_url} answers; {has}")


def _profile(settings: Settings, config: str | None) -> Iterator[Found]:
    """Tell what kind of server it is, and let one of an uncertain kind show its habits."""
    from hookline.pipeline import Pipeline  # noqa: PLC0415 -- only where the server is asked

    with Pipeline(config=config, timeout=_SECONDS, disable=[]) as line:
        claude = line.profile.claude and line.model_table.is_claude(settings.model)
        if line.profile.repeats_prefill == "learned" and not claude:
            try:
                _asked(line)
            except HooklineError as error:
                what = f"whether {settings.model} continues a prefill is not known: {error}"
                yield Found("prefill", "note", what, "name the server's model: HOOKLINE_MODEL")
        how = "by the setting" if settings.server else "guessed by the host"
        for lesson in line.servers.lessons:
            if lesson.name == "name":
                how = lesson.how
            else:
                yield Found("prefill", "good", str(lesson))
        profile = line.profile
    lacks = [
        what
        for what, there in (
            ("documents", profile.documents),
            ("links", profile.url_sources),
            ("output_config", profile.output_config),
            ("counts of tokens", profile.count_tokens),
            ("files", profile.files),
        )
        if not there
    ]
    without = f"; it is without {', '.join(lacks)}" if lacks else ""
    state: State = "note" if profile.name == "generic" else "good"
    fix = "name it if it is one that is known: HOOKLINE_SERVER" if state == "note" else ""
    yield Found("profile", state, f"{profile.name}, {how}{without}", fix)


def _asked(line: "Pipeline") -> None:
    """Let the server continue words that nobody says by chance, whole and streamed, for one token each."""
    options: SendOptions = {"prefill": _TELLING, "max_tokens": 1}
    line.send("Say a sentence.", **options)
    with line.stream("Say a sentence.", **options) as stream:
        _ = stream.reply  # which reads it to its end


def _refusal(settings: Settings, error: APIError) -> Iterator[Found]:
    if error.status in (401, 403):
        yield Found("server", "finding", f"it refuses the credentials: {error}", "make a new key")
    elif error.status == 404:  # noqa: PLR2004 -- of HTTP
        yield Found("server", "note", f"{settings.base_url} answers, and lists no models")
    else:
        yield Found("server", "finding", f"it answers with an error: {error}", "try again later")
    yield from _clock(error.headers.get("date", ""), datetime.now(UTC))


def _clock(date: str, now: datetime) -> Iterator[Found]:
    """Compare this machine's clock with the server's."""
    try:
        away = (now - parsedate_to_datetime(date)).total_seconds()
    except ValueError:
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


def _print(found: list[Found]) -> None:
    screen = console()
    width = max(len(each.about) for each in found)
    for each in found:
        screen.print(
            styled(
                (f"{each.state:<8}", _COLOURS[each.state]),
                (f"{each.about:<{width}}  ", "bold"),
                (each.what, ""),
            )
        )
        if each.fix:
            screen.print(styled((f"{'':<8}{'':<{width}}  → {each.fix}", "dim")))
    findings = sum(each.state == "finding" for each in found)
    text = f"{findings} finding{'' if findings == 1 else 's'}" if findings else "all is well"
    screen.print(styled((text, "bold red" if findings else "bold green")))
    sys.stdout.flush()
