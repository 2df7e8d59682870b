"""The plugin ``logging``: what happened, through loguru.

Silent until the application says ``logger.enable("hookline_plugins")``; no message content, no keys.
"""

from typing import Literal

from attrs import frozen
from loguru import logger

from hookline import AttemptRecord, Reply, Request, Turn, hookimpl

__all__ = ["Logging"]

# The custom of libraries: an application that wants these lines enables them.
logger.disable("hookline_plugins")


@frozen(eq=False)
class Logging:
    """Logs the beginning and end of turns and each attempt.

    Every line is structured (``record["extra"]``): ``turn``, ``model``, ``surface``, tokens,
    seconds, cost. Texts, images and headers are never logged.

    Attributes:
        level: the loguru level of a turn that went well.

    """

    role = "observer"
    level: Literal["TRACE", "DEBUG", "INFO", "SUCCESS"] = "INFO"

    @hookimpl
    def on_turn_start(self, turn: Turn, request: Request) -> None:
        """Log at DEBUG that a turn begins."""
        turn.state[self] = turn.io.now()
        logger.bind(turn=turn.id, surface=turn.surface, model=request.model).debug(
            "turn begins: {surface} to {model}", surface=turn.surface, model=request.model
        )

    @hookimpl
    def on_attempt(self, turn: Turn, attempt: AttemptRecord) -> None:
        """Log an attempt: DEBUG if it was answered, WARNING if it failed."""
        log = logger.bind(turn=turn.id, **attempt.to_dict())
        if attempt.error is None:
            log.debug(
                "attempt {number}: {status} after {seconds:.3f} s",
                number=attempt.number,
                status=attempt.status,
                seconds=attempt.seconds,
            )
        else:
            log.warning(
                "attempt {number} failed after {seconds:.3f} s: {error}",
                number=attempt.number,
                seconds=attempt.seconds,
                error=attempt.error,
            )

    @hookimpl
    def on_turn_end(self, turn: Turn, reply: Reply | None, error: BaseException | None) -> None:
        """Log the outcome with tokens, cost and time."""
        seconds = turn.io.now() - turn.state.get(self, turn.io.now())
        log = logger.bind(turn=turn.id, surface=turn.surface, seconds=round(seconds, 4))
        if reply is None:
            kind = type(error).__name__
            log.bind(error=kind).error("turn failed after {s:.3f} s: {kind}", s=seconds, kind=kind)
            return
        usage = reply.usage
        log.bind(
            model=reply.model,
            stop_reason=reply.stop_reason,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cost=reply.cost,
        ).log(
            self.level,
            "turn done in {s:.3f} s: {model}, {inp} + {out} tokens, {stop}",
            s=seconds,
            model=reply.model,
            inp=usage.input_tokens,
            out=usage.output_tokens,
            stop=reply.stop_reason,
        )
