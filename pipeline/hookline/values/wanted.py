"""What ``output=`` may be, for type checkers: whoever asks for an ``Ant`` gets a reply of ``Ant``."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:  # type checkers bring these along; at run time nobody needs a default
    from typing import _SpecialForm as SpecialForm

    from typing_extensions import TypeForm, TypeVar

    T = TypeVar("T", default=Any)
    T_co = TypeVar("T_co", default=Any, covariant=True)
else:
    from typing import TypeVar

    T = TypeVar("T")
    T_co = TypeVar("T_co", covariant=True)

__all__ = ["T", "T_co", "Wanted"]


class _Union(Protocol[T_co]):
    """What ``Ant | Wasp`` is; a checker that takes it for ``Ant`` alone finds ``Any`` here besides."""

    @property
    def __args__(self) -> tuple[T_co, ...]: ...


Wanted: TypeAlias = "TypeForm[T] | _Union[T] | SpecialForm | Mapping[str, Any] | None"
"""A type, or a JSON schema, whose values a checker can say nothing about."""
