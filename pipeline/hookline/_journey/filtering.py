"""Filters at work: what the plugins' stream filters let through, in a stream and in a whole reply."""

from collections.abc import Iterable, Sequence
from typing import Any

from attrs import evolve

from hookline._journey.failures import absorbed, raise_failure
from hookline._journey.plugin_set import Implementation, PluginSet
from hookline.filters import StreamFilter
from hookline.turn import Turn
from hookline.values.events import Event, MessageStop
from hookline.values.messages import Response
from hookline.wire.assembler import Assembler
from hookline.wire.replay import events_of
from hookline.wire.sealed import sealed_event

__all__ = ["Filters", "rewrites_late", "settle", "shown_already"]


class Filters:
    """All filters of one step, in order; falsy if there are none.

    Args:
        plugins: the pipeline's plugins, each of which is asked for its filter.
        turn: the journey.
        whole: whether the reply is there already.

    Attributes:
        wait: whether one of them may have to be awaited.

    Raises:
        HooklineError: a plugin failed.

    """

    def __init__(self, plugins: PluginSet, turn: Turn, *, whole: bool = False) -> None:
        self._applied = _applied(plugins, turn, whole=whole)
        # What comes to the first enforcer's is nobody else's any more.
        self._band = next((each for each in self._applied if each.enforces), None)
        self.wait = any(applied.filter.waits for applied in self._applied)

    def __bool__(self) -> bool:
        return bool(self._applied)

    async def passed(self, event: Event) -> Sequence[Event]:
        """Pass one event through all filters.

        Raises:
            HooklineError: a filter refused or failed.

        """
        events: Sequence[Event] = (event,)
        for applied in self._applied:
            if applied is self._band:
                events = [sealed_event(each) for each in events]
            if len(events) == 1:  # as mostly
                events = await applied.feed(events[0])
            else:
                events = [passed for arriving in events for passed in await applied.feed(arriving)]
        return events


async def settle(plugins: PluginSet, turn: Turn, response: Response) -> Response:
    """Run a whole response through the filters, all at once; return it as they leave it.

    Raises:
        HooklineError: a filter refused or failed.

    """
    filters = Filters(plugins, turn, whole=True)
    if not filters:
        return response
    assembler = Assembler()
    for arrived in events_of(response):
        for event in await filters.passed(arrived):
            assembler.feed(event)
    filtered = assembler.response
    if filtered == response:
        return response
    return evolve(filtered, status=response.status, headers=response.headers)


class _Applied:
    """A plugin's filter at work."""

    def __init__(self, implementation: Implementation, filter_: StreamFilter, turn: Turn) -> None:
        self.filter = filter_
        self.enforces = implementation.role == "enforcer"
        self._implementation = implementation
        self._turn = turn
        self._silenced = False
        # A shadow's output goes nowhere; it is only compared with what really passed.
        self._compare = (Assembler(), Assembler()) if implementation.shadow else None

    async def feed(self, event: Event) -> Sequence[Event]:
        if self._silenced:
            return (event,)
        try:
            result: Any = self.filter.feed(event)
            if hasattr(result, "__await__"):
                result = await result
            passed: Sequence[Event] = tuple(result)
            if self._compare:
                self._watch(event, passed, *self._compare)
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- excused or blamed
            self._silenced = True
            if not absorbed(self._turn, self._implementation, error):
                raise_failure(self._implementation, error)
            return (event,)
        return (event,) if self._compare or self._implementation.role == "observer" else passed

    def _watch(
        self, event: Event, passed: Iterable[Event], real: Assembler, shadow: Assembler
    ) -> None:
        real.feed(event)
        for each in passed:
            shadow.feed(each)
        if isinstance(event, MessageStop) and real.partial() != shadow.partial():
            self._silenced = True
            absorbed(self._turn, self._implementation, None, "the filtered reply differs")


def _applied(plugins: PluginSet, turn: Turn, *, whole: bool) -> list[_Applied]:
    """Ask every plugin for its filter of this step."""
    applied: list[_Applied] = []
    for implementation in plugins.of("filter_stream"):
        try:
            wanted = implementation.call(turn)
            if wanted is None:
                continue
            if not isinstance(wanted, StreamFilter):
                raise TypeError(  # noqa: TRY301 -- handled like any other failure of the plugin
                    f"it gave {type(wanted).__name__!r}, where the hook wants a StreamFilter or None"
                )
            wanted.begin(turn.prefill.text if turn.prefill else "", whole=whole)
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- excused or blamed
            if absorbed(turn, implementation, error):
                continue
            raise_failure(implementation, error)
        applied.append(_Applied(implementation, wanted, turn))
    return applied


def shown_already(plugins: PluginSet, implementation: Implementation) -> str:
    """Say why text is not held back for a plugin's ``post_process``; empty if it is.

    Such a plugin must leave alone what the caller of a stream has seen by then.
    """
    if getattr(implementation.owner, "rewrites_text", True) is False:
        return "its class says `rewrites_text = False`"
    if any(other.plugin == implementation.plugin for other in plugins.of("filter_stream")):
        return "its rules on text are those of its filter_stream"
    return ""


def rewrites_late(plugins: PluginSet) -> bool:
    """Say whether a plugin may rewrite text in ``post_process``, after it would have streamed."""
    return any(
        implementation.role != "observer"
        and not implementation.shadow
        and not shown_already(plugins, implementation)
        for hook in ("post_process", "check_reply")
        for implementation in plugins.of(hook)
    )
