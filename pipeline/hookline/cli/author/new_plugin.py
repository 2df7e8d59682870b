"""``hookline new-plugin``: a complete project, with options, tests and CI, that passes its own checks.

The project stands as templates in ``templates/project``; what a kind of plugin has of its own, its module and its
tests, in ``templates/kinds`` and ``templates/tests``.
"""

import keyword
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from attrs import frozen

from hookline._journey.discovery import installed
from hookline.cli.options import examples
from hookline.cli.output import console, styled
from hookline.errors import ConfigError, MissingExtra
from hookline.hookspecs import CONTRACT

__all__ = ["new_plugin"]

_TEMPLATES: Final = Path(__file__).parent / "templates"
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_PREFIX: Final = "hookline-"

_KINDS: Final = {
    "request-editor": "changes what is asked, before it is sent",
    "reply-filter": "changes what the model says, in streams too",
    "send-layer": "wraps the sending",
    "tool-pack": "offers tools to the model",
    "image-source": "resolves images of a scheme of its own",
    "enforcer": "refuses what must not leave",
    "observer": "looks on, and can break nothing",
    "conversation-store": "keeps conversations, and puts them in front of the next message",
}

# Where a file of the project comes from; the names are templates too.
_FILES: Final = {
    "pyproject.toml": "project/pyproject.toml",
    "README.md": "project/README.md",
    "LICENSE": "project/LICENSE",
    ".gitignore": "project/gitignore",
    ".github/workflows/ci.yml": "project/ci.yml",
    "src/{module}/__init__.py": "kinds/{kind}.py",
    "src/{module}/py.typed": "project/py.typed",
    "tests/test_{module}.py": "tests/{kind}.py",
}


@frozen
class Project:
    """What a project is called.

    Attributes:
        name: of the plugin, in settings.
        kind: one of the kinds.

    """

    name: str
    kind: str

    @property
    def distribution(self) -> str:
        """The distribution's name."""
        return _PREFIX + self.name

    @property
    def module(self) -> str:
        """The package's name."""
        return self.distribution.replace("-", "_")

    @property
    def class_name(self) -> str:
        """The plugin's class."""
        return "".join(part.capitalize() for part in self.name.split("-"))

    def files(self) -> dict[str, str]:
        """Return the project's files, each with its text.

        Raises:
            MissingExtra: the templating library is not installed.

        """
        try:
            import jinja2  # noqa: PLC0415 -- an extra, which only this command needs
        except ImportError as error:
            raise MissingExtra("author", "jinja2", "hookline new-plugin") from error
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_TEMPLATES),
            undefined=jinja2.StrictUndefined,
            keep_trailing_newline=True,
            autoescape=False,  # noqa: S701 -- Python and TOML are written, and no HTML
        )
        words: dict[str, Any] = {
            "project": self,
            "about": _KINDS[self.kind],
            "contract": CONTRACT.partition(".")[0],
            "year": datetime.now(UTC).year,
        }
        names = {"module": self.module, "kind": self.kind.replace("-", "_")}
        return {
            path.format(**names): environment.get_template(source.format(**names) + ".j2").render(
                words
            )
            for path, source in _FILES.items()
        }


@click.command(
    epilog=examples(
        "hookline new-plugin polite-words --kind request-editor --yes",
        "hookline new-plugin no-codenames --kind enforcer --dir ~/src/no-codenames",
    )
)
@click.argument("name", required=False)
@click.option(
    "--kind", type=click.Choice(list(_KINDS)), help="What it does; asked for on a terminal."
)
@click.option("--dir", "folder", metavar="DIR", help="Where; the default is ./hookline-NAME.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
def new_plugin(name: str | None, kind: str | None, folder: str | None, *, yes: bool) -> None:
    """Begin a plugin: a project with options, tests, CI and a licence, ready to be published.

    NAME is what settings will call it: small letters, digits and hyphens.
    """
    asking = not yes and sys.stdin is not None and sys.stdin.isatty()
    if name is None:
        if not asking:
            raise click.UsageError("there is no NAME.")
        name = click.prompt("Name of the plugin", type=str)
    name = _checked(name.removeprefix(_PREFIX))
    if kind is None:
        if not asking:
            raise click.UsageError(f"say which kind: --kind {'|'.join(_KINDS)}.")
        for each, about in _KINDS.items():
            console().print(styled((f"  {each:<20}", "cyan"), (about, "")))
        kind = click.prompt("Kind", type=click.Choice(list(_KINDS)))
    project = Project(name, kind)
    target = Path(folder or project.distribution).expanduser()
    _check_place(target)
    if asking and not click.confirm(f"Write {project.distribution} to {target}?", default=True):
        raise click.Abort
    _write(target, project.files())
    screen = console()
    screen.print(styled((f"{project.distribution} stands in {target}", "bold green")))
    steps = (
        f"cd {target} && pip install -e . --group dev && pytest && "
        f"hookline check-plugin {project.name}"
    )
    screen.print(styled((f"next: {steps}", "")))


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name.replace("-", "_")):
        raise ConfigError(
            f"a plugin's name has small letters, digits and hyphens, as in polite-words, not {name!r}"
        )
    taken = next((each for each in installed() if each.name == name), None)
    if taken is not None:
        raise ConfigError(
            f"{taken.distribution} has a plugin called {name!r} already; choose another name"
        )
    return name


def _check_place(target: Path) -> None:
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise ConfigError(f"{target} is there and not empty; name another place with --dir")
    except OSError as error:
        raise ConfigError(f"{target} cannot be looked at: {error.strerror}") from error


def _write(target: Path, files: dict[str, str]) -> None:
    try:
        for name, text in files.items():
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise ConfigError(f"{target} cannot be written: {error.strerror}") from error
