"""``Pipeline`` and ``AsyncPipeline``: the same journey, waited for in two ways."""

from collections.abc import Mapping
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

from hookline._http.transport import Transport, choose
from hookline._io import AsyncIO, SyncIO, drive, within_deadline
from hookline._journey.journey import rehearse
from hookline._pipeline_turns import AsyncTurns, Turns
from hookline.conversation import AsyncConversation, Conversation
from hookline.reply import Reply
from hookline.send_options import Input, SendOptions
from hookline.streams import AsyncStream, Stream
from hookline.trace import Explanation
from hookline.values.wanted import T

if TYPE_CHECKING:
    from hookline.endpoints.batches import AsyncBatches, Batches
    from hookline.endpoints.files import AsyncFiles, Files
    from hookline.endpoints.models import AsyncModels, Models
    from hookline.endpoints.token_counts import TokenCount
    from hookline.simulator import Simulator

__all__ = ["AsyncPipeline", "Pipeline"]


class Pipeline(Turns):
    """A pipeline that blocks: for scripts, notebooks, threads.

    One ``Pipeline`` may be used from many threads. It runs no event loop, so it also works inside
    one. Everything may also stand in ``hookline.toml`` or the environment, see ``hookline.config``.

    Args:
        model: the model asked where a call names none.
        max_tokens: the cap on output tokens where a call gives none.
        api_key: for ``x-api-key``; else ``ANTHROPIC_API_KEY``.
        auth_token: for ``Authorization: Bearer``; else ``ANTHROPIC_AUTH_TOKEN``.
        base_url: of the API; ``"sim:"`` is the built-in simulator,
            ``"sim:PATH"`` the simulator with a scenario file; or a ``Simulator``.
        api_version: ``"2023-06-01"`` or ``"2026-10-21"``.
        headers: further headers for every request.
        timeout: seconds that one turn may take, streamed or not.
        connect_timeout: seconds until a connection stands, TLS included.
        write_timeout: seconds between two pieces of a request that the network takes.
        read_timeout: seconds of silence in a stream, whose pings count.
        always_stream: send plain calls as streams too, which only the network sees.
        max_connections: connections to one address at most; further calls wait for one.
        max_steps: requests that one turn may make (tool calls).
        unknown_models: ``"allow"`` sends model names that Hookline does not know.
        config: a TOML file or its content; None looks for ``hookline.toml`` here and upward.
        plugins: plugin objects, and names of installed plugins that are off by default.
        disable: installed plugins to leave out; nothing else can switch off an installed enforcer.
        policy: enforcers that no other setting can switch off.
        client: an ``httpx.Client`` or ``httpx2.Client`` of your own; it stays yours to close.
        http: what our own connections stand on: ``"auto"`` (the fastest that is installed),
            ``"httpcore2"`` or, in ``AsyncPipeline`` under asyncio, ``"aiohttp"``.
        server: the profile of the server at ``base_url``, ``"llama.cpp"`` for example; see
            ``hookline.profiles``. Without it, it is guessed by the host.
        cache_breakpoints: ``"auto"`` places breakpoints for the API's prompt cache where they pay: after
            tools, system prompt and the last long turn, four at most. A call may say otherwise.
        ca_bundle: a PEM file of certificate authorities to trust instead of the usual ones.
        context: your own facts, which plugins see in ``turn.context``. A call's ``context`` may add
            keys, and override none.
        principal: on whose behalf all turns are taken; without it, a call may say so.

    Raises:
        ConfigError: anything of this is wrong.

    Example:
        >>> with Pipeline(base_url="sim:") as line:
        ...     reply = line.send("Hello, Claude")

    """

    def _make_io(self) -> SyncIO:
        from hookline._http.pinned import sync_fetch  # noqa: PLC0415 -- the HTTP library comes last

        return SyncIO(sync_fetch(self.settings.ca_bundle or None))

    def _open(self, client: Any, simulator: "Simulator | None") -> Transport:
        choose(self.settings.http, asynchronous=False)
        if client is not None:
            from hookline._http.handed_in import SyncHTTP  # noqa: PLC0415 -- as above

            return SyncHTTP(client)
        from hookline._http.own_pool import SyncPool  # noqa: PLC0415 -- as above

        if simulator is None:
            return SyncPool(**self._connections())
        return SyncPool(stand_in=simulator.pool())

    def send(self, message: Input = None, **options: Unpack[SendOptions[T]]) -> Reply[T]:
        """Send a message and return the reply.

        Args:
            message: text, an ``Image``, a block, or a list of these; None with ``messages=``.
            **options: ``prefill``, ``images``, ``tools``, ``timeout`` (seconds), ``context``,
                ``messages`` (the conversation so far) and every field of the API's request; see
                ``hookline.send_options.SendOptions``.

        Returns:
            The reply.

        Raises:
            InputError: it cannot be sent; nothing was.
            APIError: the API answered with an error.
            TransportError: no answer came.
            PolicyViolation: a rule refused it.
            PluginError: a plugin failed.
            DeadlineExceeded: the time was up.

        """
        begun = self.begin_turn("send", message, options)
        del message
        return self.take_turn(*begun)

    def stream(self, message: Input = None, **options: Unpack[SendOptions[T]]) -> Stream[T]:
        """Send a message and read the reply while it is written.

        Args:
            message: as for ``send``.
            **options: as for ``send``.

        Returns:
            A context manager; nothing is sent before it is entered.

        Raises:
            InputError: it cannot be sent.

        Example:
            >>> with line.stream("Write a haiku") as stream:
            ...     for text in stream.text:
            ...         print(text, end="")

        """
        return self.open_stream(message, options)

    def resume(
        self,
        pending: Mapping[str, Any],
        decisions: Mapping[str, Any],
        **options: Unpack[SendOptions[T]],
    ) -> Reply[T]:
        """Go on with a turn that waited for somebody's decision on its tool calls.

        What ran before is not run again, in whatever process; what is not decided is not approved.

        Args:
            pending: ``reply.pending``, perhaps saved as JSON and loaded in another process.
            decisions: by the id of a call: ``"approve"``, ``{"edit": input}``, ``{"refuse": reason}``,
                ``{"result": text}`` or, for one that may have run before, ``"again"``.
            **options: ``tools``, ``output``, ``timeout``, ``context``, ``principal`` and ``on_progress``, as
                for ``send``; functions have to be handed over again.

        Returns:
            The reply; it may be pending again.

        Raises:
            InputError: ``pending`` or a decision is not of that form; or a call may have run, and was not
                decided anew.
            HooklineError: what ``send`` would raise.

        """
        return self.take_up(pending, decisions, options)

    def resume_stream(
        self,
        pending: Mapping[str, Any],
        decisions: Mapping[str, Any],
        **options: Unpack[SendOptions[T]],
    ) -> Stream[T]:
        """Go on as ``resume`` does, and read tools at work and the reply while it is written.

        Args:
            pending: as for ``resume``.
            decisions: as for ``resume``.
            **options: as for ``resume``.

        Returns:
            A context manager; nothing runs before it is entered.

        Raises:
            InputError: as for ``resume``.

        """
        return self.open_resumed(pending, decisions, options)

    def conversation(self, **options: Unpack[SendOptions]) -> Conversation:
        """Begin a conversation whose history is kept and sent for you.

        Args:
            **options: defaults for every turn of it (``system``, ``model``, ``tools`` …);
                ``messages`` is where it begins.

        Raises:
            InputError: an option that there is not, or a value that no turn could take.

        """
        self._prepared("…", options)  # what no turn could take is told here
        return Conversation(self, options)

    def explain(self, message: Input = None, **options: Unpack[SendOptions]) -> Explanation:
        """Run every stage up to the sending, send nothing, and show who changed what.

        Args:
            message: as for ``send``.
            **options: as for ``send``.

        Returns:
            The request that would leave, and the trace that led to it.

        Raises:
            HooklineError: what ``send`` would raise before sending.

        """
        turn, request = self.begin_turn("explain", message, options)
        del message
        return drive(rehearse(self._engine, turn, request))

    def count_tokens(self, message: Input = None, **options: Unpack[SendOptions]) -> "TokenCount":
        """Count the input tokens that a message would cost, without sending it to a model.

        It goes through the same stages, ``send`` hooks and policies as ``send``; only what works on
        a reply does not run. The API counts for free, within a rate limit of its own.

        Args:
            message: as for ``send``.
            **options: as for ``send``.

        Returns:
            The count; an estimate, says the API. ``int(count)`` works.

        Raises:
            HooklineError: what ``send`` would raise.

        """
        from hookline.endpoints.token_counts import counted  # noqa: PLC0415 -- only for counts

        turn, request = self.begin_turn("count_tokens", message, options)
        del message
        return drive(counted(self._engine, turn, request))

    @cached_property
    def models(self) -> "Models":
        """What models the API offers; Hookline's own facts are in ``model_table``."""
        from hookline.endpoints.models import Models  # noqa: PLC0415 -- only when asked for

        return Models(self._access(), self._learned)

    @cached_property
    def batches(self) -> "Batches":
        """Many messages at once, at half the price."""
        from hookline.endpoints.batches import Batches  # noqa: PLC0415 -- only when asked for

        return Batches(self._access(), self._journeys())

    @cached_property
    def files(self) -> "Files":
        """Files that requests refer to by id."""
        from hookline.endpoints.files import Files  # noqa: PLC0415 -- only when asked for

        return Files(self._access(), self._upload_journeys())

    def close(self) -> None:
        """Close the plugins and the connections that this pipeline opened; then it is of no use."""
        drive(self._lifecycle.close())
        drive(self._upstreams.close())

    def __enter__(self) -> Self:
        drive(self._lifecycle.open())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()


