"""Options that are given in code: checked by type, and whatever is wrong with them told as one error.

Those of a file are checked before the plugin is made. Whoever writes ``Retry(attempts="3")`` should read
the same, and no bare Python error out of the middle of a comparison.
"""

from collections.abc import Callable
from functools import wraps
from inspect import signature
from os import PathLike
from types import NoneType, UnionType
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin

from attrs import Attribute, fields

from hookline.config import facts_of, nearest
from hookline.errors import ConfigError, HooklineError
from hookline.values.brief import brief

__all__ = ["checks_options"]

T = TypeVar("T")

_WORDS: Final[dict[Any, str]] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    NoneType: "None",
}


def checks_options(cls: type[T]) -> type[T]:
    """Let an attrs class of a plugin tell wrong options as a ``ConfigError``; stands above ``@frozen``.

    Texts, numbers, flags and ``Literal`` are checked by the types of their fields, and numbers by the bounds of ``option()``. What converters,
    validators and ``__attrs_post_init__`` raise becomes a ``ConfigError``, too.

    Args:
        cls: the class.

    Returns:
        The same class.

    Example:
        >>> @checks_options
        ... @frozen
        ... class Polite:
        ...     name = "polite"
        ...     times: int = 1
        >>> Polite(times="two")
        Traceback (most recent call last):
        hookline.errors.ConfigError: polite: times must be a whole number, not 'two'

    """
    made: Callable[..., None] = cls.__init__
    taken = signature(made)
    name = getattr(cls, "name", cls.__name__)
    if not isinstance(name, str):  # an attrs field without a default
        name = cls.__name__
    options = {each.alias: each for each in fields(cls) if each.init}  # type: ignore[arg-type]  # attrs's

    @wraps(made)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            given = taken.bind(self, *args, **kwargs).arguments
            for option, value in given.items():
                if option in options:
                    _check(f"{name}: {option}", value, options[option])
            made(self, *args, **kwargs)
        except HooklineError:
            raise
        except Exception as error:
            unknown = next((each for each in kwargs if each not in options), None)
            hint = f"; {nearest(unknown, options)}" if unknown is not None else ""
            text = error.args[0] if error.args else type(error).__name__  # attrs adds its field
            raise ConfigError(f"{name}: {text}{hint}") from error

    cls.__init__ = init  # type: ignore[method-assign]  # it takes what it took
    return cls


def _check(where: str, value: Any, field: "Attribute[Any]") -> None:
    wanted, facts = field.type, facts_of(field)
    parts = get_args(wanted) if get_origin(wanted) in (Union, UnionType) else (wanted,)
    if not all(part in _WORDS or get_origin(part) is Literal for part in parts):
        return  # what is no plain value the plugin itself looks at
    if not any(_fits(value, part) for part in parts):
        words = " or ".join(map(_worded, parts))
        raise ConfigError(f"{where} must be {words}, not {brief(value)}")
    if facts.bounded and isinstance(value, int | float) and facts.outside(value):
        raise ConfigError(f"{where} must be a number{facts.bounds}, not {brief(value)}")


def _fits(value: Any, part: Any) -> bool:
    if get_origin(part) is Literal:
        return isinstance(value, str | int) and value in get_args(part)
    if part is str:
        return isinstance(value, str | PathLike)  # options that name a file are texts in files
    if part is float:
        part = (int, float)
    return isinstance(value, part) and (part is bool or not isinstance(value, bool))


def _worded(part: Any) -> str:
    if get_origin(part) is Literal:
        return f"one of {', '.join(map(repr, get_args(part)))}"
    return _WORDS[part]
