"""The bash tool: a shell that stays, in a sandbox that the operator names (facts 10.5).

There is no sandbox of ours, and none is guessed: without the command that starts one there is no tool.
"""

import os
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final
from weakref import WeakKeyDictionary, finalize

from attrs import field, frozen

from hookline import ConfigError, InputError, Turn
from hookline.values import ToolSpec, thaw
from hookline_plugins.tools.known import defined
from hookline_plugins.tools.running import Job

__all__ = ["Bash"]

_MOST_BYTES: Final = 1_000_000  # of what one command writes; the rest is read and thrown away
_PATIENCE: Final = 1.0  # seconds
_HANDED_ON: Final = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
)  # what else is in the environment may be secret
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f]")
_SCHEMA: Final = {
    "type": "object",
    "properties": {
        "command": {"type": "string", "description": "Runs in a shell that stays."},
        "restart": {"type": "boolean", "description": "Begin with a new shell."},
    },
}


class _Shell:
    """A shell that reads commands from its standard input.

    Args:
        command: starts it.
        folder: where it begins.

    """

    def __init__(self, command: list[str], folder: Path) -> None:
        kept = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
        self._process = subprocess.Popen(  # noqa: S603 -- the sandbox that the operator named
            command,
            cwd=folder,
            env={**kept, "HOME": str(folder), "TERM": "dumb"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._lock = threading.Lock()
        self._closed = False

    def run(self, command: str) -> str:
        """Run a command to its end; return what it wrote, and its status where it failed."""
        with self._lock:
            mark = f"[{secrets.token_hex(16)}]"
            stdin, stdout = self._pipes()
            # What is no whole command is an error of eval, and nothing that the shell waits to end.
            lines = (
                f"eval {shlex.quote(command)} </dev/null",
                f"printf '\\n%s%s\\n' '{mark}' \"$?\"",
            )
            try:
                stdin.write("\n".join((*lines, "")).encode("utf-8", "replace"))
                stdin.flush()
            except OSError:
                return self._ended(b"")
            return self._read(stdout, mark.encode())

    def close(self) -> None:
        """Kill it, and all that it started."""
        if self._closed:
            return
        self._closed = True
        with suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        self._process.wait()
        stdin, stdout = self._pipes()
        with suppress(OSError):
            stdin.close()
        if self._lock.acquire(timeout=_PATIENCE):  # else somebody reads what a daemon holds open
            stdout.close()
            self._lock.release()

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("a process without pipes")
        return stdin, stdout

    def _read(self, stdout: IO[bytes], mark: bytes) -> str:
        kept, dropped = bytearray(), 0
        for line in iter(lambda: stdout.readline(65_536), b""):
            if line.startswith(mark):
                text = _shown(bytes(kept), dropped)
                status = line.removeprefix(mark).strip().decode()
                return text if status == "0" else f"{text}\n[exit status {status}]".lstrip("\n")
            room = max(0, _MOST_BYTES - len(kept))
            kept += line[:room]
            dropped += len(line) - len(line[:room])
        return self._ended(bytes(kept))

    def _ended(self, written: bytes) -> str:
        status = self._process.wait()
        return f"{_shown(written, 0)}\n[the shell has ended with status {status}]".lstrip("\n")


@frozen(eq=False)
class Bash:
    """Runs commands in a sandbox; each conversation has a shell of its own, and so has each other turn.

    Attributes:
        root: the folder that commands begin in.
        sandbox: the command that starts a shell in a sandbox and lets it read from its standard input;
            ``$root`` stands for the folder.

    """

    serial = ""  # one shell: what is asked for at once runs one after the other
    root: Path
    sandbox: str
    _shells: "WeakKeyDictionary[Any, _Shell]" = field(
        factory=WeakKeyDictionary, init=False, repr=False
    )

    @classmethod
    def of(cls, root: Any, *, sandbox: str = "") -> "Bash":
        """Read a route.

        Raises:
            ConfigError: no folder, or no command that starts a sandbox.

        """
        if not isinstance(root, str | Path) or not Path(root).is_dir():
            raise ConfigError(f"tools: bash takes a folder that is there, not {root!r}")
        words = _words(sandbox)
        if not words:
            raise ConfigError(
                "tools: bash runs in a sandbox only: name the command that starts one and reads "
                'commands from its standard input, for example sandbox = "docker run --rm -i '
                '--network none -v $root:/work -w /work debian bash"'
            )
        if shutil.which(words[0]) is None:
            raise ConfigError(f"tools: bash: there is no command {words[0]!r} to start a sandbox")
        return cls(Path(root).resolve(), sandbox)

    def __str__(self) -> str:
        return f"bash {self.root} in {_words(self.sandbox)[0]}"

    async def tools(self, turn: Turn, model: str) -> Iterable[tuple[str, ToolSpec | None]]:
        """Return the one tool."""
        return (("bash", defined(turn, model, "bash", "Run a command in a shell.", _SCHEMA)),)

    async def run(self, job: Job) -> Any:
        """Run a command.

        Raises:
            InputError: no command.
            TimeoutError: it took too long; the shell has been killed, and the next call gets another.

        """
        given: Mapping[str, Any] = thaw(job.call.input)
        chat = job.turn.conversation
        owner = job.turn if chat is None else chat
        if given.get("restart"):
            self._end(owner)
            return "the shell has been restarted"
        command = given.get("command")
        if not isinstance(command, str) or not command.strip() or "\0" in command:
            raise InputError("bash takes a command, or restart")
        shell = self._shell(owner)
        done = False
        try:
            result = await job.turn.io.outwait(shell.run, command, seconds=job.seconds)
            done = True
        finally:
            if not done or not shell.is_alive:
                self._end(owner)
        return result or "done, and nothing was written"

    def close(self) -> None:
        """Kill every shell."""
        for owner in list(self._shells):
            self._end(owner)

    def _shell(self, owner: Any) -> _Shell:
        shell = self._shells.get(owner)
        if shell is None:
            words = [word.replace("$root", str(self.root)) for word in _words(self.sandbox)]
            shell = self._shells[owner] = _Shell(words, self.root)
            finalize(owner, shell.close)
        return shell

    def _end(self, owner: Any) -> None:
        shell = self._shells.pop(owner, None)
        if shell is not None:
            shell.close()


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        raise ConfigError(f"tools: {command!r} is no command: {error}") from error


def _shown(written: bytes, dropped: int) -> str:
    text = _CONTROLS.sub("", written.decode("utf-8", "replace")).rstrip("\n")
    return f"{text}\n[cut: {dropped:,} bytes more]" if dropped else text
