"""The text editor: files below one folder, and none besides."""

from pathlib import Path
from typing import Any

import pytest

from hookline import ConfigError
from hookline.simulator import Rule
from hookline_plugins.tools import Tools

NAME = "str_replace_based_edit_tool"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "ants.py").write_text("legs = 5\nwings = 2\n")
    return folder


def edit(run: Any, sim: Any, work: Path, *commands: Any, **route: Any) -> list[str]:
    rules = [
        Rule(call=place, tool_use={"name": NAME, "input": command})
        for place, command in enumerate(commands, 1)
    ]
    server = sim(*rules, Rule(reply="Done."))
    tools = Tools(routes={NAME: {"text_editor": str(work), **route}})
    reply = run.send(line={"base_url": server, "plugins": [tools]})
    assert server.bodies[0]["tools"] == [{"type": "text_editor_20250728", "name": NAME}]
    return [m.blocks[0].content for m in reply.request.messages[1:] if m.role == "user"]


def test_it_shows_and_changes_what_lies_in_its_folder(run: Any, sim: Any, work: Path) -> None:
    path = str(work / "ants.py")
    said = edit(
        run,
        sim,
        work,
        {"command": "view", "path": path},
        {"command": "str_replace", "path": path, "old_str": "5", "new_str": "6"},
        {"command": "insert", "path": path, "insert_line": 2, "insert_text": "eyes = 2"},
        {"command": "create", "path": str(work / "new" / "bees.py"), "file_text": "x"},
        {"command": "view", "path": str(work)},
    )
    assert "     1\tlegs = 5" in said[0]
    assert (work / "ants.py").read_text() == "legs = 6\nwings = 2\neyes = 2\n"
    assert said[4].split("\n")[1:] == ["  ants.py (28 bytes)", "  new/", "    bees.py (1 bytes)"]


def test_a_folder_may_be_seen_elsewhere(run: Any, sim: Any, work: Path) -> None:
    given = {"command": "view", "path": "/sandbox/ants.py"}
    (said,) = edit(run, sim, work, given, seen_as="/sandbox")
    assert "wings" in said


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("/etc/passwd", "view"),
        ("{work}/../outside", "view"),
        ("{work}/link", "view"),
        ("{work}/link", "create"),
        ("{work}/ants.py", "delete"),
        ("{work}/ants.py", "undo_edit"),
    ],
)
def test_what_leads_out_is_refused(
    blocking: Any, sim: Any, work: Path, path: str, command: str
) -> None:
    outside = work.parent / "outside"
    outside.write_text("secret")
    (work / "link").symlink_to(outside)
    given = {"command": command, "path": path.format(work=work), "file_text": "x"}
    (said,) = edit(blocking, sim, work, given)
    assert "secret" not in said
    assert outside.read_text() == "secret"
    assert (work / "ants.py").exists()


@pytest.mark.parametrize(
    ("route", "said"),
    [
        ({"text_editor": "nowhere"}, "a folder that is there"),
        ({"text_editor": 5}, "must be a directory, not 5"),
        ({"text_editor": ".", "seen_as": "work"}, "from the root on"),
    ],
)
def test_a_wrong_route_is_refused_when_it_is_built(route: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Tools(routes={"str_*": route})
