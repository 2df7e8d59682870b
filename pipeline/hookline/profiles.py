"""What each kind of server can do that speaks the Messages API: a table, ``profiles.toml``.

A destination names its profile (``server="llama.cpp"``), or the profile is guessed by its host; what
nobody knows is ``generic``. Whatever depends on the kind of server asks here and nowhere else.
"""

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from attrs import field, frozen

from hookline.errors import ConfigError
from hookline.values.destination import Destination

__all__ = ["Profile", "ProfileTable", "load_profiles", "profile_of"]

_SIMULATOR: Final = "sim:"
_THIS_MACHINE: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SIMULATED, _UNKNOWN = "anthropic", "generic"


def _names(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values)


@frozen(kw_only=True)
class Profile:
    """What a kind of server can do (facts 14, 16.3).

    Args:
        name: as ``server=`` names it.
        hosts: names of hosts that tell it, subdomains included; with a port on this machine.
        answers: response headers, and how their values begin, by which it names itself.
        claude: Whether a Claude id can only mean Claude there.
        all_rules: Whether every rule of Anthropic's API holds, and not only those that all share.
        prefill: ``"model"`` goes by the facts of the model, and takes an unknown one to continue;
            ``"native"``: a final assistant message is continued, whatever the model is called.
        repeats_prefill: ``"never"``, or ``"learned"`` where builds differ.
        trailing_space: Whether a final assistant message may end in white space.
        output_config: Whether ``output_config.format`` is honoured.
        signatures: Whether signatures of thoughts are judged.
        documents: Whether ``document`` blocks are read.
        url_sources: Whether images and documents may be links.
        count_tokens: Whether tokens can be counted.
        image_types: Media types of images that can be read.
        max_image: Base64 characters of one image at most; 0 where nothing is known.
        max_body: Bytes of one request at most; 0 where nothing is known.

    """

    name: str
    hosts: tuple[str, ...] = field(default=(), converter=_names)
    answers: Mapping[str, str] = field(factory=dict)
    claude: bool = False
    all_rules: bool = False
    prefill: Literal["model", "native"] = "model"
    repeats_prefill: Literal["never", "learned"] = "learned"
    trailing_space: bool = False
    output_config: bool = True
    signatures: bool = True
    documents: bool = True
    url_sources: bool = True
    count_tokens: bool = True
    image_types: tuple[str, ...] = field(default=(), converter=_names)
    max_image: int = 0
    max_body: int = 0

    def at(self, host: str, port: int | None) -> bool:
        """Tell whether a host is known to run such a server."""
        for known in self.hosts:
            name, _, wanted = known.partition(":")
            if wanted and host in _THIS_MACHINE and str(port) == wanted:
                return True
            if not wanted and (host == name or host.endswith(f".{name}")):
                return True
        return False

    def named_by(self, headers: Mapping[str, str]) -> bool:
        """Tell whether a server names itself so in the headers of its answers."""
        return any(headers.get(name, "").startswith(value) for name, value in self.answers.items())


@frozen
class ProfileTable:
    """An immutable list of profiles."""

    profiles: tuple[Profile, ...]

    def require(self, name: str) -> Profile:
        """Return the profile called ``name``.

        Raises:
            ConfigError: there is none; the text lists those there are.

        """
        for profile in self.profiles:
            if profile.name == name:
                return profile
        names = [profile.name for profile in self.profiles]
        from difflib import get_close_matches  # noqa: PLC0415 -- only for this text

        near = get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
        raise ConfigError(f"there is no server profile {name!r}; {hint}")

    def guess(self, base_url: str) -> Profile:
        """Return the profile that a base URL tells; ``generic`` if it tells none."""
        if base_url.startswith(_SIMULATOR):
            return self.require(_SIMULATED)
        parts = urlsplit(base_url)
        host = (parts.hostname or "").lower()
        found = (each for each in self.profiles if each.at(host, parts.port))
        return next(found, None) or self.require(_UNKNOWN)

    def named_by(self, headers: Mapping[str, str]) -> Profile | None:
        """Return the profile that a server claims by the headers of its answers, or None."""
        return next((each for each in self.profiles if each.named_by(headers)), None)

    def __iter__(self) -> Iterator[Profile]:
        return iter(self.profiles)


@functools.cache
def load_profiles() -> ProfileTable:
    """Return the table that ships with Hookline; it is read once and immutable."""
    import tomllib  # noqa: PLC0415 - read on first use, so that importing Hookline stays cheap
    from importlib.resources import files  # noqa: PLC0415 - as above

    text = files("hookline").joinpath("profiles.toml").read_text(encoding="utf-8")
    entries: list[dict[str, Any]] = tomllib.loads(text)["profile"]
    return ProfileTable(tuple(Profile(**entry) for entry in entries))


@functools.lru_cache(maxsize=256)  # one process talks to few
def _profile(server: str, base_url: str) -> Profile:
    table = load_profiles()
    return table.require(server) if server else table.guess(base_url)


def profile_of(destination: Destination) -> Profile:
    """Return what the server at a destination can do, by its name or else by its host.

    Args:
        destination: where a request goes.

    Returns:
        Its profile; ``generic`` where nothing is known.

    Raises:
        ConfigError: it names a profile that there is not.

    Example:
        >>> profile_of(turn.destination).output_config

    """
    return _profile(destination.server, destination.base_url)
