"""One code for functions of plugins that are ``def`` and for those that are ``async def``.

Who needs answers of a function is a generator: it yields what it asks and is sent the answer, and so
does not know the function's colour. With a ``def`` nothing is ever awaited, so an event costs no more.
"""

from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeAlias, TypeVar, cast

__all__ = ["Asks", "Maybe", "Rewrite", "answered", "then"]

T = TypeVar("T")
U = TypeVar("U")

Maybe: TypeAlias = T | Awaitable[T]
Asks: TypeAlias = Generator[str, str, T]
Rewrite: TypeAlias = Callable[[str], Maybe[str]]


def then(result: Maybe[T], go_on: Callable[[T], U]) -> Maybe[U]:
    """Go on with what a function returned: at once, or once it has been awaited."""
    if hasattr(result, "__await__"):
        return _then_later(cast("Awaitable[T]", result), go_on)
    return go_on(result)  # pyright: ignore[reportArgumentType]  # it has no __await__, so it is a T


async def _then_later(result: Awaitable[T], go_on: Callable[[T], U]) -> U:
    return go_on(await result)


def answered(asking: Asks[T], rewrite: Rewrite) -> Maybe[T]:
    """Answer all that a generator asks with a function, and return the generator's own result.

    Raises:
        TypeError: the function gave something else than a str.

    """
    answer: Any = None
    while True:
        try:
            text = asking.send(answer)
        except StopIteration as done:
            return cast("T", done.value)
        answer = rewrite(text)
        if hasattr(answer, "__await__"):
            return _answered_later(asking, rewrite, answer)
        _require_text(answer)


async def _answered_later(asking: Asks[T], rewrite: Rewrite, result: Any) -> T:
    while True:
        answer = await result if hasattr(result, "__await__") else result
        _require_text(answer)
        try:
            text = asking.send(answer)
        except StopIteration as done:
            return cast("T", done.value)
        result = rewrite(text)


def _require_text(answer: object) -> None:
    if not isinstance(answer, str):
        raise TypeError(f"a filter of deltas gave {type(answer).__name__!r}, where a str is wanted")
