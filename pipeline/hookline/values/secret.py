"""A secret that cannot render itself."""

from typing import Any, Final, SupportsIndex

__all__ = ["HiddenBytes", "HiddenText", "Secret", "as_secret"]

_HIDDEN: Final = "Secret(…)"


class Secret:
    """Holds a key or token and shows a constant in every repr, log, format and pickle.

    Args:
        value: the secret text.

    Raises:
        TypeError: on an attempt to pickle it.

    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text. The transport calls this, on the way into a header, and nothing else."""
        return self._value

    def __repr__(self) -> str:
        return _HIDDEN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(_HIDDEN, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> "Secret":
        return self

    def __reduce__(self) -> Any:
        raise TypeError("a Secret is not pickled; hand the key over where it is needed")


class HiddenText(str):
    """A text that works like any other and shows a constant in reprs: a credential inside a header.

    A library must get plain text in the end. This keeps it out of what is shown of the dicts and lists
    that hold it on the way: frame variables in a traceback, above all. A part shows no more: rich,
    for one, cuts long texts before it asks for their repr.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return _HIDDEN

    def __getitem__(self, key: SupportsIndex | slice) -> "HiddenText":
        return HiddenText(super().__getitem__(key))


class HiddenBytes(bytes):
    """The same for bytes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return _HIDDEN

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        return HiddenBytes(part) if isinstance(part, bytes) else part


def as_secret(value: str | Secret | None) -> Secret | None:
    """Return a key as a ``Secret``; an empty text is none."""
    if isinstance(value, str):
        return Secret(value) if value else None
    return value
