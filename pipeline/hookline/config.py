"""Settings and their layers: a file, the environment, code; the later wins.

``hookline.toml``::

    model = "claude-haiku-4-5"
    max_tokens = 1024

    [plugins]
    disable = ["logging"]

    [plugins.images]
    urls = "fetch"
    allow_hosts = ["images.example.com"]

The same in the environment: ``HOOKLINE_MODEL``, ``HOOKLINE_DISABLE=logging`` and, for a plugin's
option, ``HOOKLINE_IMAGES__URLS=fetch`` (two underscores). Credentials and the address come from
the variables that every client of the API knows: ``ANTHROPIC_API_KEY``, ``ANTHROPIC_AUTH_TOKEN``,
``ANTHROPIC_BASE_URL``.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from attrs import evolve, field, fields, frozen

from hookline.errors import ConfigError
from hookline.values.secret import Secret, as_secret

__all__ = ["FILE_NAME", "Library", "Settings", "load_settings"]

Library: TypeAlias = Literal["auto", "httpcore2", "aiohttp", "httpx", "httpx2"]

FILE_NAME: Final = "hookline.toml"
_PREFIX: Final = "HOOKLINE_"
_KEY: Final = re.compile(r"[!-~]+")
_HEADER: Final = re.compile(r"[ -~]*")


@frozen(kw_only=True)
class Settings:
    """Everything about a pipeline that is not code.

    Attributes:
        model: the model asked where a call names none.
        max_tokens: the cap on output tokens where a call gives none.
        base_url: of the API, without ``/v1``; ``sim:`` is the built-in simulator,
            ``sim:PATH`` the simulator with a scenario file.
        api_key: for ``x-api-key``.
        auth_token: for ``Authorization: Bearer``.
        api_version: the ``anthropic-version`` header.
        headers: further headers for every request.
        timeout: seconds that a turn may take, streams excepted.
        stream_timeout: seconds that a streamed turn may take.
        connect_timeout: seconds until a connection stands, TLS included.
        write_timeout: seconds between two pieces of a request that the network takes.
        read_timeout: seconds between two pieces of an answer; a stream's pings count.
        max_connections: connections to one address at most; further calls wait for one.
        max_steps: requests that one turn may make (tool calls).
        unknown_models: ``"refuse"`` or ``"allow"`` model names that the table does not know.
        http: what our own connections stand on: ``"auto"``, ``"httpcore2"`` or ``"aiohttp"``.
        ca_bundle: a PEM file of certificate authorities, instead of the usual ones.
        enable: if not empty, only these installed plugins are loaded.
        disable: installed plugins that are not loaded.
        plugins: options by plugin name.
        source: where the file's part came from, for messages.

    """

    model: str = "claude-haiku-5-5"
    max_tokens: int = 4096
    base_url: str = "https://api.anthropic.com"
    api_key: Secret | None = field(default=None, converter=as_secret)
    auth_token: Secret | None = field(default=None, converter=as_secret)
    api_version: str = "2023-06-01"
    headers: Mapping[str, str] = field(factory=dict, repr=False)  # some are credentials
    timeout: float = 120.0
    stream_timeout: float = 600.0
    connect_timeout: float = 5.0
    write_timeout: float = 30.0
    read_timeout: float = 60.0
    max_connections: int = 1000
    max_steps: int = 26
    unknown_models: str = "refuse"
    http: Library = "auto"
    ca_bundle: str = ""
    enable: tuple[str, ...] = ()
    disable: tuple[str, ...] = ()
    plugins: Mapping[str, Mapping[str, Any]] = field(factory=dict)
    source: str = ""


# What a file may say at its top level, and of what type. Keys have no place in a file.
_FILE_KEYS: Final[Mapping[str, tuple[type, ...]]] = {
    "model": (str,),
    "max_tokens": (int,),
    "base_url": (str,),
    "api_version": (str,),
    "headers": (dict,),
    "timeout": (int, float),
    "stream_timeout": (int, float),
    "connect_timeout": (int, float),
    "write_timeout": (int, float),
    "read_timeout": (int, float),
    "max_connections": (int,),
    "max_steps": (int,),
    "unknown_models": (str,),
    "http": (str,),
    "ca_bundle": (str,),
    "plugins": (dict,),
}
_LISTS: Final = ("enable", "disable")
_NUMBERS: Final[Mapping[str, type]] = {
    "max_tokens": int,
    "timeout": float,
    "stream_timeout": float,
    "connect_timeout": float,
    "write_timeout": float,
    "read_timeout": float,
    "max_connections": int,
    "max_steps": int,
}


def load_settings(
    config: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    **code: Any,
) -> Settings:
    """Put the layers together.

    Args:
        config: a TOML file, or its content as a mapping. None looks at ``HOOKLINE_CONFIG`` and
            then for ``hookline.toml`` in the current directory; none is fine.
        environ: the environment; None is the process's own.
        **code: what the program itself says; values that are None say nothing.

    Returns:
        The settings.

    Raises:
        ConfigError: a file that is missing or wrong, an unknown option, a value of a wrong type.

    """
    environ = os.environ if environ is None else environ
    settings = _from_file(config, environ)
    settings = _from_environment(settings, environ)
    said = {name: value for name, value in code.items() if value is not None}
    for credential, other in (("api_key", "auth_token"), ("auth_token", "api_key")):
        if credential in said:  # one given in code replaces the environment's other kind
            said.setdefault(other, None)
    settings = evolve(settings, **said)
    _check(settings)
    return settings


def _from_file(
    config: str | os.PathLike[str] | Mapping[str, Any] | None, environ: Mapping[str, str]
) -> Settings:
    found = False
    if config is None:
        config = environ.get(_PREFIX + "CONFIG") or None
    if config is None and Path(FILE_NAME).is_file():
        config, found = FILE_NAME, True
    if config is None:
        return Settings()
    if isinstance(config, Mapping):
        return _from_table(config, "config=")
    try:
        with Path(config).open("rb") as file:
            table = tomllib.load(file)
    except FileNotFoundError as error:
        raise ConfigError(f"there is no configuration file {os.fspath(config)!r}") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{os.fspath(config)}: {error}") from error
    settings = _from_table(table, os.fspath(config))
    if found and not _is_local(settings.base_url) and "base_url" in table:
        # A file that merely lies in the directory must not be able to send keys elsewhere.
        raise ConfigError(
            f"{FILE_NAME} was found in the current directory, and such a file may only name a "
            f"base_url on this machine, not {settings.base_url!r}. Hand it over on purpose "
            f"(config={FILE_NAME!r}, --config {FILE_NAME} or HOOKLINE_CONFIG), or set "
            "ANTHROPIC_BASE_URL"
        )
    return settings


def _from_table(table: Mapping[str, Any], source: str) -> Settings:
    for key, value in table.items():
        if key in ("api_key", "auth_token"):
            raise ConfigError(
                f"{source}: a key does not belong into a file; set ANTHROPIC_API_KEY instead"
            )
        if key not in _FILE_KEYS:
            near = get_close_matches(key, _FILE_KEYS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(_FILE_KEYS)}"
            raise ConfigError(f"{source}: unknown option {key!r}; {hint}")
        if not isinstance(value, _FILE_KEYS[key]) or isinstance(value, bool):
            wanted = " or ".join(kind.__name__ for kind in _FILE_KEYS[key])
            raise ConfigError(f"{source}: {key} must be {wanted}, not {value!r}")
    plugins = dict(table.get("plugins", {}))
    lists: dict[str, Any] = {
        name: _names(plugins.pop(name, ()), f"{source}: plugins.{name}") for name in _LISTS
    }
    for name, options in plugins.items():
        if not isinstance(options, Mapping):
            raise ConfigError(
                f"{source}: plugins.{name} must be a table of options: [plugins.{name}]"
            )
    top = {key: value for key, value in table.items() if key != "plugins"}
    return evolve(Settings(plugins=plugins, source=source), **top, **lists)


def _from_environment(settings: Settings, environ: Mapping[str, str]) -> Settings:
    said: dict[str, Any] = {}
    plugins = {name: dict(options) for name, options in settings.plugins.items()}
    known = {f.name for f in fields(Settings)} - {
        "api_key",
        "auth_token",
        "plugins",
        "source",
        "headers",
    }
    for variable, text in sorted(environ.items()):
        if not variable.startswith(_PREFIX) or variable == _PREFIX + "CONFIG" or not text:
            continue
        name, _, option = variable[len(_PREFIX) :].lower().partition("__")
        if option:
            plugins.setdefault(name.replace("_", "-"), {})[option] = _value(text)
        elif name in _LISTS:
            said[name] = tuple(part.strip() for part in text.split(",") if part.strip())
        elif name in known:
            said[name] = _number(variable, text, _NUMBERS[name]) if name in _NUMBERS else text
        else:
            near = get_close_matches(name, known, 1)
            hint = f"; did you mean {_PREFIX}{near[0].upper()}?" if near else ""
            raise ConfigError(f"unknown environment variable {variable}{hint}")
    for variable, name in (
        ("ANTHROPIC_API_KEY", "api_key"),
        ("ANTHROPIC_AUTH_TOKEN", "auth_token"),
        ("ANTHROPIC_BASE_URL", "base_url"),
    ):
        if environ.get(variable) and name not in said:
            said[name] = environ[variable].strip()
    return evolve(settings, plugins=plugins, **said)


def _value(text: str) -> Any:
    """Read an option's value: TOML if it is, else the plain text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _number(variable: str, text: str, kind: type) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        raise ConfigError(f"{variable} must be a number, not {text!r}") from error


