"""Computer use: the actions, the scales of coordinates, and a real window that is really clicked."""

import importlib.util
import io
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pictures

from hookline import ConfigError
from hookline.simulator import Rule
from hookline_plugins.tools import Tools
from hookline_plugins.tools.computer import Computer

MODEL = "claude-haiku-4-5"
EXAMPLE = Path(__file__).parents[3] / "examples" / "computer_use.py"


def png(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Pictures.new("RGB", (width, height), "navy").save(out, "PNG")
    return out.getvalue()


class FakeScreen:
    """Remembers what was done to it."""

    def __init__(self, width: int = 3_000, height: int = 2_000) -> None:
        self.size = (width, height)
        self.done: list[tuple[Any, ...]] = []

    def screenshot(self) -> bytes:
        self.done.append(("screenshot",))
        return png(*self.size)

    def zoom(self, region: Any) -> bytes:
        self.done.append(("zoom", region))
        return png(region[2] - region[0], region[3] - region[1])

    async def click(self, x: int, y: int, button: str, count: int) -> None:
        self.done.append(("click", x, y, button, count))

    def move(self, x: int, y: int) -> None:
        self.done.append(("move", x, y))

    def drag(self, *places: int) -> None:
        self.done.append(("drag", *places))

    def type(self, text: str) -> None:
        self.done.append(("type", text))

    def key(self, keys: str) -> None:
        self.done.append(("key", keys))

    def scroll(self, *given: int) -> None:
        self.done.append(("scroll", *given))

    def wait(self, seconds: float) -> None:
        self.done.append(("wait", seconds))


def act(action: str, **given: Any) -> dict[str, Any]:
    return {"name": "computer", "input": {"action": action, **given}}


def results(server: Any) -> list[Any]:
    return list(server.bodies[-1]["messages"][-1]["content"])


def works(run: Any, sim: Any, screen: Any, *calls: Any, **line: Any) -> Any:
    server = sim(Rule(call=1, tool_use=list(calls)), Rule(reply="Done."))
    tools = Tools(routes={"computer": screen, **line.pop("routes", {})})
    run.send(line={"base_url": server, "plugins": [tools], "model": MODEL, **line})
    return server


def test_the_model_sees_a_smaller_screen_and_its_coordinates_are_turned(run: Any, sim: Any) -> None:
    screen = FakeScreen()
    server = works(
        run,
        sim,
        screen,
        act("screenshot"),
        act("left_click", coordinate=[100, 50]),
        act("left_click_drag", start_coordinate=[0, 0], coordinate=[100, 50]),
        act("scroll", coordinate=[100, 50], scroll_direction="up", scroll_amount=3),
    )
    (tool,) = server.bodies[0]["tools"]
    width, height = tool["display_width_px"], tool["display_height_px"]
    assert tool["type"] == "computer_20250124"
    assert width < 1_600
    (block,) = results(server)[0]["content"]
    assert block["type"] == "image"
    x, y = round(100 * 3_000 / width), round(50 * 2_000 / height)
    (_, clicked_x, clicked_y, *how) = screen.done[1]
    assert abs(clicked_x - x) <= 1
    assert abs(clicked_y - y) <= 1
    assert how == ["left", 1]
    assert screen.done[2][:3] == ("drag", 0, 0)
    assert screen.done[3][3:] == (0, -3)


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("claude-haiku-4-5", "computer_20250124"),
        ("claude-opus-4-6", "computer_20251124"),
        ("claude-opus-4-7", "computer_20251124"),
        ("claude-opus-4-8", "computer_toolset_20260801"),
        ("claude-opus-5-5", "computer_toolset_20260801"),
    ],
)
def test_a_model_gets_the_tool_of_its_time(blocking: Any, sim: Any, model: str, kind: str) -> None:
    server = sim(Rule(reply="Done."))
    tools = Tools(routes={"computer": FakeScreen()})
    blocking.send(line={"base_url": server, "plugins": [tools], "model": model})
    assert server.bodies[0]["tools"][0]["type"] == kind


