"""Hookline's own log lines: loguru, silent until the application asks for them."""

from loguru import logger

__all__ = ["log_failure"]

# The custom of libraries: an application that wants these lines calls logger.enable("hookline").
logger.disable("hookline")


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
