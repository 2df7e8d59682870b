"""The plugin ``prefill``: put the first words of the reply in the model's mouth, on every model.

Models up to 4.5 continue a final assistant message: ``native``. Later models refuse one (facts
4.2), so there the model is told to continue from the words: ``instructed``. Either way
``reply.text`` begins with them exactly once; the plugin ``text`` sees to that.
"""

from typing import Final

from attrs import field, frozen

from hookline import InputError, Message, Prefill, Request, TextBlock, Turn, hookimpl
from hookline.plugin import option
from hookline.values import PrefillMode

__all__ = ["INSTRUCTION", "PrefillPlugin", "continues", "instructed", "with_instruction"]

INSTRUCTION: Final = (
    "Your reply has already been started with the words between the tags. Write only what comes "
    "directly after them, as their continuation; do not repeat them and do not comment on them.\n"
    "<reply_so_far>{words}</reply_so_far>"
)


@frozen
class PrefillPlugin:
    """Injects the prefill that a call asks for.

    Attributes:
        mode: what ``prefill_mode="auto"`` means: ``"auto"`` takes native where the model allows
            it and instructed elsewhere; ``"native"`` refuses other models; ``"instructed"``
            always tells the model.

    """

    after = ("history",)
    mode: PrefillMode = field(default="auto", metadata=option(harmless=True))

    @hookimpl
    def inject_prefill(self, turn: Turn, request: Request) -> Request | None:
        """Append the prefill as an assistant message, or the instruction to continue from it."""
        words = turn.options.prefill
        if not words:
            return None
        asked = turn.options.prefill_mode
        mode = self.mode if asked == "auto" else asked
        if mode == "native" or (mode == "auto" and continues(turn, request)):
            _require_native(turn, request)
            turn.prefill = Prefill(text=words, mode="native")
            return request.append(Message("assistant", words))
        turn.prefill = Prefill(text=words, mode="instructed")
        return instructed(request, words)


def continues(turn: Turn, request: Request) -> bool:
    """Say whether the model continues a final assistant message.

    Models that the table does not know run on local servers, whose chat templates mostly do.
    """
    facts = turn.models.get(request.model)
    thinking = request.thinking or {}
    if thinking.get("type", "disabled") != "disabled" or _formatted(request):
        return False  # facts 4.3: incompatible with thinking and with structured output
    return facts is None or facts.prefill


def _formatted(request: Request) -> bool:
    return bool((request.output_config or {}).get("format"))


def _require_native(turn: Turn, request: Request) -> None:
    facts = turn.models.get(request.model)
    if facts is not None and not facts.prefill:
        raise InputError(
            f"{request.model} does not continue an assistant message (prefill). Use "
            'prefill_mode="instructed", which tells the model to continue from the words, or a '
            "model up to 4.5"
        )


def instructed(request: Request, words: str) -> Request:
    """Tell the model to continue from ``words``."""
    return with_instruction(request, INSTRUCTION.format(words=words))


def with_instruction(request: Request, text: str) -> Request:
    """Tell the model at the end of the last user message, so that the prompt's beginning stays."""
    instruction = TextBlock(text)
    *earlier, last = request.messages
    if last.role != "user":
        return request.append(Message("user", (instruction,)))
    return request.evolve(messages=(*earlier, last.evolve(content=(*last.blocks, instruction))))
