"""The plugins of one pipeline: registration, validation, order.

Every pipeline has a ``PluginSet`` of its own, so two pipelines in one process share nothing. Misuse
is refused here, when the pipeline is built, with a message that names plugin, hook and remedy; a
plugin that got past this can only fail by what it does.
"""

import inspect
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final, Literal, TypeAlias

import pluggy
from attrs import field, frozen

from hookline import hookspecs
from hookline.errors import ConfigError, PluginError

__all__ = ["HOOKS", "Implementation", "Plugin", "PluginSet", "Role"]

Role: TypeAlias = Literal["transformer", "observer", "enforcer"]

HOOKS: Final[dict[str, str]] = {
    "build_history": "transform",
    "inject_prefill": "transform",
    "resolve_images": "transform",
    "send": "onion",
    "check_request": "check",
    "post_process": "transform",
    "filter_stream": "stream",
    "on_turn_start": "observe",
    "on_attempt": "observe",
    "on_event": "observe",
    "on_turn_end": "observe",
    "register_tools": "register",
    "register_models": "register",
    "register_commands": "register",
    "register_routes": "register",
}
"""Every hook, in the order of a turn, and its kind."""

_MUST_BE_DEF: Final = frozenset({"stream", "register"})
_NOT_FOR_OBSERVERS: Final = frozenset({"send", "check_request"})
_NOT_IN_SHADOW: Final = frozenset({"send"})


@frozen
class Plugin:
    """A plugin in a pipeline.

    Attributes:
        name: unique in the pipeline.
        object: the plugin itself.
        distribution: the installed distribution it came from, or "" for one handed over in code.
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


@frozen
class Implementation:
    """One plugin's implementation of one hook, ready to be called.

    Attributes:
        plugin: its plugin.
        hook: the hook's name.
        owner: the plugin's object.
        call: takes all the hook's arguments by position.
        role: the plugin's role, here because the executor asks at every call.
        shadow: whether it only judges.

    """

    plugin: str
    hook: str
    owner: Any = field(repr=False)
    call: Callable[..., Any] = field(repr=False)
    role: Role = "transformer"
    shadow: bool = False


class PluginSet:
    """The plugins of one pipeline, validated and in their effective order.

    Args:
        plugins: in the order of registration.

    Raises:
        ConfigError: a name twice, a cycle, a missing need, or a plugin that is put together wrongly.

    """

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        manager = pluggy.PluginManager("hookline")
        manager.add_hookspecs(hookspecs)
        given = list(plugins)
        for plugin in given:
            _check_shape(plugin)
            if manager.has_plugin(plugin.name):
                raise ConfigError(
                    f"two plugins are called {plugin.name!r}; give one of them another `name`"
                )
            try:
                manager.register(plugin.object, name=plugin.name)
            except pluggy.PluginValidationError as error:
                raise ConfigError(_explain(plugin, error)) from error
            except ValueError as error:
                raise ConfigError(f"plugin {plugin.name!r} is registered twice") from error
        try:
            manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise ConfigError(str(error)) from error
        self.plugins: Final = tuple(_in_order(given))
        self._implementations: Final = {hook: tuple(self._compile(manager, hook)) for hook in HOOKS}

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

    def announce(self, hook: str, register: Callable[..., None]) -> None:
        """Call a register hook of every plugin.

        Raises:
            PluginError: one of them raised something that is not Hookline's.

        """
        for implementation in self.of(hook):
            try:
                implementation.call(register)
            except ConfigError:
                raise
            except Exception as error:
                raise PluginError(
                    f"{type(error).__name__}: {error}", plugin=implementation.plugin, hook=hook
                ) from error

    def _compile(self, manager: pluggy.PluginManager, hook: str) -> Iterable[Implementation]:
        place = {plugin.name: index for index, plugin in enumerate(self.plugins)}
        found = sorted(
            getattr(manager.hook, hook).get_hookimpls(),
            # pluggy's own tryfirst and trylast apply to one hook; our order to the whole plugin.
            key=lambda impl: (impl.trylast - impl.tryfirst, place[impl.plugin_name]),
        )
        parameters = tuple(inspect.signature(getattr(hookspecs, hook)).parameters)
        for impl in found:
            plugin = self.plugins[place[impl.plugin_name]]
            yield Implementation(
                plugin=plugin.name,
                hook=hook,
                owner=plugin.object,
                call=_by_position(impl.function, impl.argnames, parameters),
                role=plugin.role,
                shadow=plugin.shadow,
            )


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


def _check_shape(plugin: Plugin) -> None:
    """Refuse what pluggy would accept and the executor cannot run."""
    name, thing = plugin.name, plugin.object
    if plugin.role not in ("transformer", "observer", "enforcer"):
        raise ConfigError(
            f"plugin {name!r} has role {plugin.role!r}; "
            "a role is 'transformer', 'observer' or 'enforcer'"
        )
    marked = 0
    for attribute in dir(thing):
        if attribute.startswith("__"):
            continue
        member = inspect.getattr_static(thing, attribute, None)
        function = inspect.unwrap(member) if callable(member) else None
        options = getattr(function, "hookline_impl", None)
        if options is None:
            if attribute in HOOKS and inspect.isroutine(function):
                raise ConfigError(
                    f"plugin {name!r} has a method {attribute!r} that is not marked; "
                    "put @hookimpl above it (from hookline import hookimpl)"
                )
            continue
        marked += 1
        _check_implementation(plugin, options["specname"] or attribute, function, options)
    if not marked:
        raise ConfigError(
            f"plugin {name!r} implements no hook; mark its methods with @hookimpl "
            f"(from hookline import hookimpl). Hooks: {', '.join(HOOKS)}"
        )


def _check_implementation(plugin: Plugin, hook: str, function: Any, options: Any) -> None:
    def refuse(problem: str, remedy: str) -> ConfigError:
        return ConfigError(f"plugin {plugin.name!r}, hook {hook!r}: {problem}; {remedy}")

    kind = HOOKS.get(hook)
    if kind is None:
        near = get_close_matches(hook, HOOKS, 1)
        remedy = f"did you mean {near[0]!r}?" if near else f"hooks are {', '.join(HOOKS)}"
        raise refuse("there is no such hook", remedy)
    if options["wrapper"] or options["hookwrapper"]:
        raise refuse("wrappers are not used here", "to wrap the sending, implement `send`")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise refuse("it is a generator", "use `return` instead of `yield`")
    if kind in _MUST_BE_DEF and inspect.iscoroutinefunction(function):
        raise refuse("it cannot be async", "make it a plain `def`")
    if plugin.role == "observer" and hook in _NOT_FOR_OBSERVERS:
        raise refuse("an observer cannot take part in it", 'set `role = "transformer"`')
    if plugin.shadow and hook in _NOT_IN_SHADOW:
        raise refuse("it cannot run in shadow", "a shadow may implement every hook but `send`")


def _explain(plugin: Plugin, error: pluggy.PluginValidationError) -> str:
    """Return pluggy's complaint in our words; it has two kinds that get this far."""
    for hook in HOOKS:
        function = getattr(plugin.object, hook, None)
        if not callable(function):
            continue
        known = inspect.signature(getattr(hookspecs, hook)).parameters
        for parameter in inspect.signature(function).parameters.values():
            if parameter.default is inspect.Parameter.empty and parameter.name not in known:
                return (
                    f"plugin {plugin.name!r}, hook {hook!r}: there is no parameter "
                    f"{parameter.name!r}; take any of {', '.join(known)}, by these names"
                )
    return f"plugin {plugin.name!r}: {error}"


