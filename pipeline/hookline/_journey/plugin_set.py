"""The plugins of one pipeline: registration, validation, order.

Every pipeline has a ``PluginSet`` of its own, so two pipelines in one process share nothing. Misuse
is refused here, when the pipeline is built, with a message that names plugin, hook and remedy; a
plugin that got past this can only fail by what it does.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

import pluggy
from attrs import field, frozen

from hookline import hookspecs
from hookline._journey.contract import (
    HOOKS,
    marked,
    mismatch,
    on_surfaces,
    surfaces_of,
)
from hookline._journey.plugin_order import declared, hook_order, in_order
from hookline._versions import check_contract
from hookline.errors import ConfigError, PluginError
from hookline.values.brief import brief

__all__ = ["HOOKS", "Implementation", "Plugin", "PluginSet", "Role", "examine"]

Role: TypeAlias = Literal["transformer", "observer", "enforcer"]

# Of these, an enforcer's plain `def` runs in a thread, which a deadline can end.
_ISOLATED: Final = frozenset({"transform", "check"})
_OBSERVER_SECONDS: Final = 1.0


@frozen(eq=False)
class Plugin:
    """A plugin in a pipeline.

    Attributes:
        name: unique in the pipeline.
        object: the plugin itself.
        distribution: the installed distribution or the file it came from, or "" for one handed over
            in code.
        version: that distribution's version, or "".
        shadow: judge, record, stop nothing.

    """

    name: str
    object: Any = field(repr=False)
    distribution: str = ""
    version: str = ""
    shadow: bool = False

    @property
    def role(self) -> Role:
        """The plugin's declared role."""
        role: Role = getattr(self.object, "role", "transformer")
        return role

    @classmethod
    def of(cls, thing: Any) -> "Plugin":
        """Wrap an object handed over in code; its name is its ``name``, or its class's.

        Raises:
            ConfigError: ``thing`` is a class, where an instance is needed.

        """
        if isinstance(thing, cls):
            return thing
        if inspect.isclass(thing):
            raise ConfigError(
                f"plugin {thing.__name__} is a class; hand over an instance: {thing.__name__}()"
            )
        own = getattr(thing, "name", None)
        if isinstance(own, str) and own:
            return cls(own, thing)
        default = thing.__name__ if inspect.ismodule(thing) else type(thing).__name__
        return cls(default, thing)


@frozen(eq=False)
class Implementation:
    """One plugin's implementation of one hook, ready to be called.

    Attributes:
        plugin: its plugin.
        hook: the hook's name.
        owner: the plugin's object.
        call: takes all the hook's arguments by position.
        role: the plugin's role, here because the executor asks at every call.
        shadow: whether it only judges.
        isolated: whether it runs in a thread of its own.
        seconds: how long an observer may take.

    """

    plugin: str
    hook: str
    owner: Any = field(repr=False)
    call: Callable[..., Any] = field(repr=False)
    role: Role = "transformer"
    shadow: bool = False
    isolated: bool = False
    seconds: float = _OBSERVER_SECONDS

    @property
    def owner_module(self) -> str:
        """The module that the plugin's code stands in."""
        owner = self.owner
        return owner.__name__ if inspect.ismodule(owner) else type(owner).__module__


class _Hooks:
    """A plugin as pluggy gets it: its marked functions, bound, and nothing else.

    pluggy takes two equal objects for one, and two plugins with the same options are two. It also
    overlooks what is no plain function: a ``partial``, a callable object.
    """

    def __init__(self, functions: Mapping[str, Callable[..., Any]]) -> None:
        self.__dict__.update(functions)


