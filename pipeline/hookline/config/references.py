"""Secrets by reference: a file says where a secret is kept, never what it is."""

import shlex
import subprocess
import threading
from collections.abc import Callable, Mapping
from importlib import import_module
from time import monotonic
from typing import IO, Any, Final

from hookline.config.files import read_regular
from hookline.config.layers import Origin
from hookline.errors import ConfigError, MissingExtra
from hookline.values.secret import Secret

__all__ = ["check_reference", "secret_of"]

_Reader = Callable[[str, Mapping[str, str]], str]

_FORMS: Final = "env:NAME, file:PATH, keyring:SERVICE/NAME or, in a file that was named, command:…"
_PATIENCE: Final = 10.0  # seconds that a command may take: somebody may have to unlock something
_MOST_PRINTED: Final = 64 * 1024  # bytes


def secret_of(reference: Any, origin: Origin, environ: Mapping[str, str]) -> Secret:
    """Return the secret that a reference points to.

    Args:
        reference: ``env:NAME``, ``file:PATH``, ``keyring:SERVICE/NAME`` or ``command:…``.
        origin: the layer that holds the reference. Only a file that was named may run a command.
        environ: the environment.

    Raises:
        ConfigError: it is no reference, or there is nothing where it points. What was written in
            place of a reference is not shown: it may be the secret.
        MissingExtra: the keyring needs its library.

    """
    form, place, read = check_reference(reference, origin)
    text = read(place, environ).strip()
    if not text:
        raise ConfigError(f"{form}: what it points to is empty")
    return Secret(text)


def check_reference(reference: Any, origin: Origin) -> tuple[str, str, _Reader]:
    """Refuse what is no reference, or is none for a layer; nothing is looked up.

    Args:
        reference: see ``secret_of``.
        origin: the layer that holds it.

    Returns:
        Its form, the place that it names, and what reads such places.

    Raises:
        ConfigError: as for ``secret_of``.

    """
    form, colon, place = reference.partition(":") if isinstance(reference, str) else ("", "", "")
    read = _READERS.get(form)
    if not colon or not place or read is None:
        raise ConfigError(f"a key does not belong into settings; say where it is kept: {_FORMS}")
    if read is _from_command and origin not in (Origin.NAMED_FILE, Origin.POLICY):
        raise ConfigError(
            "command: is for files that were named (config=, --config, HOOKLINE_CONFIG), "
            f"not for the {origin}"
        )
    return form, place, read


def _from_environment(name: str, environ: Mapping[str, str]) -> str:
    if not environ.get(name):
        raise ConfigError(f"env: the environment variable {name} is not set")
    return environ[name]


def _from_keyring(place: str, _environ: Mapping[str, str]) -> str:
    service, slash, name = place.rpartition("/")
    if not slash or not service or not name:
        raise ConfigError("keyring: takes SERVICE/NAME")
    try:
        keyring = import_module("keyring")  # an extra
    except ImportError as error:
        raise MissingExtra("keyring", "keyring", "keyring: as the place of a secret") from error
    try:
        found = keyring.get_password(service, name)
    except Exception as error:  # each of its backends has errors of its own
        raise ConfigError(
            f"keyring: {service}/{name} cannot be read ({type(error).__name__})"
        ) from error
    if found is None:
        raise ConfigError(f"keyring: there is no {service}/{name}")
    return str(found)


def _from_command(line: str, _environ: Mapping[str, str]) -> str:
    """Return what a command prints; no shell is involved, and its words go into no error."""
    if not line.strip():
        raise ConfigError("command: names no command")
    try:
        words = shlex.split(line)
        # What it says on stderr may be the secret, too; nobody would look at it.
        process = subprocess.Popen(  # noqa: S603 -- see the module's import
            words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )
    except (OSError, ValueError, IndexError) as error:
        raise ConfigError(f"command: it cannot be run: {error}") from error
    program = f"command: {words[0]!r}"
    try:
        printed = _printed(process, program)
        return printed.decode()
    except subprocess.TimeoutExpired:
        raise ConfigError(f"{program} took longer than {_PATIENCE:g} s") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{program} printed something that is no UTF-8") from None
    finally:
        process.kill()  # of one that has ended nothing is left to kill
        process.wait()


def _printed(process: "subprocess.Popen[bytes]", program: str) -> bytes:
    """Return what a process prints until it ends, in bounded time and of bounded size.

    Read in a thread of its own: what a process has begun may keep its output open for longer than it lives.
    """
    until = monotonic() + _PATIENCE
    pieces: list[bytes] = []

    def read(pipe: IO[bytes]) -> None:
        with pipe:
            left = _MOST_PRINTED + 1
            while left > 0 and (piece := pipe.read(left)):
                pieces.append(piece)
                left -= len(piece)

    reader = threading.Thread(target=read, args=(process.stdout,), daemon=True)
    reader.start()
    reader.join(_PATIENCE)
    printed = b"".join(pieces)
    if len(printed) > _MOST_PRINTED:
        raise ConfigError(
            f"{program} prints more than {_MOST_PRINTED >> 10} KiB, which is no secret"
        )
    if reader.is_alive():
        raise subprocess.TimeoutExpired(process.args, _PATIENCE)
    code = process.wait(max(0.0, until - monotonic()))
    if code:
        raise ConfigError(f"{program} ended with exit code {code}")
    return printed


_READERS: Final[Mapping[str, _Reader]] = {
    "env": _from_environment,
    "file": lambda path, _: read_regular(path, "file of a secret"),
    "keyring": _from_keyring,
    "command": _from_command,
}
