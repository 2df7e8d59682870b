"""A small language for the shape of JSON, with the API's own texts for what does not fit.

The tables of fields (``fields.py``) are written in it. Positions are dotted, and where a field may
hold one of several objects the kind stands in the position, as the API has it:
``messages.0.content.2.image.source.base64.data: Field required``.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from attrs import field, frozen

from hookline.simulator.errors import ApiError, invalid


class Shape(Protocol):
    """Something that a JSON value can be checked against."""

    def check(self, value: Any, path: str, betas: frozenset[str]) -> None:
        """Raise an ``ApiError`` naming ``path`` when ``value`` does not fit."""
        ...


def at(path: str, *steps: str | int) -> str:
    """Join a position and further steps with dots."""
    return ".".join(str(step) for step in (path, *steps) if step != "")


def wrong(path: str, text: str) -> ApiError:
    """Return the 400 for a position."""
    return invalid(f"{path}: {text}" if path else text)


def listed(names: Iterable[str], last_word: str = "or") -> str:
    """Write names as the API does: ``'a', 'b' or 'c'``."""
    quoted = [f"'{name}'" for name in names]
    if len(quoted) == 1:
        return quoted[0]
    return f"{', '.join(quoted[:-1])} {last_word} {quoted[-1]}"


@frozen
class Anything:
    """Any JSON value."""

    def check(self, value: Any, path: str, betas: frozenset[str]) -> None:
        """Accept it."""


@frozen
class Text:
    """A string.

    Args:
        choices: The only allowed values, when given.
        longest: Most characters.
        pattern: What it must match.

    """

    choices: tuple[str, ...] = ()
    longest: int | None = None
    pattern: str | None = None

    def check(self, value: Any, path: str, betas: frozenset[str]) -> None:  # noqa: ARG002 - Shape's
        """Check a string."""
        if self.choices and value not in self.choices:
            raise wrong(path, f"Input should be {listed(self.choices)}")
        if not isinstance(value, str):
            raise wrong(path, "Input should be a valid string")
        if self.longest is not None and len(value) > self.longest:
            raise wrong(path, f"String should have at most {self.longest} characters")
        if self.pattern is not None and re.fullmatch(self.pattern.strip("^$"), value) is None:
            raise wrong(path, f"String should match pattern '{self.pattern}'")


@frozen
class Number:
    """A number.

    Args:
        whole: Whether it must be an integer.
        least: Smallest allowed value.
        most: Largest allowed value.

    """

    whole: bool = True
    least: float | None = None
    most: float | None = None

    def check(self, value: Any, path: str, betas: frozenset[str]) -> None:  # noqa: ARG002 - Shape's
        """Check a number."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            kind = "integer" if self.whole else "number"
            raise wrong(path, f"Input should be a valid {kind}")
        if self.whole and isinstance(value, float) and not value.is_integer():
            raise wrong(
                path, "Input should be a valid integer, got a number with a fractional part"
            )
        if self.least is not None and value < self.least:
            raise wrong(path, f"Input should be greater than or equal to {self.least:g}")
        if self.most is not None and value > self.most:
            raise wrong(path, f"Input should be less than or equal to {self.most:g}")


@frozen
class Flag:
    """A boolean."""

    def check(self, value: Any, path: str, betas: frozenset[str]) -> None:  # noqa: ARG002 - Shape's
        """Check a boolean."""
        if not isinstance(value, bool):
            raise wrong(path, "Input should be a valid boolean")


@frozen
class Free:
    """An object with any keys, whose values have one shape.

    Args:
        of: The shape of each value.

    """

    of: Shape = Anything()

    def check(self, value: Any, path: str, betas: frozenset[str]) -> None:
        """Check an object with free keys."""
        if not isinstance(value, dict):
            raise wrong(path, "Input should be an object")
        for key, item in value.items():
            self.of.check(item, at(path, key), betas)


