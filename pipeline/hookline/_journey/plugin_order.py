"""The order of plugins: as registered, refined by what their classes declare.

Only the plugin that asks is moved. A topological sort would satisfy ``before = ("history",)`` just as
well by pulling ``history`` behind everybody, and a third plugin that never said a word would find
itself in front of it.
"""

from collections.abc import Iterable, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, Final

from hookline.errors import ConfigError
from hookline.hookspecs import Layer
from hookline.values.brief import brief

if TYPE_CHECKING:
    from hookline._journey.plugin_set import Plugin

__all__ = ["declared", "hook_order", "in_order", "layer_of"]

# A send hook that names no layer stands just outside RETRY.
_UNSAID: Final = Layer.RETRY - 0.5
_MIRRORED: Final = frozenset({"filter_stream", "post_process"})


def in_order(plugins: Sequence["Plugin"]) -> list["Plugin"]:
    """Return the plugins in their general order.

    ``before`` and ``after`` name plugins (those that are absent do not matter), ``needs`` names
    plugins that must be there, ``first`` and ``last`` are booleans.

    Raises:
        ConfigError: a need is missing, or the wishes cannot all be granted.

    """
    names = {plugin.name for plugin in plugins}
    for plugin in plugins:
        for need in declared(plugin, "needs"):
            if need not in names:
                raise ConfigError(
                    f"plugin {plugin.name!r} needs the plugin {need!r}, which is not enabled"
                )
    ranked = sorted(plugins, key=lambda each: _flag(each, "last") - _flag(each, "first"))
    return _moved(ranked, plugins)


def layer_of(plugin: "Plugin") -> Layer | None:
    """Return the layer that a plugin declares for its ``send`` hook.

    Raises:
        ConfigError: what it declares is no layer.

    """
    declared_layer = getattr(plugin.object, "layer", None)
    if declared_layer is None or isinstance(declared_layer, Layer):
        return declared_layer
    raise ConfigError(
        f"plugin {plugin.name!r}: `layer` must be one of hookline.plugin.Layer "
        f"({', '.join(layer.name for layer in Layer)}), not {brief(declared_layer)}"
    )


def hook_order(hook: str, plugins: Sequence["Plugin"]) -> list["Plugin"]:
    """Return the order for one hook.

    Args:
        hook: its name.
        plugins: in their general order.

    Raises:
        ConfigError: a wish contradicts the layers.

    """
    if hook == "send":
        return _by_layer(plugins)
    ordered = list(plugins)
    if hook in _MIRRORED:
        places = [place for place, each in enumerate(ordered) if _flag(each, "mirrored")]
        for place, plugin in zip(places, [ordered[each] for each in reversed(places)], strict=True):
            ordered[place] = plugin
    # Enforcers have a band of their own: nothing comes after them, whatever it declares.
    return sorted(ordered, key=lambda each: each.role == "enforcer")


def _by_layer(plugins: Sequence["Plugin"]) -> list["Plugin"]:
    said = {plugin.name: layer_of(plugin) for plugin in plugins}
    for plugin in plugins:
        for attribute, sign in (("before", 1), ("after", -1)):
            for other in declared(plugin, attribute):
                one, two = said[plugin.name], said.get(other)
                if one is not None and two is not None and sign * (one - two) > 0:
                    raise ConfigError(
                        f"plugin {plugin.name!r} (layer {one.name}) wants to run {attribute} "
                        f"{other!r} (layer {two.name}), which its layer contradicts; change "
                        "its `layer`, or drop the wish"
                    )
    ordered = sorted(plugins, key=lambda each: said[each.name] or _UNSAID)
    # A layer is the stronger word; only those that declare none may be moved across layers.
    moved = _moved(ordered, [each for each in plugins if said[each.name] is None])
    return sorted(moved, key=lambda each: _last_to_reckon(each, said[each.name]))


def _last_to_reckon(plugin: "Plugin", layer: Layer | None) -> int:
    """Return how far in a plugin stands whatever is declared: within a budget there is nobody.

    Of enforcers that say they are budgets, one from code stands outside of those that are installed.
    """
    if plugin.role != "enforcer" or layer != Layer.BUDGET:
        return 0
    return 2 if plugin.distribution else 1


def _moved(ordered: Sequence["Plugin"], asking: Iterable["Plugin"]) -> list["Plugin"]:
    """Move each plugin that asks for it, as little as possible."""
    result = list(ordered)
    askers = [each for each in asking if declared(each, "before") or declared(each, "after")]
    for _ in range(len(askers) + 1):
        moved = [plugin for plugin in askers if _move(result, plugin)]
        if not moved:
            break
    else:
        raise ConfigError(_circle(askers))
    for plugin in askers:
        least, most = _span(result, plugin)
        if least > most:
            raise ConfigError(
                f"plugin {plugin.name!r} wants to run after {', '.join(declared(plugin, 'after'))} "
                f"and before {', '.join(declared(plugin, 'before'))}, which stand the other way "
                "round; only the plugin that asks is moved, so drop one of the two wishes"
            )
    return result


def _move(result: list["Plugin"], plugin: "Plugin") -> bool:
    """Put one plugin where it wants to be; say whether it stood elsewhere."""
    place = result.index(plugin)
    least, most = _span(result, plugin)
    if least <= place <= most or least > most:  # torn: another one may still have to move
        return False
    result.insert(least if place < least else most, result.pop(place))
    return True


def _span(ordered: Sequence["Plugin"], plugin: "Plugin") -> tuple[int, int]:
    """Return the first and the last place among the others that a plugin's wishes allow."""
    others = [each.name for each in ordered if each is not plugin]
    after = [others.index(name) + 1 for name in declared(plugin, "after") if name in others]
    before = [others.index(name) for name in declared(plugin, "before") if name in others]
    return max(after, default=0), min(before, default=len(others))


def _circle(askers: Sequence["Plugin"]) -> str:
    """Return the text about wishes that go round in a circle."""
    graph: dict[str, set[str]] = {}
    for plugin in askers:
        graph.setdefault(plugin.name, set()).update(declared(plugin, "after"))
        for name in declared(plugin, "before"):
            graph.setdefault(name, set()).add(plugin.name)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return f"these plugins each want to run before the next: {' → '.join(error.args[1])}"
    names = ", ".join(plugin.name for plugin in askers)
    return f"what these plugins declare by `before` and `after` cannot all be granted: {names}"


def declared(plugin: "Plugin", attribute: str) -> tuple[str, ...]:
    """Return the names of plugins that a class attribute lists."""
    value: Any = getattr(plugin.object, attribute, ())
    if isinstance(value, str):  # ("images") is a string; what was meant is plain
        return (value,)
    if isinstance(value, list | tuple | set | frozenset) and all(
        isinstance(name, str) for name in value
    ):
        return tuple(value)
    raise ConfigError(
        f"plugin {plugin.name!r}: `{attribute}` must be a tuple of plugin names, not {brief(value)}"
    )


def _flag(plugin: "Plugin", attribute: str) -> bool:
    return getattr(plugin.object, attribute, False) is True
