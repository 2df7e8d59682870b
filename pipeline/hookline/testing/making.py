"""Turns and replies without a pipeline, and one hook run by itself."""

from collections.abc import Callable, Iterable, Mapping
from inspect import isawaitable, signature
from typing import Any, Final

from attrs import fields

from hookline import hookspecs
from hookline._io import SyncIO, drive
from hookline._journey.contract import HOOKS
from hookline._journey.plugin_set import Plugin, PluginSet
from hookline.errors import ConfigError
from hookline.models import load_models
from hookline.reply import Outcome, Reply
from hookline.trace import AttemptRecord
from hookline.turn import Fetched, Turn
from hookline.values.blocks import Block, TextBlock, ToolResultBlock, ToolUseBlock
from hookline.values.destination import Destination
from hookline.values.events import MessageStop
from hookline.values.messages import Message, Request, Response
from hookline.values.usage import Usage

__all__ = ["make_reply", "make_request", "make_turn", "run_hook"]

_MODEL: Final = "claude-haiku-4-5"


async def _no_network(url: str, **_: Any) -> Fetched:
    raise ConfigError(
        f"a turn of make_turn() fetches nothing, and {url} was wanted; use the fixture `line`"
    )


def make_turn(**fields: Any) -> Turn:
    """Return a turn that belongs to no pipeline; it waits as a ``Pipeline`` does and fetches nothing.

    Args:
        **fields: of ``Turn``: ``principal``, ``context``, ``options``, ``surface`` …

    Example:
        >>> turn = make_turn(surface="stream", stream=True, principal=Principal(user="ada"))

    """
    io = SyncIO(_no_network)
    given = {
        "id": "turn_test",
        "io": io,
        "models": load_models(),
        "destination": Destination(base_url="sim:"),
        "deadline": io.now() + 60,
        "timeout": 60.0,
    }
    return Turn(**{**given, **fields})


def make_request(text: Any = "Hello", **fields: Any) -> Request:
    """Return a request with one user message.

    Args:
        text: the message's content: a text, or blocks.
        **fields: of ``Request``.

    """
    request = Request(_MODEL, 1024, (Message("user", "Hello"),))
    return request.evolve(messages=[{"role": "user", "content": text}], **fields)


def make_reply(
    text_or_blocks: "str | Iterable[Block | Mapping[str, Any]]" = "Hello!", **fields: Any
) -> Reply:
    """Return a reply.

    Args:
        text_or_blocks: what the model said.
        **fields: of ``Reply``: ``request``, ``prefill`` …; and of its response: ``stop_reason``,
            ``usage`` …

    Example:
        >>> make_reply("Hello!", stop_reason="max_tokens").truncated
        True

    """
    blocks: Any = text_or_blocks
    if isinstance(blocks, str):
        blocks = (TextBlock(blocks),) if blocks else ()
    else:
        blocks = make_request(list(blocks)).messages[0].blocks
    of_reply = {name: fields.pop(name) for name in list(fields) if name in _OF_REPLY}
    given: dict[str, Any] = {
        "id": "msg_test",
        "model": _MODEL,
        "content": tuple(blocks),
        "stop_reason": "end_turn",
        "usage": Usage(input_tokens=3, output_tokens=5),
    }
    response = Response(**{**given, **fields})
    return Reply(**{"response": response, "request": make_request(), **of_reply})


_OF_REPLY: Final = frozenset(each.name for each in fields(Reply)) - {"response"}


async def _answer(given: Any) -> Any:
    """Answer what a layer passes on: a request, or a tool call."""
    if isinstance(given, ToolUseBlock):
        return ToolResultBlock(given.id, "done")
    return make_reply().response


def _given(hook: str) -> dict[str, Callable[[], Any]]:
    """Return what makes each argument that a test does not name."""
    return {
        "turn": make_turn,
        "request": make_request,
        "call_next": lambda: _answer,
        "reply": (lambda: None) if hook == "on_turn_end" else make_reply,
        "call": lambda: ToolUseBlock("toolu_test", "get_weather", {"city": "Oslo"}),
        "result": lambda: ToolResultBlock("toolu_test", "sunny"),
        "seconds": lambda: 0.1,
        "event": MessageStop,
        "error": lambda: None,
        "attempt": lambda: AttemptRecord(1, 0, _MODEL, 0.5, status=200),
        "outcome": lambda: Outcome(
            reply=make_reply(), error=None, attempts=(), models=load_models()
        ),
    }


def run_hook(plugin: Any, hook: str, **arguments: Any) -> Any:
    """Run one hook of one plugin, as a pipeline would, and return what it returns.

    An ``async def`` runs without an event loop, so it may await only ``turn.io`` and ``call_next``.
    What it raises is raised as it is.

    Args:
        plugin: an object, or a module.
        hook: its name.
        **arguments: of the hook; a test need not give those that do not matter to it.

    Returns:
        What the hook returns. Of a register hook: the list of what was registered.

    Raises:
        ConfigError: it is no plugin, has no such hook, or an argument is not one of the hook.

    Example:
        >>> run_hook(Polite(), "build_history", request=make_request("Hi")).system
        'Be polite.'

    """
    found = PluginSet([Plugin.of(plugin)]).of(hook) if hook in HOOKS else ()
    if not found:
        raise ConfigError(f"{Plugin.of(plugin).name!r} does not implement a hook {hook!r}")
    parameters = tuple(signature(getattr(hookspecs, hook)).parameters)
    for name in arguments:
        if name not in parameters:
            raise ConfigError(f"hook {hook!r} has no parameter {name!r}; {', '.join(parameters)}")
    if parameters == ("register",):
        added: list[Any] = []
        found[0].call(lambda *given: added.append(given[0] if len(given) == 1 else given))
        return added
    defaults = _given(hook)
    values = [arguments[name] if name in arguments else defaults[name]() for name in parameters]
    result = found[0].call(*values)
    return drive(result) if isawaitable(result) else result
