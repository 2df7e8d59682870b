"""Gates in front of a tool: refused by a rule, or approved, edited, refused or answered by a person."""

import threading
from collections.abc import Callable, Mapping, Sequence
from inspect import isawaitable
from json import dumps as json_text
from typing import Any, Final, TypeAlias

from attrs import frozen

from hookline import ConfigError, InputError, Tool, ToolUseBlock, Turn
from hookline.values import thaw
from hookline_plugins.tools.running import is_async

__all__ = ["Decision", "Deny", "Human", "asked", "callback_of", "decision"]

_TERMINAL: Final = threading.Lock()
NOT_APPROVED: Final = "A person decides on calls of this tool, and did not approve this one."


@frozen(kw_only=True)
class Decision:
    """What was decided on a call: it runs as it is or edited, or it has a result already.

    Attributes:
        call: what is to be run, or None.
        refused: why it is not.
        result: what stands for its result.
        again: whether it runs although it may have run before.

    """

    call: ToolUseBlock | None = None
    again: bool = False
    refused: str | None = None
    result: Any = None


def decision(call: ToolUseBlock, said: Any) -> Decision:
    """Read what somebody decided on a call.

    Args:
        call: as the model made it.
        said: ``"approve"``, ``"again"``, ``{"edit": input}``, ``{"refuse": reason}``, ``{"result": text}``; None, when
            nobody said anything, is no approval. A callback may also say True or False.

    Raises:
        InputError: none of these.

    """
    if said is True or said == "approve":
        return Decision(call=call)
    if said == "again":
        return Decision(call=call, again=True)
    if said is None or said is False or said == "refuse":
        return Decision(refused=NOT_APPROVED)
    if isinstance(said, Mapping) and len(said) == 1:
        ((verb, value),) = said.items()
        if verb == "edit" and isinstance(value, Mapping):
            return Decision(call=call.evolve(input=value))
        if verb == "refuse" and isinstance(value, str):
            return Decision(refused=value or NOT_APPROVED)
        if verb == "result" and isinstance(value, str):
            return Decision(result=value)
    raise InputError(
        f"the decision on {call.name} ({call.id}) must be 'approve', 'again', "
        f"{{'edit': input}}, {{'refuse': reason}} or {{'result': text}}, not {said!r}"
    )


@frozen
class Deny:
    """Refuses every call, and tells the model why."""

    reason: str = "This tool may not be used here."

    def __str__(self) -> str:
        return f"deny ({self.reason})"

    async def ask(self, _turn: Turn, _call: ToolUseBlock) -> Decision:
        """Refuse."""
        return Decision(refused=self.reason)


Ask: TypeAlias = Callable[[ToolUseBlock], Any]


@frozen
class Human:
    """Lets a person decide on every call.

    Attributes:
        callback: gets the call and returns the decision, ``def`` or ``async def``; None defers: the call
            goes back to the caller, in ``reply.pending``.

    """

    callback: Ask | None = None

    def __str__(self) -> str:
        if self.callback is None:
            return "human (deferred)"
        return "human (terminal)" if self.callback is in_terminal else "human (callback)"

    async def ask(self, turn: Turn, call: ToolUseBlock) -> Decision | None:
        """Return what the person decided; None if that is for later.

        Raises:
            InputError: the callback said something else.

        """
        if self.callback is None:
            return None
        return decision(call, await asked(turn, self.callback, call))


async def asked(turn: Turn, callback: Callable[..., Any], *subject: Any) -> Any:
    """Return what a callback says, ``def`` or ``async def``, within the turn's time."""
    if is_async(callback):
        said = callback(*subject)
    else:
        said = await turn.io.outwait(callback, *subject, seconds=turn.remaining())
    if not isawaitable(said):
        return said
    seconds = turn.remaining()
    return await (said if seconds is None else turn.io.bounded(said, seconds))


def callback_of(how: Any, terminal: Callable[..., Any], option: str) -> Callable[..., Any] | None:
    """Return who is asked where a route says ``how``: a callback, ``"terminal"``, or nobody.

    Raises:
        ConfigError: something else.

    """
    if how == "terminal":
        return terminal
    if how is None or callable(how):
        return how  # type: ignore[no-any-return]  # as just asked
    raise ConfigError(f"tools: {option} takes a callback or 'terminal', not {how!r}")


def in_terminal(call: ToolUseBlock) -> Any:
    """Ask whoever sits at the terminal; where there is none, the call is not approved."""
    return confirmed(f"Run {_plain(call.name)} with {_plain(thaw(call.input))}?")


def confirmed(question: str) -> bool | None:
    """Ask whoever sits at the terminal; None where nobody does."""
    with _TERMINAL:  # calls that come at once are asked about one after the other
        try:
            answer = input(f"{question} [y]es, [n]o: ")
        except (EOFError, OSError):
            return None
    return answer.strip().lower() in ("y", "yes")


def changed_in_terminal(server: str, tools: Sequence[Tool]) -> bool | None:
    """Show whoever sits at the terminal what an MCP server says of its tools now."""
    said = "\n".join(f"  {_plain(tool.name)}: {_plain(tool.description)}" for tool in tools)
    return confirmed(f"{_plain(server)} describes its tools in another way now:\n{said}\nApprove?")


def _plain(value: Any) -> str:
    """Return a value as text that cannot move the cursor."""
    return json_text(value, ensure_ascii=True)[:2000]
