"""Values of wrong types, for every parameter of every surface: told as the caller's mistake.

Whoever writes ``context=5`` must not meet a bare Python error out of the middle of Hookline, nor
read that some plugin failed.
"""

import contextlib
import inspect
import os
import pickle
import re
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import frozen

from hookline import (
    APIError,
    BatchItem,
    ConfigError,
    Conversation,
    Document,
    Image,
    InputError,
    Pipeline,
)
from hookline.endpoints import Batches, Files, Items, Models
from hookline.send_options import SendOptions
from hookline.values.brief import brief
from hookline_plugins.images import Images
from hookline_plugins.resilience.fallback import Elsewhere, Fallback
from hookline_plugins.resilience.retry import Retry
from hookline_plugins.tools import Tools


class Odd:
    """Nothing that anybody expects."""


def nested(levels: int) -> Any:
    """Return what no ``repr`` can be made of."""
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


NESTED: Final = nested(3_000)
WRONG: Final[tuple[Any, ...]] = (
    *(5, -1, 0, 1.5, 10**400, 10**5000, NESTED, float("nan"), True, "", "x", "\ud83d", b"x"),
    *([], [5], [None], ["x"], [[]], [{}], [Odd()], [int], [{"role": 5}], [{"type": 5}]),
    *({}, {"x": 5}, {5: 5}, {"type": "x"}, (), ([int],), set(), range(3), iter([1])),
    *(object(), Odd, print, lambda: 0),
)
# An option that is None says nothing; a message that is None is missing.
TOLD: Final = (InputError, ConfigError, APIError)  # the API judges values, such as service_tier="x"


def shown(value: Any) -> str:
    """Return a name that is the same in every process, as pytest-xdist wants it."""
    return re.sub(r" at 0x\w+", "", brief(value))


@pytest.fixture(scope="module")
def line() -> Iterator[Pipeline]:
    with Pipeline(base_url="sim:", model="claude-haiku-4-5", config={}) as line:
        yield line


def is_told(run: Callable[[], Any]) -> None:
    with contextlib.suppress(*TOLD):
        run()


@pytest.mark.parametrize("name", [*SendOptions.__annotations__])
def test_an_option(name: str, line: Pipeline) -> None:
    for wrong in (None, *WRONG):
        options: Any = {name: wrong}

        def streamed(options: Any = options) -> None:
            with line.stream("Hello", **options) as stream:
                _ = stream.reply

        is_told(partial(line.send, "Hello", **options))
        is_told(lambda options=options: line.conversation(**options).send("Hello"))  # type: ignore[misc]  # made of anything
        is_told(streamed)


def test_a_message_and_a_turn_of_a_conversation(line: Pipeline) -> None:
    for wrong in (None, *WRONG):
        is_told(partial(line.send, wrong))
        is_told(partial(line.conversation().add, wrong, "Hello"))
        is_told(partial(line.conversation().add, "user", wrong))


ENDPOINTS: Final = [
    (endpoint, name)
    for endpoint, cls in (("files", Files), ("models", Models), ("batches", Batches))
    for name in vars(cls)
    if not name.startswith("_")
]


@pytest.mark.parametrize(("endpoint", "name"), ENDPOINTS)
def test_an_argument_of_an_endpoint(endpoint: str, name: str, line: Pipeline) -> None:
    method = getattr(getattr(line, endpoint), name)
    needed = [
        parameter.name
        for parameter in inspect.signature(method).parameters.values()
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
    ]
    right: dict[str, Any] = {"source": b"x", "items": [BatchItem("a", "Hello")]}
    right = {each: right.get(each, "some_id") for each in needed}
    parameters = {*inspect.signature(method).parameters, "timeout", "betas"} - {"options"}
    for parameter in parameters:
        for wrong in WRONG:
            given = {**right, parameter: wrong}

            def call(given: Any = given) -> None:
                answer = method(**given)
                if isinstance(answer, Items):
                    with answer:
                        list(answer)

            is_told(call)


@pytest.mark.parametrize("wrong", WRONG, ids=shown)
def test_a_text_and_a_saved_conversation(wrong: Any, line: Pipeline) -> None:
    is_told(lambda: Document.from_text(wrong))
    is_told(lambda: Conversation.from_json(wrong, line))
    is_told(lambda: Image(b"x").tokens(wrong))


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such names")
def test_a_file_whose_name_is_not_utf8(line: Pipeline, tmp_path: Path) -> None:
    path = os.path.join(os.fsencode(tmp_path), b"caf\xe9.txt")  # noqa: PTH118 -- bytes
    try:
        Path(os.fsdecode(path)).write_bytes(b"ants")
    except OSError:
        pytest.skip("nor has this file system")
    assert line.files.upload(os.fsdecode(path)).filename == "caf?.txt"
    with Path(os.fsdecode(path)).open("rb") as file:
        assert line.files.upload(file).filename == "caf?.txt"


