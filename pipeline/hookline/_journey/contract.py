"""What makes an object a plugin: the hooks that it marks, and what its class declares of itself.

Misuse is refused with a message that names plugin, hook and remedy. A class may say on which surfaces
it takes part, ``surfaces = ("send", "stream")``; for which contract it was written is asked in ``versions``.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

import pluggy

from hookline import hookspecs
from hookline._journey.plugin_order import declared, layer_of
from hookline.errors import ConfigError

if TYPE_CHECKING:
    from hookline._journey.plugin_set import Plugin

__all__ = [
    "HOOKS",
    "SURFACES",
    "marked",
    "mismatch",
    "on_surfaces",
    "surfaces_of",
]

HOOKS: Final[dict[str, str]] = {
    "build_history": "transform",
    "inject_prefill": "transform",
    "resolve_images": "transform",
    "send": "onion",
    "check_request": "check",
    "filter_stream": "stream",
    "post_process": "transform",
    "call_tool": "onion",
    "check_tool": "check",
    "check_reply": "check",
    "conclude": "conclude",
    "on_turn_start": "observe",
    "on_attempt": "observe",
    "on_tool": "observe",
    "on_event": "observe",
    "on_turn_end": "observe",
    "register_tools": "register",
    "register_models": "register",
    "register_profiles": "register",
    "register_commands": "register",
    "register_routes": "register",
    "open": "life",
    "close": "life",
}
"""Every hook, in the order of a turn, and its kind."""

SURFACES: Final = ("send", "stream", "count_tokens", "batch", "upload", "explain")
"""The doors by which a turn comes in: what ``turn.surface`` may be."""

_ANY: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_MUST_BE_DEF: Final = frozenset({"stream", "register"})
_NOT_FOR_OBSERVERS: Final = frozenset({"onion", "check", "conclude"})
_NOT_IN_SHADOW: Final = frozenset({"onion", "conclude"})


def surfaces_of(plugin: "Plugin") -> tuple[str, ...]:
    """Return the surfaces that a plugin declares; none stands for all.

    Raises:
        ConfigError: there is no such surface, or an enforcer names any.

    """
    surfaces = declared(plugin, "surfaces")
    for surface in surfaces:
        if surface not in SURFACES:
            raise ConfigError(
                f"plugin {plugin.name!r}: there is no surface {surface!r}; surfaces are "
                f"{', '.join(SURFACES)}"
            )
    if surfaces and plugin.role == "enforcer":
        raise ConfigError(
            f"plugin {plugin.name!r} is an enforcer, which judges on every surface; drop `surfaces`"
        )
    return surfaces


def on_surfaces(
    call: Callable[..., Any], hook: str, parameters: Sequence[str], surfaces: Sequence[str]
) -> Callable[..., Any]:
    """Return ``call`` so that turns of other surfaces pass it by.

    Args:
        call: takes all of the hook's arguments by position.
        hook: the hook's name.
        parameters: of the hook.
        surfaces: where it takes part; none is everywhere.

    """
    if not surfaces or "turn" not in parameters:
        return call
    wraps = HOOKS[hook] == "onion"

    def there(turn: Any, *rest: Any) -> Any:
        if turn.surface in surfaces:
            return call(turn, *rest)
        return rest[-1](rest[0]) if wraps else None

    return there


def marked(plugin: "Plugin") -> dict[str, Callable[..., Any]]:
    """Return the marked functions of a plugin; refuse what the executor cannot run.

    Raises:
        ConfigError: names plugin, hook and remedy.

    """
    name, thing = plugin.name, plugin.object
    if not name.isprintable() or not name.strip():  # it is shown in errors, logs and tables
        raise ConfigError(f"a plugin's name is some printable characters, not {name!r}")
    if plugin.role not in ("transformer", "observer", "enforcer"):
        raise ConfigError(
            f"plugin {name!r} has role {plugin.role!r}; "
            "a role is 'transformer', 'observer' or 'enforcer'"
        )
    layer_of(plugin)
    surfaces_of(plugin)
    found: dict[str, Callable[..., Any]] = {}
    for attribute in dir(thing):
        if attribute.startswith("__"):
            continue
        member = inspect.getattr_static(thing, attribute, None)
        function = inspect.unwrap(member) if _may_be_marked(member) else None
        options = _mark_of(member) if function is not None else None
        if options is None:
            # Many a class has a method called open or close for purposes of its own.
            named = attribute in HOOKS and HOOKS[attribute] != "life"
            if named and inspect.isroutine(function):
                raise ConfigError(
                    f"plugin {name!r} has a method {attribute!r} that is not marked; "
                    "put @hookimpl above it (from hookline import hookimpl)"
                )
            continue
        hook = options["specname"] or attribute
        _check_implementation(plugin, hook, function, options)
        found[attribute] = _as_function(plugin, hook, getattr(thing, attribute), options)
    if not found:
        raise ConfigError(
            f"plugin {name!r} implements no hook; mark its methods with @hookimpl "
            f"(from hookline import hookimpl). Hooks: {', '.join(HOOKS)}"
        )
    return found


def _may_be_marked(member: Any) -> bool:
    return callable(member) or isinstance(member, classmethod | functools.partialmethod)


def _mark_of(member: Any) -> Any:
    """Return what ``@hookimpl`` left on a member, or on what it wraps; None if it is not marked."""
    marked = inspect.unwrap(member, stop=lambda each: _mark_on(each) is not None)
    return _mark_on(marked)


def _mark_on(thing: Any) -> Any:
    options = getattr(thing, "hookline_impl", None)
    return options if isinstance(options, dict) else None


def _as_function(plugin: "Plugin", hook: str, member: Any, options: Any) -> Callable[..., Any]:
    """Return a marked callable as pluggy wants it: a function, or a method, that has the mark."""
    if (inspect.isfunction(member) or inspect.ismethod(member)) and _mark_on(member) is not None:
        return member
    known = inspect.signature(getattr(hookspecs, hook)).parameters
    taken: list[str] = []
    for parameter in inspect.signature(member).parameters.values():
        if parameter.name in known:
            taken.append(parameter.name)
        elif parameter.default is parameter.empty and parameter.kind not in _ANY:
            raise ConfigError(_unknown_parameter(plugin, hook, parameter.name, known))

    def call(*arguments: Any) -> Any:
        return member(**dict(zip(taken, arguments, strict=True)))

    async def call_async(*arguments: Any) -> Any:
        return await member(**dict(zip(taken, arguments, strict=True)))

    later = inspect.iscoroutinefunction(member) or inspect.iscoroutinefunction(
        getattr(member, "__call__", None)  # noqa: B004 -- the method of an object is what is asked for
    )
    function: Any = call_async if later else call
    vars(function).update(hookline_impl=options, takes=tuple(taken))
    return cast("Callable[..., Any]", function)


def _check_implementation(plugin: "Plugin", hook: str, function: Any, options: Any) -> None:
    def refuse(problem: str, remedy: str) -> ConfigError:
        return ConfigError(f"plugin {plugin.name!r}, hook {hook!r}: {problem}; {remedy}")

    kind = HOOKS.get(hook)
    if kind is None:
        from difflib import get_close_matches  # noqa: PLC0415 -- only for the text of an error

        near = get_close_matches(hook, HOOKS, 1)
        remedy = f"did you mean {near[0]!r}?" if near else f"hooks are {', '.join(HOOKS)}"
        raise refuse("there is no such hook", remedy)
    if options["wrapper"] or options["hookwrapper"]:
        raise refuse("wrappers are not used here", "to wrap the sending, implement `send`")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise refuse("it is a generator", "use `return` instead of `yield`")
    if kind in _MUST_BE_DEF and inspect.iscoroutinefunction(function):
        raise refuse("it cannot be async", "make it a plain `def`")
    if plugin.role == "observer" and kind in _NOT_FOR_OBSERVERS:
        raise refuse("an observer cannot take part in it", 'set `role = "transformer"`')
    if plugin.shadow and kind in _NOT_IN_SHADOW:
        raise refuse(
            "it cannot run in shadow",
            "a shadow may implement every hook but `send`, `call_tool` and `conclude`",
        )


def mismatch(plugin: "Plugin", error: pluggy.PluginValidationError) -> str:
    """Return pluggy's complaint in our words; it has two kinds that get this far."""
    for hook in HOOKS:
        function = getattr(plugin.object, hook, None)
        if not callable(function):
            continue
        known = inspect.signature(getattr(hookspecs, hook)).parameters
        for parameter in inspect.signature(function).parameters.values():
            if parameter.default is inspect.Parameter.empty and parameter.name not in known:
                return _unknown_parameter(plugin, hook, parameter.name, known)
    return f"plugin {plugin.name!r}: {error}"


def _unknown_parameter(plugin: "Plugin", hook: str, name: str, known: Iterable[str]) -> str:
    return (
        f"plugin {plugin.name!r}, hook {hook!r}: there is no parameter {name!r}; "
        f"take any of {', '.join(known)}, by these names"
    )
