"""What goes by id, when, to whom; and what happens when an upload or an id is of no use."""

import asyncio
import re
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio

from hookline import APIError, AsyncPipeline, Pipeline, PolicyViolation, hookimpl
from hookline.plugin import Destination, Principal
from hookline.simulator import Simulator
from hookline.testing import FaultServer, Received, error_answer, json_answer, message
from hookline.values import (
    Base64Source,
    Document,
    DocumentBlock,
    FileSource,
    Image,
    ImageBlock,
    Message,
    Request,
    ToolResultBlock,
)
from hookline_plugins.images.strategy import Uploaded, by_id
from hookline_plugins.images.uploads import Uploads
from hookline_plugins.storage.stores import SQLiteStore
from support.spy import Spy

MODEL = "claude-opus-5-5"
ANTHROPIC = Destination(base_url="https://api.anthropic.com")
BEDROCK = Destination(base_url="https://bedrock-runtime.eu-central-1.amazonaws.com")


@pytest.fixture
def large(made: Any) -> bytes:
    """A PNG whose base64 has about 4 MB, and which the model sees whole."""
    from io import BytesIO

    import PIL.Image

    out = BytesIO()
    PIL.Image.effect_noise((1100, 1000), 200).convert("RGB").save(out, "PNG", compress_level=0)
    return out.getvalue()


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    return {"plugins": {"uploads": {"path": str(tmp_path / "cache" / "uploads.sqlite3")}}}


def options(config: dict[str, Any], strategy: str = "auto", **more: Any) -> dict[str, Any]:
    uploads = {**config["plugins"]["uploads"], **more}
    return {"plugins": {"images": {"strategy": strategy}, "uploads": uploads}}


def test_four_megabytes_go_by_id_on_their_third_turn(
    spy: Spy, large: bytes, made: Any, config: dict[str, Any]
) -> None:
    assert len(large) * 4 // 3 > 4_000_000
    with Pipeline(base_url="sim:", model=MODEL, plugins=[spy], config=config) as line:
        talk = line.conversation()
        talk.send([Image(large), Image(made()), "What is this?"])
        assert spy.kinds == ["base64", "base64"]
        talk.send("And that?")
        assert spy.kinds == ["base64", "base64"]
        reply = talk.send("Really?")
        assert spy.kinds == ["file", "base64"]
        assert "1100 x 1000" in reply.text  # the simulator has looked at it
        with talk.stream("Once more?") as stream:
            stream.reply  # noqa: B018 -- reads it
        assert spy.kinds == ["file", "base64"]
        (file,) = line.files.list().data
        assert (file.mime_type, file.size_bytes) == ("image/png", len(large))
        assert file.expires_at is not None
        # What is remembered are the bytes: they outlive the file, and may go elsewhere.
        assert all(
            isinstance(block.source, Base64Source)
            for message in talk.messages
            for block in message.blocks
            if isinstance(block, ImageBlock)
        )


def test_the_same_in_async_code(spy: Spy, large: bytes, config: dict[str, Any]) -> None:
    async def body() -> int:
        async with AsyncPipeline(
            base_url="sim:", model=MODEL, plugins=[spy], config=options(config, strategy="file")
        ) as line:
            await line.send([Image(large), "What is this?"])
            await line.send([Image(large), "What is this?"])
            return len((await line.files.list()).data)

    for count in (asyncio.run(body()), trio.run(body)):
        assert count == 1
    assert spy.kinds == ["file"]


