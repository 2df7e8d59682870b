"""The memory tool: its commands, and the walls around its directory."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hookline import ConfigError
from hookline.simulator import Rule
from hookline_plugins.tools import Tools
from hookline_plugins.tools.local.files import Folder


def results(server: Any) -> list[Any]:
    return list(server.bodies[-1]["messages"][-1]["content"])


@pytest.fixture
def remember(blocking: Any, sim: Any, tmp_path: Path) -> Any:
    """Carry commands out, one step after the other; return what they said."""

    def run(*commands: dict[str, Any]) -> list[str]:
        rules = [
            Rule(call=place, tool_use={"name": "memory", "input": command})
            for place, command in enumerate(commands, 1)
        ]
        server = sim(*rules, Rule(reply="Done."))
        config = {"plugins": {"tools": {"routes": {"memory": f"memory:{tmp_path / 'notes'}"}}}}
        reply = blocking.send(line={"base_url": server, "config": config})
        assert server.bodies[0]["tools"] == [{"type": "memory_20250818", "name": "memory"}]
        return [
            block.content
            for message in reply.request.messages[1:]
            if message.role == "user"
            for block in message.blocks
        ]

    return run


def at(path: str, command: str, **more: Any) -> dict[str, Any]:
    return {"command": command, "path": path, **more}


def test_every_command_does_what_it_says(remember: Any, tmp_path: Path) -> None:
    said = remember(
        at("/memories", "view"),
        at("/memories/ants/a.md", "create", file_text="one\ntwo\n"),
        at("/memories/ants/a.md", "str_replace", old_str="two", new_str="three"),
        at("/memories/ants/a.md", "insert", insert_line=0, insert_text="zero\n"),
        at("/memories/ants/a.md", "view"),
        at("/memories/ants/a.md", "view", view_range=[2, 2]),
        at("/memories", "view"),
        {"command": "rename", "old_path": "/memories/ants", "new_path": "/memories/bees"},
        at("/memories/bees/a.md", "view", view_range=[1, 1]),
        at("/memories/bees", "delete"),
        at("/memories", "view"),
    )
    assert said[0] == "/memories"
    assert said[4] == "     1\tzero\n     2\tone\n     3\tthree\n     4\t"
    assert said[5] == "     2\tone"
    assert said[6] == "/memories\n  ants/\n    a.md (15 bytes)"
    assert said[8] == "     1\tzero"
    assert said[10] == "/memories"
    assert list((tmp_path / "notes").iterdir()) == []


@pytest.mark.parametrize(
    "command",
    [
        at("/etc/passwd", "view"),
        at("/memories/../../etc/passwd", "view"),
        at("/memories/link/x", "view"),
        at("/memories/link", "create", file_text="x"),
        at("/memories", "create", file_text="x"),
        at("/memories", "delete"),
        at("/memories/none", "delete"),
        at("/memories/none", "view"),
        at("/memories/a\0b", "view"),
        at("/memories\\..\\x", "view"),
        at("memories/x", "create", file_text="x"),
        at("/memories/x", "create"),
        at("/memories/x", "create", file_text=5),
        at("/memories/twice", "view", view_range=["a", "b"]),
        at("/memories/twice", "view", view_range=1),
        at("/memories/twice", "insert", insert_line=0, insert_text=None),
        at("/memories/hard/../../outside/x", "view"),
        at("/memories/binary", "view"),
        at("/memories/twice", "str_replace", old_str="a", new_str="b"),
        at("/memories/twice", "insert", insert_line=9, insert_text="b"),
        {"command": "rename", "old_path": "/memories", "new_path": "/memories/x"},
        {"command": "rename", "old_path": "/memories/none", "new_path": "/memories/x"},
        {"command": "format"},
        {},
    ],
)
def test_what_leads_out_or_nowhere_is_refused(remember: Any, tmp_path: Path, command: Any) -> None:
    notes, outside = tmp_path / "notes", tmp_path / "outside"
    notes.mkdir()
    outside.mkdir()
    (outside / "x").write_text("secret")
    (notes / "link").symlink_to(outside)
    (notes / "binary").write_bytes(b"\xff\xfe\x00")
    (notes / "twice").write_text("a a")
    (said,) = remember(command)
    assert said
    assert "secret" not in said
    assert (outside / "x").read_text() == "secret"
    assert sorted(each.name for each in notes.iterdir()) == ["binary", "link", "twice"]


@pytest.mark.parametrize(("limit", "said"), [("_MOST_BYTES", "3 bytes"), ("_MOST_FILES", "full")])
def test_the_store_is_bounded(
    remember: Any, monkeypatch: pytest.MonkeyPatch, limit: str, said: str
) -> None:
    if limit == "_MOST_BYTES":
        monkeypatch.setattr("hookline_plugins.tools.local.files._MOST_BYTES", 3)
    else:
        monkeypatch.setattr(
            "hookline_plugins.tools.local.memory.Folder", partial(Folder, most_files=3)
        )
    names = "abcd" if limit == "_MOST_FILES" else "a"
    text = "x" if limit == "_MOST_FILES" else "four"
    *_, last = remember(*(at(f"/memories/{n}", "create", file_text=text) for n in names))
    assert said in last


def test_the_store_is_for_its_owner(remember: Any, tmp_path: Path) -> None:
    remember(at("/memories", "view"))
    if os.name == "posix":
        assert (tmp_path / "notes").stat().st_mode & 0o077 == 0


def test_a_store_needs_a_directory(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    for where in ("memory:", f"memory:{file}"):
        with pytest.raises(ConfigError, match="takes a directory"):
            Tools(routes={"memory": where})
