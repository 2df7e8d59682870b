"""An upstream in trouble: retries, another model, and a cache, each a plugin around the sending.

The scenario plays the trouble: one model is always overloaded, the other first answers with an
error. Which layer lies outside of which is declared by the plugins; no order is to be minded here.
"""

from hookline import Pipeline
from hookline.simulator import Rule, Scenario, Simulator
from hookline_plugins.resilience.fallback import Fallback
from hookline_plugins.resilience.retry import Retry
from hookline_plugins.storage.cache import Cache

TROUBLE = Scenario.of(
    Rule(model="claude-opus-5-5", status=529),
    Rule(model="claude-haiku-4-5", status=500, times=1),
    Rule(reply="Ants sleep in short naps.", chunk=5),
)
QUESTION = "Do ants sleep?"


def main() -> None:
    """Ask twice; the second time nothing is sent."""
    plugins = [
        Retry(attempts=2, base=0.01, throttle_base=0.01),  # seconds; for a quick example
        Fallback(models=("claude-haiku-4-5",)),
        Cache(ttl=600),
    ]
    # Leave base_url out to talk to the API.
    with Pipeline(base_url=Simulator(TROUBLE), model="claude-opus-5-5", plugins=plugins) as line:
        reply = line.send(QUESTION)
        print(reply.trace.render())

        with line.stream(QUESTION) as stream:  # the kept answer, as a stream
            pieces = list(stream.text)
        print(pieces)

    assert reply.text == "".join(pieces) == "Ants sleep in short naps."
    assert reply.model.startswith("claude-haiku-4-5")
    assert [attempt.status for attempt in reply.trace.attempts] == [529, 529, 500, 200]
    assert stream.reply.trace.attempts == []
    assert stream.reply.trace.notes == [("cache", "hit")]


if __name__ == "__main__":
    main()
