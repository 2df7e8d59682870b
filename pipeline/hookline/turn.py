"""A turn: one journey of a message through the pipeline, and what plugins know about it."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeVar, TypeVarTuple

from attrs import Factory, define, field, frozen

from hookline.errors import DeadlineExceeded, TransportError
from hookline.trace import Trace
from hookline.values.destination import Destination
from hookline.values.frozen import FrozenDict
from hookline.values.messages import Message, Request, Response
from hookline.values.prefill import Prefill, PrefillMode
from hookline.values.tool_definitions import Tool

if TYPE_CHECKING:
    from hookline.models import ModelTable
    from hookline.reply import Reply

__all__ = [
    "IO",
    "BoundTool",
    "CallNext",
    "Continue",
    "Fetched",
    "Turn",
    "TurnOptions",
]

_SLACK: Final = 0.01  # seconds by which a time-out of the network may fire early

T = TypeVar("T")
Args = TypeVarTuple("Args")

CallNext: TypeAlias = Callable[[Request], Awaitable[Response]]
"""What a ``send`` hook calls to let the request go on its way."""


@frozen
class Fetched:
    """The answer to a fetch.

    Attributes:
        status: HTTP status, never a redirect.
        headers: names in lower case.
        body: at most ``max_bytes`` bytes.
        url: scheme, host and port it came from, after redirects; without path and query.

    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    url: str


