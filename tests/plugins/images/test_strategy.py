"""One word says how an image goes: as a link, as its bytes, or by the id of a file."""

import asyncio
from copy import copy
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from hookline import AsyncPipeline, ConfigError, Conversation, InputError, Pipeline
from hookline._io import drive
from hookline.simulator import Scenario, Simulator
from hookline.testing import FaultServer, Received, error_answer, json_answer, message
from hookline.values import Document, Image, Message, Request, ToolResultBlock, media_in
from hookline_plugins.images import Images
from hookline_plugins.images.strategy import by_id
from support.spy import Spy

MODEL = "claude-opus-5-5"
URL = "https://images.example.com/ant.png"


class Judge(Spy):
    """An enforcer: what it judges is a copy, and the copy leaves."""

    name = "judge"
    role = "enforcer"


@pytest.fixture
def png(made: Any) -> bytes:
    file: bytes = made("PNG")
    return file


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    return {"plugins": {"uploads": {"path": str(tmp_path / "ids.sqlite3")}}}


def setting(config: dict[str, Any], strategy: str) -> dict[str, Any]:
    return {"plugins": {**config["plugins"], "images": {"strategy": strategy}}}


@pytest.fixture(scope="module")
def six_megabytes() -> list[bytes]:
    """Eight different pictures that the model sees whole: 48 MB of base64, more than a request may have."""
    noise = np.random.default_rng(14).integers(0, 256, (8, 1000, 1500, 3), np.uint8)
    files = []
    for pixels in noise:
        out = BytesIO()
        PIL.Image.fromarray(pixels).save(out, "PNG", compress_level=0)
        files.append(out.getvalue())
    return files