def test_an_action_that_waited_for_approval_goes_to_the_same_place(run: Any, sim: Any) -> None:
    screen = FakeScreen()
    server = sim(
        Rule(call=1, tool_use=act("left_click", coordinate=[100, 50])), Rule(reply="Done.")
    )
    tools = Tools(routes={"computer": screen, "comp*": "human"})

    async def body(line: Any) -> None:
        pending = (await line.send("Click.")).pending
        await line.resume(pending, {call["id"]: "approve" for call in pending["calls"]})

    run(body, base_url=server, plugins=[tools], model=MODEL)
    (tool,) = server.bodies[0]["tools"]
    ((_, x, y, *_),) = screen.done
    assert abs(x - 100 * 3_000 / tool["display_width_px"]) <= 1
    assert abs(y - 50 * 2_000 / tool["display_height_px"]) <= 1


def test_the_picture_has_the_size_that_was_declared(blocking: Any, sim: Any) -> None:
    import base64

    server = works(blocking, sim, FakeScreen(), act("screenshot"))
    (tool,) = server.bodies[0]["tools"]
    (block,) = results(server)[0]["content"]
    with Pictures.open(io.BytesIO(base64.b64decode(block["source"]["data"]))) as picture:
        assert picture.size == (tool["display_width_px"], tool["display_height_px"])


def test_every_action_reaches_the_screen(blocking: Any, sim: Any) -> None:
    screen = FakeScreen(800, 600)
    works(
        blocking,
        sim,
        screen,
        act("right_click", coordinate=[1, 2]),
        act("triple_click", coordinate=[1, 2]),
        act("mouse_move", coordinate=[3, 4]),
        act("type", text="ants"),
        act("key", text="ctrl+s", repeat=2),
        act("wait", duration=1_000),
        act("zoom", region=[10, 20, 110, 70]),
    )
    assert screen.done == [
        ("click", 1, 2, "right", 1),
        ("click", 1, 2, "left", 3),
        ("move", 3, 4),
        ("type", "ants"),
        ("key", "ctrl+s"),
        ("key", "ctrl+s"),
        ("wait", 300.0),
        ("zoom", (10, 20, 110, 70)),
    ]


@pytest.mark.parametrize(
    "bad",
    [
        act("left_click", coordinate=[9_999, 5]),
        act("left_click", coordinate=[-1, 5]),
        act("left_click", coordinate="here"),
        act("left_click"),
        act("scroll", coordinate=[1, 1], scroll_direction="in"),
        act("zoom", region=[10, 10, 5, 5]),
        act("hold_key", text="a", duration=1),
        act("explode"),
    ],
)
def test_what_makes_no_sense_is_told_and_what_follows_is_not_done(
    blocking: Any, sim: Any, bad: Any
) -> None:
    screen = FakeScreen(800, 600)
    server = works(blocking, sim, screen, act("type", text="a"), bad, act("type", text="b"))
    good, wrong, halted = results(server)
    assert good["content"] == "done"
    assert wrong["is_error"] is True
    assert halted["is_error"] is True
    assert halted["content"] == "Not executed: an earlier computer action in this turn failed."
    assert screen.done == [("type", "a")]


def test_newer_models_get_the_toolset(run: Any, loopback: Any, http: Any, message: Any) -> None:
    screen = FakeScreen(800, 600)
    call = {
        "type": "tool_use",
        "id": "toolu_1",
        "name": "left_click",
        "toolset_name": "computer",
        "input": {"coordinate": [5, 6]},
    }
    answers = iter([message("", content=[call], stop_reason="tool_use"), message("Done.")])
    server = loopback(lambda request: http(200, next(answers)))
    tools = Tools(routes={"computer": screen})
    run.send(line={**server.line, "plugins": [tools], "model": "claude-opus-5-5"})
    first, second = server.requests
    assert first.json["tools"] == [{"type": "computer_toolset_20260801"}]
    assert "anthropic-beta" not in first.headers
    (result,) = second.json["messages"][-1]["content"]
    assert result["toolset_name"] == "computer"
    assert screen.done == [("click", 5, 6, "left", 1)]


