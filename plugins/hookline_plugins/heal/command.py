"""``hookline heal``: a saved conversation, mended."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from hookline import DecodeError, InputError, Message, Request
from hookline.models import ModelFacts, load_models
from hookline.plugin import read_file
from hookline.profiles import load_profiles
from hookline.wire import JSONDecodeError, loads, structure_message, unstructure
from hookline_plugins.heal.fitting import fitted
from hookline_plugins.heal.healing import heal
from hookline_plugins.heal.repairs import Repair, Unhealable

__all__ = ["command"]

_MOST: Final = 256 * 1024 * 1024  # bytes of a conversation
_NOTHING, _UNREADABLE, _HEALED, _NOT_HEALED = 0, 2, 3, 4
_EPILOG: Final = (
    "\b\nExamples:\n  hookline heal chat.json > mended.json\n  cat chat.json | hookline heal -"
)


@click.command("heal", epilog=_EPILOG)
@click.argument("path", metavar="FILE|-")
@click.option("--model", help="Mend what this model refuses, too.")
def command(path: str, model: str | None) -> int:
    """Mend a conversation that the API would refuse.

    FILE holds a JSON list of messages, or a request with messages in it. The mended JSON goes to the
    output, and what was done to the error output. Exit code: 0 if nothing was wrong, 3 if something was mended,
    4 if that cannot be done, 2 if FILE cannot be read.
    """
    try:
        facts = load_models().require(model) if model else None
        whole, messages = _read(path)
    except InputError as problem:
        click.echo(f"hookline: error: {problem}", err=True)
        return _UNREADABLE
    try:
        mended, system, repairs = _mended(messages, facts)
    except Unhealable as problem:
        click.echo(f"hookline: error: {problem}", err=True)
        return _NOT_HEALED
    for repair in repairs:
        click.echo(str(repair), err=True)
    data: Any = [unstructure(each) for each in mended]
    if isinstance(whole, dict):
        data = {**whole, "messages": data}
        if system:
            data["system"] = "\n\n".join(filter(None, (_text(whole.get("system")), system)))
    elif system:
        click.echo(f"the system prompt that stood in it: {system}", err=True)
    text = json.dumps(data, ensure_ascii=False, indent=2)
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode() + "\n")
    return _HEALED if repairs else _NOTHING


def _mended(
    messages: Sequence[Message], facts: ModelFacts | None
) -> tuple[tuple[Message, ...], str, tuple[Repair, ...]]:
    healed = heal(messages)
    system = "\n\n".join(block.text for block in healed.system)
    if facts is None:
        return healed.messages, system, healed.repairs
    request = Request(facts.id, 1, healed.messages)
    request, more = fitted(request, facts, load_profiles().require("anthropic"))
    return request.messages, system, (*healed.repairs, *more)


def _text(system: Any) -> str:
    if isinstance(system, list):
        return "\n\n".join(str(block.get("text", "")) for block in system)
    return system if isinstance(system, str) else ""


def _bytes(path: str) -> bytes:
    try:
        return read_file(Path(path).expanduser(), most=_MOST, empty=True)
    except (InputError, RuntimeError) as problem:  # ~ of a user who does not exist
        raise InputError(f"{path}: {problem}") from problem


def _read(path: str) -> tuple[Any, list[Message]]:
    """Return what a file holds, and the messages in it.

    Raises:
        InputError: it cannot be read, or holds something else.

    """
    try:
        whole = loads(sys.stdin.buffer.read() if path == "-" else _bytes(path))
    except JSONDecodeError as problem:
        raise InputError(f"{path} is not JSON: {problem}") from problem
    found = whole.get("messages") if isinstance(whole, dict) else whole
    if not isinstance(found, list):
        raise InputError(f"{path} must hold a JSON list of messages, or a request with messages")
    messages = []
    for index, item in enumerate(found):
        try:
            messages.append(structure_message(item))
        except DecodeError as problem:
            raise InputError(f"{path}: messages[{index}]: {problem}") from problem
    return whole, messages
