"""The turn itself: read :class:`Turn`."""

from collections.abc import (
    AsyncGenerator,
    Callable,
    Mapping,
)
from operator import attrgetter, is_
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from attrs import Attribute, Factory, define, field, fields

from hookline.errors import DeadlineExceeded, TransportError
from hookline.profiles import LessonName, LessonValue, Profile, Servers
from hookline.trace import Trace
from hookline.turn.io import IO, Uploads
from hookline.values.blocks import ToolResultBlock, ToolUseBlock
from hookline.values.destination import Destination
from hookline.values.frozen import FrozenDict
from hookline.values.messages import Request
from hookline.values.prefill import Prefill
from hookline.values.principal import NOBODY, Principal

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from decimal import Decimal

    from hookline.models import ModelTable
    from hookline.reply import Reply
    from hookline.values.events import Event

from hookline.turn.judging import Judging, tampered
from hookline.turn.options import NO_OPTIONS, CallTool, Progress, Resolve, RunTool, TurnOptions

__all__ = ["Turn"]

_SLACK: Final = 0.01  # seconds by which a time-out of the network may fire early

# These doors build a request, or count it, and ask no model; `call_next` does not answer there.
_ASKS_NOBODY: Final = frozenset({"explain", "batch", "count_tokens", "upload"})


# What a turn is made with, and stays: policies rely on it.
_FIXED: Final = (
    *("id", "io", "models", "servers", "plugins", "policies", "surface", "name", "stream"),
    *("context", "options", "api_version", "betas", "headers", "timeout", "conversation"),
    *("state", "trace"),
)
_fixed: Final = attrgetter(*_FIXED)
# How far it has come.
_PROGRESS: Final = (
    *("deadline", "prefill", "step", "attempt", "request", "rehearsing", "buffered", "phase"),
    "partial",
)
_progress: Final = attrgetter(*_PROGRESS)
# Beside the turns and not in them, where a plugin could change both.
_MADE: WeakKeyDictionary["Turn", tuple[tuple[Any, ...], Principal, "CallTool | None"]] = (
    WeakKeyDictionary()
)


def _settable(_turn: Any, attribute: "Attribute[Any]", value: Any) -> Any:
    if attribute.name in _FIXED or attribute.name in (
        "principal",
        "_call_tool",
        "_resolve",
        "_open_uploads",
    ):
        raise AttributeError(
            f"turn.{attribute.name} is fixed when the turn is made; a plugin may set turn.prefill, "
            "turn.destination and its own TurnState"
        )
    return value


