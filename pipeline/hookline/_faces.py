"""The faces of packages: public names that are imported when they are first used.

So ``import hookline`` costs little more than its logger, and who asks for one name of a package does
not load the others. What a face offers stands in it three times, since type checkers read imports and
``__all__`` only; ``tests/house/test_faces.py`` holds the three together.
"""

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["face"]


def face(
    package: str, homes: Mapping[str, Iterable[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package whose names live in other modules.

    Args:
        package: the package's name.
        homes: the names by the module in which they are defined.

    """
    home_of = {name: home for home, names in homes.items() for name in names}

    def load(name: str) -> Any:
        home = home_of.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(home), name)
        setattr(import_module(package), name, value)  # the next use finds it there
        return value

    return load, lambda: sorted(home_of)
