"""Signatures of policy files, checked by a tool that is installed: minisign, or OpenSSH's ssh-keygen.

What is checked are the bytes that were read, not the file again, which somebody may have changed by then.
"""

import subprocess
import tempfile
from pathlib import Path
from typing import Final

from hookline._files import read_file
from hookline.errors import ConfigError, InputError

__all__ = ["check_signature"]

_NAMESPACE: Final = "hookline-policy"
_SIGNER: Final = "policy"
_SSH: Final = ("ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-")
_MOST_BYTES: Final = 64 * 1024
_SECONDS: Final = 10.0


def check_signature(data: bytes, name: str, key: str, before: str = "") -> None:
    """Refuse a file that a key has not signed.

    Args:
        data: the file's bytes.
        name: its path; the signature lies beside it, as ``NAME.sig`` (``ssh-keygen -Y sign -n
            hookline-policy``) or ``NAME.minisig``.
        key: the public key: a line as in ``authorized_keys``, or minisign's ``RW…``.
        before: what the text of an error begins with.

    Raises:
        ConfigError: no signature, another key's, or the tool is not installed.

    """
    by_ssh = key.startswith(_SSH)
    try:
        signature = read_file(name + (".sig" if by_ssh else ".minisig"), most=_MOST_BYTES)
    except InputError as error:
        raise ConfigError(f"{before}policy file {name!r} must be signed, and {error}") from error
    with tempfile.TemporaryDirectory(prefix="hookline-") as folder:
        signed = Path(folder, "signature")
        signed.write_bytes(signature)
        if by_ssh:
            signers = Path(folder, "signers")
            signers.write_text(f"{_SIGNER} {key}\n", encoding="utf-8")
            words = [
                "ssh-keygen",
                "-Y",
                "verify",
                "-f",
                str(signers),
                "-I",
                _SIGNER,
                "-n",
                _NAMESPACE,
            ]
            command = [*words, "-s", str(signed)]
        else:
            content = Path(folder, "policy")
            content.write_bytes(data)
            command = ["minisign", "-V", "-q", "-P", key, "-x", str(signed), "-m", str(content)]
        try:
            done = subprocess.run(  # noqa: S603 -- our own words; the key is one argument, or in a file
                command, input=data, capture_output=True, timeout=_SECONDS, check=False
            )
        except FileNotFoundError as error:
            raise ConfigError(
                f"{before}policy file {name!r} must be signed, and {command[0]} is not installed"
            ) from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ConfigError(
                f"{before}{command[0]} cannot check policy file {name!r}: {error}"
            ) from error
    if done.returncode != 0:
        raise ConfigError(f"{before}policy file {name!r} is not signed by the key that is demanded")
