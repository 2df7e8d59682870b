"""What a line that begins with "/" does in a chat."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

from hookline.cli.chat.clipboard import pasted
from hookline.cli.chat.prompt import Completions
from hookline.cli.chat.transcript import load_conversation, save_conversation
from hookline.cli.output import console, note, styled
from hookline.cli.sources import pictures
from hookline.errors import InputError
from hookline.models import ModelTable
from hookline.send_options.call import check_model
from hookline.values.blocks import TextBlock, ToolResultBlock
from hookline.values.messages import Message

if TYPE_CHECKING:
    from hookline.cli.chat.session import Session

__all__ = ["COMMANDS", "Quit", "completions"]


class Quit(Exception):
    """The user wants to leave."""


def _help(_session: "Session", _argument: str) -> None:
    usages = [f"/{name} {command.argument}".rstrip() for name, command in COMMANDS.items()]
    width = max(map(len, usages))
    for usage, command in zip(usages, COMMANDS.values(), strict=True):
        console(stderr=True).print(styled((f"  {usage:<{width}}  ", "cyan"), (command.about, "")))


def _save(session: "Session", path: str) -> None:
    path = path or session.file or ""
    if not path:
        raise InputError("give /save the name of a file")
    if path != session.file and _is_file(path) and not session.confirmed(f"overwrite {path}?"):
        raise InputError(f"{path} exists and was left as it is; give /save another name")
    session.talk.options.setdefault("model", session.model)  # the default may be another one later
    target = save_conversation(path, session.talk)
    session.file = path
    count = len(session.talk)
    end = "; the last one is incomplete" if session.talk.incomplete else ""
    note(f"saved {count} message{'' if count == 1 else 's'} to {target}{end}")


def _load(session: "Session", path: str) -> None:
    if not path:
        raise InputError("give /load the name of a file")
    session.talk = load_conversation(path, session.line, {})
    session.file = path
    count = len(session.talk)
    note(f"{count} message{'' if count == 1 else 's'} from {path}; model: {session.model}")


def _show(session: "Session", _argument: str) -> None:
    screen = console()
    system = session.talk.options.get("system")
    if system is not None:
        screen.print(styled(("system", "bold cyan"), (f"  {_text_of(system)}", "")))
    for message in session.talk.messages:
        screen.print(styled((message.role, "bold cyan"), (f"  {_shown(message)}", "")))


def _cost(session: "Session", _argument: str) -> None:
    note(str(session.bill))


def _system(session: "Session", text: str) -> None:
    options = session.talk.options
    if text == "-":
        options.pop("system", None)
    elif text:
        options["system"] = text
    now = options.get("system")
    note(f"system prompt: {_text_of(now)}" if now else "there is no system prompt")


def _model(session: "Session", name: str) -> None:
    if name:
        line = session.line
        check_model(line.settings, line.model_table, name, strict=line.profile.all_rules)
        session.talk.options["model"] = name
    note(f"model: {session.model}")


def _image(session: "Session", source: str) -> None:
    if source:
        images = pictures(source.strip("'\""))
        for image in images:
            if image.kind == "path" and not _is_file(image.source):
                raise InputError(f"there is no file {image.source}")
        session.images += images
    note(f"images of the next message: {', '.join(map(repr, session.images)) or 'none'}")


def _paste(session: "Session", _argument: str) -> None:
    session.images += pasted()
    _image(session, "")


def _undo(session: "Session", _argument: str) -> None:
    messages = session.talk.messages
    last = max((i for i, each in enumerate(messages) if _is_said(each)), default=None)
    if last is None:
        raise InputError("there is nothing to undo")
    session.talk.messages = messages[:last]
    session.talk.incomplete = False
    note(f"undone; {last} message{'' if last == 1 else 's'} left")


def _quit(_session: "Session", _argument: str) -> None:
    raise Quit


def _nothing(_models: ModelTable) -> Iterable[str]:
    return ()


def _ids(models: ModelTable) -> Iterable[str]:
    return (facts.id for facts in models if not facts.retired)


@frozen
class Command:
    """A command of the chat.

    Attributes:
        argument: what it takes, in capitals; empty for nothing.
        about: what it does.
        run: does it, with session and argument.
        choices: what the argument may be, for completion; None for the name of a file.

    """

    argument: str
    about: str
    run: Callable[["Session", str], None]
    choices: Callable[[ModelTable], Iterable[str]] | None = _nothing


COMMANDS: Final[Mapping[str, Command]] = {
    "help": Command("", "list the commands", _help),
    "show": Command("", "print the conversation so far", _show),
    "cost": Command("", "say what this chat has cost", _cost),
    "save": Command("FILE", "write the conversation to a file", _save, None),
    "load": Command("FILE", "go on with a conversation that was saved", _load, None),
    "system": Command("TEXT", "set the system prompt; - removes it", _system),
    "model": Command("ID", "ask another model from now on", _model, _ids),
    "image": Command(
        "PATH|DIR|URL", "attach an image, or several, to the next message", _image, None
    ),
    "paste": Command("", "attach what is in the clipboard: an image, or files copied", _paste),
    "undo": Command("", "forget the last message and its reply", _undo),
    "quit": Command("", "leave; so does ctrl-D", _quit),
}


def completions(models: ModelTable) -> Completions:
    """Return what the prompt completes commands and their arguments from."""
    return {
        name: None if command.choices is None else _bound(command.choices, models)
        for name, command in COMMANDS.items()
    }


def _bound(
    choices: Callable[[ModelTable], Iterable[str]], models: ModelTable
) -> Callable[[], Iterable[str]]:
    return lambda: choices(models)


def _is_file(path: str | Path) -> bool:
    try:
        return Path(path).expanduser().is_file()
    except (OSError, RuntimeError, ValueError):  # saving says what is wrong with it
        return False


def _is_said(message: Message) -> bool:
    """Say whether a person said it; results of tools are user messages too."""
    return message.role == "user" and not all(
        isinstance(block, ToolResultBlock) for block in message.blocks
    )


def _shown(message: Message) -> str:
    return "\n".join(
        block.text if isinstance(block, TextBlock) else repr(block) for block in message.blocks
    )


def _text_of(system: object) -> str:
    """Return a system prompt for the eye: text, or the texts of its blocks."""
    if isinstance(system, list | tuple):
        return "\n".join(getattr(part, "text", None) or str(part) for part in system)
    return str(system)
