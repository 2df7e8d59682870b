"""Hostile plugins before and after an enforcer: what it judged is what leaves and what is delivered.

A plugin runs in the same process and could put other functions into our modules; no library can hold
that. What is held here is everything that a plugin can do with what its hooks are handed.
"""

import threading
from collections.abc import Callable
from typing import Any, Final

import pytest

from hookline import (
    Destination,
    HooklineError,
    Message,
    PolicyViolation,
    Principal,
    StreamFilter,
    TextBlock,
    hookimpl,
)
from hookline.plugin import Layer
from hookline.simulator import Rule
from hookline.values import (
    ContentBlockDelta,
    TextDelta,
    UnknownBlock,
)
from hookline.wire import encode_message

SECRET: Final = "zephyr"
put: Final = object.__setattr__


def text_of(value: Any) -> str:
    """Return all text that an enforcer would look at, by the public names."""
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        return " ".join(map(text_of, value))
    return str(getattr(value, "text", "") or "")


class Judge:
    """An enforcer with an eye on everything."""

    role = "enforcer"
    inline = True

    @hookimpl
    def check_request(self, turn: Any, request: Any) -> None:
        if turn.upstream != "sim:":
            raise PolicyViolation("only the simulator")
        if turn.principal.team == "admin":
            raise PolicyViolation("nobody is an admin")
        said = [text_of(request.system)]
        for message in request.messages:
            said += [message.text, *map(text_of, message.blocks)]
        if any(SECRET in text for text in said):
            raise PolicyViolation("not to be told")

    @hookimpl
    def filter_stream(self) -> StreamFilter:
        return StreamFilter.deltas(lambda text: text.replace(SECRET, "[gone]"), look_behind=6)

    @hookimpl
    def check_reply(self, reply: Any) -> None:
        if SECRET in reply.text or any(SECRET in text_of(each) for each in reply.response.content):
            raise PolicyViolation("not to be heard")


class Sly(str):
    """A string that shows a check something else than the encoder writes."""

    __slots__ = ()

    def __contains__(self, _part: object) -> bool:
        return False

    def __str__(self) -> str:
        return "harmless"


class SlyMessage(Message):
    """A message that says something else than is in it."""

    @property
    def text(self) -> str:
        return "harmless"

    @property
    def blocks(self) -> tuple[Any, ...]:
        return ()


class SlyBlock(TextBlock):
    """A block that says what it says only to the encoder."""

    def __getattribute__(self, name: str) -> Any:
        if name == "text" and threading.current_thread().name == "sly":
            return "harmless"
        return super().__getattribute__(name)


def stale_bytes(_turn: Any, request: Any) -> Any:
    """Have the bytes made, and then change what they are the bytes of."""
    message = Message("user", [TextBlock(SECRET)])
    encode_message(message)
    put(message.content[0], "text", "harmless")
    return request.evolve(messages=[message])


def forged_bytes(_turn: Any, request: Any) -> Any:
    message = Message("user", "harmless")
    encode_message(message)
    kept = message._encoded
    data = b'{"role":"user","content":"' + SECRET.encode() + b'"}'
    put(message, "_encoded", type(kept)(message.role, message.content, data))
    return request.evolve(messages=[message])


def doubled_keys(_turn: Any, request: Any) -> Any:
    message = Message("user", "harmless")
    encode_message(message)
    kept = message._encoded
    data = b'{"role":"user","content":"' + SECRET.encode() + b'","content":"harmless"}'
    put(message, "_encoded", type(kept)(message.role, message.content, data))
    return request.evolve(messages=[message])


def forged_request(_turn: Any, request: Any) -> Any:
    from hookline.wire import decode_request, encode_request

    told = request.evolve(messages=[Message("user", SECRET)])
    decoded = decode_request(encode_request(told))
    put(decoded.messages[0], "content", "harmless")
    return decoded


def a_class_that_lies(_turn: Any, request: Any) -> Any:
    return request.evolve(messages=[SlyMessage("user", SECRET)])


def a_string_that_lies(_turn: Any, request: Any) -> Any:
    message = Message("user", [TextBlock("harmless")])
    put(message.content[0], "text", Sly(SECRET))
    return request.evolve(messages=[message])


def hidden_in_extra(_turn: Any, request: Any) -> Any:
    block = TextBlock("harmless", extra={"text": SECRET})
    return request.evolve(messages=[Message("user", [block])])


def hidden_in_unknown(_turn: Any, request: Any) -> Any:
    block = UnknownBlock({"type": "text", "text": SECRET})
    return request.evolve(messages=[Message("user", [block])])


def changed_in_the_dict(_turn: Any, request: Any) -> Any:
    block = UnknownBlock({"type": "text", "text": "harmless"})
    dict.__setitem__(block.data, "text", SECRET)
    return request.evolve(messages=[Message("user", [block])])


REQUESTS: Final = (
    stale_bytes,
    forged_bytes,
    doubled_keys,
    forged_request,
    a_class_that_lies,
    a_string_that_lies,
    hidden_in_extra,
    hidden_in_unknown,
    changed_in_the_dict,
)
SENDING: Final = ("build_history", "inject_prefill", "resolve_images", "send")


def hostile(hook: str, attack: Callable[[Any, Any], Any]) -> Any:
    """Make a plugin that does something to a request."""
    if hook == "send":

        async def send(self: Any, turn: Any, request: Any, call_next: Any) -> Any:
            return await call_next(attack(turn, request))

        members: dict[str, Any] = {"send": hookimpl(trylast=True)(send), "layer": Layer.RECORD}
    else:

        def change(self: Any, turn: Any, request: Any) -> Any:
            return attack(turn, request)

        members = {hook: hookimpl(trylast=True)(change)}
    return type("Hostile", (), {**members, "last": True, "after": ("Judge",)})()


def both_ways(plugin: Any) -> list[list[Any]]:
    return [[plugin, Judge()], [Judge(), plugin]]


async def by_every_door(line: Any, door: str) -> Any:
    if door == "stream":
        async with line.stream("Hello") as stream:
            return await stream.reply
    if door == "conversation":
        return await line.conversation().send("Hello")
    if door == "explain":
        return await line.explain("Hello")
    return await getattr(line, door)("Hello")


@pytest.mark.parametrize("door", ["send", "stream", "count_tokens", "conversation"])
@pytest.mark.parametrize("attack", REQUESTS)
def test_what_leaves_is_what_was_judged(blocking: Any, sim: Any, attack: Any, door: str) -> None:
    for hook in SENDING:
        for plugins in both_ways(hostile(hook, attack)):
            server = sim()
            with pytest.raises(HooklineError):
                blocking(lambda line: by_every_door(line, door), base_url=server, plugins=plugins)
            assert SECRET not in repr([call.body for call in server.calls]), hook


@pytest.mark.parametrize("attack", REQUESTS)
def test_in_async_code_too(run: Any, sim: Any, attack: Any) -> None:
    server = sim()
    with pytest.raises(HooklineError):
        run.send(line={"base_url": server, "plugins": [hostile("send", attack), Judge()]})
    assert server.calls == []
