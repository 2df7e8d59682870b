"""A plugin in ten lines, written where it is used: the model is told what day it is.

The class needs no base class and no registration elsewhere: a marked method is a hook.
"""

import datetime as dt

from hookline import Pipeline, Request, hookimpl


class Today:
    """Tells the model the date."""

    @hookimpl
    def build_history(self, request: Request) -> Request:
        """Add a line to the system prompt, whatever is there."""
        return request.with_system(f"Today is {dt.datetime.now(dt.UTC).date()}.")


def main() -> None:
    """Use the plugin, and see in the trace what it did."""
    # Leave base_url out to talk to the API.
    with Pipeline(base_url="sim:", model="claude-haiku-4-5", plugins=[Today()]) as line:
        reply = line.send("What day is it?")
        own = line.send("What day is it?", system="You are a calendar.")

    print(reply.request.system)
    print(reply.trace.render())
    assert str(reply.request.system).startswith("Today is 20")
    assert [(change.stage, change.plugin) for change in reply.trace.changes] == [
        ("build_history", "Today")
    ]
    assert str(own.request.system).startswith("You are a calendar.\n\nToday is 20")


if __name__ == "__main__":
    main()
