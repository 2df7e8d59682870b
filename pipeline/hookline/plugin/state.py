"""Values that a plugin keeps for one turn, or for one conversation.

Declared on the plugin's class, made when first used, gone with the turn or the conversation::

    class Counter:
        seen = TurnState(int)

        @hookimpl
        def on_event(self, turn):
            self.seen[turn] += 1

Each instance of the plugin has a value of its own, however equal to another it is: plugins need no
hashing and no naming rules.
"""

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

from hookline.turn import Turn

__all__ = ["ConversationState", "TurnState"]

T = TypeVar("T")


class _Declared(Generic[T]):
    """What both kinds share: a place on a class, and a value for each instance and owner.

    Args:
        factory: makes the value when it is first asked for.

    """

    def __init__(self, factory: Callable[[], T]) -> None:
        self._factory = factory

    @overload
    def __get__(self, plugin: None, owner: type) -> Self: ...
    @overload
    def __get__(self, plugin: object, owner: type) -> "_Values[T]": ...
    def __get__(self, plugin: object | None, owner: type) -> "Self | _Values[T]":
        return self if plugin is None else _Values(self, plugin)

    def kept(self, turn: Turn) -> dict[Any, Any]:
        """Return what the values are kept in."""
        return turn.state

    def made(self) -> T:
        """Return a new value."""
        return self._factory()


class TurnState(_Declared[T]):
    """A value for each turn: ``self.name[turn]``."""


class ConversationState(_Declared[T]):
    """A value for each conversation: ``self.name[turn]``; outside of one, for the turn."""

    def kept(self, turn: Turn) -> dict[Any, Any]:
        """Return what the values are kept in."""
        conversation = turn.conversation
        state: dict[Any, Any] = turn.state if conversation is None else conversation.state
        return state


class _Values(Generic[T]):
    """The values of one plugin instance."""

    __slots__ = ("_declared", "_key")

    def __init__(self, declared: _Declared[T], plugin: object) -> None:
        self._declared = declared
        self._key = (id(declared), id(plugin))  # both live as long as the pipeline

    def __getitem__(self, turn: Turn) -> T:
        kept = self._declared.kept(turn)
        try:
            value: T = kept[self._key]
        except KeyError:
            value = kept[self._key] = self._declared.made()
        return value

    def __setitem__(self, turn: Turn, value: T) -> None:
        self._declared.kept(turn)[self._key] = value

    def __contains__(self, turn: Turn) -> bool:
        return self._key in self._declared.kept(turn)
