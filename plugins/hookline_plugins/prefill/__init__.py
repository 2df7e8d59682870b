"""The plugin ``prefill``: put the first words of the reply in the model's mouth, on every model.

``inject_prefill`` puts them at the end of the request as an assistant message, and that is what a
conversation remembers. What really leaves is decided in ``send``, for each attempt (``decision``):
models up to 4.5 continue such a message, ``native``; later ones refuse it (facts 4.2) and are told, ``instructed``,
as is a model of which that is learned from its server's refusal;
and where the reply is JSON of a schema that begins so anyway, nothing need be said, ``structured``. The plugin
``echo`` (in ``echo``) then takes out what the answer repeats (``repeats``).
"""

from typing import Final

from attrs import field, frozen, validators

from hookline import APIError, CallNext, Message, Prefill, Request, Response, Turn, hookimpl
from hookline.plugin import checks_options, option
from hookline.values import PREFILL_MODES, PrefillMode, PrefillWay
from hookline_plugins.prefill.decision import placed, refuses_prefill, trailing_words

__all__ = ["PrefillPlugin"]

_LATE: Final = "the conversation ends in an assistant's words; they are taken for a prefill"


@checks_options
@frozen
class PrefillPlugin:
    """Injects the prefill that a call asks for; or that ``messages`` end in.

    Attributes:
        mode: what ``prefill_mode="auto"`` means: ``"auto"`` takes native where model and server
            allow it and instructed elsewhere; the others do as they say, ``"error"`` refuses
            whatever cannot be native.

    """

    after = ("history", "output", "heal")
    mode: PrefillMode = field(
        default="auto", validator=validators.in_(PREFILL_MODES), metadata=option(harmless=True)
    )

    @hookimpl
    def inject_prefill(self, turn: Turn, request: Request) -> Request | None:
        """Append the prefill as an assistant message.

        Raises:
            InputError: it cannot be done as it was asked for.

        """
        words = turn.options.prefill
        if words:
            request = request.append(Message("assistant", words))
        else:
            found = trailing_words(request)
            if found is None:
                return None
            request, words = found
            turn.trace.note("prefill", _LATE)
        mode, _ = placed(turn, request, words, self._asked(turn), given=bool(turn.options.prefill))
        turn.prefill = Prefill(text=words, mode=mode)
        return request

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        """Send the words as model and server at hand take them.

        Raises:
            InputError: a layer outside has chosen a model that cannot do it as it was asked for.

        """
        words = words_at_the_end(turn, request)
        if words is None:
            return await call_next(request)
        mode, sent = self._placed(turn, request, words)
        try:
            return await call_next(sent)
        except APIError as error:
            if mode != "native" or self._asked(turn) != "auto" or not refuses_prefill(error):
                raise
            turn.learn("prefill", False, model=request.model, how="it refused one")  # noqa: FBT003 -- what was learned
        mode, sent = self._placed(turn, request, words)
        return await call_next(sent)

    def _placed(self, turn: Turn, request: Request, words: str) -> tuple[PrefillWay, Request]:
        given = bool(turn.options.prefill)
        mode, sent = placed(turn, request, words, self._asked(turn), given=given)
        if turn.prefill is not None and turn.prefill.text == words:
            if mode != "native":
                turn.trace.note("prefill", f"{mode} for {request.model}")
            turn.prefill = Prefill(text=words, mode=mode)
        return mode, sent

    def _asked(self, turn: Turn) -> PrefillMode:
        asked = turn.options.prefill_mode
        return self.mode if asked == "auto" else asked


def words_at_the_end(turn: Turn, request: Request) -> str | None:
    """Return the assistant's words that a request on its way out ends in.

    A step whose own request ends so, without a prefill, goes on with a turn that the API paused: that
    is not ours to change.
    """
    last = request.messages[-1] if request.messages else None
    if last is None or last.role != "assistant" or not isinstance(last.content, str):
        return None
    begun = turn.request.messages[-1:] if turn.request is not None else ()
    if turn.prefill is None and begun and begun[0].role == "assistant":
        return None
    return last.content
