"""Several policy files as one policy, which allows what all of them allow."""

import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from importlib import import_module
from typing import Any, Final

from attrs import field, frozen

from hookline.config import Bound, Key, Layer, Origin, Settings, dotted, load_settings
from hookline.errors import ConfigError, MissingExtra
from hookline.policy.file import PolicyFile, RuleTable, Standing

__all__ = ["NO_POLICY", "RULES", "Locked", "Policy", "Requirement", "policy_settings"]

RULES: Final = "rules"
"""The plugin that understands ``[[rule]]``."""

_OURS: Final = "hookline"
_REQUIREMENT: Final = re.compile(r"\s*([A-Za-z0-9][\w.-]*)\s*((?:[<>=!~]=?|===).*)?")


@frozen
class Locked:
    """A value that an option has, whatever any layer says.

    Attributes:
        value: of it.
        by: file and line.
        chief: whether the file is of the strongest standing there is, which may weaken enforcers.

    """

    value: Any
    by: str
    chief: bool


@frozen
class Requirement:
    """A plugin that must take part.

    Attributes:
        name: of the plugin.
        versions: of its distribution that will do, as in packaging (``">=0.1,<2"``); empty for all.
        by: file and line.

    """

    name: str
    versions: str
    by: str

    @classmethod
    def read(cls, text: str, by: str) -> "Requirement":
        """Read ``"redact>=0.1"``.

        Raises:
            ConfigError: it is no name with versions.

        """
        match = _REQUIREMENT.fullmatch(text)
        if match is None:
            raise ConfigError(f'{by}: {text!r} is no plugin with versions; write "redact>=0.1"')
        requirement = cls(match[1], (match[2] or "").strip(), by)
        if requirement.versions:
            requirement.met_by("0")  # refuses what is no specifier, before anybody is judged by it
        return requirement

    def met_by(self, version: str) -> bool:
        """Say whether a version will do.

        Raises:
            ConfigError: the requirement is none.
            MissingExtra: versions are compared by ``packaging``, which is not installed.

        """
        if not self.versions:
            return True
        try:
            specifiers = import_module("packaging.specifiers")
            versions = import_module("packaging.version")
        except ImportError as error:
            raise MissingExtra("policy", "packaging", f"the versions in {self.by}") from error
        try:
            wanted = specifiers.SpecifierSet(self.versions)
        except specifiers.InvalidSpecifier as error:
            raise ConfigError(f"{self.by}: {self.name}{self.versions}: {error}") from error
        try:
            return bool(wanted.contains(version, prereleases=True))
        except versions.InvalidVersion:
            return False


