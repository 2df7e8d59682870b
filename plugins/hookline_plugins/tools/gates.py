"""Gates in front of a tool: refused by a rule, or approved, edited, refused or answered by a person."""

from collections.abc import Callable, Mapping
from inspect import isawaitable
from json import dumps as json_text
from typing import Any, Final, TypeAlias

from attrs import frozen

from hookline import InputError, ToolUseBlock, Turn
from hookline.values import thaw
from hookline_plugins.tools.running import is_async

__all__ = ["Decision", "Deny", "Human", "decision"]

NOT_APPROVED: Final = "A person decides on calls of this tool, and did not approve this one."


@frozen(kw_only=True)
class Decision:
    """What was decided on a call: it runs as it is or edited, or it has a result already.

    Attributes:
        call: what is to be run, or None.
        refused: why it is not.
        result: what stands for its result.

    """

    call: ToolUseBlock | None = None
    refused: str | None = None
    result: Any = None


def decision(call: ToolUseBlock, said: Any) -> Decision:
    """Read what somebody decided on a call.

    Args:
        call: as the model made it.
        said: ``"approve"``, ``{"edit": input}``, ``{"refuse": reason}``, ``{"result": text}``; None, when
            nobody said anything, is no approval. A callback may also say True or False.

    Raises:
        InputError: none of these.

    """
    if said is True or said == "approve":
        return Decision(call=call)
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
        f"the decision on {call.name} ({call.id}) must be 'approve', {{'edit': input}}, "
        f"{{'refuse': reason}} or {{'result': text}}, not {said!r}"
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
        if is_async(self.callback):
            said = self.callback(call)
        else:
            said = await turn.io.outwait(self.callback, call, seconds=turn.remaining())
        if isawaitable(said):
            seconds = turn.remaining()
            said = await (said if seconds is None else turn.io.bounded(said, seconds))
        return decision(call, said)


def in_terminal(call: ToolUseBlock) -> Any:
    """Ask whoever sits at the terminal; where there is none, the call is not approved."""
    shown = json_text(thaw(call.input), ensure_ascii=True)[:2000]  # what cannot move the cursor
    try:
        answer = input(f"Run {call.name!r} with {shown}? [y]es, [n]o: ")
    except (EOFError, OSError):
        return None
    return answer.strip().lower() in ("y", "yes")
