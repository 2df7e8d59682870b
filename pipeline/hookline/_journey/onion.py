"""The onions: layers of plugins around the sending of a request, and around the running of a tool.

An answer that no attempt produced (a cache hit, a replay) must be judged too: about what would have
been sent. So each layer gets a list along that whoever lets something pass the checks writes to; a
layer that answered with an empty list has asked nobody, and what lies inside it is rehearsed.
"""

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from time import perf_counter_ns
from types import CoroutineType
from typing import Any, Generic, TypeAlias, TypeVar

from hookline._journey.failures import is_failure, raise_failure, wrong
from hookline._journey.plugin_set import Implementation
from hookline.trace import Change
from hookline.turn import Turn
from hookline.values.messages import Request

__all__ = ["Innermost", "Onion", "Passed", "StoppedShort"]

S = TypeVar("S")  # what goes in: a request, a tool call
R = TypeVar("R")  # what comes back: a response, a tool result

Passed: TypeAlias = list[bool]
"""Not empty once something has passed the checks on its way in."""

Innermost: TypeAlias = Callable[[S, Passed], Awaitable[R]]
"""What lies inside all layers."""


class Onion(Generic[S, R]):
    """The layers of one hook in one turn, the first of them the outermost.

    Args:
        turn: the journey.
        layers: the implementations.
        innermost: what they are wrapped around.
        vet: asks the checks about what would have passed; None where there is nobody to ask.
        takes: what goes in.
        gives: what comes back.
        notes: whether the trace is told what the layers change.

    """

    def __init__(
        self,
        turn: Turn,
        layers: tuple[Implementation, ...],
        *,
        innermost: Innermost[S, R],
        vet: Innermost[S, R] | None,
        takes: type[S],
        gives: type[R],
        notes: bool = True,
    ) -> None:
        self._turn = turn
        self._layers = layers
        self._innermost = innermost
        self._vet = vet
        self._takes = takes
        self._gives = gives
        self._notes = notes
        # What has come out of a layer or the core; several at once may be under way, in threads too.
        self._raised: list[BaseException] = []

    async def run(self, subject: S) -> R:
        """Send something through all layers, and return what comes back."""
        return await self._call(0, subject, [])

    def _call(self, place: int, subject: S, passed: Passed) -> Awaitable[R]:
        if place == len(self._layers):
            return self._core(subject, passed)
        return self._layer(place, subject, passed)

    async def _core(self, subject: S, passed: Passed) -> R:
        try:
            return await self._innermost(subject, passed)
        except BaseException as error:
            self._raised.append(error)
            raise

    async def _layer(self, place: int, subject: S, passed: Passed) -> R:
        implementation = self._layers[place]
        began = perf_counter_ns()
        inside: Passed = []

        def call_next(changed: S) -> Awaitable[R]:
            if changed is not subject:
                self._note(implementation, subject, changed, began)
            return self._call(place + 1, changed, inside)

        try:
            try:
                result = implementation.call(self._turn, subject, call_next)
                # As nearly always; isawaitable() costs more than many a layer.
                if result.__class__ is CoroutineType or isawaitable(result):
                    result = await result
            except BaseException as error:
                # What comes from further in is no failure of this plugin, enforcer or not.
                if self._has_raised(error) or not is_failure(implementation, error):
                    raise
                raise_failure(implementation, error)
            if not isinstance(result, self._gives):
                raise wrong(implementation, result, f"a {self._gives.__name__}")  # noqa: TRY301 -- seen below
            if not inside and self._vet is not None:
                await self._rehearse(place + 1, subject, self._vet)
        except BaseException as error:
            self._raised.append(error)
            raise
        passed.append(True)
        return result

    def _has_raised(self, error: BaseException) -> bool:
        return any(error is each for each in self._raised)

    async def _rehearse(self, place: int, subject: S, vet: Innermost[S, R]) -> None:
        """Let the checks judge what the layers that lie inside would have made of a subject."""
        layers = self._layers[place:]
        begins = bool(layers) and not self._turn.rehearsing
        if begins:
            self._turn.rehearsing = True  # nothing is waited for, reserved or counted
        try:
            await Onion(
                self._turn,
                layers,
                innermost=vet,
                vet=vet,
                takes=self._takes,
                gives=self._gives,
                notes=False,
            ).run(subject)
        except StoppedShort:
            pass  # as `vet` does at its end: what would have passed was not refused
        finally:
            if begins:
                self._turn.rehearsing = False

    def _note(self, implementation: Implementation, subject: S, changed: S, began: int) -> None:
        if not isinstance(changed, self._takes):
            raise wrong(implementation, changed, f"a {self._takes.__name__} to call_next")
        if self._notes and isinstance(subject, Request) and isinstance(changed, Request):
            spent = (perf_counter_ns() - began) / 1000
            self._turn.trace.changes.append(
                Change(
                    implementation.hook,
                    implementation.plugin,
                    subject,
                    changed,
                    spent,
                    self._turn.step,
                )
            )


class StoppedShort(BaseException):
    """Carries what would have passed out of the onion; no plugin's ``except Exception`` holds it."""

    def __init__(self, subject: Any) -> None:
        super().__init__()
        self.subject = subject
