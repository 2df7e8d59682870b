"""Finding and reading policy files: the system's, those of the environment, those of code, and what they bring."""

import hashlib
import os
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from hookline._files import read_file
from hookline.config import TomlFile
from hookline.errors import ConfigError, InputError
from hookline.policy.file import Include, PolicyFile, Standing, parsed
from hookline.policy.policy import Policy

__all__ = ["load_policy", "read_policy_file", "system_path"]

VARIABLE: Final = "HOOKLINE_POLICY"
_MOST_BYTES: Final = 1 << 20
_DEEPEST: Final = 8  # includes within includes


def system_path(environ: Mapping[str, str] | None = None) -> Path:
    """Return where the machine's own policy is kept, whether there is one or not."""
    environ = os.environ if environ is None else environ
    if sys.platform == "win32":
        return Path(environ.get("PROGRAMDATA", "C:\\ProgramData"), "hookline", "policy.toml")
    if sys.platform == "darwin":
        return Path("/Library/Application Support/hookline/policy.toml")
    return Path("/etc/hookline/policy.toml")


def load_policy(
    given: Sequence[str | os.PathLike[str]] = (),
    *,
    environ: Mapping[str, str] | None = None,
    system: Path | None = None,
) -> Policy:
    """Read every policy file that holds here, and join them: a further one can only tighten.

    Args:
        given: files that the code names.
        environ: the environment, whose ``HOOKLINE_POLICY`` names files, separated as in ``PATH``; None
            is the process's own.
        system: where the machine's own policy is kept; None is the usual place.

    Raises:
        ConfigError: a file that is missing, cannot be read, verified or understood, or that contradicts
            another. There is never a part of a policy.

    """
    environ = os.environ if environ is None else environ
    place = system_path(environ) if system is None else system
    wanted: list[tuple[str, Standing]] = []
    if _stands(place):
        wanted.append((str(place), Standing.SYSTEM))
    named = environ.get(VARIABLE, "").split(os.pathsep)
    wanted += [(path.strip(), Standing.ENVIRONMENT) for path in named if path.strip()]
    wanted += [(os.fspath(path), Standing.CODE) for path in given]
    return Policy.of(file for path, standing in wanted for file in read_policy_file(path, standing))


def read_policy_file(path: str, standing: Standing = Standing.CODE) -> tuple[PolicyFile, ...]:
    """Read a policy file and all that it includes.

    Args:
        path: of the file.
        standing: whose it is; what it includes is theirs as well.

    Raises:
        ConfigError: as for ``load_policy``.

    """
    return tuple(_read(Include(path), standing, ()))


def _stands(place: Path) -> bool:
    """Say whether there is a file. One that may not be looked at is there, and reading it will fail."""
    try:
        place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _read(wanted: Include, standing: Standing, above: tuple[str, ...]) -> Iterator[PolicyFile]:
    name = wanted.path
    before = f"{wanted.where}: " if wanted.where else ""
    if len(above) >= _DEEPEST:
        raise ConfigError(f"{before}policy files include each other more than {_DEEPEST} deep")
    try:
        data = read_file(name, most=_MOST_BYTES)
    except InputError as error:
        raise ConfigError(f"{before}policy file {name!r}: {error}") from error
    real = os.path.realpath(
        name
    )  # of a name that could be opened: others raise errors of their own
    if real in above:
        raise ConfigError(f"{before}policy file {name!r} includes itself")
    digest = hashlib.sha256(data).hexdigest()
    if wanted.sha256 and digest != wanted.sha256.lower():
        raise ConfigError(
            f"{before}policy file {name!r} has the SHA-256 {digest}, and another is pinned"
        )
    if wanted.signed_by:
        from hookline.policy.signatures import check_signature  # noqa: PLC0415 -- few are signed

        check_signature(data, name, wanted.signed_by, before)
    try:
        text = data.decode("utf-8-sig")
        file = TomlFile(name, text, tomllib.loads(text))
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, or brackets without end
        raise ConfigError(f"{before}policy file {name!r} is no TOML: {error}") from error
    policy = parsed(file, digest, standing)
    yield policy
    folder = os.path.dirname(real)  # noqa: PTH120 -- beside realpath, of which pathlib has none that never raises
    for each in policy.include:
        inner = Include(os.path.join(folder, each.path), each.sha256, each.signed_by, each.where)  # noqa: PTH118 -- as above
        yield from _read(inner, standing, (*above, real))
