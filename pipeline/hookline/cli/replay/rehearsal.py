"""A pipeline that takes recorded exchanges through its plugins: rehearsed, or really sent."""

from decimal import Decimal

from attrs import evolve, frozen

from hookline._io import drive
from hookline._journey.journey import journey, rehearse, rehearse_reply, the_reply
from hookline.cli.replay.recorded import Recorded
from hookline.errors import HooklineError
from hookline.pipeline import Pipeline
from hookline.reply import Reply
from hookline.trace import Trace
from hookline.turn import Turn, TurnOptions
from hookline.values.messages import Request
from hookline.values.principal import NOBODY

__all__ = ["Outcome", "Rehearsal"]


@frozen
class Outcome:
    """What this configuration makes of one recorded exchange.

    Attributes:
        request: as it would leave, or left; as it came in where it was refused before.
        reply: what the caller would get, or got; None without a recorded response.
        trace: who did what on the way.
        error: what would end the turn, or ended it.
        left: whether the request got past every check.
        following: the plugin that would go on with another step, or empty.
        cost: US dollars of what was really sent, or None if a price is not known.

    """

    request: Request
    reply: Reply | None
    trace: Trace
    error: HooklineError | None = None
    left: bool = False
    following: str = ""
    cost: Decimal | None = None


class Rehearsal(Pipeline):
    """A ``Pipeline`` for what was recorded."""

    def rehearse(self, given: Recorded) -> Outcome:
        """Take an exchange through every stage but the sending.

        Nothing is sent, waited for, reserved or counted, and no tool runs: the turn is a rehearsal,
        which plugins tell by ``turn.rehearsing``. Files and URLs are read where a plugin would read them.
        """
        turn, request = self._taken_up(given)
        turn.rehearsing = True
        left = False
        try:
            request = drive(rehearse(self._engine, turn, request)).request
            left = True
            if given.response is None:
                return Outcome(request, None, turn.trace, left=True)
            reply, following = drive(
                rehearse_reply(self._engine, turn, turn.request or request, given.response)
            )
        except HooklineError as error:
            return Outcome(request, None, turn.trace, error, left=left)
        return Outcome(request, reply, turn.trace, left=True, following=following)

    def really_send(self, given: Recorded) -> Outcome:
        """Send the request, as ``send`` would, tools and all.

        Raises:
            HooklineError: there are no credentials.

        """
        self._require_credentials()
        turn, request = self._taken_up(given)
        items = journey(self._engine, turn, request)
        try:
            reply = the_reply(drive(anext(items)))
        except HooklineError as error:
            return Outcome(
                request, None, turn.trace, error, left=bool(turn.trace.attempts), cost=turn.cost
            )
        finally:
            drive(items.aclose())
        changes = [each.after for each in turn.trace.changes if each.step == 0]
        last = changes[-1] if changes else request
        return Outcome(last, reply, turn.trace, left=True, cost=turn.cost)

    def _taken_up(self, given: Recorded) -> tuple[Turn, Request]:
        """Return a turn of the surface ``send``, and the request as it was sent."""
        defined = {getattr(tool, "name", None) for tool in given.request.tools or ()}
        tools = tuple(
            each
            for each in self.registered.tools
            if each.definition is None or each.definition.name not in defined
        )
        turn = evolve(
            self._turn("send", options=TurnOptions(tools=tools)),
            principal=self.principal or given.principal or NOBODY,
        )
        return turn, given.request.evolve(stream=None)
