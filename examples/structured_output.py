"""Structured output: the reply is a value of a class, and can be read while it grows.

The class is all there is to write: its JSON schema is made from the annotations, the API lets the
model write nothing else, and the reply's JSON becomes an instance.
"""

import datetime as dt
from typing import Literal

from attrs import frozen

from hookline import OutputError, Pipeline
from hookline.simulator import Rule, Scenario, Simulator

NOTE = "12 May 2026: three black garden ants at the kitchen door, 4 mm, and one red, 5 mm."
# Keys that no schema can name travel as a list; see counts below.
ANSWER = (
    '{"day": "2026-05-12", "place": "kitchen door", "mood": "calm",'
    ' "counts": [{"key": "black garden ant", "value": 3}, {"key": "red ant", "value": 1}]}'
)
PLAN = Scenario.of(Rule(when="three black garden ants", reply=ANSWER, chunk=20))


@frozen
class Sighting:
    """What somebody has seen."""

    day: dt.date
    place: str
    mood: Literal["calm", "alarmed"]
    counts: dict[str, int]
    weather: str | None = None


def main() -> None:
    """Read a note as a ``Sighting``: at once, while it grows, and cut off."""
    # Leave base_url out to talk to the API.
    with Pipeline(base_url=Simulator(PLAN), model="claude-haiku-4-5") as line:
        sighting = line.send(NOTE, output=Sighting).output

        with line.stream(NOTE, output=Sighting) as stream:
            for growing in stream.output:  # plain JSON, as far as it has come
                print(growing)
        streamed = stream.reply.output

        cut = None
        try:
            line.send(NOTE, output=Sighting, max_tokens=5)
        except OutputError as error:
            cut = error

    print(sighting)
    print(cut)
    assert sighting == streamed
    assert sighting.day == dt.date(2026, 5, 12)
    assert sighting.counts == {"black garden ant": 3, "red ant": 1}
    assert sighting.weather is None
    assert cut is not None
    assert cut.reason == "truncated"
    assert ANSWER.startswith(cut.text)


if __name__ == "__main__":
    main()
