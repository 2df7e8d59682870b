"""One check at work: it takes calls, counts them, and may say why there was nothing to try."""

from attrs import define

from hookline.testing.conformance.subject import Subject
from hookline.testing.conformance.surfaces import Call, Colour, Outcome

__all__ = ["Trying"]


@define
class Trying:
    """A check at work.

    Attributes:
        subject: the plugin under test.
        calls: how many calls were taken with it.
        note: what there is to say besides findings.
        tried: whether there was anything to try.

    """

    subject: Subject
    calls: int = 0
    note: str = ""
    tried: bool = True

    def take(self, call: Call, colour: Colour = "sync") -> Outcome:
        """Take a call with the plugin, and again in asyncio where it needs an event loop."""
        self.calls += 1
        outcome = self.subject.take(call, colour)
        if outcome.asks_loop and colour == "sync":
            return self.subject.take(call, "asyncio")
        return outcome

    def nothing(self, why: str) -> None:
        """Note that there is nothing to try, and why."""
        self.tried = False
        self.note = why
