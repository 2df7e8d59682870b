"""A chat at the terminal: reads lines, runs commands, shows replies."""

import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Final

from attrs import frozen

from hookline.cli.failures import exit_code, explained
from hookline.cli.output import Writer, console, error, note, styled
from hookline.cli.transcript import save_messages
from hookline.conversation import Conversation
from hookline.errors import ConfigError, HooklineError, InputError, MissingExtra
from hookline.pipeline import Pipeline
from hookline.reply import Reply
from hookline.send_options import SendOptions
from hookline.values.attachments import Image
from hookline.values.blocks import ToolResultBlock
from hookline.values.messages import Message

__all__ = ["Session"]

_PROMPT: Final = "> "


class _Quit(Exception):
    """The user wants to leave."""


class _Interrupts:
    """Lets ctrl-C through where somebody waits for it, once, and nowhere else.

    So that an impatient second one cannot end the program while the first is being dealt with.
    """

    def __init__(self) -> None:
        self._welcome = False

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Take ctrl-C over from Python."""
        before = signal.signal(signal.SIGINT, self._arrive)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    @contextmanager
    def welcome(self) -> Iterator[None]:
        """Let one ctrl-C raise ``KeyboardInterrupt`` in here."""
        self._welcome = True
        try:
            yield
        finally:
            self._welcome = False

    def _arrive(self, _signal: int, _frame: FrameType | None) -> None:
        if self._welcome:
            self._welcome = False
            raise KeyboardInterrupt


class Session:
    """One chat.

    Args:
        line: the pipeline, for its settings.
        chat: the conversation.
        options: what goes with every turn; /system and /model change it.

    """

    def __init__(self, line: Pipeline, chat: Conversation, options: SendOptions) -> None:
        self._line = line
        self._chat = chat
        self._options: SendOptions = {**options}
        self._images: list[Image] = []
        self._interactive = sys.stdin.isatty()
        self._interrupts = _Interrupts()
        self._code = 0

    def run(self) -> int:
        """Read and answer until the input ends.

        Returns:
            0; without a terminal, the code of the worst failure.

        Raises:
            ConfigError: nothing can be sent with these settings.

        """
        if not self._interactive:
            self._go_on()
            return self._code
        with self._interrupts.handled():
            with suppress(ImportError):  # there is none on Windows
                import_module("readline")  # being imported, it gives input() editing and history
            self._greet()
            self._go_on()
        return 0

    def _go_on(self) -> None:
        while True:
            try:
                text = self._read()
                if text is None:
                    break
                self._take(text)
            except _Quit:
                break
            except KeyboardInterrupt:
                if not self._interactive:
                    raise
                sys.stderr.write("\n")
            except HooklineError as problem:
                # Settings do not mend themselves; but a missing extra concerns one message only.
                if isinstance(problem, ConfigError) and not isinstance(problem, MissingExtra):
                    raise
                error(explained(problem))
                self._code = max(self._code, exit_code(problem))

    def _greet(self) -> None:
        self._aside(f"{self._model} at {self._address}; /help lists the commands, ctrl-D leaves")
        if len(self._chat):
            self._aside(f"{len(self._chat)} messages were loaded")

    def _aside(self, text: str) -> None:
        if self._interactive:
            console(stderr=True).print(styled((text, "dim")))

    @property
    def _model(self) -> str:
        return self._options.get("model") or self._line.settings.model

    @property
    def _address(self) -> str:
        return str(self._line.settings.base_url)

    def _read(self) -> str | None:
        """Return the next line, or None at the end."""
        try:
            if self._interactive and sys.stdout.isatty():
                with self._interrupts.welcome():
                    return input(_PROMPT)
            if self._interactive:
                sys.stderr.write(_PROMPT)  # stdout goes elsewhere, and only replies belong there
                sys.stderr.flush()
            with self._interrupts.welcome():
                text = sys.stdin.readline()
        except EOFError:
            sys.stderr.write("\n")
            return None
        except UnicodeDecodeError as problem:
            raise ConfigError("what was piped in is not text in UTF-8") from problem
        return text.rstrip("\r\n") if text else None

    def _take(self, text: str) -> None:
        if not text.startswith("/"):
            if text.strip():
                self._answer(text.strip())
            return
        name, _, argument = text[1:].partition(" ")
        command = _COMMANDS.get(name)
        if command is None:
            raise InputError(
                f"there is no command /{name}; /help lists them. "
                "To send a line that begins with /, put a space in front"
            )
        command.run(self, argument.strip())

    def _answer(self, text: str) -> None:
        options: SendOptions = {**self._options}
        if self._images:
            options["images"] = tuple(self._images)
        writer = Writer()
        before = len(self._chat)
        try:
            with self._interrupts.welcome(), self._chat.stream(text, **options) as stream:
                for piece in stream.text:
                    writer.write(piece)
                reply = stream.reply
        except KeyboardInterrupt:
            writer.finish()
            if not self._interactive:
                raise
            self._stopped(before)
            return
        except InputError:
            if self._images:
                self._images.clear()
                note("the images were put aside; attach them again with /image")
            raise
        finally:
            writer.finish()
        self._images.clear()
        self._aside(_figures(reply))

    def _stopped(self, before: int) -> None:
        if len(self._chat) == before:
            note("stopped before a reply began; the message is forgotten")
            return
        self._images.clear()
        note("stopped; the reply is kept as far as it came, and marked incomplete")

    def help(self, _argument: str) -> None:
        """Print the commands."""
        for name, command in _COMMANDS.items():
            usage = f"/{name} {command.argument}".rstrip()
            console(stderr=True).print(styled((f"  {usage:<16}", "cyan"), (command.about, "")))

    def save(self, path: str) -> None:
        """Save the conversation."""
        if not path:
            raise InputError("give /save the name of a file")
        target = save_messages(path, self._chat.messages)
        count = len(self._chat)
        end = "; the last one is incomplete" if self._chat.incomplete else ""
        note(f"saved {count} message{'' if count == 1 else 's'} to {target}{end}")

    def system(self, text: str) -> None:
        """Show, set or remove the system prompt."""
        if text == "-":
            self._options.pop("system", None)
        elif text:
            self._options["system"] = text
        now = self._options.get("system")
        note(f"system prompt: {now}" if now else "there is no system prompt")

    def model(self, name: str) -> None:
        """Show or set the model."""
        if name:
            self._options["model"] = name
            if self._line.model_table.get(name) is None:
                note(f"{name} is not in the table of models; see `hookline models`")
        note(f"model: {self._model}")

    def image(self, source: str) -> None:
        """Attach an image to the next message, or show which are."""
        if source:
            local = "://" not in source and not source.startswith("data:")
            path = Path(source.strip("'\"")).expanduser() if local else None
            if path is not None and not path.is_file():
                raise InputError(f"there is no file {path}")
            self._images.append(Image(path or source))
        note(f"images of the next message: {', '.join(map(repr, self._images)) or 'none'}")

    def undo(self, _argument: str) -> None:
        """Forget the last message and its reply."""
        messages = self._chat.messages
        last = max((i for i, each in enumerate(messages) if _is_said(each)), default=None)
        if last is None:
            raise InputError("there is nothing to undo")
        self._chat.messages = messages[:last]
        self._chat.incomplete = False
        note(f"undone; {last} message{'' if last == 1 else 's'} left")

    def quit(self, _argument: str) -> None:
        """Leave."""
        raise _Quit


@frozen
class _Command:
    argument: str
    about: str
    run: Callable[[Session, str], None]


_COMMANDS: Final[Mapping[str, _Command]] = {
    "help": _Command("", "list the commands", Session.help),
    "save": _Command("FILE", "write the conversation to a file; --load reads it", Session.save),
    "system": _Command("TEXT", "set the system prompt; - removes it", Session.system),
    "model": _Command("ID", "ask another model from now on", Session.model),
    "image": _Command("PATH|URL", "attach an image to the next message", Session.image),
    "undo": _Command("", "forget the last message and its reply", Session.undo),
    "quit": _Command("", "leave; so does ctrl-D", Session.quit),
}


def _is_said(message: Message) -> bool:
    """Say whether a person said it; results of tools are user messages too."""
    return message.role == "user" and not all(
        isinstance(block, ToolResultBlock) for block in message.blocks
    )


def _figures(reply: Reply) -> str:
    usage = reply.usage
    parts = [f"{usage.total_input} → {usage.output_tokens} tokens"]
    if reply.cost is not None:
        parts.append(f"${reply.cost:.6f}")
    if reply.stop_reason != "end_turn":
        parts.append(str(reply.stop_reason))
    return " · ".join(parts)