class IO(Protocol):
    """The only way in which core and plugins touch time, threads and the network.

    A plugin that awaits nothing but these (and ``call_next``) works in ``Pipeline`` and
    ``AsyncPipeline`` alike: in a ``Pipeline`` none of them ever suspends.
    """

    def now(self) -> float:
        """Return monotonic seconds; only differences have a meaning."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``."""
        ...

    async def run_blocking(self, function: Callable[[*Args], T], *args: *Args) -> T:
        """Run a blocking function where it does no harm: here, or in a worker thread."""
        ...

    async def gather(self, *coroutines: Coroutine[Any, Any, T]) -> list[T]:
        """Run coroutines side by side; the first failure cancels or outwaits the others."""
        ...

    async def race(
        self,
        *factories: Callable[[], Coroutine[Any, Any, T]],
        delay: float,
        discard: Callable[[T], Coroutine[Any, Any, None]],
    ) -> tuple[int, T]:
        """Run the first; start the next when ``delay`` seconds have brought no answer; first wins.

        The others are cancelled. In a ``Pipeline`` they run in threads, which nothing can cancel:
        there a loser is left to finish by itself. An answer that comes too late goes to
        ``discard``. A failure counts only once nothing else is running: then that of the earliest
        starter is raised.

        Args:
            *factories: each makes the coroutine of one runner.
            delay: seconds between the starts.
            discard: clears away an answer that came too late.

        Returns:
            The winner's place among ``factories``, and its answer.

        """
        ...

    async def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        allow_hosts: Collection[str] = (),
        max_bytes: int = 10 * 1024 * 1024,
        timeout: float = 10.0,  # noqa: ASYNC109 -- the door shares it out over lookups and hops
        redirects: int = 0,
    ) -> Fetched:
        """Fetch an untrusted URL through the one guarded door; see ``hookline._fetch.fetch``."""
        ...

    async def shielded(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Finish ``coroutine`` even if the turn has been cancelled (bounded; for clean-up)."""
        ...


@frozen(kw_only=True)
class BoundTool:
    """A tool and what runs it.

    Attributes:
        name: what the model calls it.
        definition: sent to the model; None if the caller's request defines it.
        function: what takes the input.

    """

    name: str
    definition: Tool | None
    function: Any


@frozen(kw_only=True)
class TurnOptions:
    """What the caller asked for besides the fields of the request itself.

    Attributes:
        history: messages of the conversation so far, oldest first.
        system: the conversation's system prompt; a ``system`` of the request itself wins.
        prefill: the words the reply must begin with; empty for none.
        prefill_mode: ``"auto"`` (native where the model allows it), ``"native"`` or
            ``"instructed"``.
        tools: functions that the caller or a plugin offers to the model.
        output: the type or JSON schema that the reply must have, or None.

    """

    history: tuple[Message, ...] = ()
    system: Any = None
    prefill: str = ""
    prefill_mode: PrefillMode = "auto"
    tools: tuple[BoundTool, ...] = ()
    output: Any = None


@frozen
class Continue:
    """What ``post_process`` returns to ask for one more step of the same turn.

    Attributes:
        request: the request of the next step, for example the last one with the assistant's
            message and the tool results appended.

    """

    request: Request


@define(kw_only=True, eq=False)
class Turn:
    """One journey through the pipeline.

    A turn belongs to one call and is never shared; plugins may read everything and write
    ``state``, ``prefill`` and ``destination``. The engine writes the rest.

    Attributes:
        id: unique in this process, for logs.
        surface: the door the turn came in by: ``"send"``, ``"stream"``, ``"count_tokens"`` …
        stream: whether the caller receives events as they arrive.
        context: the caller's own facts, pipeline's and call's merged (user, tenant, feature …).
        options: what the caller asked for.
        io: time, threads and network.
        models: facts about models.
        upstream: the API's base URL, without credentials; ``"sim:"`` for the simulator. Follows
            ``destination``.
        account: stands for the credentials in use, without telling them. Follows ``destination``.
        destination: another one that a plugin sends the next attempts to, with its own
            credentials; None for the pipeline's own.
        api_version: the ``anthropic-version`` that requests go out with.
        betas: beta names in the pipeline's own headers, besides those of a request.
        deadline: monotonic second (``io.now()``) at which the turn is over; None for no limit.
        timeout: the seconds that the deadline was made from.
        state: a scratch pad for plugins, keyed by whatever a plugin likes (its own instance).
        prefill: what the ``inject_prefill`` stage did.
        trace: who changed what, and every attempt.
        step: 0 for the first request of the turn, 1 for the next (tool results) …
        attempt: HTTP exchanges begun so far, over all steps.
        request: the request of the current step, as the three transforms left it.
        buffered: events of a stream that have arrived and lie ready; the next of them is not waited for.
        phase: what is going on, for the text of ``DeadlineExceeded``.
        partial: what a stream had delivered when it ended early, else None.
        open_streams: streams of answers that have begun; whoever abandons one, the turn closes it.

    """

    id: str
    io: IO
    models: "ModelTable"
    surface: str = "send"
    stream: bool = False
    context: Mapping[str, Any] = FrozenDict()
    options: TurnOptions = TurnOptions()
    _upstream: str = field(default="", alias="upstream")
    _account: str = field(default="", alias="account")
    destination: Destination | None = None
    api_version: str = ""
    betas: tuple[str, ...] = ()
    deadline: float | None = None
    timeout: float = 0.0
    state: dict[Any, Any] = field(factory=dict, repr=False)
    prefill: Prefill | None = None
    trace: Trace = field(default=Factory(Trace), repr=False)
    step: int = 0
    attempt: int = 0
    request: Request | None = field(default=None, repr=False)
    buffered: int = 0
    phase: str = "the start"
    partial: "Reply | None" = field(default=None, repr=False)
    open_streams: list[AsyncGenerator[Any, None]] = field(factory=list, init=False, repr=False)

    @property
    def upstream(self) -> str:
        """The base URL that the next attempt goes to."""
        return self.destination.base_url if self.destination else self._upstream

    @property
    def account(self) -> str:
        """Stands for the credentials of the next attempt."""
        return self.destination.account if self.destination else self._account

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

    def check_deadline(self, phase: str) -> None:
        """Note that ``phase`` begins; raise ``DeadlineExceeded`` naming it if the time is up."""
        self.phase = phase
        if self.deadline is not None and self.io.now() >= self.deadline:
            raise DeadlineExceeded(phase, self.timeout)