@frozen
class Items:
    """An array.

    Args:
        of: The shape of each item.
        least: Fewest items.
        most: Most items.

    """

    of: Shape
    least: int = 0
    most: int | None = None

    def check(self, value: Any, path: str, betas: frozenset[str]) -> None:
        """Check an array."""
        if not isinstance(value, list):
            raise wrong(path, "Input should be a valid array")
        if len(value) < self.least:
            raise wrong(
                path,
                f"List should have at least {self.least} item{'s' if self.least > 1 else ''} "
                f"after validation, not {len(value)}",
            )
        if self.most is not None and len(value) > self.most:
            raise wrong(
                path,
                f"List should have at most {self.most} items after validation, not {len(value)}",
            )
        for position, item in enumerate(value):
            self.of.check(item, at(path, position), betas)


@frozen
class Either:
    """A string, or else something more structured.

    Args:
        other: The shape when it is not a string.
        text: The shape when it is one.

    """

    other: Shape
    text: Text = Text()

    def check(self, value: Any, path: str, betas: frozenset[str]) -> None:
        """Check by the kind of value."""
        (self.text if isinstance(value, str) else self.other).check(value, path, betas)


@frozen
class Beta:
    """A shape that needs a beta header; without it the field is unknown.

    Args:
        shape: The shape with the header.
        headers: Any one of these opens it.

    """

    shape: Shape
    headers: tuple[str, ...]

    def check(self, value: Any, path: str, betas: frozenset[str]) -> None:
        """Refuse it as unknown, or check it."""
        if betas.isdisjoint(self.headers):
            raise wrong(path, "Extra inputs are not permitted")
        self.shape.check(value, path, betas)


@frozen
class _Field:
    shape: Shape
    required: bool
    nullable: bool


def _fields(table: Mapping[str, Shape]) -> dict[str, _Field]:
    return {
        name.rstrip("!?"): _Field(shape, required="!" in name, nullable="?" in name)
        for name, shape in table.items()
    }


@frozen
class Record:
    """An object with known fields.

    Args:
        fields: Name to shape. A name that ends in ``!`` is required, in ``?`` may be null.

    """

    fields: Mapping[str, _Field] = field(converter=_fields)

    def check(self, value: Any, path: str, betas: frozenset[str]) -> None:
        """Check an object: missing fields first, then unknown ones, then each value."""
        if not isinstance(value, dict):
            raise wrong(path, "Input should be an object")
        for name, known in self.fields.items():
            if known.required and name not in value:
                raise wrong(at(path, name), "Field required")
        for name, item in value.items():
            known_field = self.fields.get(name)
            if known_field is None:
                raise wrong(at(path, name), "Extra inputs are not permitted")
            if item is None and known_field.nullable:
                continue
            known_field.shape.check(item, at(path, name), betas)


@frozen
class Tagged:
    """One of several objects, told apart by a field.

    Args:
        kinds: Value of the tag to shape.
        tag: The field that tells.
        default: The kind when the field is absent or null.
        shown: Whether the kind appears in positions.

    """

    kinds: Mapping[str, Shape]
    tag: str = "type"
    default: str | None = None
    shown: bool = True

    def check(self, value: Any, path: str, betas: frozenset[str]) -> None:
        """Check against the kind that the tag names."""
        if not isinstance(value, dict):
            raise wrong(path, "Input should be an object")
        kind = value.get(self.tag)
        if kind is None:
            kind = self.default
        if kind is None:
            raise wrong(at(path, self.tag), "Field required")
        shape = self.kinds.get(kind) if isinstance(kind, str) else None
        if shape is None and not self.shown:
            raise wrong(at(path, self.tag), f"Input should be {listed(self.kinds)}")
        if shape is None or (isinstance(shape, Beta) and betas.isdisjoint(shape.headers)):
            open_kinds = _open(self.kinds, betas)
            raise wrong(
                path,
                f"Input tag '{kind}' found using '{self.tag}' does not match any of the expected "
                f"tags: {', '.join(repr(name) for name in open_kinds)}",
            )
        shape.check(value, at(path, kind) if self.shown else path, betas)


def _open(kinds: Mapping[str, Shape], betas: frozenset[str]) -> Sequence[str]:
    return sorted(
        name
        for name, shape in kinds.items()
        if not (isinstance(shape, Beta) and betas.isdisjoint(shape.headers))
    )
