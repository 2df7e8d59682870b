"""The table itself, ``profiles.toml``: read once, immutable, added to by plugins."""

import functools
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from attrs import field, frozen

from hookline.errors import ConfigError
from hookline.errors.nearest import nearest
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
        hosts: hosts that tell it, ``*`` for any characters; with a port: on this machine.
        answers: response headers in lower case, and how their values begin, by which it names itself.
        claude: Whether a Claude id can only mean Claude there.
        all_rules: Whether every rule of Anthropic's API holds, and not only those that all share.
        needs_key: Whether nothing is answered without one of Anthropic's credentials.
        files: Whether files can be uploaded, and named by id in messages.
        prefill: ``"model"`` goes by the facts of the model; a Claude that nobody knows is told, and
            another model is taken to continue; ``"native"``: a final assistant message is continued,
            whatever the model is called.
        repeats_prefill: ``"never"``, or ``"learned"`` where builds differ.
        trailing_space: Whether a final assistant message may end in white space.
        output_config: Whether ``output_config.format`` is honoured.
        signatures: Whether signatures of thoughts are judged.
        documents: Whether ``document`` blocks are read.
        url_sources: Whether images and documents may be links.
        count_tokens: Whether tokens can be counted.
        retries_500: Whether a status of 500 may pass by itself; False where bad input is answered so.
        silence: Seconds that a stream may well be silent, since no pings are sent while the prompt is
            read; 0 for the setting ``read_timeout``.
        image_types: Media types of images that can be read.
        max_image: Base64 characters of one image at most; 0 where nothing is known.
        max_body: Bytes of one request at most; 0 where nothing is known.

    """

    name: str
    hosts: tuple[str, ...] = field(default=(), converter=_names)
    answers: Mapping[str, str] = field(factory=dict)
    claude: bool = False
    all_rules: bool = False
    needs_key: bool = False
    files: bool = False
    prefill: Literal["model", "native"] = "model"
    repeats_prefill: Literal["never", "learned"] = "learned"
    trailing_space: bool = False
    output_config: bool = True
    signatures: bool = True
    documents: bool = True
    url_sources: bool = True
    count_tokens: bool = True
    retries_500: bool = True
    silence: float = 0.0
    image_types: tuple[str, ...] = field(
        default=("image/jpeg", "image/png", "image/gif", "image/webp"), converter=_names
    )
    max_image: int = 0
    max_body: int = 0

    def at(self, host: str, port: int | None) -> bool:
        """Tell whether a host is known to run such a server."""
        here = f"localhost:{port}" if host in _THIS_MACHINE else ""
        return any(fnmatchcase(host, known) or known == here for known in self.hosts)


@frozen
class ProfileTable:
    """An immutable list of profiles.

    Args:
        profiles: the profiles; a later one replaces an earlier one of the same name.

    """

    profiles: tuple[Profile, ...]
    _answers: tuple[tuple[str, str, Profile], ...] = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        by_name = {profile.name: profile for profile in self.profiles}
        answers = [
            (header, begins, profile)  # each answer of each turn is looked at
            for profile in by_name.values()
            for header, begins in profile.answers.items()
        ]
        object.__setattr__(self, "profiles", tuple(by_name.values()))
        object.__setattr__(self, "_answers", tuple(answers))

    def require(self, name: str) -> Profile:
        """Return the profile called ``name``.

        Raises:
            ConfigError: there is none; the text lists those there are.

        """
        for profile in self.profiles:
            if profile.name == name:
                return profile
        names = [profile.name for profile in self.profiles]
        raise ConfigError(f"there is no server profile {name!r}; {nearest(name, names)}")

    def guess(self, base_url: str, called: str = "") -> Profile:
        """Return the profile that a base URL tells.

        Args:
            base_url: where a server is.
            called: the profile that it has named itself by, if it has. A host on the internet is known for
                sure; what runs on a port of this machine, a server knows better.

        Returns:
            The profile; ``generic`` if nothing tells it.

        """
        if base_url.startswith(_SIMULATOR):
            return self.require(_SIMULATED)
        parts = urlsplit(base_url)
        host = (parts.hostname or "").lower().rstrip(".")
        # The newest first: a plugin's profile of a host is there because the table's did not do.
        found = next((each for each in reversed(self.profiles) if each.at(host, parts.port)), None)
        if called and (found is None or host in _THIS_MACHINE):
            return self.require(called)
        return found or self.require(_UNKNOWN)

    def named_by(self, headers: Mapping[str, str]) -> Profile | None:
        """Return the profile that a server claims by the headers of its answers, or None."""
        for header, begins, profile in self._answers:
            if header in headers and headers[header].startswith(begins):
                return profile
        return None

    def with_profiles(self, *profiles: Profile) -> "ProfileTable":
        """Return a table that also holds ``profiles``; one of a known name replaces it."""
        return ProfileTable((*self.profiles, *profiles))

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
    """Return what the table that ships with Hookline says of a destination.

    Within a turn, ``turn.profile`` also knows the profiles of plugins, and what has been learned.

    Args:
        destination: where a request goes.

    Returns:
        Its profile, by its name or else by its host; ``generic`` where nothing is known.

    Raises:
        ConfigError: it names a profile that there is not.

    """
    return _profile(destination.server, destination.base_url)
