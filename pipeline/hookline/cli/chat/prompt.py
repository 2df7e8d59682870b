"""How a message is read: line by line from a pipe, with an editor at a terminal.

At a terminal, prompt_toolkit gives editing, completion, history across sessions, and pasted text in
one piece. Where it is missing, or the terminal is a dumb one, Python's own ``input`` has to do.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final, Protocol

from hookline._files import state_folder
from hookline.cli.output import note
from hookline.errors import ConfigError

if TYPE_CHECKING:
    from prompt_toolkit.document import Document
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

__all__ = ["Completions", "Prompt", "open_prompt"]

_PROMPT: Final = "> "
_MORE: Final = "… "
_GOES_ON: Final = "\\"
_DUMB: Final = ("dumb", "unknown")

Completions = Mapping[str, Callable[[], Iterable[str]] | None]
"""Commands, and what each completes its argument from; None stands for names of files."""


class Prompt(Protocol):
    """Where messages come from."""

    def read(self) -> str | None:
        """Return the next message, perhaps of several lines, or None at the end."""
        ...

    def ask(self, question: str) -> bool:
        """Ask a question that yes or no answers; where nobody can answer, it is no."""
        ...


def open_prompt(
    completions: Completions,
    interruptible: Callable[[], AbstractContextManager[None]],
    *,
    history: bool,
) -> Prompt:
    """Return the prompt that fits stdin.

    Args:
        completions: the commands.
        interruptible: a context in which ctrl-C may raise ``KeyboardInterrupt``.
        history: whether to keep what is typed for the next session.

    """
    drawn = sys.stdout.isatty() or sys.stderr.isatty()
    if not sys.stdin.isatty() or not drawn or os.environ.get("TERM") in _DUMB:
        return _Lines(interruptible)
    try:
        import prompt_toolkit as _  # noqa: F401, PLC0415 -- of an extra
    except ImportError:
        return _Lines(interruptible)
    return _Editor(completions, kept=history)


class _Lines:
    """Reads lines; one that ends in a backslash goes on in the next."""

    def __init__(self, interruptible: Callable[[], AbstractContextManager[None]]) -> None:
        self._interruptible = interruptible

    def read(self) -> str | None:
        lines: list[str] = []
        while (text := self._line(_MORE if lines else _PROMPT)) is not None:
            if not text.endswith(_GOES_ON):
                return "\n".join([*lines, text])
            lines.append(text.removesuffix(_GOES_ON))
        return "\n".join(lines) if lines else None

    def ask(self, question: str) -> bool:
        return sys.stdin.isatty() and _is_yes(self._line(question))

    def _line(self, prompt: str) -> str | None:
        try:
            if sys.stdin.isatty() and sys.stdout.isatty():
                with self._interruptible():
                    return input(prompt)
            if sys.stdin.isatty():
                sys.stderr.write(prompt)  # stdout goes elsewhere, and only replies belong there
                sys.stderr.flush()
            with self._interruptible():
                text = sys.stdin.readline()
        except EOFError:
            sys.stderr.write("\n")
            return None
        except KeyboardInterrupt:
            if sys.stdin.isatty():
                sys.stderr.write("\n")  # the terminal has written ^C
            raise
        except UnicodeDecodeError as problem:
            raise ConfigError("what was piped in is not text in UTF-8") from problem
        return text.rstrip("\r\n") if text else None


class _Editor:
    """Reads with prompt_toolkit."""

    def __init__(self, completions: Completions, *, kept: bool) -> None:
        from prompt_toolkit import PromptSession  # noqa: PLC0415 -- of an extra, and slow to load
        from prompt_toolkit.output import create_output  # noqa: PLC0415 -- as above
        from prompt_toolkit.shortcuts import CompleteStyle  # noqa: PLC0415 -- as above

        self._output = create_output(sys.stdout if sys.stdout.isatty() else sys.stderr)
        self._session: PromptSession[str] = PromptSession(
            _PROMPT,
            multiline=True,
            prompt_continuation=_MORE,
            key_bindings=_keys(),
            completer=_completer(completions),
            complete_style=CompleteStyle.READLINE_LIKE,  # leaves the screen below alone
            complete_while_typing=False,
            history=_history(kept=kept),
            enable_open_in_editor=True,
            output=self._output,
        )

    def read(self) -> str | None:
        try:
            return self._session.prompt()
        except EOFError:
            return None

    def ask(self, question: str) -> bool:
        from prompt_toolkit import PromptSession  # noqa: PLC0415 -- of an extra, and slow to load

        asking: PromptSession[str] = PromptSession(question, output=self._output)
        try:
            return _is_yes(asking.prompt())
        except (EOFError, KeyboardInterrupt):
            return False


def _is_yes(text: str | None) -> bool:
    return text is not None and text.strip().lower() in ("y", "yes")


def _keys() -> "KeyBindings":
    """Enter sends, unless the line ends in a backslash; Alt-Enter always begins a new line."""
    from prompt_toolkit.key_binding import KeyBindings  # noqa: PLC0415 -- of an extra

    keys = KeyBindings()

    @keys.add("enter")
    def _send(event: "KeyPressEvent") -> None:
        buffer = event.current_buffer
        if buffer.document.text_before_cursor.endswith(_GOES_ON):
            buffer.delete_before_cursor()
            buffer.newline(copy_margin=False)
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _new_line(event: "KeyPressEvent") -> None:
        event.current_buffer.newline(copy_margin=False)

    return keys


def _completer(completions: Completions) -> Any:
    from prompt_toolkit.completion import (  # noqa: PLC0415 -- of an extra
        CompleteEvent,
        Completer,
        Completion,
        PathCompleter,
    )
    from prompt_toolkit.document import Document  # noqa: PLC0415 -- as above

    paths = PathCompleter(expanduser=True)

    class Commands(Completer):
        """Completes the names of commands, and their arguments."""

        def get_completions(
            self, document: "Document", complete_event: CompleteEvent
        ) -> Iterator[Completion]:
            if not document.text.startswith("/"):
                return
            name, space, argument = document.text_before_cursor[1:].partition(" ")
            if not space:
                yield from _beginning(name, (f"{each} " for each in completions))
            elif (choices := completions.get(name)) is not None:
                yield from _beginning(argument, choices())
            elif name in completions:
                yield from paths.get_completions(Document(argument), complete_event)

    def _beginning(text: str, words: Iterable[str]) -> Iterator[Completion]:
        return (Completion(each, -len(text)) for each in words if each.startswith(text))

    return Commands()


def _history(*, kept: bool) -> "History":
    """Return the lines of earlier chats; the file is its owner's alone."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory  # noqa: PLC0415 -- of an extra

    if not kept:
        return InMemoryHistory()
    path = state_folder() / "chat_history"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_RDWR, 0o600))
        path.chmod(0o600)
    except OSError as problem:
        note(f"what you type is not kept for the next chat: {path}: {problem.strerror}")
        return InMemoryHistory()
    return FileHistory(path)
