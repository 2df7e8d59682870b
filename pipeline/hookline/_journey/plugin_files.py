"""Plugins in files of their own: ``./my_plugin.py``, or ``./my_plugin.py:Name`` for one of several.

A file is a plugin if its functions are marked; else every class in it that has marked methods is one,
but for those whose names begin with an underscore. It is imported by its path: nothing is put on
``sys.path``, so it can import what is installed, and not its neighbours.
"""

import hashlib
import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Final

from attrs import field, frozen

from hookline._journey.versions import new_home
from hookline.errors import ConfigError

__all__ = ["FilePlugin", "is_file_reference", "plugins_in", "split_reference"]

_SUFFIX: Final = ".py"


@frozen
class FilePlugin:
    """A plugin that stands in a file.

    Attributes:
        name: its own, or that of its class or file.
        object: a module, a class or an object.
        path: of the file.

    """

    name: str
    object: Any = field(repr=False)
    path: str

    version: ClassVar[str] = ""

    @property
    def distribution(self) -> str:
        """Where it comes from."""
        return self.path

    def imported(self) -> Any:
        """Return the module, class or object."""
        return self.object

    @property
    def enforces(self) -> bool:
        """Whether it is an enforcer."""
        return getattr(self.object, "role", "transformer") == "enforcer"


def is_file_reference(text: str) -> bool:
    """Say whether a text names a file, and not an installed plugin."""
    return split_reference(text)[0].endswith(_SUFFIX)


def split_reference(text: str) -> tuple[str, str]:
    """Return path and name of ``PATH.py:NAME``; the name is empty where all are meant."""
    path, colon, name = text.rpartition(":")
    return (path, name) if colon and path.endswith(_SUFFIX) else (text, "")


def plugins_in(reference: str) -> list[FilePlugin]:
    """Import a file and return the plugins in it.

    Args:
        reference: ``PATH.py`` or ``PATH.py:NAME``.

    Raises:
        ConfigError: there is no such file, it cannot be imported, or there is no plugin in it.

    """
    path, wanted = split_reference(reference)
    file = Path(path).expanduser()
    if not file.is_file():
        raise ConfigError(f"there is no plugin file {path!r}")
    module = _imported(file, path)
    if wanted:
        thing = getattr(module, wanted, None)
        if thing is None:
            raise ConfigError(f"plugin file {path!r} holds nothing called {wanted!r}")
        found = [thing]
    elif _marks(module):
        found = [module]
    else:
        found = [
            each
            for name, each in vars(module).items()
            if isinstance(each, type)
            and each.__module__ == module.__name__
            and not name.startswith("_")
            and _marks(each)
        ]
    if not found:
        raise ConfigError(
            f"there is no plugin in {path!r}; mark functions, or methods of a class, with @hookimpl "
            "(from hookline import hookimpl)"
        )
    return [FilePlugin(_name(each, file), each, path) for each in found]


def _imported(file: Path, path: str) -> ModuleType:
    real = file.resolve()
    # Two files of one name are two modules, and none of them shadows what is installed.
    name = f"{file.stem}@{hashlib.sha256(str(real).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, real)
    if spec is None or spec.loader is None:
        raise ConfigError(f"plugin file {path!r} is no Python file")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module  # types named in its annotations are looked up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # a stranger's code
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
        raise ConfigError(
            f"plugin file {path!r} cannot be imported ({type(error).__name__}: {error})"
            f"{new_home(error)}"
        ) from error
    return module


def _marks(thing: Any) -> bool:
    return any(
        hasattr(inspect.getattr_static(thing, name, None), "hookline_impl") for name in dir(thing)
    )


def _name(thing: Any, file: Path) -> str:
    own = getattr(thing, "name", None)
    if isinstance(own, str) and own:
        return own
    if isinstance(thing, ModuleType):
        return file.stem
    return thing.__name__ if isinstance(thing, type) else type(thing).__name__
