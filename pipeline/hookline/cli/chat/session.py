"""A chat at the terminal: reads messages, runs commands, shows replies."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from hookline.cli.chat.commands import COMMANDS, Quit, completions
from hookline.cli.chat.prompt import Prompt, open_prompt
from hookline.cli.failures import exit_code, explained
from hookline.cli.figures import Bill, figures
from hookline.cli.output import Writer, console, error, note, styled
from hookline.cli.progress import ProgressBar
from hookline.conversation import Conversation
from hookline.errors import ConfigError, HooklineError, InputError, MissingExtra
from hookline.pipeline import Pipeline
from hookline.send_options import SendOptions
from hookline.values.attachments import Image

__all__ = ["Session"]


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
        talk: the conversation; commands change its options.
        file: where it came from, if it was loaded.
        history: whether what is typed is kept for the next chat.

    Attributes:
        images: attached to the next message.
        bill: what the chat has cost.

    """

    def __init__(
        self, line: Pipeline, talk: Conversation, *, file: str | None = None, history: bool = True
    ) -> None:
        self.line = line
        self.talk = talk
        self.file = file
        self.images: list[Image] = []
        self.bill = Bill()
        self._interactive = sys.stdin.isatty()
        self._interrupts = _Interrupts()
        self._prompt: Prompt = open_prompt(
            completions(line.model_table), self._interrupts.welcome, history=history
        )
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
            self._greet()
            self._go_on()
        return 0

    @property
    def model(self) -> str:
        """The model that answers next."""
        return self.talk.options.get("model") or self.line.settings.model

    def confirmed(self, question: str) -> bool:
        """Ask the user; without a terminal the answer is no."""
        return self._prompt.ask(f"{question} [y/N] ")

    def _go_on(self) -> None:
        while True:
            try:
                text = self._prompt.read()
                if text is None:
                    break
                self._take(text)
            except Quit:
                break
            except KeyboardInterrupt:
                if not self._interactive:
                    raise
            except HooklineError as problem:
                # Settings do not mend themselves; but a missing extra concerns one message only.
                if isinstance(problem, ConfigError) and not isinstance(problem, MissingExtra):
                    raise
                error(explained(problem))
                self._code = max(self._code, exit_code(problem))

    def _greet(self) -> None:
        address = self.line.settings.base_url
        self._aside(f"{self.model} at {address}; /help lists the commands, ctrl-D leaves")
        if len(self.talk):
            self._aside(f"{len(self.talk)} messages were loaded")

    def _aside(self, text: str) -> None:
        if self._interactive:
            console(stderr=True).print(styled((text, "dim")))

    def _take(self, text: str) -> None:
        first, _, rest = text.partition("\n")
        name, _, argument = first[1:].partition(" ")
        if not text.startswith("/") or (rest and name not in COMMANDS):  # a pasted path, say
            if text.strip():
                self._answer(text.strip())
            return
        command = COMMANDS.get(name)
        if command is None:
            raise InputError(
                f"there is no command /{name}; /help lists them. "
                "To send a line that begins with /, put a space in front"
            )
        command.run(self, f"{argument}\n{rest}".strip())

    def _answer(self, text: str) -> None:
        options: SendOptions = {"images": tuple(self.images)} if self.images else {}
        writer = Writer()
        before = len(self.talk)
        try:
            with self._interrupts.welcome(), ProgressBar() as bar:
                options["on_progress"] = bar
                with self.talk.stream(text, **options) as stream:
                    for piece in stream.text:
                        writer.write(piece)
                    reply = stream.reply
        except KeyboardInterrupt:
            writer.finish()
            self.bill.add_stopped()
            if not self._interactive:
                raise
            self._stopped(before)
            return
        except InputError:
            if self.images:
                self.images.clear()
                note("the images were put aside; attach them again with /image")
            raise
        finally:
            writer.finish()
        self.images.clear()
        self.bill.add(reply)
        self._aside(figures(reply))

    def _stopped(self, before: int) -> None:
        if len(self.talk) == before:
            note("stopped before a reply began; the message is forgotten")
            return
        self.images.clear()
        note("stopped; the reply is kept as far as it came, and marked incomplete")
