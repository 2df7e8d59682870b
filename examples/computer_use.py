"""Computer use: a window on a virtual screen, and a model that clicks its button.

Needs Xvfb, tkinter and the extra `computer`. The simulator plays the model: it looks at the screen, then
clicks where the button is. Leave base_url out to talk to the API.
"""

import subprocess
import sys

from hookline import Pipeline
from hookline.simulator import Rule, Scenario, Simulator
from hookline_plugins.tools import Tools
from hookline_plugins.tools.xvfb import XvfbScreen

WINDOW = """
import tkinter
root = tkinter.Tk()
root.geometry("400x200+200+100")
entry = tkinter.Entry(root)
entry.place(x=20, y=20, width=360, height=40)
def save():
    print("saved", entry.get(), flush=True)
button = tkinter.Button(root, text="Save", command=save)
button.place(x=100, y=100, width=200, height=60)
root.after(200, lambda: print("shown", flush=True))
root.mainloop()
"""


def act(action: str, **given: object) -> dict[str, object]:
    """Return one call of the computer tool."""
    return {"name": "computer", "input": {"action": action, **given}}


model = Simulator(
    Scenario.of(
        Rule(call=1, tool_use=act("screenshot")),
        Rule(
            call=2,
            tool_use=[
                act("left_click", coordinate=[400, 140]),
                act("type", text="Formica rufa"),
                act("left_click", coordinate=[400, 230]),
            ],
        ),
        Rule(reply="I have saved it."),
    )
)

with (
    XvfbScreen(1024, 768) as screen,
    subprocess.Popen(
        [sys.executable, "-c", WINDOW],
        env={"DISPLAY": screen.display},
        stdout=subprocess.PIPE,
        text=True,
    ) as window,
    Pipeline(
        base_url=model,
        model="claude-haiku-4-5",
        plugins=[Tools(routes={"computer": screen})],
    ) as line,
):
    assert window.stdout is not None
    assert window.stdout.readline() == "shown\n"

    reply = line.send("Write Formica rufa into the form, and save it.")
    print(reply.text)

    said = window.stdout.readline()  # what the window itself knows
    print(f"The window says: {said.strip()}")
    assert said == "saved Formica rufa\n"
    window.terminate()
