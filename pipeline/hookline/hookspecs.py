"""Every hook of Hookline: the contract between the pipeline and its plugins. Read this first.

A plugin is an object with methods marked ``@hookimpl``. An implementation may be ``def`` or
``async def``, takes any subset of the parameters below **by name**, and is called in the order in
which plugins were registered. Six kinds of hook:

========== ======================================================= ==================================
kind       hooks                                                   what an implementation may do
========== ======================================================= ==================================
transform  build_history, inject_prefill, resolve_images,          return a new value, or ``None`` to
           post_process                                            leave it as it is
onion      send                                                    wrap the call of what lies inside
check      check_request                                           raise, and so refuse
stream     filter_stream                                           return a filter for one stream
observe    on_turn_start, on_attempt, on_event, on_turn_end        look; its failures are only logged
register   register_tools, register_models, register_commands,     call ``register`` any number of
           register_routes                                         times, when the pipeline is built
========== ======================================================= ==================================

A transform, the onion and a stream filter fail the turn with ``PluginError`` when they raise
(errors of Hookline's own tree, such as ``InputError`` or ``PolicyViolation``, pass as they are).
A plugin class may set ``role``: ``"transformer"`` (the default), ``"observer"`` (its failures never
reach the caller and its return values are ignored) or ``"enforcer"`` (whatever goes wrong in it
refuses the turn with ``PolicyViolation``).

pluggy decides *who* takes part (registration, specifications, argument subsets, ``tryfirst``,
``trylast``, entry points); Hookline's executor runs the implementations, because a pipeline needs
each of them to see the last one's work, and pluggy's broadcast gives every one the same arguments.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pluggy import HookimplMarker, HookspecMarker

if TYPE_CHECKING:
    import click

    from hookline.filters import StreamFilter
    from hookline.models import ModelFacts
    from hookline.reply import Reply
    from hookline.trace import AttemptRecord
    from hookline.turn import CallNext, Continue, Turn
    from hookline.values.events import Event
    from hookline.values.messages import Request, Response

__all__ = ["hookimpl", "hookspec"]

hookspec = HookspecMarker("hookline")
hookimpl = HookimplMarker("hookline")
"""Marks a method of a plugin as the implementation of the hook of the same name."""


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

    The first registered plugin is the outermost. Runs once a step. ``call_next`` may be awaited
    never (an answer from a cache), once, or often (a retry). In a stream it returns when the first
    event has arrived, with ``response.events`` still to come; what raises before that may be sent
    again, what breaks later is not this hook's business. A whole ``Response`` returned in a stream
    is replayed as events. Failure fails the turn::

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
    anything. Any error in it blocks the call::

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
    asked to continue; two that ask in the same step are an error. Steps are bounded. A plugin that
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
    """Be told of an HTTP exchange once it has answered or failed.

    In a stream that is when the first event has arrived. Failure is logged, no more::

        @hookimpl
        def on_attempt(self, attempt):
            self.seconds.append(attempt.seconds)

    Args:
        turn: the journey.
        request: what was sent.
        attempt: when, how long, with what outcome.

    """


@hookspec
def on_event(turn: "Turn", event: "Event") -> None:
    """Be told of each stream event, as the caller sees it (after all filters).

    Only in streams. Failure is logged, no more::

        @hookimpl
        def on_event(self, event):
            self.events += 1

    Args:
        turn: the journey.
        event: one of ``hookline.values.events``.

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
        register: call it with a typed Python function, or with a definition (a dict) and a
            function: ``register({"name": …, "input_schema": …}, function)``.

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