def _names(value: Any, where: str) -> tuple[str, ...]:
    if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
        return tuple(value)
    raise ConfigError(f"{where} must be a list of plugin names, not {value!r}")


def _check(settings: Settings) -> None:
    for name, kind in _NUMBERS.items():
        value = getattr(settings, name)
        wrong = isinstance(value, bool) or not isinstance(
            value, (int, float) if kind is float else int
        )
        if wrong or not 0 < value < float("inf"):
            wanted = "a whole number above 0" if kind is int else "a number of seconds above 0"
            raise ConfigError(f"{name} must be {wanted}, not {value!r}")
    if settings.unknown_models not in ("refuse", "allow"):
        raise ConfigError(
            f"unknown_models must be 'refuse' or 'allow', not {settings.unknown_models!r}"
        )
    if not isinstance(settings.model, str) or not settings.model:
        raise ConfigError(f"model must be the id of a model, not {settings.model!r}")
    if settings.ca_bundle and not Path(settings.ca_bundle).is_file():
        raise ConfigError(f"ca_bundle: there is no file {settings.ca_bundle!r}")
    base_url = settings.base_url
    if isinstance(base_url, str) and not base_url.startswith("sim:"):
        parts = urlsplit(base_url)
        if parts.username or parts.password:
            raise ConfigError("base_url must not hold a user name or password")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                f"base_url must be an http(s) address, or sim: for the simulator, not {base_url!r}"
            )
    _check_headers(settings)


def _check_headers(settings: Settings) -> None:
    """Refuse what cannot be sent, without showing it: the HTTP libraries' errors would."""
    for name in ("api_key", "auth_token"):
        key: Any = getattr(settings, name)
        if key is not None and not (isinstance(key, Secret) and _KEY.fullmatch(key.reveal())):
            raise ConfigError(
                f"{name} must be a string of printable ASCII characters without white space; was a "
                "line break copied along?"
            )
    for header, value in settings.headers.items():
        if not (_is_text(header, _KEY) and _is_text(value, _HEADER)):
            raise ConfigError(
                f"headers: the value of {header!r} must be one line of printable ASCII"
            )


def _is_text(value: Any, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_local(base_url: str) -> bool:
    if base_url.startswith("sim:"):
        return True
    host = urlsplit(base_url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