@pytest.mark.parametrize("name", inspect.signature(Pipeline).parameters)
def test_an_argument_of_the_constructor(name: str) -> None:
    for wrong in WRONG:
        given: Any = {"base_url": "sim:", "model": "claude-haiku-4-5", "config": {}, name: wrong}

        def send(given: Any = given) -> None:
            with Pipeline(**given) as line:
                line.send("Hello")

        is_told(send)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"context": 5}, r"context= takes a dict: context=\{…\}, not int"),
        ({"context": "abc"}, "context= takes a dict"),
        ({"context": {5: "ada"}}, "key that is no string: 5"),
        ({"messages": 5}, r"messages= takes a list of messages: messages=\[…\], not int"),
        ({"messages": "Hello"}, "messages= takes a list"),
        ({"messages": {"role": "user", "content": "x"}}, "messages= takes a list"),
        ({"tools": print}, "tools= takes a list of functions"),
        ({"tools": [int]}, "cannot be described: .* Give a function of your own"),
        ({"images": "ant.jpg"}, "images= takes a list"),
        ({"output": [int]}, "no JSON schema"),
        ({"betas": ["\ud83d"]}, "betas= takes names"),
        ({"stream": True}, r"call line.stream\(…\)"),
        ({"max_steps": 3}, r"Pipeline\(max_steps=…\)"),
        ({"model": "haiku"}, "did you mean 'claude-haiku-5-5'"),
        ({"model": "claude-haiku-4.5"}, "did you mean 'claude-haiku-4-5'"),
    ],
    ids=repr,
)
def test_the_mistake_is_named_with_its_remedy(options: Any, said: str, line: Pipeline) -> None:
    with pytest.raises(InputError, match=said):
        line.send("Hello", **options)
    with pytest.raises(InputError, match=said):
        line.conversation(**options).send("Hello")


@pytest.mark.parametrize("name", ["\ud83d.toml", "a\0.toml"], ids=ascii)
def test_a_policy_of_a_name_that_no_file_can_have(name: str) -> None:
    with pytest.raises(ConfigError, match=r"policy file .*: no file can have this name"):
        Pipeline(base_url="sim:", policy=name)


def test_the_constructor_names_what_it_takes() -> None:
    with pytest.raises(ConfigError, match="context= takes a dict"):
        Pipeline(base_url="sim:", context=5)  # type: ignore[arg-type]  # the mistake
    with pytest.raises(ConfigError, match="plugins= takes a list"):
        Pipeline(base_url="sim:", plugins="cache")


def test_the_remedies_work_when_typed(line: Pipeline) -> None:
    with line.stream("Hello") as stream:
        assert stream.reply.text
    with Pipeline(base_url="sim:", max_steps=3) as other:
        assert other.send("Hello", model="claude-haiku-5-5").text
    retries: Any = {"plugins": {"retry": {"attempts": 1}}}
    with Pipeline(base_url="sim:", config=retries) as other:
        assert other.send("Hello").text


PLUGINS: Final = {
    point.name: point
    for group in ("hookline.plugins", "hookline.plugins.optional")
    for point in entry_points(group=group)
    if point.value.startswith("hookline_plugins")
}


@pytest.mark.parametrize("name", sorted(PLUGINS))
def test_an_option_of_a_plugin_that_is_made_in_code(name: str) -> None:
    made = PLUGINS[name].load()
    options = inspect.signature(made).parameters
    needed = [each for each, about in options.items() if about.default is about.empty]
    for option in options:
        for wrong in WRONG:
            with contextlib.suppress(*TOLD):
                made(**{**dict.fromkeys(needed, wrong), option: wrong})
    with pytest.raises(ConfigError, match="unexpected keyword"):
        made(no_such_option=5)


def test_what_is_said_of_a_plugins_option() -> None:
    made: Any
    options: dict[str, Any]
    for made, options, words in (
        (Retry, {"attempts": "3"}, "Retry: attempts must be a whole number, not '3'"),
        (Retry, {"attempts": True}, "attempts must be a whole number"),
        (Retry, {"base": None}, "base must be a number, not None"),
        (Retry, {"atempts": 3}, "did you mean 'attempts'"),
        (Retry, {"after_read_timeout": "no"}, "after_read_timeout must be true or false"),
        (Retry, {"attempts": 0}, "attempts must be above 0"),
        (
            Images,
            {"fit": "big"},
            "fit must be one of 'best', 'limits', 'leave', 'error', not 'big'",
        ),
        (Images, {"max_bytes": -1}, "'max_bytes' must be > 0: -1"),
        (Tools, {"timeout": "soon"}, "timeout must be"),
        (Fallback, {"models": "claude-haiku-4-5"}, "are lists"),
    ):
        with pytest.raises(ConfigError) as caught:
            made(**options)
        assert words in str(caught.value)


def test_options_that_fit_are_taken_as_ever() -> None:
    """Checked is what plain types say; an int is a number, and a subclass keeps its own options."""
    assert Retry(base=1, attempts=2).attempts == 2

    @frozen
    class Mine(Retry):
        more: str = "x"

    assert Mine(attempts=4, more="y").more == "y"
    there = Elsewhere(base_url="https://a.example", model="m")
    assert pickle.loads(pickle.dumps(there)) == there  # noqa: S301 -- ours
    assert "attempts: int" in str(inspect.signature(Retry))
