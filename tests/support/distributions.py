"""Installed distributions that offer plugins: a module and its metadata on ``sys.path``."""

import sys
from pathlib import Path

import pytest

__all__ = ["MODULE", "install"]

MODULE = '''
from attrs import frozen
from hookline import hookimpl

@frozen
class Stamp:
    """Adds a system prompt."""

    text: str = "stamped"

    @hookimpl
    def build_history(self, request):
        return request.evolve(system=self.text)

class Shy(Stamp):
    pass
'''


def install(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    *,
    name: str = "acme-stamp",
    entry: str = "stamp = acme_stamp:Stamp",
    module: str = MODULE,
    group: str = "hookline.plugins",
) -> None:
    """Make an installed distribution: a module and its metadata on ``sys.path``."""
    site = folder / name
    metadata = site / f"{name.replace('-', '_')}-1.2.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{entry}\n")
    (site / "acme_stamp.py").write_text(module)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "acme_stamp", raising=False)
