"""Mistakes that plugin authors make, put into the cookbook's plugins: the suite finds those that can be found."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmarks.plugin_mutants import COOKBOOK, written
from hookline._journey.plugin_files import plugins_in
from hookline.testing.conformance import CHECKS, Subject
from hookline.testing.conformance.trying import Trying

WRITTEN = written()
FOUND = [each for each in WRITTEN if "check" in each[1]]


def test_each_is_found_or_says_why_none_can() -> None:
    for mutant, table in WRITTEN:
        compile(mutant.source, mutant.plugin, "exec")
        assert len({"check", "why", "hangs"} & set(table)) == 1, mutant.what
        assert table.get("check", "streams") in [each.name for each in CHECKS]
    assert len(FOUND) >= 60
    assert {mutant.plugin for mutant, _ in FOUND} == {each.stem for each in COOKBOOK.glob("*.py")}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mutant", "table"), FOUND, ids=[f"{mutant.plugin}-{mutant.what}" for mutant, _ in FOUND]
)
def test_it_is_found(mutant: Any, table: dict[str, str], tmp_path: Path) -> None:
    shutil.copy(COOKBOOK.parent / "ant.png", tmp_path)
    folder = tmp_path / "plugins"
    folder.mkdir()
    file = folder / f"{mutant.plugin}.py"
    file.write_text(mutant.source)
    (plugin,) = plugins_in(str(file))
    (check,) = [each for each in CHECKS if each.name == table["check"]]
    assert list(check.run(Trying(Subject(plugin.name, plugin.object, (), str(file)))))