@pytest.mark.parametrize("judge", [None, Judge()])
@pytest.mark.parametrize(
    ("said", "kinds"),
    [
        ({}, ["base64", "url"]),
        ({"strategy": "auto"}, ["base64", "url"]),
        ({"strategy": "base64"}, ["base64", "base64"]),
        ({"strategy": "file"}, ["file", "file"]),
    ],
)
def test_each_image_goes_as_it_says(
    said: dict[str, Any],
    kinds: list[str],
    judge: Judge | None,
    spy: Spy,
    png: bytes,
    config: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _serve(monkeypatch, png)
    simulator = Simulator(Scenario.of(urls={URL: _file(config, png)}))
    with Pipeline(
        base_url=simulator, model=MODEL, plugins=[spy], policy=judge, config=config
    ) as line:
        talk = line.conversation()
        talk.send([Image(png, **said), Image(URL, **said), "?"])
        assert spy.kinds == kinds
        with talk.stream("And now?") as stream:  # what they said holds for the conversation
            stream.reply  # noqa: B018 -- reads it
        assert spy.kinds == kinds


@pytest.mark.parametrize(
    ("strategy", "kinds"),
    [
        ("auto", ["base64", "url"]),
        ("url", ["base64", "url"]),
        ("base64", ["base64", "base64"]),
        ("file", ["file", "file"]),
    ],
)
def test_the_setting_says_it_for_all_that_say_nothing(
    strategy: str,
    kinds: list[str],
    spy: Spy,
    png: bytes,
    config: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _serve(monkeypatch, png)
    simulator = Simulator(Scenario.of(urls={URL: _file(config, png)}))
    settings = setting(config, strategy)

    async def body() -> None:
        async with AsyncPipeline(
            base_url=simulator, model=MODEL, plugins=[spy], config=settings
        ) as line:
            await line.send([Image(png), Image(URL), "?"])

    asyncio.run(body())
    assert spy.kinds == kinds
    with Pipeline(base_url=simulator, model=MODEL, plugins=[spy], config=settings) as line:
        line.send([Image(png, strategy="base64"), Image(URL, strategy="url"), "?"])
        assert spy.kinds == ["base64", "url"]
        line.send([Image(png, strategy="file"), Image(URL, strategy="file"), "?"])
        assert spy.kinds == ["file", "file"]


def _file(config: dict[str, Any], data: bytes) -> Path:
    path = Path(config["plugins"]["uploads"]["path"]).with_name("ant.png")
    path.write_bytes(data)
    return path


def _serve(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """Answer every fetch: there is no internet here."""
    from hookline._io.door import Door
    from hookline.turn import Fetched

    async def fetch(_self: Any, url: str, **_options: Any) -> Fetched:
        return Fetched(200, {}, data, url)

    monkeypatch.setattr(Door, "fetch", fetch)


def test_texts_and_pdfs_go_by_id_too(spy: Spy, config: dict[str, Any]) -> None:
    with Pipeline(base_url="sim:", model=MODEL, plugins=[spy], config=config) as line:
        text = Document.from_text("Ants are insects. " * 5, strategy="file", title="Ants")
        line.send([text, Document.from_text("Bees too."), "?"])
        assert spy.kinds == ["file", "text"]
        (file,) = line.files.list().data
        assert (file.mime_type, file.size_bytes) == ("text/plain", 90)


def test_its_word_stays_when_an_image_is_made_smaller(
    spy: Spy, made: Any, config: dict[str, Any]
) -> None:
    """An image is made once more where a crowd or another server allows less; its word stays."""
    big = made("PNG", (2400, 100))
    with Pipeline(base_url="sim:", model=MODEL, plugins=[spy], config=config) as line:
        talk = line.conversation()
        talk.send([Image(big, strategy="file"), "?"])
        assert spy.kinds == ["file"]
        crowd = [Image(made("PNG", (30 + n, 20))) for n in range(20)]
        talk.send([*crowd, "?"])
        assert spy.kinds == ["file", *["base64"] * 20]


def test_in_tool_results_too(made: Any, turn: Any) -> None:
    now = turn(plugins=("uploads",))
    result = ToolResultBlock("toolu_1", [Image(made(), strategy="file"), Image(made())])
    request = Request(MODEL, 10, [Message("user", [result])])
    resolved = drive(Images().resolve_images(now, request))
    assert resolved is not None
    (block,) = {each for each, _ in media_in(resolved.messages)}
    assert by_id(now, resolved) == [block.source]  # type: ignore[attr-defined]  # of an image


def test_who_was_to_be_uploaded_nowhere_is_not(
    spy: Spy, made: Any, config: dict[str, Any], six_megabytes: list[bytes]
) -> None:
    """Neither with its third turn, nor in a full request, nor by what another says of the same bytes."""
    private = six_megabytes[0]
    with Pipeline(base_url="sim:", model=MODEL, plugins=[spy], config=config) as line:
        talk = line.conversation()
        talk.send([Image(private, strategy="base64"), "?"])
        for _ in range(2):
            talk.send("?")
        assert spy.kinds == ["base64"]
        talk.send([Image(private, strategy="file"), "?"])
        assert spy.kinds == ["base64"] * 2
        talk.send([*map(Image, six_megabytes[1:]), "?"])
        assert spy.kinds[:2] == ["base64"] * 2
        assert "file" in spy.kinds[2:]
        names = {each.size_bytes for each in line.files.list().data}
        assert names == {len(each) for each in six_megabytes[1:]}


@pytest.mark.parametrize("judge", [None, Judge()])
def test_what_is_too_much_for_a_request_goes_by_id_and_loses_nothing(
    judge: Judge | None, spy: Spy, six_megabytes: list[bytes], config: dict[str, Any]
) -> None:
    with Pipeline(base_url="sim:", model=MODEL, plugins=[spy], policy=judge, config=config) as line:
        message: list[Image | str] = [*map(Image, six_megabytes), "?"]
        reply = line.send(message)
        assert spy.kinds == ["file"] * 4 + ["base64"] * 4  # the oldest, and no more than has to
        assert not any("smaller" in text for _, text in reply.trace.notes)
        assert reply.usage.input_tokens > 8 * 1944  # facts 5.2: ceil(1500 / 28) * ceil(1000 / 28)
        explained = line.explain(message)
        assert [each.pixels for each in explained.media] == [(1500, 1000)] * 8


def test_without_uploads_the_oldest_are_made_smaller(
    spy: Spy, six_megabytes: list[bytes], config: dict[str, Any]
) -> None:
    with Pipeline(
        base_url="sim:", model=MODEL, plugins=[spy], config=setting(config, "base64")
    ) as line:
        reply = line.send([*map(Image, six_megabytes), "?"])
        assert spy.kinds == ["base64"] * 8
        assert any("the oldest, were made smaller" in text for _, text in reply.trace.notes)


def test_where_an_upload_has_to_be_its_failure_is_told(
    six_megabytes: list[bytes], config: dict[str, Any]
) -> None:
    def api(received: Received) -> bytes:
        if received.target.startswith("/v1/files"):
            return error_answer(403, "permission_error", "no files for this key")
        return json_answer(message())

    with (
        FaultServer(api) as server,
        Pipeline(
            base_url=server.url, api_key="k", model=MODEL, server="anthropic", config=config
        ) as line,
        pytest.raises(Exception, match="no files for this key"),
    ):
        line.send([*map(Image, six_megabytes), "?"])


def test_without_the_plugin_that_uploads_nothing_can_go_by_id(png: bytes) -> None:
    with Pipeline(base_url="sim:", model=MODEL, disable=["uploads"]) as line:
        with pytest.raises(ConfigError, match='needs the plugin "uploads"'):
            line.send([Image(png, strategy="file"), "?"])
        line.send([Image(png), "?"])
    config = {"plugins": {"images": {"strategy": "file"}, "disable": ["uploads"]}}
    with Pipeline(base_url="sim:", model=MODEL, config=config) as line:
        with pytest.raises(ConfigError, match='needs the plugin "uploads"'):
            line.send([Image(png), "?"])
        line.send([Image(png, strategy="base64"), "?"])


@pytest.mark.parametrize(
    ("made", "wrong"),
    [
        (lambda: Image("ant.png", strategy="url"), "takes https: URLs only"),
        (lambda: Image(b"\x89PNG", strategy="url"), "takes https: URLs only"),
        (lambda: Document("http://h/a.pdf", strategy="url"), "takes https: URLs only"),
        (lambda: Image("asset://ant", strategy="url"), "takes https: URLs only"),
        (lambda: Image(file_id="file_1", strategy="base64"), "of a file id there are none"),
        (lambda: Image(file_id="file_1", strategy="url"), "takes https: URLs only"),
        (lambda: Image("ant.png", strategy="upload"), "auto, url, base64, file"),  # type: ignore[arg-type]
        (lambda: Image("ant.png", strategy=["file"]), "auto, url, base64, file"),  # type: ignore[arg-type]
    ],
)
def test_what_can_never_go_so_is_refused_where_it_is_written(made: Any, wrong: str) -> None:
    with pytest.raises(InputError, match=wrong):
        made()


def test_a_file_id_goes_as_it_is_whatever_the_setting(
    spy: Spy, png: bytes, config: dict[str, Any]
) -> None:
    for strategy in ("auto", "url", "base64", "file"):
        with Pipeline(
            base_url="sim:", model=MODEL, plugins=[spy], config=setting(config, strategy)
        ) as line:
            file = line.files.upload(png, filename="ant.png", media_type="image/png")
            line.send([Image(file_id=file.id), "?"])
            assert spy.kinds == ["file"]


def test_a_saved_conversation_goes_by_the_setting(
    spy: Spy, png: bytes, config: dict[str, Any]
) -> None:
    with Pipeline(base_url="sim:", model=MODEL, plugins=[spy], config=config) as line:
        talk = line.conversation()
        talk.send([Image(png, strategy="file"), "?"])
        fork = copy(talk)
        fork.send("?")
        assert spy.kinds == ["file"]
        again = Conversation.from_json(talk.to_json(), line)
        again.send("?")
        assert spy.kinds == ["base64"]
