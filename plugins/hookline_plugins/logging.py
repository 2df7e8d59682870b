"""The plugin ``logging``: what happened, through loguru or the standard library's ``logging``.

Silent until the application says ``logger.enable("hookline_plugins")``; no message content, no keys.
"""

from collections.abc import Callable
from typing import Final, Literal

from attrs import field, frozen
from loguru import logger

from hookline import AttemptRecord, Reply, Request, Turn, hookimpl, log_to_stdlib
from hookline.plugin import TurnState, checks_options, option

__all__ = ["Logging"]

_ANSWERED: Final = "attempt {number}: {status} after {seconds:.3f} s"
_FAILED: Final = "attempt {number} failed after {seconds:.3f} s: {error}"


@checks_options
@frozen(eq=False)
class Logging:
    """Logs the beginning and end of turns and each attempt.

    Every line is structured (``record["extra"]``): ``turn``, ``model``, ``surface``, tokens,
    seconds, cost. Texts, images and headers are never logged.

    Attributes:
        level: the loguru level of a turn that went well.
        stdlib: whether all of Hookline's lines go to the standard library's ``logging``, while a
            pipeline with this plugin is open; see ``hookline.log_to_stdlib``.

    """

    role = "observer"
    began = TurnState(float)
    level: Literal["TRACE", "DEBUG", "INFO", "SUCCESS"] = field(
        default="INFO", metadata=option(harmless=True)
    )
    stdlib: bool = field(default=False, metadata=option(harmless=True))
    _undo: list[Callable[[], None]] = field(factory=list, init=False, repr=False)

    @hookimpl
    def open(self) -> None:
        """Hand the lines over to ``logging``, if that is wanted."""
        if self.stdlib:
            self._undo.append(log_to_stdlib())

    @hookimpl
    def close(self) -> None:
        """Take it back, so that another pipeline does as it likes."""
        while self._undo:
            self._undo.pop()()

    @hookimpl
    def on_turn_start(self, turn: Turn, request: Request) -> None:
        """Log at DEBUG that a turn begins."""
        self.began[turn] = turn.io.now()
        logger.debug(
            "turn begins: {surface} to {model}",
            turn=turn.id,
            surface=turn.surface,
            model=request.model,
        )

    @hookimpl
    def on_attempt(self, turn: Turn, attempt: AttemptRecord) -> None:
        """Log an attempt: DEBUG if it was answered, WARNING if it failed."""
        # Keyword arguments become record["extra"]. bind() would too, but costs its time even while
        # nobody listens; a logger that is silent must be free.
        logger.log(
            "DEBUG" if attempt.error is None else "WARNING",
            _ANSWERED if attempt.error is None else _FAILED,
            turn=turn.id,
            number=attempt.number,
            step=attempt.step,
            model=attempt.model,
            status=attempt.status,
            seconds=attempt.seconds,
            request_id=attempt.request_id,
            error=attempt.error,
        )

    @hookimpl
    def on_turn_end(self, turn: Turn, reply: Reply | None, error: BaseException | None) -> None:
        """Log the outcome with tokens, cost and time."""
        now = turn.io.now()
        seconds = round(now - self.began[turn], 4)
        if reply is None:
            logger.error(
                "turn failed after {seconds:.3f} s: {error}",
                turn=turn.id,
                surface=turn.surface,
                seconds=seconds,
                error=type(error).__name__,
            )
            return
        usage = reply.usage
        logger.log(
            self.level,
            "turn done in {seconds:.3f} s: {model}, {input_tokens} + {output_tokens} tokens, "
            "{stop_reason}",
            turn=turn.id,
            surface=turn.surface,
            seconds=seconds,
            model=reply.model,
            stop_reason=reply.stop_reason,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cost=reply.cost,
            total_cost=reply.total_cost,
        )
