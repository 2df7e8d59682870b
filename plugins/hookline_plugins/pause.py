"""The plugin ``pause``: a turn that the API paused goes on by itself.

Server tools (web search and the like) run in a loop on the API's side. When that loop has taken its
share of rounds the reply ends with ``pause_turn``: half an answer, to be sent back as it is so that
the model goes on.
"""

from typing import Final

from attrs import field, frozen, validators

from hookline import Continue, Reply, Turn, hookimpl
from hookline.errors import TurnLimitExceeded
from hookline.plugin import TurnState, checks_options, option

__all__ = ["Pause"]

_PAUSED: Final = "pause_turn"


@checks_options
@frozen(eq=False)
class Pause:
    """Continues paused turns.

    What came before a pause is in ``reply.earlier``, and in ``reply.messages`` as an assistant
    message of its own; the API reads consecutive ones as one turn.

    Attributes:
        limit: how many times one turn is continued; one more pause is an error. 0 leaves paused
            turns to the caller.

    """

    after = ("history", "echo")
    rewrites_text = False
    pauses = TurnState(int)
    limit: int = field(
        default=10, metadata=option(harmless=True, least=0), validator=validators.ge(0)
    )

    @hookimpl
    def post_process(self, turn: Turn, reply: Reply) -> Continue | None:
        """Send the paused content back unchanged, with everything else as it was.

        Raises:
            TurnLimitExceeded: the turn was paused more often than ``limit`` allows.

        """
        if reply.stop_reason != _PAUSED or not self.limit:
            return None
        pauses = self.pauses[turn] + 1
        if pauses > self.limit:
            raise TurnLimitExceeded(
                f"the API paused this turn {pauses} times, and it is continued {self.limit} times "
                "at most. Set a larger limit under [plugins.pause], limit the server tool's "
                "max_uses, or go on yourself from .partial.messages",
                reply,
            )
        self.pauses[turn] = pauses
        return Continue(reply.request.evolve(messages=reply.messages))
