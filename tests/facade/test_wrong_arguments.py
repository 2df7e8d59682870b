"""Values of wrong types, for every parameter of every surface: told as the caller's mistake.

Whoever writes ``context=5`` must not meet a bare Python error out of the middle of Hookline, nor
read that some plugin failed.
"""

import contextlib
import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import pytest

from hookline import APIError, ConfigError, InputError, Pipeline
from hookline.send_options import SendOptions


class Odd:
    """Nothing that anybody expects."""


WRONG: Final[tuple[Any, ...]] = (
    *(5, -1, 0, 1.5, float("nan"), True, "", "x", "\ud83d", b"x"),
    *([], [5], [None], ["x"], [[]], [{}], [Odd()], [int], [{"role": 5}], [{"type": 5}]),
    *({}, {"x": 5}, {5: 5}, {"type": "x"}, (), ([int],), set(), range(3), iter([1])),
    *(object(), Odd, print, lambda: 0),
)
# An option that is None says nothing; a message that is None is missing.
TOLD: Final = (InputError, ConfigError, APIError)  # the API judges values, such as service_tier="x"

# Settings, which tests/facade/test_config.py judges; a wrong one is told when settings are loaded.
SETTINGS: Final = frozenset({"base_url", "api_version", "headers", "config", "ca_bundle"})


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


@pytest.mark.parametrize("name", sorted({*inspect.signature(Pipeline).parameters} - SETTINGS))
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
        ({"tools": [int]}, "cannot be described"),
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
