"""The plugin under test: what it declares of itself, and calls that are taken with it."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import attrs
from attrs import frozen

from hookline._journey.contract import HOOKS
from hookline._journey.plugin_set import Plugin, PluginSet
from hookline.errors import ConfigError
from hookline.simulator import Simulator
from hookline.testing.conformance.calls import bodies_of, failed, line_of, taken
from hookline.testing.conformance.samples import TEXTS
from hookline.testing.conformance.surfaces import Call, Colour, Outcome, run_async, waited, worked

__all__ = ["Subject"]

_SOURCE: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://\S+$")
_KNOWN: Final = ("http", "https", "data", "file")
_EVERYWHERE: Final = ("messages", "system", "tool_results", "documents")


@frozen(slots=False)
class Subject:
    """The plugin under test.

    Attributes:
        name: its name.
        maker: makes a new instance of it.
        more: samples to be tried besides those that it declares.
        reference: by which another process can make it; empty where none can.
        config: the settings file that goes with the reference.

    """

    name: str
    maker: Callable[[], Any]
    more: tuple[str, ...] = ()
    reference: str = ""
    config: str | None = None

    def make(self) -> Any:
        """Return a new instance, with the options that it declares for being tried.

        Raises:
            ConfigError: there is no such option.

        """
        thing = self.maker()
        declared = dict(getattr(thing, "sample_options", {}))
        if not declared or isinstance(thing, type):
            return thing
        fields = {each.name: each for each in getattr(type(thing), "__attrs_attrs__", ())}
        unknown = [name for name in declared if name not in fields]
        if unknown:
            raise ConfigError(f"sample_options: there is no option {unknown[0]!r}")
        # What somebody has set on purpose stays.
        unset = {name for name in declared if getattr(thing, name) == _default(thing, fields[name])}
        return attrs.evolve(thing, **{fields[name].alias: declared[name] for name in unset})

    @cached_property
    def plugins(self) -> PluginSet:
        """The plugin by itself, in its order of hooks."""
        return PluginSet([self.plugin()])

    @cached_property
    def hooks(self) -> frozenset[str]:
        """The hooks that it implements."""
        return frozenset(
            hook for hook in HOOKS if hasattr(getattr(self.object, hook, None), "hookline_impl")
        )

    @cached_property
    def object(self) -> Any:
        """An instance to be looked at, and not to be run."""
        return self.make()

    @property
    def own_samples(self) -> tuple[str, ...]:
        """The texts that it reacts to, as its class or the caller says."""
        own = getattr(self.object, "samples", ())
        return (*self.more, *((own,) if isinstance(own, str) else tuple(own)))

    @property
    def samples(self) -> tuple[str, ...]:
        """The texts to try: those that the plugin reacts to, and those of the suite."""
        return (*self.own_samples, *TEXTS)

    @property
    def sources(self) -> tuple[str, ...]:
        """Those of its samples that are images of a scheme of its own: ``asset://ant.png``."""
        return tuple(
            each
            for each in self.own_samples
            if (match := _SOURCE.match(each)) and match[1].lower() not in _KNOWN
        )

    @property
    def home(self) -> str:
        """Its module, or the package that it belongs to."""
        parts = self._module.split(".")
        return ".".join(parts[: 2 if parts[0] == "hookline_plugins" else 1])

    @property
    def context(self) -> Mapping[str, Any]:
        """The context with which it is tried, as its class says."""
        return dict(getattr(self.object, "sample_context", {}))

    @property
    def edits(self) -> tuple[str, ...]:
        """Where in a request it works on text, as it declares; everywhere if it says nothing."""
        declared = getattr(self.object, "edits", None)
        if declared is None:
            return _EVERYWHERE
        return (declared,) if isinstance(declared, str) else tuple(declared)

    @property
    def surfaces(self) -> tuple[str, ...]:
        """The surfaces on which it takes part, as it declares; none stands for all."""
        declared = getattr(self.object, "surfaces", ())
        return (declared,) if isinstance(declared, str) else tuple(declared)

    @property
    def enforces(self) -> bool:
        """Whether it is an enforcer, which may refuse what it has let pass before."""
        return getattr(self.object, "role", "") == "enforcer"

    @property
    def deterministic(self) -> bool:
        """Whether the same call is to have the same outcome; a plugin may declare otherwise."""
        return getattr(self.object, "deterministic", True) is not False

    @cached_property
    def asks_loop(self) -> bool:
        """Whether it needs an event loop, and so no ``Pipeline`` can have it."""
        return self.take(Call()).asks_loop

    @property
    def colour(self) -> Colour:
        """In which colour it can be tried."""
        return "asyncio" if self.asks_loop else "sync"

    def plugin(self) -> Plugin:
        """Return a new instance as a pipeline takes it."""
        return Plugin(self.name, self.make())

    def line(
        self,
        colour: Colour,
        simulator: Simulator,
        *,
        beside: Sequence[Plugin] = (),
        **options: Any,
    ) -> Any:
        """Return a pipeline with the plugin, and with others beside it."""
        return line_of(colour, simulator, [self.plugin(), *beside], self._given(options))

    def take(self, call: Call, colour: Colour = "sync") -> Outcome:
        """Take one call with a new instance of the plugin."""
        return taken([self.plugin()], call, colour, self._module, self._given({}))

    def streamed(self, simulator: Simulator, count: int) -> Iterator[Outcome]:
        """Stream ``count`` messages, no two alike, through one pipeline."""
        with self.line("sync", simulator) as line:
            for number in range(count):
                yield self._worked(line, Call(surface="stream", message=f"Hello {number}"))

    def row(self, calls: Sequence[Call], simulator: Simulator, colour: Colour) -> list[Outcome]:
        """Take several calls, one after the other, through one pipeline; each knows what it has sent."""
        outcomes: list[Outcome] = []

        def note(outcome: Outcome) -> None:
            sent = bodies_of(simulator)[sum(len(each.bodies) for each in outcomes) :]
            outcomes.append(attrs.evolve(outcome, bodies=sent))

        if colour == "sync":
            with self.line(colour, simulator) as line:
                for call in calls:
                    note(self._worked(line, call))
            return outcomes

        async def main() -> None:
            async with self.line(colour, simulator) as line:
                for call in calls:
                    note(await self.waited(line, call))

        run_async(colour, main)
        return outcomes

    def without(self, call: Call, colour: Colour = "sync") -> Outcome:
        """Take the same call without the plugin."""
        return taken([], call, colour, "", self._given({}))

    def _worked(self, line: Any, call: Call) -> Outcome:
        try:
            return worked(line, call)
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- a stranger's code
            return failed(error, self._module)

    async def waited(self, line: Any, call: Call) -> Outcome:
        """Take one call in an ``AsyncPipeline`` that there is."""
        try:
            return await waited(line, call)
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- as above
            return failed(error, self._module)

    def _given(self, options: Mapping[str, Any]) -> dict[str, Any]:
        return {**({"context": self.context} if self.context else {}), **options}

    @cached_property
    def _module(self) -> str:
        thing = self.object
        return str(getattr(thing, "__module__", None) or getattr(thing, "__name__", ""))


def _default(thing: Any, field: Any) -> Any:
    """Return the default of a field."""
    if not isinstance(field.default, attrs.Factory):  # type: ignore[arg-type]  # a class, if typed as none
        return field.default
    factory: Any = field.default
    return factory.factory(thing) if factory.takes_self else factory.factory()
