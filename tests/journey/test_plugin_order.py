"""The order of plugins: as registered, refined by what their classes declare."""

from itertools import pairwise
from typing import Any

import pytest

from hookline import ConfigError, Pipeline, Request, hookimpl
from hookline._journey.plugin_set import Plugin, PluginSet


def plugin(name: str, **declared: Any) -> Plugin:
    members = {"post_process": hookimpl(lambda self: None), **declared}
    return Plugin(name, type(name, (), members)())


def order(*plugins: Plugin) -> str:
    ordered = PluginSet(plugins)
    names = [each.name for each in ordered.plugins]
    assert [each.plugin for each in ordered.of("post_process")] == names
    return " ".join(names)


def test_plugins_run_as_registered() -> None:
    assert order(plugin("c"), plugin("a"), plugin("b")) == "c a b"


def test_before_and_after_move_only_what_they_must() -> None:
    assert order(plugin("a"), plugin("b"), plugin("c", before=("a",))) == "c a b"
    assert order(plugin("a", after=("c",)), plugin("b"), plugin("c")) == "b c a"


def test_a_name_that_is_absent_does_not_matter() -> None:
    assert order(plugin("a", after=("nobody",)), plugin("b", before=("nobody",))) == "a b"


def test_first_and_last_go_to_the_ends_in_the_order_registered() -> None:
    plugins = [
        plugin("z", last=True),
        plugin("a"),
        plugin("y", last=True),
        plugin("m", first=True),
        plugin("n", first=True),
    ]
    assert order(*plugins) == "m n a z y"


def test_an_explicit_before_is_stronger_than_first() -> None:
    assert order(plugin("a", first=True), plugin("b", before=("a",))) == "b a"


def test_one_name_may_be_written_as_a_plain_string() -> None:
    assert order(plugin("images"), plugin("b", before="images")) == "b images"


def test_tryfirst_and_trylast_count_for_their_hook_alone() -> None:
    class Late:
        @hookimpl(trylast=True)
        def build_history(self) -> None:
            return None

        @hookimpl(tryfirst=True)
        def post_process(self) -> None:
            return None

    class Other:
        @hookimpl
        def build_history(self) -> None:
            return None

        @hookimpl
        def post_process(self) -> None:
            return None

    plugins = PluginSet([Plugin("other", Other()), Plugin("late", Late())])
    assert [each.plugin for each in plugins.of("build_history")] == ["other", "late"]
    assert [each.plugin for each in plugins.of("post_process")] == ["late", "other"]


def test_a_cycle_is_refused_and_drawn() -> None:
    with pytest.raises(ConfigError) as caught:
        order(plugin("a", before=("b",)), plugin("b", before=("c",)), plugin("c", before=("a",)))
    text = str(caught.value)
    assert "want to run before the next" in text
    circle = text.split(": ")[1].split(" → ")
    assert circle[0] == circle[-1]
    following = {"a": "b", "b": "c", "c": "a"}
    assert all(following[one] == two for one, two in pairwise(circle))


def test_a_missing_need_is_refused_and_named() -> None:
    with pytest.raises(ConfigError, match=r"'a' needs the plugin 'vault', which is not enabled"):
        order(plugin("a", needs=("vault",)))
    assert order(plugin("a", needs=("vault",)), plugin("vault")) == "a vault"


@pytest.mark.parametrize("attribute", ["before", "after", "needs"])
def test_a_declaration_of_a_wrong_type_is_refused(attribute: str) -> None:
    with pytest.raises(ConfigError, match=rf"'a': `{attribute}` must be a tuple of plugin names"):
        order(plugin("a", **{attribute: 7}))


def test_a_name_twice_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"two plugins are called 'a'; give one .* `name`"):
        order(plugin("a"), plugin("a"))


def test_the_same_object_twice_is_refused() -> None:
    thing = plugin("a").object
    with pytest.raises(ConfigError, match="'b' is registered twice"):
        order(Plugin("a", thing), Plugin("b", thing))


def test_a_plugin_handed_over_in_code_is_named_after_its_class_or_its_name() -> None:
    class Shout:
        @hookimpl
        def build_history(self, request: Request) -> None:
            return None

    class Named(Shout):
        name = "whisper"

    with Pipeline(base_url="sim:", plugins=[Shout(), Named()]) as line:
        names = [each.name for each in line.plugins.plugins]
    assert names.index("whisper") == names.index("Shout") + 1


def test_what_is_handed_over_in_code_comes_after_the_standard_plugins() -> None:
    thing = plugin("mine").object
    with Pipeline(base_url="sim:", plugins=[thing]) as line:
        names = [each.name for each in line.plugins.plugins]
    assert set(names[:3]) == {"cost", "echo", "history"}  # who says `first`
    assert names.index("mine") > max(names.index(name) for name in ("images", "tools", "logging"))
    assert {"history", "prefill", "images", "echo", "cost", "tools", "logging"} <= set(names)


def test_hooks_of_a_plugin_are_listed_in_the_order_of_a_turn() -> None:
    class Both:
        @hookimpl
        def on_turn_end(self) -> None: ...

        @hookimpl
        def build_history(self) -> None: ...

    assert PluginSet([Plugin("both", Both())]).hooks_of("both") == ("build_history", "on_turn_end")