@define(kw_only=True, eq=False, on_setattr=_settable)
class Turn:
    """One journey through the pipeline.

    A turn belongs to one call and is never shared; plugins may read everything and write
    ``prefill``, ``destination``, ``traceparent``, ``unfinished`` and their own ``TurnState``. The engine writes how
    far it has come; all else is fixed.

    Attributes:
        id: unique in this process, for logs.
        surface: the door the turn came in by: ``"send"``, ``"stream"``, ``"count_tokens"``,
            ``"batch"``, ``"upload"``, ``"explain"``.
        name: what the caller calls it: an item's ``custom_id``, an upload's file name.
        stream: whether the caller receives events as they arrive.
        principal: on whose behalf; from the pipeline's owner or from whoever authenticated the
            caller, so a policy may rely on it.
        context: the caller's own facts, pipeline's and call's together (feature, experiment …).
        options: what the caller asked for.
        io: time, threads and network.
        models: facts about models.
        servers: what kinds of servers can do, and what those of the pipeline have shown of themselves.
        plugins: those that take part, in order, each with the version of its distribution.
        policies: the policy files that hold, each as its id and hash (``"acme-2026-11 sha256:…"``).
        destination: where the next attempts go, and as whom. A ``send`` hook may set another
            one before ``call_next``; from the checks on it is fixed.
        api_version: the ``anthropic-version`` that requests go out with.
        betas: beta names in the pipeline's own headers, besides those of a request.
        headers: the pipeline's own headers; some may be credentials.
        deadline: monotonic second (``io.now()``) at which the turn is over; None for no limit.
        timeout: the seconds that the deadline was made from.
        conversation: the conversation that the turn belongs to, or None.
        state: what ``TurnState`` keeps its values in.
        prefill: what the ``inject_prefill`` stage did.
        traceparent: what requests say of the trace they belong to (W3C Trace Context); empty for
            nothing.
        trace: who changed what, and every attempt.
        step: 0 for the first request of the turn, 1 for the next (tool results) …
        attempt: HTTP exchanges begun so far, over all steps.
        request: the request of the current step, as the three transforms left it.
        rehearsing: whether the layers run to show what would leave, and nothing will. Then
            nothing is to be waited for, reserved or counted.
        buffered: events of a stream that have arrived and lie ready; the next of them is not
            waited for.
        phase: what is going on, for the text of ``DeadlineExceeded``.
        partial: what a stream had delivered when it ended early, else None.
        unfinished: the last reply whose tool calls have been run, with their results, so that they need
            not be run again if the turn fails; whoever runs tools sets it.
        left: whether the caller has closed the stream while it was being read.
        told: takes what plugins ``tell`` the reader of a stream while they work; None where nobody
            listens.
        open_streams: streams of answers that have begun; whoever abandons one, the turn closes it.

    """

    id: str
    io: IO
    models: "ModelTable"
    servers: Servers = field(factory=Servers, repr=False)
    plugins: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    surface: str = "send"
    name: str = ""
    stream: bool = False
    principal: Principal = NOBODY
    context: Mapping[str, Any] = FrozenDict()
    options: TurnOptions = NO_OPTIONS
    _destination: Destination = field(
        default=Destination(base_url="http://nowhere.invalid"), alias="destination"
    )
    api_version: str = ""
    betas: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default=FrozenDict(), repr=False)
    deadline: float | None = None
    timeout: float = 0.0
    conversation: Any = field(default=None, repr=False)
    state: dict[Any, Any] = field(factory=dict, repr=False)
    prefill: Prefill | None = None
    traceparent: str = ""
    trace: Trace = field(default=Factory(Trace), repr=False)
    step: int = 0
    attempt: int = 0
    request: Request | None = field(default=None, repr=False)
    rehearsing: bool = False
    buffered: int = 0
    phase: str = "the start"
    partial: "Reply | None" = field(default=None, repr=False)
    unfinished: "Reply | None" = field(default=None, repr=False)
    left: bool = False
    told: "Callable[[Event], None] | None" = field(default=None, repr=False)
    open_streams: list[AsyncGenerator[Any, None]] = field(factory=list, init=False, repr=False)
    _leavers: list[Callable[[], None]] = field(factory=list, init=False, repr=False)
    _judging: set[object] = field(factory=set, init=False, repr=False)
    _call_tool: "CallTool | None" = field(default=None, repr=False, alias="call_tool")
    _resolve: "Resolve | None" = field(default=None, repr=False, alias="resolve")
    _open_uploads: "Callable[[Turn], Uploads] | None" = field(
        default=None, repr=False, alias="open_uploads"
    )

    def __attrs_post_init__(self) -> None:
        _MADE[self] = _fixed(self), self.principal.apart(), self._call_tool

    @property
    def destination(self) -> Destination:
        """Where the next attempts go, and as whom."""
        return self._destination

    @destination.setter
    def destination(self, destination: Destination) -> None:
        if not isinstance(destination, Destination):
            raise TypeError(f"turn.destination must be a Destination, not {destination!r}")
        if self._judging:
            raise AttributeError(
                "the destination is fixed once the checks look at it; set it in a send hook, "
                "before call_next"
            )
        self._destination = destination

    @property
    def upstream(self) -> str:
        """The base URL that the next attempt goes to; ``"sim:"`` for the simulator."""
        return self._destination.base_url

    @property
    def profile(self) -> Profile:
        """What the server can do that the next attempt goes to, as far as it is known by now."""
        return self.servers.profile(self._destination)

    def learned(self, name: LessonName, model: str = "") -> Any:
        """Return what that server has shown of itself; None while nobody knows.

        Args:
            name: what is asked for; see ``hookline.profiles.Lesson``.
            model: the model that it is about.

        """
        return self.servers.learned(self._destination, name, model)

    def learn(self, name: LessonName, value: LessonValue, *, model: str = "", how: str) -> None:
        """Keep, while the pipeline lives, what that server has shown; what is news is in the trace.

        Args:
            name: what was learned.
            value: the name of a profile, or whether it is so.
            model: the model that it is about.
            how: what has shown it, for people.

        """
        lesson = self.servers.learn(self._destination, name, value, model=model, how=how)
        if lesson is not None:
            self.trace.note("server", str(lesson))

    @property
    def account(self) -> str:
        """Stands for the credentials of the next attempt, without telling them."""
        return self._destination.account

    @property
    def asks_model(self) -> bool:
        """Whether a model will answer: not in ``explain``, a count, a batch or a rehearsal.

        A ``send`` hook that waits, reserves or keeps answers has nothing to do where this is False.
        """
        return not self.rehearsing and self.surface not in _ASKS_NOBODY

    @property
    def uploads(self) -> Uploads:
        """The files of the API at the turn's destination, with its credentials and its deadline."""
        if self._open_uploads is None:
            raise RuntimeError(
                "this turn was not made by a pipeline, so it has nowhere to upload to"
            )
        return self._open_uploads(self)

    def judging(self) -> "AbstractContextManager[Destination]":
        """Fix the destination while checks look at it; the context is the one they judge."""
        return Judging(self._judging, self._destination)

    def apart(self, destination: Destination) -> "Turn":
        """Return this turn as it was made, in an object that no plugin but enforcers gets.

        Args:
            destination: what they judge.

        Raises:
            PolicyViolation: somebody has changed what is fixed.

        """
        self.check_intact()
        fixed, principal, _ = _MADE[self]
        turn = object.__new__(Turn)  # the class itself would check and convert what has been
        values = (*fixed, *_progress(self), principal, destination, {"for ever"})
        for put, value in zip(_PUT, values, strict=True):
            put(turn, value)
        for put, made in _PUT_NEW:
            put(turn, made())
        _MADE[turn] = fixed, principal.apart(), None
        return turn

    def check_departs(self) -> None:
        """Refuse to send what the layers around have taken for a rehearsal.

        Raises:
            PolicyViolation: a plugin has set ``rehearsing``, so nothing was waited for, reserved or counted.

        """
        if self.rehearsing:
            raise tampered("rehearsing")

    def check_intact(self) -> None:
        """Refuse to go on where a plugin has changed what the turn was made with.

        Raises:
            PolicyViolation: it has, by a way around ``__setattr__``.

        """
        fixed, principal, _ = _MADE[self]
        now = _fixed(self)
        if not all(map(is_, fixed, now)):
            both = zip(_FIXED, fixed, now, strict=True)
            raise tampered(next(name for name, made, held in both if made is not held))
        if type(self.principal) is not Principal or self.principal != principal:
            raise tampered("principal")

    async def call_tool(self, call: ToolUseBlock, run: RunTool) -> ToolResultBlock:
        """Run a tool call through the ``call_tool`` onion, ``check_tool`` and ``on_tool``.

        Args:
            call: what the model asked for.
            run: carries the call out; gets the call as the layers and checks left it.

        Raises:
            PolicyViolation: a check refused it.

        """
        *_, call_tool = _MADE[self]
        if call_tool is None:
            raise RuntimeError("this turn was not made by a pipeline, so it has no tools to call")
        return await call_tool(self, call, run)

    async def resolved(self, request: Request, result: ToolResultBlock) -> ToolResultBlock:
        """Return a tool's result with its images and documents made into what the API accepts.

        Args:
            request: the request that the call answers.
            result: what the tool gave; it is taken through ``resolve_images`` by itself.

        Raises:
            InputError: something in it cannot be sent.

        """
        return result if self._resolve is None else await self._resolve(self, request, result)

    @property
    def cost(self) -> "Decimal | None":
        """US dollars of all attempts that have ended so far, or None if a price is not known."""
        return self.trace.cost

    def tell(self, event: "Event") -> None:
        """Show an event to whoever reads the events of this stream; elsewhere nothing happens.

        Args:
            event: for example a ``ToolProgress``; any thread may tell.

        """
        if self.told is not None:
            self.told(event)

    def report(self, progress: Progress) -> None:
        """Tell the caller how far a plugin has come; elsewhere nothing happens.

        Args:
            progress: for example ``Progress("images", 3, 20, "images")``. Tell it from the hook itself and
                not from threads of your own: the caller hears it in the thread or task of the call.

        """
        on_progress = self.options.on_progress
        if on_progress is None:
            return
        try:
            on_progress(progress)
        except Exception as error:  # noqa: BLE001 -- the caller's; whoever watches ends nothing
            said = ("on_progress", f"failed: {type(error).__name__}: {error}")
            if said not in self.trace.notes:
                self.trace.note(*said)

    def remaining(self) -> float | None:
        """Return the seconds left, never negative, or None if the turn has no deadline."""
        return None if self.deadline is None else max(0.0, self.deadline - self.io.now())

    def timed_out(self, error: BaseException) -> BaseException:
        """Return ``DeadlineExceeded`` in place of what a lost race against the deadline looks like.

        That is a time-out of the network, cut to the time that was left, or a cancellation. Any
        other error stays what it is.
        """
        over = self.deadline is not None and self.io.now() >= self.deadline - _SLACK
        disguised = isinstance(error, TransportError) or not isinstance(error, Exception)
        if not over or not disguised or isinstance(error, GeneratorExit | KeyboardInterrupt):
            return error
        return DeadlineExceeded(self.phase, self.timeout)

    def leave(self) -> None:
        """End the waits of whoever reads the turn's stream: another thread or task closes it."""
        self.left = True
        for abort in tuple(self._leavers):
            abort()

    def on_leave(self, abort: Callable[[], None]) -> None:
        """Let this be called when the stream is left; at once, if it has been."""
        self._leavers.append(abort)
        if self.left:
            abort()

    def check_deadline(self, phase: str) -> None:
        """Note that ``phase`` begins; raise ``DeadlineExceeded`` naming it if the time is up.

        Raises:
            DeadlineExceeded: as said.
            GeneratorExit: nobody waits for the turn any more.

        """
        if phase is not self.phase:  # to set an attribute here costs more than all the rest
            self.phase = phase
        if self.left:
            raise GeneratorExit
        if self.deadline is not None and self.io.now() >= self.deadline:
            raise DeadlineExceeded(phase, self.timeout)


_COPIED: Final = (*_FIXED, *_PROGRESS, "principal", "_destination", "_judging")
_PUT: Final = tuple([getattr(Turn, name).__set__ for name in _COPIED])
_PUT_NEW: Final = tuple([
    (getattr(Turn, a.name).__set__, getattr(a.default, "factory", lambda made=a.default: made))
    for a in fields(Turn)
    if a.name not in _COPIED
])  # fmt: skip
