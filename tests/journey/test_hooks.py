"""The hooks as plugin authors meet them: the fold, `def` and `async def`, failures, misuse."""

import asyncio
import functools
from typing import Any

import pytest
import trio

from hookline import (
    ConfigError,
    InputError,
    Message,
    Pipeline,
    PluginError,
    Request,
    Response,
    TextBlock,
    hookimpl,
)
from hookline._journey.plugin_set import HOOKS, Plugin

TRANSFORMS = ("build_history", "inject_prefill", "resolve_images")


def line_of(*plugins: Any, base_url: Any = "sim:") -> dict[str, Any]:
    return {"plugins": list(plugins), "base_url": base_url}


def tagger(tag: str, *, kind: str = "def") -> Any:
    """A plugin that appends its tag to the system prompt, when history is built."""

    def plain(self: Any, request: Request) -> Request:
        return request.evolve(system=f"{request.system or ''}{tag}")

    async def later(self: Any, request: Request) -> Request:
        return plain(self, request)

    function: Any = hookimpl(plain if kind == "def" else later)
    return type("Tagger", (), {"name": f"tagger-{tag}", "build_history": function})()


def with_hook(hook: str, function: Any, **attributes: Any) -> Any:
    """A plugin called `culprit` with one hook."""
    members = {"name": "culprit", hook: hookimpl(function), **attributes}
    return type("Culprit", (), members)()


@pytest.mark.parametrize("kinds", ["def def def", "async async async", "def async def"])
def test_a_fold_gives_each_what_the_one_before_returned(run: Any, sim: Any, kinds: str) -> None:
    server = sim()
    plugins = [tagger(tag, kind=kind) for tag, kind in zip("abc", kinds.split(), strict=True)]
    run.send(line=line_of(*plugins, base_url=server))
    assert server.bodies[0]["system"] == "abc"


def test_none_and_the_same_request_mean_unchanged(run: Any) -> None:
    def nothing(self: Any, request: Request) -> None:
        return None

    def same(self: Any, request: Request) -> Request:
        return request

    class Same:
        build_history = hookimpl(same)

    reply = run.send(line=line_of(with_hook("build_history", nothing), Same()))
    assert reply.trace.changes == []


def test_a_change_is_recorded_with_stage_plugin_before_after_and_time(run: Any) -> None:
    reply = run.send(line=line_of(tagger("x")))
    (change,) = reply.trace.changes
    assert (change.stage, change.plugin, change.step) == ("build_history", "tagger-x", 0)
    assert (change.before.system, change.after.system) == (None, "x")
    assert change.microseconds >= 0
    assert '+  "system": "x"' in change.diff().replace('"x",', '"x"')
    assert "build_history · tagger-x" in reply.trace.render()


@pytest.mark.parametrize("hook", TRANSFORMS)
@pytest.mark.parametrize("wrong", [42, "text", Message("user", "x")])
def test_a_transform_that_returns_the_wrong_type_is_reported(
    run: Any, sim: Any, streamed: Any, hook: str, wrong: Any
) -> None:
    server = sim()
    plugin = with_hook(hook, lambda self, request: wrong)
    with pytest.raises(PluginError) as caught:
        run.outcome(streamed, line=line_of(plugin, base_url=server))
    assert (caught.value.plugin, caught.value.hook) == ("culprit", hook)
    assert type(wrong).__name__ in str(caught.value)
    assert server.calls == []


@pytest.mark.parametrize(
    ("hook", "asynchronous"),
    [
        *((hook, kind) for hook in (*TRANSFORMS, "post_process", "send") for kind in (False, True)),
        ("filter_stream", False),  # which is never async
    ],
)
def test_a_plugin_that_raises_is_reported_with_plugin_stage_and_cause(
    run: Any, streamed: Any, hook: str, asynchronous: Any
) -> None:
    def fails(self: Any) -> None:
        raise KeyError("gone")

    async def fails_later(self: Any) -> None:
        raise KeyError("gone")

    plugin = with_hook(hook, fails_later if asynchronous else fails)
    with pytest.raises(PluginError, match=rf"plugin 'culprit', hook '{hook}': KeyError") as caught:
        run.outcome(streamed, line=line_of(plugin))
    assert (caught.value.plugin, caught.value.hook) == ("culprit", hook)
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize("hook", [*TRANSFORMS, "post_process"])
def test_an_error_of_hooklines_own_tree_passes_as_it_is(run: Any, hook: str) -> None:
    def refuses(self: Any) -> None:
        raise InputError("no such file")

    with pytest.raises(InputError, match=r"^no such file$"):
        run.send(line=line_of(with_hook(hook, refuses)))