def test_older_tools_bring_their_beta(run: Any, loopback: Any, http: Any, message: Any) -> None:
    server = loopback(lambda request: http(200, message("Done.")))
    tools = Tools(routes={"computer": {"computer": FakeScreen(), "kind": "computer_20251124"}})
    run.send(line={**server.line, "plugins": [tools]})
    assert server.requests[0].headers["anthropic-beta"] == "computer-use-2025-11-24"
    assert server.requests[0].json["tools"][0]["enable_zoom"] is True


def test_a_person_may_approve_every_action(blocking: Any, sim: Any) -> None:
    screen = FakeScreen(800, 600)
    asked: list[str] = []

    def decide(call: Any) -> Any:
        asked.append(call.input["action"])
        return call.input["action"] != "type"

    server = sim(
        Rule(call=1, tool_use=[act("mouse_move", coordinate=[1, 1]), act("type", text="rm -rf")]),
        Rule(reply="Done."),
    )
    tools = Tools(routes={"computer": screen, "comp*": {"human": decide}})
    blocking.send(line={"base_url": server, "plugins": [tools]})
    assert asked == ["mouse_move", "type"]
    assert screen.done == [("move", 1, 1)]


def test_a_thing_that_is_no_screen_is_refused() -> None:
    with pytest.raises(ConfigError, match="has no size, screenshot, click"):
        Computer(5)


needs_xvfb = pytest.mark.skipif(
    shutil.which("Xvfb") is None or importlib.util.find_spec("tkinter") is None,
    reason="make test-deps installs it",
)


@needs_xvfb
def test_the_example_clicks_the_button_of_a_real_window() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)], capture_output=True, text=True, check=True, timeout=100
    )
    assert "The window says: saved Formica rufa" in done.stdout


@needs_xvfb
def test_a_virtual_screen_does_what_is_asked() -> None:
    from hookline_plugins.tools.xvfb import XvfbScreen

    code = """
import tkinter
root = tkinter.Tk()
root.geometry("400x300+0+0")
def tell(event):
    print(event.type.name, getattr(event, "num", ""), event.x, event.y, event.keysym, flush=True)
for name in ("<Button>", "<Key>", "<B1-Motion>"):
    root.bind(name, tell)
root.focus_force()
root.after(300, lambda: print("shown", flush=True))
root.mainloop()
"""
    with (
        XvfbScreen(640, 480) as screen,
        subprocess.Popen(
            [sys.executable, "-c", code],
            env={"DISPLAY": screen.display},
            stdout=subprocess.PIPE,
            text=True,
        ) as window,
    ):
        assert window.stdout is not None
        watchdog = threading.Timer(30, window.kill)  # a word that never comes ends the reading
        watchdog.start()
        lines: list[str] = []

        def until(word: str) -> str:
            for line in window.stdout or ():
                lines.append(line)
                if word in line:
                    return line
            raise AssertionError(lines)

        until("shown")
        screen.click(30, 40, "right", 1)
        assert until("ButtonPress").split()[1:4] == ["3", "30", "40"]
        screen.type("aÄ€")
        assert [until("KeyPress").split()[-1] for _ in "a"] == ["a"]
        until("Adiaeresis")
        until("20AC")
        screen.key("ctrl+s")
        until("Control_L")
        screen.scroll(50, 60, 0, 1)
        assert until("ButtonPress").split()[1] == "5"
        screen.drag(10, 10, 90, 90)
        until("Motion")
        assert screen.position() == (90, 90)
        with Pictures.open(io.BytesIO(screen.screenshot())) as picture:
            assert picture.size == (640, 480)
        with Pictures.open(io.BytesIO(screen.zoom((0, 0, 20, 10)))) as picture:
            assert picture.size == (20, 10)
        watchdog.cancel()
        window.terminate()
    began = time.monotonic()
    screen.close()  # a second time is harmless
    assert time.monotonic() - began < 5
