"""Directives that draw pages from the code itself, so that they cannot fall behind it.

``{hooks} transform`` shows the hooks of one kind, in the order of a turn; ``{standard-plugins} GROUP`` shows
every plugin that the distribution registers in a group of entry points, with its options;
``{preflight-rules}`` lists the rules of the plugin ``preflight``.
"""

# ruff: noqa: INP001 -- Sphinx loads it by its path

import tomllib
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from hookline._journey.plugin_set import HOOKS
from hookline_plugins.preflight import RULES, Rule

PYPROJECT = Path(__file__).parent.parent.parent / "pyproject.toml"


class _Drawn(SphinxDirective):
    """A directive that stands for some lines of reStructuredText."""

    def drawn(self, *lines: str) -> list[nodes.Node]:
        """Parse ``lines`` in the directive's place; the page around it is Markdown."""
        holder = nodes.container()
        text = StringList(["```{eval-rst}", *lines, "```"], source=self.name)
        self.state.nested_parse(text, self.content_offset, holder)
        return holder.children


class HooksDirective(_Drawn):
    """Describe the hooks of one kind."""

    required_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        """Return the descriptions of ``hookline.hookspecs``."""
        kind = self.arguments[0]
        names = [name for name, its_kind in HOOKS.items() if its_kind == kind]
        if not names:
            raise self.error(f"there are no hooks of kind {kind!r}")
        return self.drawn(*(f".. autofunction:: hookline.hookspecs.{name}" for name in names))


class PreflightRulesDirective(_Drawn):
    """List the rules of the plugin ``preflight``."""

    def run(self) -> list[nodes.Node]:
        """Return a table of ``hookline_plugins.preflight.RULES``."""
        lines = [".. list-table::", "   :header-rows: 1", "   :widths: 25 60 15", ""]
        for cells in (("Rule", "What to do", "Everywhere"), *map(_cells, RULES.values())):
            first, *rest = cells
            lines += [f"   * - {first}", *(f"     - {cell}" for cell in rest)]
        return self.drawn(*lines)


def _cells(rule: Rule) -> tuple[str, str, str]:
    # The remedies are written for a terminal, where a backquote marks code and a star is a star.
    remedy = rule.remedy.replace("*", r"\*").replace("`", "``")
    return f"``{rule.name}``", remedy, "yes" if rule.shared else ""


class StandardPluginsDirective(_Drawn):
    """Describe the standard plugins of one group, and their options."""

    required_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        """Return the descriptions of the classes behind our own entry points."""
        group = self.arguments[0]
        project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
        if group not in project["entry-points"]:
            raise self.error(f"there are no entry points of the group {group!r}")
        lines: list[str] = []
        for name, target in sorted(project["entry-points"][group].items()):
            lines += [f"**{name}**", "", f".. autoclass:: {target.replace(':', '.')}"]
            lines += ["   :no-members:", ""]
        return self.drawn(*lines)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives with Sphinx."""
    app.add_directive("hooks", HooksDirective)
    app.add_directive("preflight-rules", PreflightRulesDirective)
    app.add_directive("standard-plugins", StandardPluginsDirective)
    return {"parallel_read_safe": True}
