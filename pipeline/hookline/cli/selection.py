"""Which plugins take part in this one run: what stands between ``hookline`` and the command.

``-p NAME`` and ``-p FILE`` add one, ``-p no:NAME`` and ``--only NAME,…`` leave some out. An enforcer
cannot be left out this way: whoever types a command may be whom it judges.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click
from attrs import frozen

from hookline.errors import ConfigError

if TYPE_CHECKING:
    from hookline.config import Settings
    from hookline.policy import Policy

__all__ = ["OPTIONS", "Selection", "applied", "chosen", "selection"]

_NOT: Final = "no:"

OPTIONS: Final = (
    click.Option(
        ["chosen", "-p"],
        multiple=True,
        is_eager=True,  # as --help, which lists their commands
        metavar="NAME|FILE|no:NAME",
        help="Add an optional plugin, or those in FILE.py, for this run; no:NAME leaves one out.",
    ),
    click.Option(
        ["--only"],
        is_eager=True,
        metavar="NAME,…",
        help="Leave out all plugins but these and the enforcers, for this run.",
    ),
)


@frozen
class Selection:
    """What this run adds and leaves out.

    Attributes:
        added: names of optional plugins, and files.
        without: names of plugins to leave out.
        only: names of those that stay; none stands for all.

    """

    added: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.without or self.only)

    def applied(self, settings: "Settings", policy: "Policy") -> tuple[list[str], list[str]]:
        """Return what the pipeline gets as ``plugins=`` and as ``disable=``.

        Args:
            settings: of the run.
            policy: the organisation's; what it requires stays.

        Raises:
            ConfigError: there is no such plugin, or it is an enforcer.

        """
        from hookline._journey.discovery import left_out, offered  # noqa: PLC0415 -- `--help` does without
        from hookline._journey.plugin_files import is_file_reference  # noqa: PLC0415 -- as above
        from hookline.config import nearest  # noqa: PLC0415 -- as above

        available = offered(settings)
        names = [name for name in self.added if not is_file_reference(name)]
        files = [name for name in self.added if is_file_reference(name)]
        in_files: tuple[str, ...] = ()
        if files and (self.without or self.only):
            files, in_files = self._of_files(files)
        for name in (*names, *self.without, *self.only):
            if name not in available and name not in in_files:
                raise ConfigError(
                    f"there is no plugin called {name!r}; {nearest(name, (*available, *in_files))}. A file is given "
                    "by its path, and ends in .py"
                )
        for name in self.without:
            if name in available and available[name].enforces:
                raise ConfigError(
                    f"-p no:{name}: plugin {name!r} is an enforcer of "
                    f"{available[name].distribution}; only code switches it off: disable=[{name!r}]"
                )
        for name in settings.disable:
            if name in available:
                left_out(available[name], settings)  # refuses what those settings may not do
        disable = [*settings.disable, *(name for name in self.without if name in available)]
        if self.only:
            kept = {*self.only, *names}
            disable += [
                name
                for name, each in available.items()
                if name not in kept
                and name not in disable
                and policy.required(name) is None
                and not each.enforces
            ]
            names += [
                name
                for name in self.only
                if name in available and getattr(available[name], "optional", False)
            ]
        return [*dict.fromkeys(names), *files], disable

    def _of_files(self, references: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
        """Return the references without the plugins that are left out, and the names of all in them."""
        from hookline._journey.plugin_files import plugins_in  # noqa: PLC0415 -- `--help` does without

        kept: list[str] = []
        names: list[str] = []
        for reference in references:
            found = plugins_in(reference)
            names += [each.name for each in found]
            for each in found:
                if each.name in self.without and each.enforces:
                    raise ConfigError(
                        f"-p no:{each.name}: plugin {each.name!r} of {each.path} is an enforcer; "
                        "only code switches it off"
                    )
            stay = [each for each in found if each.name not in self.without]
            kept += (
                [reference]
                if len(stay) == len(found)
                else [f"{each.path}:{each.object.__name__}" for each in stay]
            )
        return kept, tuple(names)


def chosen(names: Sequence[str], only: str | None) -> Selection:
    """Return what stands before the command.

    Args:
        names: what ``-p`` was given: plugins, files, and ``no:NAME``.
        only: what ``--only`` was given.

    """
    return Selection(
        tuple(each for each in names if not each.startswith(_NOT)),
        tuple(each.removeprefix(_NOT) for each in names if each.startswith(_NOT)),
        tuple(name.strip() for name in (only or "").split(",") if name.strip()),
    )


def selection() -> Selection:
    """Return what was chosen for this run."""
    context = click.get_current_context(silent=True)
    found = context.find_object(Selection) if context is not None else None
    return found or Selection()


def applied(config: str | None) -> tuple[list[str], list[str] | None]:
    """Return the plugins that this run adds and leaves out, with these settings."""
    from hookline.policy import load_policy, policy_settings  # noqa: PLC0415 -- `--help` does without

    run = selection()
    if not run:
        return [], None
    policy = load_policy()
    return run.applied(policy_settings(policy, config), policy)
