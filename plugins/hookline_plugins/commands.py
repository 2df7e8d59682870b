"""The plugin ``commands``: commands that work on files, whatever plugins take part in turns."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import frozen

from hookline import hookimpl
from hookline.plugin import checks_options

if TYPE_CHECKING:
    import click

__all__ = ["Commands"]


@checks_options
@frozen
class Commands:
    """Adds ``hookline modernize``. No turn knows of it."""

    @hookimpl
    def register_commands(self, register: "Callable[[click.Command], None]") -> None:
        """Add the commands."""
        from hookline_plugins.modernize.command import command  # noqa: PLC0415 -- click is an extra

        register(command)