@frozen(eq=False)
class Policy:
    """What all policy files together say.

    Attributes:
        files: they; none for no policy.
        lock: fixed values by key.
        bounds: of numbers by key.
        require: plugins that must take part.
        rules: all ``[[rule]]`` tables.

    """

    files: tuple[PolicyFile, ...] = ()
    lock: Mapping[Key, Locked] = field(factory=dict, repr=False)
    bounds: Mapping[Key, Bound] = field(factory=dict, repr=False)
    require: tuple[Requirement, ...] = ()
    rules: tuple[RuleTable, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, files: Iterable[PolicyFile]) -> "Policy":
        """Join policy files.

        Raises:
            ConfigError: two contradict each other, so that nothing could satisfy both.

        """
        files = tuple(files)
        strongest = max((file.standing for file in files), default=Standing.CODE)
        lock: dict[Key, Locked] = {}
        bounds: dict[Key, Bound] = {}
        require: list[Requirement] = []
        for file in files:
            for key, value in file.lock.items():
                by = _lock_place(file, key)
                here = Locked(value, by, chief=file.standing is strongest)
                there = lock.setdefault(key, here)
                if there.value != value or type(there.value) is not type(value):
                    raise ConfigError(
                        f"{here.by}: {dotted(key)} is locked to another value by {there.by}"
                    )
            for key, bound in file.bounds.items():
                bounds[key] = bounds[key].joined(bound) if key in bounds else bound
            place = file.where(("plugins", "require"))
            require += [Requirement.read(text, place) for text in file.require]
        for key, locked in lock.items():
            if key in bounds and not bounds[key].holds(locked.value):
                raise ConfigError(
                    f"{locked.by}: {dotted(key)} is locked to {locked.value!r}, "
                    f"and bound to {bounds[key].words} by {bounds[key].by}"
                )
        rules = tuple(rule for file in files for rule in file.rules)
        if rules:
            key = ("plugins", RULES, "rules")
            by = next(file.name for file in files if file.rules)
            if key in lock:
                raise ConfigError(f"{lock[key].by}: rules are written as [[rule]]")
            lock[key] = Locked(rules, by, chief=True)
            require.append(Requirement(RULES, "", by))
        return cls(files, lock, bounds, tuple(require), rules)

    @property
    def names(self) -> str:
        """What the policies call themselves."""
        return ", ".join(dict.fromkeys(file.id for file in self.files))

    @property
    def layer(self) -> Layer:
        """The locks as the strongest layer of settings."""
        values = {key: locked.value for key, locked in self.lock.items()}
        return Layer(Origin.POLICY, self.names, values, lambda key: self.lock[key].by)

    @property
    def code_plugins(self) -> bool:
        """Whether plugins may be handed over as objects."""
        return all(file.code_plugins for file in self.files)

    def required(self, plugin: str) -> Requirement | None:
        """Return the requirement that a plugin fulfils, or None."""
        return next((each for each in self.require if each.name == plugin), None)

    def leaves_out(
        self, plugin: str, distribution: str, enforces: Callable[[], bool] | None = None
    ) -> str:
        """Say why a plugin is not to be loaded, or return "".

        Args:
            plugin: its name.
            distribution: that offers it.
            enforces: asked where a file would leave out an enforcer that another one may rely on.

        Raises:
            ConfigError: a file that is not of the strongest standing would leave out an enforcer, and
                so weaken what held before.

        """
        strongest = max((file.standing for file in self.files), default=Standing.CODE)
        for file in self.files:
            if plugin in file.deny:
                reason = f"{file.where(('plugins', 'deny'))}: denied by the policy {file.id}"
            elif file.allow_distributions is not None and not any(
                fnmatchcase(distribution, pattern) for pattern in file.allow_distributions
            ):
                place = file.where(("plugins", "allow_distributions"))
                reason = f"{place}: {distribution or 'code'} is not allowed by the policy {file.id}"
            else:
                continue
            if file.standing < strongest and enforces is not None and enforces():
                raise self.refusal(
                    f"{reason}; plugin {plugin!r} is an enforcer, and a further policy can only tighten"
                )
            return reason
        return ""

    def refusal(self, text: str) -> ConfigError:
        """Return the error of a pipeline that must not be built.

        Args:
            text: for the administrator: what is wrong, and where.

        """
        contact = next((file.contact for file in self.files if file.contact), "")
        error = ConfigError(
            f"your organisation's policy ({self.names}) does not let this pipeline be built; "
            f"ask {contact or 'its administrator'}, and pass on what error.admin says"
        )
        error.admin = text
        return error

    @cached_property
    def described(self) -> tuple[str, ...]:
        """Each file as its id and hash, ``"acme-2026-11 sha256:9f86d0…"``."""
        return tuple(f"{file.id} sha256:{file.digest}" for file in self.files)


def policy_settings(policy: Policy, config: Any = None, **code: Any) -> Settings:
    """Put the layers of settings together, the policy above them all.

    Args:
        policy: the organisation's.
        config: as for ``Pipeline``.
        **code: what the program itself says.

    Raises:
        ConfigError: as for ``load_settings``.

    """
    locks = policy.layer if policy.files else None
    return load_settings(config, locks=locks, bounds=policy.bounds, **code)


def _lock_place(file: PolicyFile, key: Key) -> str:
    """Return where a lock stands, in either of its forms."""
    by_name = file.where(("lock", dotted(key)))
    lock_table = file.where(("lock",))
    return file.where(key) if len(key) > 1 and by_name == lock_table else by_name


NO_POLICY: Final = Policy()
