"""Hookline's own log lines: loguru, silent until the application asks for them, or the standard library."""

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from loguru import logger

if TYPE_CHECKING:
    import logging

__all__ = ["log_failure", "log_to_stdlib"]

_OURS: Final = ("hookline", "hookline_plugins")
_AS_IT_COMES: Final = 0  # the number of the sink that loguru has before anybody has set it up

# The custom of libraries: an application that wants these lines calls logger.enable("hookline"). Both are
# silenced here and at once: a plugin is imported late, and must not undo what the application has said.
for _name in _OURS:
    logger.disable(_name)


def log_failure(plugin: str, hook: str, error: BaseException) -> None:
    """Log that an observer failed; the turn goes on.

    Only the error's class and text: a traceback with variables could show secrets.
    """
    logger.bind(plugin=plugin, hook=hook).warning(
        "plugin {plugin!r} failed in {hook}: {error}",
        plugin=plugin,
        hook=hook,
        error=f"{type(error).__name__}: {error}",
    )


def log_to_stdlib() -> Callable[[], None]:
    """Hand Hookline's log lines over to the standard library's ``logging``, from now on.

    They arrive at the loggers ``hookline`` and ``hookline_plugins`` and those below them, under the levels
    that are set there; ``record.extra`` holds the fields of a line. Loguru's own line on stderr, where
    nobody has changed it, leaves Hookline's lines out then. Doing it twice does it once.

    Returns:
        What takes it back; where it was done twice, the second call of these.

    Example:
        >>> import logging
        >>> logging.basicConfig(level=logging.INFO)
        >>> undo = log_to_stdlib()

    """
    return _BRIDGE.opened()


class _Bridge:
    """The one way from loguru to ``logging``, and how many want it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted = 0
        self._sink = 0

    def opened(self) -> Callable[[], None]:
        with self._lock:
            self._wanted += 1
            if self._wanted == 1:
                self._open()
        once = threading.Lock()

        def undo() -> None:
            if once.acquire(blocking=False):  # the second time there is nothing left to do
                self._left()

        return undo

    def _open(self) -> None:
        with suppress(ValueError):  # somebody has set loguru up, and knows what it prints
            logger.remove(_AS_IT_COMES)
            logger.add(sys.stderr, filter=lambda record: not _is_ours(record))
        self._sink = logger.add(_handler(), format="{message}", level=0, filter=_is_ours)
        for name in _OURS:
            logger.enable(name)

    def _left(self) -> None:
        with self._lock:
            self._wanted -= 1
            if self._wanted == 0:
                for name in _OURS:
                    logger.disable(name)
                with suppress(ValueError):  # the application has removed all sinks
                    logger.remove(self._sink)


def _is_ours(record: Any) -> bool:
    return str(record["name"]).partition(".")[0] in _OURS


def _handler() -> "logging.Handler":
    import logging  # noqa: PLC0415 -- only where it is wanted

    class Handler(logging.Handler):
        """Passes a record on to the logger of its name."""

        def emit(self, record: logging.LogRecord) -> None:
            target = logging.getLogger(record.name)
            if target.isEnabledFor(record.levelno):
                target.handle(record)

    return Handler()


_BRIDGE: Final = _Bridge()