def source(size: int, name: str) -> Base64Source:
    return Base64Source("image/png", b64encode(name.encode() * (size * 3 // 4)).decode())


def request(*messages: Message) -> Request:
    return Request(MODEL, 10, list(messages))


def test_what_is_worth_an_upload(turn: Any) -> None:
    image = source(2_000_000, "a")

    def worth_it(request: Request) -> list[Uploaded]:
        return by_id(turn(destination=ANTHROPIC), request)

    said, reply = Message("user", [ImageBlock(image)]), Message("assistant", "Yes.")
    more = Message("user", "And?")
    assert worth_it(request(said)) == []
    assert worth_it(request(said, reply, more)) == []
    assert worth_it(request(said, reply, more, reply, more)) == [image]
    # From a tool, too.
    result = Message("user", [ToolResultBlock("toolu_1", [ImageBlock(image)])])
    assert worth_it(request(result, reply, more, reply, more)) == [image]
    small = Message("user", [ImageBlock(source(1_000, "b"))])
    assert worth_it(request(small, reply, more, reply, more)) == []


def test_of_a_full_request_the_largest_go_by_id(turn: Any) -> None:
    sources = [source(size * 1_000_000, str(size)) for size in (7, 9, 8, 6)]
    full = request(*(Message("user", [ImageBlock(each)]) for each in sources))
    assert by_id(turn(destination=ANTHROPIC), full) == [sources[1]]
    assert by_id(turn(destination=ANTHROPIC), request(*full.messages[:2])) == []
    assert by_id(turn(destination=BEDROCK), full) == []  # which keeps no files
    often = request(*(Message("user", [ImageBlock(source(1_000_000, "1"))]) for _ in range(30)))
    assert by_id(turn(destination=ANTHROPIC), often) == [source(1_000_000, "1")]


def test_ids_are_kept_for_other_runs_and_apart(
    spy: Spy, large: bytes, config: dict[str, Any], tmp_path: Path
) -> None:
    config = options(config, strategy="file")
    simulator = Simulator()

    def uploaded(**settings: Any) -> int:
        with Pipeline(
            base_url=simulator, model=MODEL, plugins=[spy], config=config, **settings
        ) as line:
            line.send([Image(large), "?"])
            return len(line.files.list().data)

    assert uploaded() == 1
    assert uploaded() == 1
    assert uploaded(principal=Principal(tenant="b")) == 2
    assert uploaded(api_key="another") == 3  # the simulator shows all accounts together
    path = tmp_path / "cache" / "uploads.sqlite3"
    assert path.stat().st_mode & 0o077 == 0
    assert large[:100] not in path.read_bytes()


def test_a_lost_file_is_uploaded_once_more(spy: Spy, large: bytes, config: dict[str, Any]) -> None:
    with Pipeline(
        base_url="sim:", model=MODEL, plugins=[spy], config=options(config, strategy="file")
    ) as line:
        line.send([Image(large), "?"])
        (file,) = line.files.list().data
        line.files.delete(file)
        reply = line.send([Image(large), "?"])
        assert spy.kinds == ["file"]
        assert [each.id for each in line.files.list().data] != [file.id]
        assert any("has lost a file" in text for _, text in reply.trace.notes)


@pytest.mark.parametrize("strategy", ["auto", "file"])
def test_where_every_file_is_lost_bytes_go_if_they_may(
    strategy: str, spy: Spy, large: bytes, config: dict[str, Any]
) -> None:
    """A server in pieces, none of which knows what the others were given."""

    def forgetful(received: Received) -> bytes:
        if received.target == "/v1/files":
            return json_answer({"id": f"file_{len(server.requests)}", "type": "file"})
        known = b"file_" not in received.body
        gone = re.findall(rb"file_[0-9]+", received.body)
        return json_answer(message()) if known else error_answer(404, "not_found_error", f"{gone}")

    with (
        FaultServer(forgetful) as server,
        Pipeline(
            base_url=server.url,
            api_key="k",
            model=MODEL,
            server="anthropic",
            plugins=[spy],
            config=options(config, strategy=strategy),
        ) as line,
    ):
        talk = line.conversation()
        if strategy == "file":
            with pytest.raises(APIError, match="file_"):
                talk.send([Image(large), "?"])
            return
        for _ in range(3):
            talk.send([Image(large), "?"] if not talk.messages else "?")
        assert spy.kinds == ["base64"]
        assert [each.target for each in server.requests].count("/v1/files") == 2


@pytest.mark.parametrize("colour", ["threads", "asyncio", "trio"])
def test_what_several_turns_want_at_once_is_uploaded_once(
    colour: str, large: bytes, config: dict[str, Any]
) -> None:
    config = options(config, strategy="file")
    if colour == "threads":
        with (
            Pipeline(base_url="sim:", model=MODEL, config=config) as line,
            ThreadPoolExecutor(6) as pool,
        ):
            replies = list(pool.map(lambda n: line.send([Image(large), f"{n}?"]), range(6)))
            assert len(line.files.list().data) == 1
        assert len(replies) == 6
        return

    async def main() -> int:
        async with AsyncPipeline(base_url="sim:", model=MODEL, config=config) as line:

            async def ask(number: int) -> None:
                await line.send([Image(large), f"{number}?"])

            async with anyio.create_task_group() as group:
                for number in range(6):
                    group.start_soon(ask, number)
            return len((await line.files.list()).data)

    assert anyio.run(main, backend=colour) == 1


def test_an_id_is_used_no_longer_than_the_api_keeps_the_file(
    spy: Spy, large: bytes, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_800_000_000.0]
    monkeypatch.setattr(
        "hookline_plugins.storage.stores.SQLiteStore",
        lambda path, most, size: SQLiteStore(path, most, size, lambda: now[0]),
    )
    settings = options(config, strategy="file", keep_seconds=3_600)
    with Pipeline(base_url="sim:", model=MODEL, plugins=[spy], config=settings) as line:
        for later, uploaded in ((0, 1), (2_900, 1), (3_100, 2)):  # ten minutes before the end
            now[0] = 1_800_000_000.0 + later
            line.send([Image(large), "?"])
            assert len(line.files.list().data) == uploaded, later


def test_explain_and_counts_upload_nothing(spy: Spy, large: bytes, config: dict[str, Any]) -> None:
    with Pipeline(
        base_url="sim:", model=MODEL, plugins=[spy], config=options(config, strategy="file")
    ) as line:
        assert line.explain([Image(large), "?"]).media[0].source == "base64"
        line.count_tokens([Image(large), "?"])
        assert line.files.list().data == ()


def without_files(received: Received) -> bytes:
    if received.target.startswith("/v1/files"):
        return error_answer(404, "not_found_error", "there are no files here")
    return json_answer(message())


@pytest.mark.parametrize("strategy", ["auto", "file"])
def test_a_server_without_files(
    strategy: str, made: Any, spy: Spy, config: dict[str, Any], large: bytes
) -> None:
    with (
        FaultServer(without_files) as server,
        Pipeline(
            base_url=server.url,
            api_key="k",
            model=MODEL,
            plugins=[spy],
            config=options(config, strategy=strategy),
        ) as line,
    ):
        talk = line.conversation()
        if strategy == "file":
            with pytest.raises(APIError, match="no files here"):
                talk.send([Image(large), "?"])
            return
        talk.send([Image(large), "?"])
        talk.send("?")
        talk.send("?")
        assert [each.target for each in server.requests] == ["/v1/messages"] * 3
        assert spy.kinds == ["base64"]


def test_documents_too_and_base64_never(spy: Spy, config: dict[str, Any], tmp_path: Path) -> None:
    import PIL.Image

    path = tmp_path / "a.pdf"
    PIL.Image.new("RGB", (20, 20)).save(path)
    for strategy, expected in (("file", FileSource), ("base64", Base64Source)):
        with Pipeline(
            base_url="sim:", model=MODEL, plugins=[spy], config=options(config, strategy=strategy)
        ) as line:
            line.send([Document(path), "?"])
        document = spy.seen[-1].messages[0].blocks[0]
        assert isinstance(document, DocumentBlock)
        assert isinstance(document.source, expected)


def test_uploads_are_listed_and_forgotten(large: bytes, config: dict[str, Any]) -> None:
    plugin = Uploads(path=config["plugins"]["uploads"]["path"])
    with Pipeline(
        base_url="sim:",
        model=MODEL,
        plugins=[plugin],
        config={"plugins": {"images": {"strategy": "file"}}},
    ) as line:
        line.send([Image(large), "?"])
        ((file_id, base_url),) = plugin.kept()
        assert base_url == "sim:"
        assert line.files.get(file_id).size_bytes == len(large)
        plugin.forget(file_id)
        assert plugin.kept() == []


def test_the_command_lists_and_deletes(
    large: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from hookline.cli import main

    deleted: list[str] = []

    def api(received: Received) -> bytes:
        if received.method == "DELETE":
            deleted.append(received.target)
            if deleted == [received.target]:
                return json_answer({"id": "file_1", "type": "file_deleted"})
            return error_answer(404, "not_found_error", "gone")
        if received.target == "/v1/files":
            return json_answer({"id": f"file_{len(server.requests)}", "type": "file"})
        return json_answer(message())

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    monkeypatch.chdir(tmp_path)
    with FaultServer(api) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        with Pipeline(config={"plugins": {"images": {"strategy": "file"}}}) as line:
            line.send([Image(large), Document(b"%PDF-1.4 short"), "?"])
        assert main(["uploads"]) == 0
        listed = capfd.readouterr().out.split()
        assert len(listed) == 2
        assert main(["uploads", "--delete"]) == 0
        assert {target.rpartition("/")[2] for target in deleted} == set(listed)
        capfd.readouterr()
        assert main(["uploads"]) == 0
        assert capfd.readouterr().out == ""


class NoPictures:
    """An enforcer that lets no file out for one tenant."""

    name = "no_pictures"
    role = "enforcer"

    @hookimpl
    def check_request(self, turn: Any) -> None:
        if turn.surface == "upload" and turn.principal.tenant == "b":
            raise PolicyViolation("no files of this tenant")


def test_an_upload_is_judged_on_behalf_of_whom_the_turn_is(
    spy: Spy, large: bytes, config: dict[str, Any]
) -> None:
    with Pipeline(
        base_url="sim:",
        model=MODEL,
        plugins=[spy],
        policy=NoPictures(),
        config=options(config, strategy="file"),
    ) as line:
        line.send([Image(large), "?"], principal=Principal(tenant="a"))
        assert spy.kinds == ["file"]
        with pytest.raises(PolicyViolation, match="of this tenant"):
            line.send([Image(large), "?"], principal=Principal(tenant="b"))
        assert len(line.files.list().data) == 1
