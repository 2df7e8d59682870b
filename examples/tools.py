"""Tools: one is a Python function, the other an HTTP link; Hookline runs the loop.

A table of routes says which tool name leads where. A function describes itself by its types and
docstring. A link gets the tool's input as JSON by POST, and its answer is the result; links are
``https:``, or ``http:`` on this machine, and the caller defines the tool.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from hookline import Pipeline
from hookline.simulator import Rule, Scenario, Simulator
from hookline_plugins.tools import Tools

TICKETS = {
    "name": "open_ticket",
    "description": "Open a ticket.",
    "input_schema": {"type": "object", "properties": {"title": {"type": "string"}}},
}
PLAN = Scenario.of(
    Rule(when="weather", tool_use={"name": "get_weather", "input": {"city": "Bern"}}),
    Rule(when="ticket", tool_use={"name": "open_ticket", "input": {"title": "Ants"}}),
    Rule(when="sunny in Bern", reply="It is sunny in Bern."),
)


def get_weather(city: str, days: int = 1) -> str:
    """Tell the weather.

    Args:
        city: the town's name.
        days: how many days ahead.

    """
    return f"sunny in {city}, {days} day ahead"


class TicketDesk(BaseHTTPRequestHandler):
    """A tool that lives in another process, played by a thread here."""

    def do_POST(self) -> None:
        """Answer one call of the tool."""
        call = json.loads(self.rfile.read(int(self.headers["content-length"])))
        answer = f"opened: {call['title']}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 -- the base class's name
        """Keep quiet."""


def main() -> None:
    """Let the model use both tools."""
    desk = ThreadingHTTPServer(("127.0.0.1", 0), TicketDesk)
    threading.Thread(target=desk.serve_forever, daemon=True).start()
    # Links may also stand in hookline.toml, as [plugins.tools.routes].
    link = f"http://127.0.0.1:{desk.server_port}/tickets"
    tools = Tools(routes={"get_weather": get_weather, "open_ticket": link})
    # Leave base_url out to talk to the API.
    with desk, Pipeline(base_url=Simulator(PLAN), plugins=[tools]) as line:
        by_function = line.send("How is the weather in Bern?")
        by_link = line.send("Open a ticket about ants.", tools=[TICKETS])
        desk.shutdown()

    print(by_function.text)
    print(by_link.text)
    assert by_function.text == "It is sunny in Bern."
    assert "opened: Ants" in by_link.text
    assert len(by_link.trace.attempts) == 2  # noqa: PLR2004 -- the call, then its result


if __name__ == "__main__":
    main()
