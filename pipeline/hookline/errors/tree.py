"""The tree of errors, but for what the API itself says."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from hookline.reply import Reply
    from hookline.trace import AttemptRecord
    from hookline.values.messages import Request

__all__ = [
    "CircuitOpen",
    "ConfigError",
    "DeadlineExceeded",
    "DecodeError",
    "FrozenError",
    "HooklineError",
    "InputError",
    "LimitExceeded",
    "MissingExtra",
    "NeedsEventLoop",
    "OutputError",
    "OutputFailure",
    "PluginError",
    "PluginWarning",
    "PolicyViolation",
    "PoolTimeout",
    "ReadTimeout",
    "StreamInterrupted",
    "StreamTruncated",
    "TransportError",
    "TurnLimitExceeded",
    "UnresolvedContent",
    "needs_event_loop",
]

OutputFailure: TypeAlias = Literal["refusal", "truncated", "mismatch", "not_json"]


class HooklineError(Exception):
    """Base of every error that Hookline raises on purpose.

    Attributes:
        retryable: whether the same call may succeed when it is sent again.
        attempts: every HTTP exchange of the turn that this error ended, oldest first.
        unfinished: the reply whose tool calls had been run, in part or whole, when the turn failed; else None.
        admin: what an administrator needs to know beside it (which file and line of a policy), or "".

    """

    admin: str = ""
    retryable: bool = False
    attempts: "tuple[AttemptRecord, ...]" = ()
    unfinished: "Reply | None" = None

    @property
    def pending(self) -> dict[str, Any] | None:
        """What `resume` takes to go on after the failure, as plain JSON; None where no tool had run.

        What has been run is in it with its results, and so is not run again.
        """
        return None if self.unfinished is None else self.unfinished.pending

    @property
    def should_retry(self) -> bool:
        """Whether it should be sent again, to the same server."""
        return self.retryable

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own way calls the class with the finished text, which few of these classes take.
        return _restored, (type(self), self.args, self.__dict__)


def _restored(
    cls: type[HooklineError], args: tuple[Any, ...], state: Mapping[str, Any]
) -> HooklineError:
    """Make a copy of an error of what it holds; called by ``pickle`` and ``copy``."""
    error = cls.__new__(cls, *args)
    error.__dict__.update(state)
    return error


class ConfigError(HooklineError):
    """An option, a key, a plugin set or a configuration file is wrong; nothing was sent."""


class MissingExtra(ConfigError):
    """A feature needs an optional package.

    Args:
        extra: the extra of the ``hookline`` distribution, for example ``"images"``.
        package: what could not be imported, for example ``"pillow"``.
        needed_for: what the user wanted to do.

    """

    def __init__(self, extra: str, package: str, needed_for: str = "") -> None:
        purpose = f" {needed_for}" if needed_for else " this"
        super().__init__(
            f"{package} is needed for{purpose} and is not installed. "
            f"Install it with: pip install 'hookline[{extra}]'"
        )
        self.extra = extra
        self.package = package


class InputError(HooklineError, ValueError):
    """What the caller handed over cannot be sent: an empty message, a missing file, a bad prefill.

    Attributes:
        position: where in the request, ``messages.2.content.0.text``, or "" where that is not known.
        reason: what is wrong there, without the position.

    """

    position: str = ""
    reason: str = ""


class FrozenError(InputError, AttributeError, TypeError):
    """Somebody tried to change a value in place; ``value.evolve(…)`` makes another one."""


class UnresolvedContent(InputError):
    """An attachment reached the wire as it was given, because no plugin resolved it."""


class PluginError(HooklineError):
    """A plugin raised, or answered a hook with the wrong thing.

    Args:
        message: what happened.
        plugin: the plugin's name, as ``hookline plugins`` prints it.
        hook: the hook it failed in, for example ``"inject_prefill"``.

    Attributes:
        plugin: see above.
        hook: see above.

    The exception that the plugin raised, if it did, is ``__cause__``.

    """

    def __init__(self, message: str, *, plugin: str, hook: str) -> None:
        super().__init__(f"plugin {plugin!r}, hook {hook!r}: {message}")
        self.plugin = plugin
        self.hook = hook


class PluginWarning(UserWarning):
    """An installed plugin is broken and was left out; names it, its distribution and the reason."""


class PolicyViolation(HooklineError):
    """A rule of the organisation refused the turn.

    Raise it from ``check_request`` (or any hook of an enforcer) with a text that the user may read.

    Args:
        message: what is not allowed, and what to do about it.
        plugin: filled in by the engine with the name of the plugin that refused.
        rule: a short stable name of the rule, for audit rows.
        evidence: where it was broken (``"system, 14 characters at 120"``), without what stands there.

    """

    def __init__(
        self, message: str, *, plugin: str = "", rule: str = "", evidence: str = ""
    ) -> None:
        super().__init__(message)
        self.plugin = plugin
        self.rule = rule
        self.evidence = evidence


class DecodeError(HooklineError, ValueError):
    """Bytes or JSON that do not have the shape the API promises.

    Args:
        message: what was expected and what was found.
        path: where, in JSONPath form: ``$.content[2].text``.

    """

    def __init__(self, message: str, path: str = "$") -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path


class TurnLimitExceeded(HooklineError):
    """Plugins asked for more steps than one turn may take (``max_steps``).

    Attributes:
        partial: the reply of the last step that was taken.
        following: the request of the step that was not: ``send(messages=error.following.messages)``
            goes on, with the results of tools and whatever else the next step needs.

    """

    def __init__(
        self,
        message: str,
        partial: "Reply | None" = None,
        following: "Request | None" = None,
    ) -> None:
        super().__init__(message)
        self.partial = partial
        self.following = following


class OutputError(HooklineError):
    """The model answered, but not with what ``output=`` asked for.

    Args:
        message: what is wrong, and where.
        reason: ``"refusal"``, ``"truncated"`` (``max_tokens`` or the context window),
            ``"not_json"``, or ``"mismatch"`` (JSON, but of another shape).
        reply: the whole reply, for example for ``reply.refusal`` or ``reply.messages``.

    Attributes:
        text: the raw text, as far as it came.

    """

    def __init__(self, message: str, *, reason: "OutputFailure", reply: "Reply") -> None:
        super().__init__(message)
        self.reason: OutputFailure = reason
        self.reply = reply
        self.text = reply.text


class DeadlineExceeded(HooklineError):
    """The time the caller gave the turn was up, wherever the turn stood.

    Args:
        phase: what was going on: a stage's name, or the stream.
        timeout: the seconds that the turn was given.

    Attributes:
        partial: what a stream had delivered by then, else None.

    """

    def __init__(self, phase: str, timeout: float) -> None:
        super().__init__(
            f"the turn's {timeout:g} s were up during {phase}; pass a larger timeout= to allow more"
        )
        self.phase = phase
        self.timeout = timeout
        self.partial: Reply | None = None


class TransportError(HooklineError):
    """No usable HTTP answer came.

    Args:
        message: what happened.
        phase: ``"connect"``, ``"tls"``, ``"write"``, ``"read"``, ``"pool"``, ``"proxy"`` or
            ``"protocol"``; ``"limit"`` and ``"circuit"`` where a plugin of ours held the call back.
        retryable: whether sending again may help.

    """

    def __init__(self, message: str, *, phase: str, retryable: bool = True) -> None:
        super().__init__(message)
        self.phase = phase
        self.retryable = retryable


class PoolTimeout(TransportError):
    """No connection of our own pool became free in time; the upstream is not to blame."""

    def __init__(self, message: str) -> None:
        super().__init__(message, phase="pool")


class ReadTimeout(TransportError):
    """The server took the request and has been silent for longer than ``read_timeout`` allows.

    It may still be at work, and bill for it: to send the same again is somebody's decision.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, phase="read")