def _in_order(plugins: list[Plugin]) -> list[Plugin]:
    """Return the plugins in their order of registration, refined by what they declare.

    ``before`` and ``after`` name plugins (those that are absent do not matter), ``needs`` names
    plugins that must be there, ``first`` and ``last`` are booleans. Stable: among those that may
    come next, the one registered earliest does.
    """
    names = {plugin.name for plugin in plugins}
    graph: dict[str, set[str]] = {plugin.name: set() for plugin in plugins}
    for plugin in plugins:
        missing = [need for need in _declared(plugin, "needs") if need not in names]
        if missing:
            raise ConfigError(
                f"plugin {plugin.name!r} needs the plugin {missing[0]!r}, which is not enabled"
            )
        graph[plugin.name].update(name for name in _declared(plugin, "after") if name in names)
        for name in _declared(plugin, "before"):
            if name in names:
                graph[name].add(plugin.name)
    rank = {
        plugin.name: (bool(_flag(plugin, "last")) - bool(_flag(plugin, "first")), index)
        for index, plugin in enumerate(plugins)
    }
    sorter = TopologicalSorter(graph)
    try:
        sorter.prepare()
    except CycleError as error:
        circle = " → ".join(error.args[1])
        raise ConfigError(f"these plugins each want to run before the next: {circle}") from error
    by_name = {plugin.name: plugin for plugin in plugins}
    ordered: list[Plugin] = []
    ready: list[str] = list(sorter.get_ready())
    while ready:
        ready.sort(key=rank.__getitem__)
        name = ready.pop(0)
        ordered.append(by_name[name])
        sorter.done(name)
        ready.extend(sorter.get_ready())
    return ordered


def _declared(plugin: Plugin, attribute: str) -> tuple[str, ...]:
    value = getattr(plugin.object, attribute, ())
    if isinstance(value, str):  # ("images") is a string; what was meant is plain
        return (value,)
    if isinstance(value, list | tuple | set | frozenset) and all(
        isinstance(name, str) for name in value
    ):
        return tuple(value)
    raise ConfigError(
        f"plugin {plugin.name!r}: `{attribute}` must be a tuple of plugin names, not {value!r}"
    )


def _flag(plugin: Plugin, attribute: str) -> bool:
    return getattr(plugin.object, attribute, False) is True