class AsyncPipeline(AsyncTurns):
    """A pipeline for asyncio and trio: the same names and parameters as ``Pipeline``.

    One ``AsyncPipeline`` may be used from many tasks. ``client`` is an ``AsyncClient`` here; all
    other arguments are those of ``Pipeline``.

    Example:
        >>> async with AsyncPipeline(base_url="sim:") as line:
        ...     reply = await line.send("Hello, Claude")

    """

    def _make_io(self) -> AsyncIO:
        from hookline._http.pinned import async_fetch  # noqa: PLC0415 -- the HTTP library comes last

        return AsyncIO(async_fetch(self.settings.ca_bundle or None))

    def _open(self, client: Any, simulator: "Simulator | None") -> Transport:
        wanted = choose(self.settings.http, asynchronous=True)
        if type(client).__module__.partition(".")[0] == "aiohttp":
            from hookline._http.aiohttp import AiohttpHTTP  # noqa: PLC0415 -- an extra

            return AiohttpHTTP(client)
        if client is not None:
            from hookline._http.handed_in import AsyncHTTP  # noqa: PLC0415 -- as above

            return AsyncHTTP(client)
        if simulator is not None:
            from hookline._http.own_pool import AsyncPool  # noqa: PLC0415 -- as above

            return AsyncPool(stand_in=simulator.async_pool())
        from hookline._http.by_name import connections  # noqa: PLC0415 -- as above

        return connections(wanted, **self._connections())

    async def send(self, message: Input = None, **options: Unpack[SendOptions[T]]) -> Reply[T]:
        """Send a message and return the reply; see ``Pipeline.send``."""
        begun = self.begin_turn("send", message, options)
        del message
        return await self.take_turn(*begun)

    def stream(self, message: Input = None, **options: Unpack[SendOptions[T]]) -> AsyncStream[T]:
        """Send a message and read the reply while it is written; see ``Pipeline.stream``."""
        return self.open_stream(message, options)

    async def resume(
        self,
        pending: Mapping[str, Any],
        decisions: Mapping[str, Any],
        **options: Unpack[SendOptions[T]],
    ) -> Reply[T]:
        """Go on with a turn that waited for somebody's decision; see ``Pipeline.resume``."""
        return await self.take_up(pending, decisions, options)

    def resume_stream(
        self,
        pending: Mapping[str, Any],
        decisions: Mapping[str, Any],
        **options: Unpack[SendOptions[T]],
    ) -> AsyncStream[T]:
        """Go on as ``resume`` does, streamed; see ``Pipeline.resume_stream``."""
        return self.open_resumed(pending, decisions, options)

    def conversation(self, **options: Unpack[SendOptions]) -> AsyncConversation:
        """Begin a conversation; see ``Pipeline.conversation``."""
        self._prepared("…", options)  # what no turn could take is told here
        return AsyncConversation(self, options)

    async def explain(self, message: Input = None, **options: Unpack[SendOptions]) -> Explanation:
        """Run every stage up to the sending; see ``Pipeline.explain``."""
        turn, request = self.begin_turn("explain", message, options)
        del message
        return await rehearse(self._engine, turn, request)

    async def count_tokens(
        self, message: Input = None, **options: Unpack[SendOptions]
    ) -> "TokenCount":
        """Count the input tokens that a message would cost; see ``Pipeline.count_tokens``."""
        from hookline.endpoints.token_counts import counted  # noqa: PLC0415 -- only for counts

        turn, request = self.begin_turn("count_tokens", message, options)
        del message
        return await within_deadline(turn, counted(self._engine, turn, request))

    @cached_property
    def models(self) -> "AsyncModels":
        """What models the API offers; Hookline's own facts are in ``model_table``."""
        from hookline.endpoints.models import AsyncModels  # noqa: PLC0415 -- only when asked for

        return AsyncModels(self._access(), self._learned)

    @cached_property
    def batches(self) -> "AsyncBatches":
        """Many messages at once, at half the price."""
        from hookline.endpoints.batches import AsyncBatches  # noqa: PLC0415 -- only when asked for

        return AsyncBatches(self._access(), self._journeys())

    @cached_property
    def files(self) -> "AsyncFiles":
        """Files that requests refer to by id."""
        from hookline.endpoints.files import AsyncFiles  # noqa: PLC0415 -- only when asked for

        return AsyncFiles(self._access(), self._upload_journeys())

    async def close(self) -> None:
        """Close the plugins and the connections that this pipeline opened; then it is of no use."""
        await self._lifecycle.close()
        await self._upstreams.close()

    async def __aenter__(self) -> Self:
        await self._lifecycle.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self.close()
