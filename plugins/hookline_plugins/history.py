"""The plugin ``history``: the messages so far and the system prompt around the new message."""

from attrs import frozen

from hookline import Request, Turn, hookimpl
from hookline.plugin import checks_options

__all__ = ["History"]


@checks_options
@frozen
class History:
    """Puts the conversation in front of the new message.

    A conversation (or ``messages=``) hands its turns over in ``turn.options.history``, synthetic
    ones included; a request's own system prompt wins over the default.

    Attributes:
        system: the system prompt of requests that bring none; empty for none.

    """

    first = True
    system: str = ""

    @hookimpl
    def build_history(self, turn: Turn, request: Request) -> Request | None:
        """Put the history first, and the default system prompt where there is none."""
        changes: dict[str, object] = {}
        if turn.options.history:
            changes["messages"] = (*turn.options.history, *request.messages)
        if self.system and request.system is None:
            changes["system"] = self.system
        return request.evolve(**changes) if changes else None
