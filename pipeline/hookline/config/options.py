"""What the field of an option says of itself, and the check of a value against it.

The fields of ``Settings`` and those of a plugin's class are options alike. Beside its type, a field's
metadata says what else holds: ``field(default=10, metadata=option(harmless=True, least=0))``.
"""

import tomllib
from collections.abc import Callable, Collection, Mapping
from sys import float_info
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin

from attrs import Attribute, frozen

from hookline.errors import ConfigError
from hookline.values.brief import brief

__all__ = ["Facts", "checked", "facts_of", "nearest", "option", "read_text"]

_KEY: Final = "hookline"
_TRUE_OR_FALSE: Final = {"true": True, "false": False}


@frozen
class Facts:
    """What holds for an option beside its type.

    Attributes:
        harmless: whether a file that was merely found may set it, or which values of it.
        secret: whether its value is a secret, which settings give by reference only.
        above: what a number must be greater than.
        least: the smallest number that it may be.
        most: the largest.
        unit: of a number.

    """

    harmless: bool | Callable[[Any], bool] = False
    secret: bool = False
    above: float | None = None
    least: float | None = None
    most: float | None = None
    unit: str = ""

    def harmless_as(self, value: Any) -> bool:
        """Say whether a file that was merely found may give the option this value."""
        return self.harmless(value) if callable(self.harmless) else self.harmless

    @property
    def bounded(self) -> bool:
        """Whether a number must be finite and within bounds."""
        return (self.above, self.least, self.most) != (None, None, None)

    def outside(self, value: float) -> bool:
        """Say whether a number is out of bounds; what is no finite number is."""
        return not (
            abs(value) <= float_info.max  # an int may be larger than every float
            and (self.above is None or value > self.above)
            and (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
        )

    @property
    def bounds(self) -> str:
        """The unit and the bounds in words, beginning with a space; empty if there are none."""
        words = f" of {self.unit}" if self.unit else ""
        for name, bound in (("above", self.above), ("of at least", self.least)):
            if bound is not None:
                words += f" {name} {bound:g}"
        return words + (f" and of {self.most:g} at most" if self.most is not None else "")


_NOTHING: Final = Facts()


def option(
    *,
    harmless: bool | Callable[[Any], bool] = False,
    secret: bool = False,
    above: float | None = None,
    least: float | None = None,
    most: float | None = None,
    unit: str = "",
) -> Mapping[str, Facts]:
    """Say more of an option than its type does; the ``metadata`` of its field.

    A ``hookline.toml`` that merely lies in a folder may have come with somebody else's repository.
    Mark an option harmless only if its worst value can neither send anything anywhere, nor read or
    write a file, nor weaken a rule.

    Args:
        harmless: whether a file that was merely found may set it, or a function that says which
            values of it are.
        secret: the value is a secret. Files and variables give it by reference (``env:NAME``,
            ``file:PATH``, ``keyring:SERVICE/NAME``, ``command:…``); the plugin gets a ``Secret``.
        above: what a number must be greater than.
        least: the smallest number that it may be.
        most: the largest.
        unit: of a number, for messages: ``"seconds"``.

    Example:
        >>> @frozen
        ... class Polite:
        ...     word: str = field(default="please", metadata=option(harmless=True))

    """
    return {_KEY: Facts(harmless, secret, above, least, most, unit)}


def facts_of(field: "Attribute[Any]") -> Facts:
    """Return what an option's field says of itself."""
    facts: Facts = field.metadata.get(_KEY, _NOTHING)
    return facts


def nearest(name: str, known: Collection[str]) -> str:
    """Return the hint for a name that there is not."""
    from difflib import get_close_matches  # noqa: PLC0415 -- only for the text of an error

    near = get_close_matches(name, known, 1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known) or 'none'}"


def checked(name: str, value: Any, wanted: Any, facts: Facts) -> Any:
    """Return the value of a setting, if it is one.

    Args:
        name: of the setting, for messages.
        value: as TOML or code gives it; nothing is coerced but a list to a tuple.
        wanted: ``str``, ``int``, ``float``, ``bool``, a ``Literal``, ``tuple[str, ...]`` or
            a ``Mapping``, whose content is not looked at.
        facts: what else holds.

    Raises:
        ConfigError: it is of another type, or out of bounds.

    """
    origin = get_origin(wanted)
    if origin is Literal:
        fits, words = value in get_args(wanted), f"one of {', '.join(map(repr, get_args(wanted)))}"
    elif origin is tuple:
        fits, words = _are_names(value), "a list of names"
    elif origin is not None:
        fits, words = isinstance(value, Mapping), "a table"
    elif wanted in (int, float):
        kinds = int if wanted is int else (int, float)
        number = isinstance(value, kinds) and not isinstance(value, bool)
        fits = number and not facts.outside(value)
        words = f"a {'whole ' if wanted is int else ''}number{facts.bounds}"
    else:
        fits, words = isinstance(value, wanted), "true or false" if wanted is bool else "a text"
    if not fits:
        # What should be a table holds headers, and they may be credentials.
        shown = type(value).__name__ if words == "a table" else brief(value)
        raise ConfigError(f"{name} must be {words}, not {shown}")
    return tuple(value) if isinstance(value, list) else value


def read_text(text: str, wanted: Any) -> Any:
    """Return the value that a text from the environment or the command line stands for.

    Args:
        text: TOML if it is, else plain; names are separated by commas.
        wanted: the type of the option, or None where it is not known.

    """
    given = [each for each in get_args(wanted) if each is not NoneType]
    if NoneType in get_args(wanted) and len(given) == 1:
        return read_text(text, given[0])
    if wanted is str or get_origin(wanted) is Literal:
        return text
    if get_origin(wanted) is tuple and not text.startswith("["):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return _TRUE_OR_FALSE.get(text.lower(), text)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_names(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(map(_is_text, value))