class PluginSet:
    """The plugins of one pipeline, validated and in their effective order.

    Args:
        plugins: in the order of registration.

    Attributes:
        plugins: in their general order.
        described: the same, each as its name and the version of its distribution.
        judges_replies: whether an enforcer has a say about what the caller gets. Then what the others
            are told is a copy, so that nobody changes it after it was judged.

    Raises:
        ConfigError: a name twice, a cycle, a missing need, or a plugin that is put together wrongly.

    """

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        manager = pluggy.PluginManager("hookline")
        manager.add_hookspecs(hookspecs)
        given = list(plugins)
        seen: set[int] = set()
        for plugin in given:
            if id(plugin.object) in seen:
                raise ConfigError(f"plugin {plugin.name!r} is registered twice")
            seen.add(id(plugin.object))
            _enter(manager, plugin)
        try:
            manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise ConfigError(str(error)) from error
        self.plugins: Final = tuple(in_order(given))
        self.described: Final = tuple(
            f"{each.name} {each.version}".strip() for each in self.plugins
        )
        self._implementations: Final = {hook: tuple(self._compile(manager, hook)) for hook in HOOKS}
        self.judges_replies: Final = any(
            each.role == "enforcer"
            for hook in ("filter_stream", "post_process", "check_reply")
            for each in self.of(hook)
        )

    def of(self, hook: str) -> tuple[Implementation, ...]:
        """Return the implementations of ``hook``, first to run first."""
        return self._implementations[hook]

    def hooks_of(self, name: str) -> tuple[str, ...]:
        """Return the hooks that the plugin called ``name`` implements, in the order of a turn."""
        return tuple(
            hook
            for hook, implementations in self._implementations.items()
            if any(implementation.plugin == name for implementation in implementations)
        )

    def get(self, name: str) -> Plugin | None:
        """Return the plugin called ``name``, or None."""
        return next((plugin for plugin in self.plugins if plugin.name == name), None)

    def announce(self, hook: str, register: Callable[[str], Callable[..., None]]) -> None:
        """Call a register hook of every plugin.

        Args:
            hook: which one.
            register: makes what the hook gets, given the plugin's name.

        Raises:
            PluginError: one of them raised something that is not Hookline's.

        """
        for implementation in self.of(hook):
            try:
                implementation.call(register(implementation.plugin))
            except ConfigError:
                raise
            except Exception as error:
                raise PluginError(
                    f"{type(error).__name__}: {error}", plugin=implementation.plugin, hook=hook
                ) from error

    def _compile(self, manager: pluggy.PluginManager, hook: str) -> Iterable[Implementation]:
        ordered = hook_order(hook, self.plugins)
        by_name = {plugin.name: plugin for plugin in ordered}
        place = {plugin.name: index for index, plugin in enumerate(ordered)}

        def rank(impl: pluggy.HookImpl) -> tuple[object, ...]:
            # pluggy's own tryfirst and trylast apply to one hook, our order to the whole plugin.
            # Neither leads out of a layer, or past the enforcers.
            plugin, wish = by_name[impl.plugin_name], impl.trylast - impl.tryfirst
            if hook == "send":
                return (place[plugin.name],)
            return (plugin.role == "enforcer", wish, place[plugin.name])

        parameters = tuple(inspect.signature(getattr(hookspecs, hook)).parameters)
        for impl in sorted(getattr(manager.hook, hook).get_hookimpls(), key=rank):
            plugin = by_name[impl.plugin_name]
            # pluggy reads code only; what is no function says by itself what it takes.
            taken = getattr(impl.function, "takes", impl.argnames)
            call = _by_position(impl.function, taken, parameters)
            yield Implementation(
                plugin=plugin.name,
                hook=hook,
                owner=plugin.object,
                call=on_surfaces(call, hook, parameters, surfaces_of(plugin)),
                role=plugin.role,
                shadow=plugin.shadow,
                isolated=(
                    plugin.role == "enforcer"
                    and HOOKS[hook] in _ISOLATED
                    and not inspect.iscoroutinefunction(impl.function)
                    and getattr(plugin.object, "inline", False) is not True
                ),
                seconds=_seconds(plugin),
            )


def examine(plugin: Plugin) -> None:
    """Check a plugin by itself, whoever else takes part.

    Raises:
        ConfigError: it is put together wrongly, or was written for another contract.

    """
    manager = pluggy.PluginManager("hookline")
    manager.add_hookspecs(hookspecs)
    _enter(manager, plugin)
    _seconds(plugin)
    for attribute in ("before", "after", "needs"):
        declared(plugin, attribute)


def _enter(manager: pluggy.PluginManager, plugin: Plugin) -> None:
    """Register a plugin with pluggy, if it is one."""
    check_contract(plugin)
    functions = marked(plugin)
    if manager.has_plugin(plugin.name):
        raise ConfigError(
            f"two plugins are called {plugin.name!r}; give one of them another `name`"
        )
    try:
        manager.register(_Hooks(functions), name=plugin.name)
    except pluggy.PluginValidationError as error:
        raise ConfigError(mismatch(plugin, error)) from error


def _seconds(plugin: Plugin) -> float:
    seconds = getattr(plugin.object, "observer_timeout", _OBSERVER_SECONDS)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
        raise ConfigError(
            f"plugin {plugin.name!r}: `observer_timeout` must be seconds above 0, not {brief(seconds)}"
        )
    return seconds


def _by_position(
    function: Callable[..., Any], wanted: Sequence[str], given: Sequence[str]
) -> Callable[..., Any]:
    """Adapt a function that takes some of the arguments, by name, to take all, by position."""
    if tuple(wanted) == tuple(given):
        return function
    places = [given.index(name) for name in wanted]
    if len(places) == 1:
        (only,) = places
        return lambda *arguments: function(arguments[only])
    return lambda *arguments: function(*[arguments[place] for place in places])