class LimitExceeded(TransportError):
    """The pipeline's own limiter let the call not through; nothing was sent.

    Args:
        message: which limit, and what to do.
        retry_after: seconds after which there is likely to be room.
        retryable: False where this turn cannot wait that long.

    """

    def __init__(self, message: str, *, retry_after: float, retryable: bool) -> None:
        super().__init__(message, phase="limit", retryable=retryable)
        self.retry_after = retry_after


class CircuitOpen(TransportError):
    """The upstream has been failing, so calls are held back for a while; nothing was sent.

    Args:
        message: which upstream and model.
        retry_after: seconds until a call is let through again, as a probe.

    """

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message, phase="circuit")
        self.retry_after = retry_after


class StreamInterrupted(HooklineError):
    """A stream broke after it had begun.

    Args:
        message: what happened.
        partial: a reply made of everything that arrived before the break.

    The error that broke the stream is ``__cause__``.

    """

    def __init__(self, message: str, partial: "Reply | None" = None) -> None:
        super().__init__(message)
        self.partial = partial


class StreamTruncated(StreamInterrupted):
    """The connection ended in good order, but before ``message_stop``."""


class NeedsEventLoop(HooklineError, RuntimeError):
    """A coroutine waited for an event loop where there is none: in a ``Pipeline``."""

    def __init__(self) -> None:
        super().__init__(
            "this await needs an event loop, and a Pipeline has none. Await turn.io (sleep, fetch, "
            "run_blocking, gather) instead, or use AsyncPipeline"
        )


def needs_event_loop(error: BaseException) -> bool:
    """Say whether an error means that code for an event loop ran without one.

    Args:
        error: ours, or what asyncio, trio and anyio say when they are called outside of a loop.

    """
    return isinstance(error, NeedsEventLoop) or (
        isinstance(error, RuntimeError)
        and any(sign in str(error) for sign in ("event loop", "async context", "async backend"))
    )
