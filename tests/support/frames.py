"""What whoever records the local variables of a traceback would show of them."""

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Final

from rich.pretty import traverse

__all__ = ["by_rich", "chain", "shown_variables"]

_DEPTH: Final = 5
_CUT: Final = 80  # characters; rich cuts longer texts before it asks for their repr


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, all that caused it or was handled meanwhile, and the members of groups."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        at = waiting.pop()
        if at is None or id(at) in seen:
            continue
        seen.add(id(at))
        yield at
        waiting += [at.__cause__, at.__context__, *getattr(at, "exceptions", ())]


def shown_variables(error: BaseException, *, but: str) -> Iterator[str]:
    """Yield each local variable of each frame as it may be shown, with where it stands.

    Args:
        error: with its traceback.
        but: the path of a file whose frames are left out, since it sets canaries free.

    """
    for each in chain(error):
        at: TracebackType | None = each.__traceback__
        while at is not None:
            code = at.tb_frame.f_code
            if code.co_filename != but:
                for name, value in at.tb_frame.f_locals.items():
                    for view in (*_views(value, _DEPTH), by_rich(value)):
                        yield f"{code.co_filename}:{code.co_name}: {name} = {view}"
            at = at.tb_next


def by_rich(value: Any) -> str:
    """Return what rich shows of a value in a traceback: each field of an attrs class, by its own rules."""
    return "".join(traverse(value, max_length=10, max_string=_CUT).iter_tokens())


def _views(value: Any, depth: int) -> Iterator[str]:
    """Yield the reprs of a value and, as Sentry and rich do, of what containers hold."""
    yield repr(value)
    if isinstance(value, str | bytes):
        yield repr(value[:_CUT])
    elif depth and isinstance(value, Mapping):
        for key, item in [*value.items()]:
            yield from _views(key, depth - 1)
            yield from _views(item, depth - 1)
    elif depth and isinstance(value, list | tuple | set | frozenset):
        for item in [*value]:
            yield from _views(item, depth - 1)
