"""Every hook on every surface: the matrix that says which hooks run where.

A new hook without a row, or a new surface without a column, fails here.
"""

import re
from base64 import b64decode
from typing import Any, Final

import pytest

from hookline import Pipeline, Response, hookimpl
from hookline._journey.plugin_set import HOOKS
from hookline.simulator import Rule
from support.answers import message

SURFACES: Final = (
    "send",
    "stream",
    "conversation.send",
    "conversation.stream",
    "explain",
    "count_tokens",
    "tool step",
    "streamed tool step",
    "resume",
    "resume_stream",
    "upload",
)

# How often each hook runs on each surface, in the order of SURFACES; "+" is once or more.
# An upload asks no model: of transforms
# and checks only those of enforcers see it. Register hooks run when the pipeline is built, whatever comes after; commands are for the CLI.
MATRIX: Final[dict[str, tuple[object, ...]]] = {
    "build_history": (1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0),
    "inject_prefill": (1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0),
    "resolve_images": (1, 1, 1, 1, 1, 1, 2, 2, 1, 1, 0),
    "send": (1, 1, 1, 1, 1, 1, 2, 2, 1, 1, 0),
    "check_request": (1, 1, 1, 1, 1, 1, 2, 2, 1, 1, 0),
    "filter_stream": (1, 1, 1, 1, 0, 0, 2, 2, 1, 1, 0),
    "post_process": (1, 1, 1, 1, 0, 0, 2, 2, 2, 2, 0),
    "call_tool": (0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0),
    "check_tool": (0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0),
    "check_reply": (1, 1, 1, 1, 0, 0, 2, 2, 2, 2, 0),
    "conclude": (1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1),
    "on_turn_start": (1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1),
    "on_attempt": (1, 1, 1, 1, 0, 1, 2, 2, 1, 1, 1),
    "on_tool": (0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0),
    "on_event": (0, "+", 0, "+", 0, 0, 0, "+", 0, "+", 0),
    "on_turn_end": (1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1),
    "register_tools": (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1),
    "register_models": (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1),
    "register_profiles": (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1),
    "register_commands": (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    "register_routes": (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1),
    "open": (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1),
    "close": (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1),
}

# Public names of a pipeline that take a turn, and the surface that stands for them here.
DOORS: Final[dict[str, str]] = {
    "send": "send",
    "stream": "stream",
    "conversation": "conversation.send",
    "explain": "explain",
    "count_tokens": "count_tokens",
    "resume": "resume",
    "resume_stream": "resume_stream",
    "take_up": "resume",
    "open_resumed": "resume_stream",
    "take_turn": "send",
    "open_stream": "stream",
    "files": "upload",
}
# Those that take none, or prepare requests that test_batches follows through the same stages.
NO_DOORS: Final = frozenset({"batches", "begin_turn", "close", "models", "profile"})


class Counts:
    """Counts how often each hook is called; built from the table of hooks, so it has them all."""

    name = "counts"
    rewrites_text = False

    def __init__(self) -> None:
        self.calls: dict[str, int] = dict.fromkeys(HOOKS, 0)


def counting(hook: str, *, asynchronous: bool) -> Any:
    if hook == "send":

        async def send(self: Any, request: Any, call_next: Any) -> Response:
            self.calls["send"] += 1
            response: Response = await call_next(request)
            return response

        return hookimpl(send)

    if hook == "call_tool":

        async def call_tool(self: Any, call: Any, call_next: Any) -> Any:
            self.calls["call_tool"] += 1
            return await call_next(call)

        return hookimpl(call_tool)

    def plain(self: Any) -> None:
        self.calls[hook] += 1

    async def later(self: Any) -> None:
        self.calls[hook] += 1

    must_be_def = HOOKS[hook] in ("register", "stream")
    return hookimpl(plain if must_be_def or not asynchronous else later)


def plugin(*, asynchronous: bool) -> Any:
    hooks = {hook: counting(hook, asynchronous=asynchronous) for hook in HOOKS}
    return type("AllHooks", (Counts,), hooks)()


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


PENDING: Final = {
    "version": 1,
    "request": {
        "model": "claude-haiku-4-5",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "Hello"}],
        "tools": [{"name": "add", "input_schema": {"type": "object"}}],
    },
    "response": message(
        "",
        content=[{"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 1, "b": 2}}],
        stop_reason="tool_use",
    ),
    "results": [],
}


async def enter(line: Any, surface: str) -> None:
    streamed = "stream" in surface
    if surface == "resume":
        await line.resume(PENDING, {"toolu_1": "approve"}, tools=[add])
        return
    if surface == "resume_stream":
        async with line.resume_stream(PENDING, {"toolu_1": "approve"}, tools=[add]) as stream:
            await stream.reply
        return
    if surface == "explain":
        await line.explain("Hello")
        return
    if surface == "count_tokens":
        await line.count_tokens("Hello")
        return
    if surface == "upload":
        uploaded = line.files.upload(b"Hello", filename="hello.txt")
        if hasattr(uploaded, "__await__"):
            await uploaded
        return
    door = line.conversation() if surface.startswith("conversation") else line
    options = {"tools": [add]} if "tool" in surface else {}
    if streamed:
        async with door.stream("Hello", **options) as stream:
            await stream.reply
    else:
        await door.send("Hello", **options)


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("asynchronous", [False, True], ids=["def", "async def"])
def test_every_hook_runs_where_it_should(
    run: Any, sim: Any, surface: str, asynchronous: Any
) -> None:
    counts = plugin(asynchronous=asynchronous)
    rules = [Rule(tool_use={"name": "add", "input": {"a": 1, "b": 2}}, times=1)]
    server = sim(*(rules if "tool" in surface else []))

    async def body(line: Any) -> None:
        await enter(line, surface)

    run(body, base_url=server, plugins=[counts])
    column = SURFACES.index(surface)
    expected = {hook: row[column] for hook, row in MATRIX.items()}
    found = {
        hook: "+" if expected[hook] == "+" and times else times
        for hook, times in counts.calls.items()
    }
    assert found == expected


def test_every_hook_has_a_row() -> None:
    assert list(MATRIX) == list(HOOKS)
    assert {len(row) for row in MATRIX.values()} == {len(SURFACES)}


def test_every_hook_has_a_specification_and_the_other_way_round() -> None:
    from hookline import hookspecs

    specified = {name for name, thing in vars(hookspecs).items() if hasattr(thing, "hookline_spec")}
    assert specified == set(HOOKS)


def test_every_hook_is_documented_with_an_example() -> None:
    from hookline import hookspecs

    for hook in HOOKS:
        text = getattr(hookspecs, hook).__doc__
        assert f"def {hook}(" in text, hook
        assert "Args:" in text, hook
        assert re.search(r"[Ff]ail|blocks|once, when|once, at construction", text), hook


def test_every_door_of_a_pipeline_has_a_column() -> None:
    public = {name for name in dir(Pipeline) if not name.startswith("_")}
    assert public == set(DOORS) | NO_DOORS
    assert set(DOORS.values()) <= set(SURFACES)


def test_the_surface_names_the_door(run: Any) -> None:
    seen: list[tuple[str, bool]] = []

    class Looks:
        @hookimpl
        def build_history(self, turn: Any) -> None:
            seen.append((turn.surface, turn.stream))

    async def body(line: Any) -> None:
        for surface in SURFACES[:6]:
            await enter(line, surface)

    run(body, plugins=[Looks()])
    assert seen == [
        ("send", False),
        ("stream", True),
        ("send", False),
        ("stream", True),
        ("explain", False),
        ("count_tokens", False),
    ]


def test_the_transforms_of_enforcers_see_uploads(run: Any, sim: Any) -> None:
    from hookline import Document

    server = sim()
    seen: list[Any] = []

    class Masks:
        role = "enforcer"
        inline = True

        @hookimpl
        def build_history(self, turn: Any, request: Any) -> Any:
            seen.append((turn.surface, turn.name, request.messages[0].content[0].source))
            return request.map_blocks(
                lambda block: Document(block.source.replace(b"secret", b"xxxxxx"))
            )

        @hookimpl
        def check_request(self, request: Any) -> None:
            source = request.messages[0].content[0].source
            seen.append((source.media_type, b64decode(source.data)))

    async def body(line: Any) -> None:
        uploaded = line.files.upload(b"a secret", filename="note.txt", media_type="text/plain")
        file = await uploaded if hasattr(uploaded, "__await__") else uploaded
        assert file.filename == "note.txt"

    run(body, base_url=server, policy=Masks())
    assert seen == [("upload", "note.txt", b"a secret"), ("text/plain", b"a xxxxxx")]
    assert b"a xxxxxx" in server.calls[0].body
    assert b"secret" not in server.calls[0].body


def test_a_refused_upload_is_not_sent_and_concluded_once(run: Any, sim: Any) -> None:
    from hookline import PolicyViolation

    server = sim()
    ended: list[Any] = []

    class Refuses:
        role = "enforcer"
        inline = True

        @hookimpl
        def check_request(self, turn: Any) -> None:
            raise PolicyViolation(f"not {turn.name}")

        @hookimpl
        def conclude(self, outcome: Any) -> None:
            ended.append(outcome.error)

    async def body(line: Any) -> None:
        with pytest.raises(PolicyViolation, match="not note"):
            uploaded = line.files.upload(b"a secret", filename="note.txt")
            if hasattr(uploaded, "__await__"):
                await uploaded

    run(body, base_url=server, policy=Refuses())
    assert server.calls == []
    assert len(ended) == 1