@pytest.mark.parametrize(
    ("hook", "wrong"),
    [
        ("post_process", 42),
        ("send", None),
        ("send", "text"),
        ("filter_stream", lambda text: text),
        ("check_request", True),
    ],
)
def test_other_hooks_that_return_the_wrong_type_are_reported(
    run: Any, streamed: Any, hook: str, wrong: Any
) -> None:
    with pytest.raises(PluginError) as caught:
        run.outcome(streamed, line=line_of(with_hook(hook, lambda self: wrong)))
    assert (caught.value.plugin, caught.value.hook) == ("culprit", hook)


def test_call_next_refuses_what_is_no_request(run: Any) -> None:
    async def send(self: Any, call_next: Any) -> Response:
        response: Response = await call_next({"model": "x"})
        return response

    with pytest.raises(PluginError, match="'dict', where the hook wants a Request"):
        run.send(line=line_of(with_hook("send", send)))


def test_continue_with_something_that_is_no_request_is_reported(run: Any) -> None:
    from hookline import Continue

    plugin = with_hook("post_process", lambda self: Continue("again"))  # type: ignore[arg-type]  # on purpose
    with pytest.raises(PluginError, match="post_process"):
        run.send(line=line_of(plugin))


# Awaiting what a Pipeline does not have


async def sleeps_in_asyncio(self: Any) -> None:
    await asyncio.sleep(0.01)


async def sleeps_for_nothing(self: Any) -> None:
    await asyncio.sleep(0)


async def sleeps_in_trio(self: Any) -> None:
    await trio.sleep(0.01)


async def waits_for_a_future(self: Any) -> None:
    await asyncio.get_running_loop().create_future()


FOREIGN = [sleeps_in_asyncio, sleeps_for_nothing, sleeps_in_trio, waits_for_a_future]


def assert_names_plugin_hook_and_remedy(error: PluginError) -> None:
    assert (error.plugin, error.hook) == ("culprit", "build_history")
    assert "turn.io" in str(error)
    assert "AsyncPipeline" in str(error)


@pytest.mark.parametrize("hook", FOREIGN)
def test_a_hook_that_waits_for_an_event_loop_is_stopped_in_a_pipeline(hook: Any) -> None:
    with (
        Pipeline(**line_of(with_hook("build_history", hook))) as line,
        pytest.raises(PluginError) as caught,
    ):
        line.send("Hello")
    assert_names_plugin_hook_and_remedy(caught.value)


@pytest.mark.parametrize("hook", FOREIGN)
def test_it_is_stopped_inside_a_running_loop_too_and_the_loop_lives_on(hook: Any) -> None:
    async def notebook() -> PluginError:
        with (
            Pipeline(**line_of(with_hook("build_history", hook))) as line,
            pytest.raises(PluginError) as caught,
        ):
            line.send("Hello")
        await asyncio.sleep(0)
        return caught.value

    assert_names_plugin_hook_and_remedy(asyncio.run(notebook()))


@pytest.mark.parametrize("hook", ["send", "check_request", "post_process"])
def test_every_hook_that_waits_for_a_loop_is_named(blocking: Any, hook: str, streamed: Any) -> None:
    async def waits(self: Any) -> None:
        await asyncio.sleep(0)

    with pytest.raises(PluginError, match="AsyncPipeline") as caught:
        blocking.outcome(streamed, line=line_of(with_hook(hook, waits)))
    assert (caught.value.plugin, caught.value.hook) == ("culprit", hook)


def test_an_async_pipeline_lets_a_hook_wait_for_its_own_loop() -> None:
    from hookline import AsyncPipeline

    async def main(hook: Any) -> str:
        async with AsyncPipeline(**line_of(with_hook("build_history", hook))) as line:
            text: str = (await line.send("Hello")).text
            return text

    assert "Hello" in asyncio.run(main(sleeps_in_asyncio))
    assert "Hello" in trio.run(main, sleeps_in_trio)


# turn.io


def test_sleep_gather_and_run_blocking_work_everywhere(run: Any) -> None:
    found: list[Any] = []

    async def history(self: Any, turn: Any) -> None:
        async def one(number: int) -> int:
            await turn.io.sleep(0.001)
            return number

        began = turn.io.now()
        await turn.io.sleep(0.002)
        assert turn.io.now() - began >= 0.001
        found.append(await turn.io.gather(*(one(number) for number in range(5))))
        found.append(await turn.io.gather(one(7)))
        found.append(await turn.io.gather())
        found.append(await turn.io.run_blocking(lambda a, b: a + b, 1, 2))
        found.append(await turn.io.shielded(one(9)))

    run.send(line=line_of(with_hook("build_history", history)))
    assert found == [[0, 1, 2, 3, 4], [7], [], 3, 9]


