"""Every hook of Hookline: the contract between the pipeline and its plugins. Read this first.

A plugin is an object with methods marked ``@hookimpl``. An implementation may be ``def`` or
``async def`` (a filter, a register hook: ``def``), takes any subset of the parameters below **by
name**, and is called in the order in which plugins were registered. Kinds of hook:

========== =============================================== ==========================================
kind       hooks                                           what an implementation may do
========== =============================================== ==========================================
transform  build_history, inject_prefill, resolve_images,  return a new value, or ``None`` to leave it
           post_process                                    as it is
onion      send, call_tool                                 wrap the call of what lies inside
check      check_request, check_tool, check_reply          raise, and so refuse
stream     filter_stream                                   return a filter for one step's reply
conclude   conclude                                        do what must be done before the caller has
                                                           the end: store, audit, settle
observe    on_turn_start, on_attempt, on_tool, on_event,   look; it can neither break nor delay a turn
           on_turn_end
register   register_tools, register_models,                call ``register`` any number of times, when
           register_profiles, register_commands,           the pipeline is built
           register_routes
life       open, close                                     get ready and clear up, with the pipeline
========== =============================================== ==========================================

What a failure means depends on the class attribute ``role`` of the plugin:

=================== ===============================================================================
``"transformer"``   the default: the turn fails with ``PluginError`` (errors of Hookline's own tree pass
                    as they are)
``"observer"``      nothing: it is logged and noted in the trace, and return values are ignored
``"enforcer"``      the turn is refused with ``PolicyViolation``, whatever was raised. Enforcers run
                    after everybody else in every transform, check and filter, so that nothing
                    changes what they have judged
=================== ===============================================================================

Order: as registered, refined by class attributes. ``first`` and ``last`` (booleans), ``before`` and
``after`` (names of plugins) move the plugin that says so and no other; a ``send`` hook stands where its
``layer`` says; ``mirrored = True`` runs ``filter_stream`` and ``post_process`` in the reverse order of the
transforms, for plugins that undo on the way back what they did on the way out.

pluggy decides *who* takes part (registration, specifications, argument subsets, ``tryfirst``,
``trylast``, entry points); Hookline's executor runs the implementations, because a pipeline needs
each of them to see the last one's work, and pluggy's broadcast gives every one the same arguments.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

from pluggy import HookimplMarker, HookspecMarker

if TYPE_CHECKING:
    import click

    from hookline.filters import StreamFilter
    from hookline.models import ModelFacts
    from hookline.profiles import Profile
    from hookline.reply import Outcome, Reply
    from hookline.trace import AttemptRecord
    from hookline.turn import CallNext, Continue, RunTool, Turn
    from hookline.values.blocks import ToolResultBlock, ToolUseBlock
    from hookline.values.events import Event
    from hookline.values.messages import Request, Response

__all__ = ["CONTRACT", "Layer", "hookimpl", "hookspec"]

CONTRACT: Final = "1.0"
"""The version of the hooks. A plugin may say for which it was written: ``contract = ">=1,<2"``. The
first number changes where a plugin may have to, the second where there is something new.
"""

hookspec = HookspecMarker("hookline")
hookimpl = HookimplMarker("hookline")
"""Marks a method of a plugin as the implementation of the hook of the same name."""


class Layer(IntEnum):
    """Where a plugin's ``send`` hook stands in the onion, from the outside in.

    A plugin says ``layer = Layer.CACHE``; one that says nothing stands just outside RETRY. The order
    is theirs and not the user's: a limiter outside of the retries would not see the attempts, a
    fallback inside of them would give a model up at the first overload.
    """

    AUDIT = 10
    POLICY = 20
    CACHE = 30
    RESUME = 40
    FALLBACK = 50
    BREAKER = 60
    RETRY = 70
    HEDGE = 80
    BUDGET = 90
    LIMITER = 100
    REDACT = 110
    RECORD = 120


@hookspec
def build_history(turn: "Turn", request: "Request") -> "Request | None":
    """Put the conversation so far, the system prompt and the tools around the new message.

    Runs first, once a turn. What the three transforms leave in the request is what a conversation
    remembers. Failure fails the turn::

        @hookimpl
        def build_history(self, request):
            return request.evolve(system=f"Today is {date.today()}.")

    Args:
        turn: the journey; ``turn.options.history`` holds the messages so far.
        request: begins with the caller's new message and fields.

    Returns:
        A new request (``request.evolve(…)``, ``request.append(…)``), or None for no change.

    """


@hookspec
def inject_prefill(turn: "Turn", request: "Request") -> "Request | None":
    """Put the first words of the reply in the model's mouth.

    Runs second, once a turn, after the history stands. Failure fails the turn::

        @hookimpl
        def inject_prefill(self, turn, request):
            turn.prefill = Prefill(text="{", mode="native")
            return request.append(Message("assistant", "{"))

    Args:
        turn: ``turn.options.prefill`` is what the caller asked for; set ``turn.prefill`` to what
            was done, so that ``reply.text`` begins with it.
        request: as ``build_history`` left it.

    Returns:
        A new request, or None for no change.

    """


@hookspec
def resolve_images(turn: "Turn", request: "Request") -> "Request | None":
    """Turn every image, document or URL into what the API accepts.

    Runs third, before every step of the turn (a tool's result may hold an image), so it must leave
    alone what is resolved already. Failure fails the turn::

        @hookimpl
        async def resolve_images(self, turn, request):
            return await turn.io.run_blocking(watermark, request)

    Args:
        turn: the journey.
        request: may hold ``Image`` and ``Document`` attachments as the caller gave them.

    Returns:
        A new request, or None for no change.

    """


@hookspec
async def send(turn: "Turn", request: "Request", call_next: "CallNext") -> "Response":  # noqa: ARG001 -- a specification
    """Wrap the sending: retry, cache, fall back, hedge, limit, redact on the way out and in.

    A plugin's ``layer`` says how far outside it stands; within a layer the first registered plugin
    is the outermost. Runs once a step. ``call_next`` may be awaited
    never (an answer from a cache), once, or often (a retry). In a stream it returns when the first
    event has arrived, with ``response.events`` still to come; what raises before that may be sent
    again, what breaks later is not this hook's business (``hookline.plugin.watched`` tells how it
    ended). A whole ``Response`` returned in a stream is replayed as events. An answer that comes
    from no attempt (a cache hit) is used only after the enforcers have judged what would have been
    sent; while they do, the layers inside run with ``turn.rehearsing``. Failure fails the turn::

        @hookimpl
        async def send(self, request, call_next):
            return self.seen.get(request.messages) or await call_next(request)

    Args:
        turn: the journey.
        request: as the layer outside handed it over.
        call_next: the layer inside; a changed request given to it changes what is sent, not what
            the conversation remembers.

    Returns:
        The response. A ``def`` may return ``call_next(request)`` unawaited.

    """
    return await call_next(request)


@hookspec
def check_request(turn: "Turn", request: "Request") -> None:
    """Have the last word on exactly what leaves, before every attempt.

    Runs innermost, so no retry, fallback or other plugin can slip past it. It cannot change
    anything: ``turn.destination`` is fixed now. Any error in it blocks the call. An enforcer's
    plain ``def`` runs in a thread that the deadline ends; ``inline = True`` in its class promises
    that its checks are quick and never block::

        @hookimpl
        def check_request(self, request):
            if request.model not in self.allowed:
                raise PolicyViolation(f"use one of {self.allowed}")

    Args:
        turn: the journey.
        request: what is about to be encoded.

    Returns:
        None. Anything else is an error, and blocks too.

    """


@hookspec
def post_process(turn: "Turn", reply: "Reply") -> "Reply | Continue | None":
    """Work on the assembled reply, or ask for one more step of the same turn.

    Runs once a step, streamed or not. Every implementation sees the reply even if an earlier one
    asked to continue; of several that ask the first wins, the others are noted in the trace and see
    the next step's reply. Steps are bounded. A plugin that
    may rewrite text here holds back the whole text of a stream until it has run, unless it has a
    ``filter_stream`` for the purpose or its class says ``rewrites_text = False``, to which it is
    then held. Failure fails the turn::

        @hookimpl
        def post_process(self, reply):
            return reply.with_text(reply.text.strip())

    Args:
        turn: the journey.
        reply: what the caller would get.

    Returns:
        A new reply, ``Continue(request)``, or None for no change.

    """


@hookspec
def filter_stream(turn: "Turn") -> "StreamFilter | None":
    """Return a filter over what the model says, saying how much it must see at once.

    Called once a step. The same filter serves a stream (with the least possible holding back) and a
    plain reply (all at once), so a rule on text needs to be written only here. What the caller
    sees, what the conversation stores and what observers are told is the filtered text. Failure
    fails the turn::

        @hookimpl
        def filter_stream(self):
            return StreamFilter.deltas(lambda text: CARD.sub("[card]", text), look_behind=19)

    Args:
        turn: the journey.

    Returns:
        A filter, or None if this turn needs none; then streaming costs nothing.

    """


@hookspec
async def call_tool(turn: "Turn", call: "ToolUseBlock", call_next: "RunTool") -> "ToolResultBlock":  # noqa: ARG001 -- a specification
    """Wrap the running of one tool call: approve, edit, answer from elsewhere, mark the result.

    Runs for every call that is answered here, the calls of one reply side by side. The first
    registered plugin is the outermost; ``call_next`` may be awaited never (an approval that was
    refused), once, or often. Failure fails the turn::

        @hookimpl
        async def call_tool(self, call, call_next):
            if call.name == "delete" and not await self.approved(call):
                return ToolResultBlock(call.id, "The user said no.", is_error=True)
            return await call_next(call)

    Args:
        turn: the journey.
        call: as the layer outside handed it over.
        call_next: the layer inside; takes the call, changed or not.

    Returns:
        The result that the model gets.

    """
    return await call_next(call)


@hookspec
def check_tool(turn: "Turn", call: "ToolUseBlock") -> None:
    """Have the last word on exactly the call that is run.

    Runs inside all ``call_tool`` layers. Raising refuses the whole turn; to let the model go on with
    a refusal, return a result with ``is_error`` from ``call_tool``. Any error in it blocks::

        @hookimpl
        def check_tool(self, call):
            if call.name not in self.allowed:
                raise PolicyViolation(f"the tool {call.name} is not allowed here")

    Args:
        turn: the journey.
        call: what is about to be run.

    Returns:
        None. Anything else is an error, and blocks too.

    """


@hookspec
def check_reply(turn: "Turn", reply: "Reply") -> None:
    """Have the last word on exactly what the caller gets.

    Runs once a step, after all filters and ``post_process``. It cannot change anything. Without a
    ``filter_stream`` in the same plugin, the text of a stream is held back until it has run. Any
    error in it blocks::

        @hookimpl
        def check_reply(self, reply):
            if self.codename in reply.text:
                raise PolicyViolation("this project is not spoken of")

    Args:
        turn: the journey.
        reply: what the caller is about to get.

    Returns:
        None. Anything else is an error, and blocks too.

    """


@hookspec
def conclude(turn: "Turn", outcome: "Outcome") -> None:
    """Do what must be done before the caller has the reply, or the end of the stream.

    Runs exactly once a turn, whatever happened: success, failure, refusal, a caller who left. Every
    implementation is called even if an earlier one failed. Failure fails the turn, so that no reply
    is given that was not stored, audited or settled; a turn that had failed keeps its own error::

        @hookimpl
        async def conclude(self, turn, outcome):
            await turn.io.run_blocking(self.ledger.charge, turn.principal.team, outcome.cost)

    Args:
        turn: the journey.
        outcome: ``reply`` or ``error``, and the ``attempts``, ``usage`` and ``cost`` of the turn.

    """


@hookspec
def on_turn_start(turn: "Turn", request: "Request") -> None:
    """Be told that a turn begins. Failure is logged with the plugin's name and goes no further::

        @hookimpl
        def on_turn_start(self, turn):
            self.started += 1

    Args:
        turn: the journey.
        request: as the caller made it, before any stage.

    """  # noqa: D400, D415 -- the example belongs to the first sentence


@hookspec
def on_attempt(turn: "Turn", request: "Request", attempt: "AttemptRecord") -> None:
    """Be told of an HTTP exchange once it has really ended.

    In a stream that is after its last event, or when it broke. Failure is logged, no more::

        @hookimpl
        def on_attempt(self, attempt):
            self.seconds.append(attempt.seconds)

    Args:
        turn: the journey.
        request: what was sent.
        attempt: how long it took, its ``usage`` and its ``outcome``: ``"answered"``, ``"refused"``,
            ``"failed"`` or ``"interrupted"``.

    """


@hookspec
def on_tool(turn: "Turn", call: "ToolUseBlock", result: "ToolResultBlock", seconds: float) -> None:
    """Be told of a tool call that has been answered. Failure is logged, no more::

        @hookimpl
        def on_tool(self, call, seconds):
            self.seconds[call.name] = seconds

    Args:
        turn: the journey.
        call: what the model asked for.
        result: what it gets; ``is_error`` says whether it went wrong.
        seconds: how long it took, layers included.

    """  # noqa: D400, D415 -- the example belongs to the first sentence


@hookspec
def on_event(turn: "Turn", event: "Event") -> None:
    """Be told of each stream event, as the caller sees it (after all filters).

    Only in streams. Failure is logged, no more::

        @hookimpl
        def on_event(self, event):
            self.events += 1

    Args:
        turn: the journey.
        event: one of the events in ``hookline.values``.

    """


@hookspec
def on_turn_end(turn: "Turn", reply: "Reply | None", error: BaseException | None) -> None:
    """Be told, exactly once, that a turn is over, whatever happened.

    Failure is logged, no more::

        @hookimpl
        def on_turn_end(self, reply, error):
            self.failed += error is not None

    Args:
        turn: the journey.
        reply: what the caller gets, or None.
        error: what the caller gets instead; ``GeneratorExit`` or a cancellation if the caller left.

    """


@hookspec
def register_tools(register: Callable[..., None]) -> None:
    """Offer tools to every turn of the pipeline. Runs once, when the pipeline is built::

        @hookimpl
        def register_tools(self, register):
            register(get_weather)

    Args:
        register: call it with a typed Python function, with a definition (a dict) and a function,
            ``register({"name": …, "input_schema": …}, function)``, or with a name or glob and a route of
            the plugin ``tools``, ``register("fs_*", "mcp:COMMAND")``.

    """  # noqa: D400, D415 -- the example belongs to the first sentence


@hookspec
def register_models(register: "Callable[[ModelFacts], None]") -> None:
    """Add or correct facts about models. Runs once, when the pipeline is built::

        @hookimpl
        def register_models(self, register):
            register(ModelFacts(id="llama-3.3-70b", prefill=True))

    Args:
        register: call it with a ``ModelFacts``; the same id replaces what was known.

    """  # noqa: D400, D415 -- the example belongs to the first sentence


@hookspec
def register_profiles(register: "Callable[[Profile], None]") -> None:
    """Say what a kind of server can do. Runs once, when the pipeline is built::

        @hookimpl
        def register_profiles(self, register):
            register(Profile(name="acme", hosts=["llm.acme.example"], prefill="native"))

    Args:
        register: call it with a ``Profile``; the same name replaces what was known, and a host of it is
            looked for before those of the table that ships with Hookline.

    """  # noqa: D400, D415 -- the example belongs to the first sentence


@hookspec
def register_commands(register: "Callable[[click.Command], None]") -> None:
    """Add subcommands to ``hookline``. Runs once, when the command line starts::

        @hookimpl
        def register_commands(self, register):
            register(my_click_command)

    Args:
        register: call it with a ``click`` command or group.

    """  # noqa: D400, D415 -- the example belongs to the first sentence


@hookspec
def register_routes(register: Callable[[str, Any], None]) -> None:
    """Offer HTTP routes to a server that embeds the pipeline. Runs once, at construction::

        @hookimpl
        def register_routes(self, register):
            register("/stats", stats_app)

    Args:
        register: call it with a path and an ASGI application; ``pipeline.registered.routes`` lists
            them for whoever mounts them.

    """  # noqa: D400, D415 -- the example belongs to the first sentence


@hookspec
def open() -> None:  # noqa: A001 -- what one does to a pipeline
    """Get ready: check options against each other, open files and connections.

    Runs once, when the pipeline is entered or first used, in the order of the plugins. An
    ``async def`` may await what the pipeline's own io allows. Failure means that the pipeline cannot
    be used; what was opened before it is closed::

        @hookimpl
        def open(self):
            self.store.open()

    Args:
        (none): a plugin has its options from its own fields.

    """


@hookspec
def close() -> None:
    """Clear up, with the pipeline; last opened, first closed.

    Failure is logged, and the others are closed all the same::

        @hookimpl
        def close(self):
            self.store.close()

    Args:
        (none): as for ``open``.

    """
