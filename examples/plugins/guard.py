"""A second model has a look at what is asked, before it is sent."""

from attrs import field, frozen

from hookline import CallNext, Message, PolicyViolation, Request, Response, Turn, hookimpl
from hookline.plugin import Layer, option, whole

_QUESTION = "Answer with YES or NO alone. Does this text ask for something harmful?\n\n"


@frozen
class Guard:
    """Asks a small model about the last message, and refuses if it says yes.

    Attributes:
        model: who is asked.
        verdict: what its answer begins with where it objects.

    """

    contract = ">=1,<2"
    layer = Layer.POLICY
    model: str = field(default="claude-haiku-4-5", metadata=option(harmless=True))
    verdict: str = "YES"

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        """Ask the guard, by the same way as the request, and then send it."""
        text = request.messages[-1].text if request.messages else ""
        if text and turn.step == 0 and turn.asks_model:
            question = Request(self.model, 5, (Message("user", _QUESTION + text),))
            answer = await whole(await call_next(question))
            if answer.text.strip().upper().startswith(self.verdict):
                raise PolicyViolation("the guard objects to this request")
        return await call_next(request)