def test_the_first_failure_in_gather_comes_out_alone(run: Any) -> None:
    async def history(self: Any, turn: Any) -> None:
        async def fails() -> None:
            raise LookupError("of the second")

        async def works() -> None:
            await turn.io.sleep(0)

        await turn.io.gather(works(), fails(), works())

    with pytest.raises(PluginError, match="of the second") as caught:
        run.send(line=line_of(with_hook("build_history", history)))
    assert isinstance(caught.value.__cause__, LookupError)


# Misuse, refused when the pipeline is built


def refused(plugin: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        Pipeline(base_url="sim:", plugins=[plugin])
    return str(caught.value)


def test_an_unknown_hook_is_refused_with_the_nearest_name() -> None:
    text = refused(with_hook("build_histroy", lambda self, request: None))
    assert "'culprit'" in text
    assert "'build_histroy'" in text
    assert "did you mean 'build_history'?" in text


def test_an_unknown_hook_far_from_any_lists_them() -> None:
    text = refused(with_hook("zzz", lambda self: None))
    assert "zzz" in text
    assert all(hook in text for hook in HOOKS)


def test_a_hook_without_its_mark_is_refused() -> None:
    class Culprit:
        name = "culprit"

        def send(self: Any, request: Request, call_next: Any) -> Any:
            return call_next(request)

    text = refused(Culprit())
    assert "'culprit'" in text
    assert "'send'" in text
    assert "@hookimpl" in text


def test_a_plugin_without_any_hook_is_refused() -> None:
    class Culprit:
        name = "culprit"

    text = refused(Culprit())
    assert "'culprit' implements no hook" in text
    assert "@hookimpl" in text


@pytest.mark.parametrize("hook", HOOKS)
def test_an_unknown_parameter_is_refused_and_the_known_ones_are_named(hook: str) -> None:
    text = refused(with_hook(hook, lambda self, reqeust: None))
    assert "'culprit'" in text
    assert f"'{hook}'" in text
    assert "'reqeust'" in text
    known = {"register": "register", "life": ""}.get(HOOKS[hook], "turn")
    assert known in text.split("take any of")[1]


def generator(self: Any) -> Any:
    yield None


async def async_generator(self: Any) -> Any:
    yield None


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("function", [generator, async_generator])
def test_a_generator_is_refused(hook: str, function: Any) -> None:
    text = refused(with_hook(hook, function))
    assert f"plugin 'culprit', hook '{hook}'" in text
    assert "`return`" in text


@pytest.mark.parametrize(
    "hook", [hook for hook, kind in HOOKS.items() if kind in ("register", "stream")]
)
def test_async_is_refused_where_it_cannot_be(hook: str) -> None:
    async def asynchronous(self: Any) -> None:
        return None

    text = refused(with_hook(hook, asynchronous))
    assert f"plugin 'culprit', hook '{hook}'" in text
    assert "plain `def`" in text


@pytest.mark.parametrize("option", ["wrapper", "hookwrapper"])
def test_wrappers_are_refused(option: str) -> None:
    options: dict[str, Any] = {option: True}

    def wraps(self: Any) -> Any:
        yield

    culprit: Any = type("Culprit", (), {"name": "culprit", "build_history": wraps})()
    hookimpl(**options)(wraps)

    text = refused(culprit)
    assert "plugin 'culprit', hook 'build_history'" in text
    assert "implement `send`" in text


def test_a_class_that_cannot_be_made_is_refused_and_the_remedy_is_an_instance() -> None:
    class Needy:
        def __init__(self, ledger: Any) -> None:
            self.ledger = ledger

        @hookimpl
        def post_process(self, reply: Any) -> None:
            self.ledger.append(reply)

    text = refused(Needy)
    assert "plugin 'Needy' cannot be made: " in text
    assert "'ledger'" in text
    assert "hand over an instance" in text
    ledger: list[Any] = []
    with Pipeline(base_url="sim:", plugins=[Needy(ledger)]) as line:
        line.send("Hello")
    assert len(ledger) == 1


@pytest.mark.parametrize("hook", ["send", "check_request"])
def test_an_observer_cannot_take_part_in_the_sending(hook: str) -> None:
    text = refused(with_hook(hook, lambda self: None, role="observer"))
    assert f"plugin 'culprit', hook '{hook}'" in text
    assert 'role = "transformer"' in text


def test_a_role_that_there_is_not_is_refused() -> None:
    text = refused(with_hook("post_process", lambda self: None, role="enforser"))
    assert "'culprit'" in text
    assert "'enforcer'" in text


def test_a_shadow_cannot_take_part_in_the_onion() -> None:
    plugin = with_hook("send", lambda self: None, role="enforcer")
    assert "cannot run in shadow" in refused(Plugin("culprit", plugin, shadow=True))


def test_a_register_hook_that_raises_is_reported() -> None:
    def fails(self: Any, register: Any) -> None:
        raise OSError("gone")

    with pytest.raises(PluginError, match="OSError: gone") as caught:
        Pipeline(base_url="sim:", plugins=[with_hook("register_tools", fails)])
    assert (caught.value.plugin, caught.value.hook) == ("culprit", "register_tools")


def test_a_module_and_a_static_method_can_be_plugins(run: Any, sim: Any) -> None:
    import types

    module = types.ModuleType("my_module")

    @hookimpl
    def build_history(request: Request) -> Request:
        return request.evolve(system="from a module")

    module.build_history = build_history  # type: ignore[attr-defined]  # that is how modules get names

    class Static:
        @staticmethod
        @hookimpl
        def inject_prefill(request: Request) -> Request:
            return request.append(Message("assistant", (TextBlock("So"),)))

    server = sim()
    run.send(line=line_of(module, Static(), base_url=server))
    assert server.bodies[0]["system"] == "from a module"
    assert server.bodies[0]["messages"][-1]["role"] == "assistant"


def test_a_plugin_s_misuse_of_a_value_is_not_blamed_on_the_caller(run: Any) -> None:
    def misuses(self: Any, request: Any) -> Any:
        return request.evolve(max_tokens="many")

    with pytest.raises(PluginError, match=r"'culprit', hook 'build_history': .*max_tokens"):
        run.send(line={"plugins": [with_hook("build_history", misuses)]})


def test_what_a_plugin_tells_the_caller_reaches_the_caller(run: Any) -> None:
    def refuses(self: Any, request: Any) -> Any:
        raise InputError("say please")

    with pytest.raises(InputError, match=r"^say please$"):
        run.send(line={"plugins": [with_hook("build_history", refuses)]})


# Whatever stands between the mark and the function ------------------------------------------------


def decorated(function: Any) -> Any:
    @functools.wraps(function)
    def around(*arguments: Any, **named: Any) -> Any:
        return function(*arguments, **named)

    return around


def greeting(self: Any, request: Request) -> Request:
    return request.with_system("Be brief.")


def free(word: str, turn: Any, request: Request) -> Request:
    return request.with_system(word)


async def free_async(word: str, request: Request) -> Request:
    return request.with_system(word)


class Greeting:
    """A callable object."""

    def __call__(self, turn: Any, request: Request) -> Request:
        return request.with_system("Be brief.")


class GreetingAsync:
    """One whose call is asynchronous."""

    async def __call__(self, request: Request) -> Request:
        return request.with_system("Be brief.")


mark: Any = hookimpl  # pluggy's types know functions only
WRAPPED: dict[str, Any] = {
    "mark above wraps": lambda: mark(decorated(greeting)),
    "mark below wraps": lambda: decorated(mark(greeting)),
    "mark above lru_cache": lambda: mark(functools.lru_cache(greeting)),
    "mark below lru_cache": lambda: functools.lru_cache(mark(greeting)),
    "partial": lambda: mark(functools.partial(free, "Be brief.")),
    "partial by name": lambda: mark(functools.partial(free, word="Be brief.")),
    "partial of an async function": lambda: mark(functools.partial(free_async, "Be brief.")),
    "partialmethod": lambda: mark(
        functools.partialmethod(
            lambda self, word, turn, request: free(word, turn, request), "Be brief."
        )
    ),
    "callable object": lambda: mark(Greeting()),
    "callable object, async": lambda: mark(GreetingAsync()),
    "mark above staticmethod": lambda: mark(staticmethod(functools.partial(free, "Be brief."))),
    "mark below staticmethod": lambda: staticmethod(
        mark(lambda request: request.with_system("Be brief."))
    ),
    "mark above classmethod": lambda: mark(classmethod(greeting)),
    "mark below classmethod": lambda: classmethod(mark(decorated(greeting))),
}


@pytest.mark.parametrize("how", WRAPPED)
def test_a_hook_is_one_however_it_is_wrapped(run: Any, sim: Any, how: str) -> None:
    server = sim()
    plugin = type("Wrapped", (), {"name": "wrapped", "build_history": WRAPPED[how]()})()
    run.send(line=line_of(plugin, base_url=server))
    assert server.bodies[0]["system"] == "Be brief."


@pytest.mark.parametrize("wrap", [lambda f: functools.partial(f, 1), decorated])
def test_a_wrapped_hook_with_a_parameter_that_there_is_not_is_refused(wrap: Any) -> None:
    def wrong(self: Any, requst: Any) -> None:
        return None

    text = refused(
        type("Culprit", (), {"name": "culprit", "build_history": hookimpl(wrap(wrong))})()
    )
    assert "plugin 'culprit', hook 'build_history': there is no parameter 'requst'" in text
