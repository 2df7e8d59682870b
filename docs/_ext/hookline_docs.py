"""The directive ``hooks``: every hook with its kind, signature and docstring, from the code itself.

``.. hooks:: transform`` shows the hooks of one kind; the order is that of a turn.
"""

from typing import ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from hookline.plugins import HOOKS


class HooksDirective(SphinxDirective):
    """Describe the hooks of one kind."""

    required_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        """Return the descriptions of ``hookline.hookspecs``."""
        kind = self.arguments[0]
        names = [name for name, its_kind in HOOKS.items() if its_kind == kind]
        if not names:
            raise self.error(f"there are no hooks of kind {kind!r}")
        lines = StringList()
        for name in names:
            lines.append(f".. autofunction:: hookline.hookspecs.{name}", "hooks")
            lines.append("", "hooks")
        holder = nodes.container()
        self.state.nested_parse(lines, self.content_offset, holder)
        return holder.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive with Sphinx."""
    app.add_directive("hooks", HooksDirective)
    return {"parallel_read_safe": True}
