"""Hookline's own log lines: loguru, silent until the application asks for them."""

from loguru import logger

__all__ = ["log_failure"]

# The custom of libraries: an application that wants these lines calls logger.enable("hookline"). The plugins
# are silenced here too: they are imported once a pipeline is made, perhaps after they were asked to speak.
logger.disable("hookline")
logger.disable("hookline_plugins")


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
