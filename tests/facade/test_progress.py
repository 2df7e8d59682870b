"""Progress: who works long before a request leaves tells the caller, on every surface and in both colours."""

import asyncio
import threading
from base64 import b64encode
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from hookline import AsyncPipeline, Image, InputError, Pipeline, Progress, hookimpl
from hookline.endpoints import BatchItem

WHAT = "images and documents"


def pictures(count: int) -> list[Image]:
    """As many different ones, each in memory."""
    made = []
    for number in range(count):
        out = BytesIO()
        PIL.Image.new("RGB", (8, 8), (number, 0, 0)).save(out, "PNG")
        made.append(Image(out.getvalue()))
    return made


@pytest.fixture
def line() -> Any:
    with Pipeline(base_url="sim:") as pipeline:
        yield pipeline


def send(line: Pipeline, message: Any, watch: Any) -> None:
    line.send(message, on_progress=watch)


def stream(line: Pipeline, message: Any, watch: Any) -> None:
    with line.stream(message, on_progress=watch) as open_stream:
        assert open_stream.reply.text


def explain(line: Pipeline, message: Any, watch: Any) -> None:
    line.explain(message, on_progress=watch)


def count(line: Pipeline, message: Any, watch: Any) -> None:
    line.count_tokens(message, on_progress=watch)


def converse(line: Pipeline, message: Any, watch: Any) -> None:
    chat = line.conversation(on_progress=watch)
    chat.send(message)
    chat.send("And now?")  # nothing is left to do
    assert "on_progress" not in chat.to_json()


def batch(line: Pipeline, message: Any, watch: Any) -> None:
    line.batches.create([BatchItem("a", message, on_progress=watch)])


@pytest.mark.parametrize("surface", [send, stream, explain, count, converse, batch])
def test_every_surface_tells_how_far_it_has_come(surface: Any, line: Pipeline) -> None:
    heard: list[Progress] = []
    threads: set[int] = set()

    def watch(progress: Progress) -> None:
        heard.append(progress)
        threads.add(threading.get_ident())

    surface(line, [*pictures(9), "?"], watch)
    assert heard == [Progress("images", done, 9, WHAT) for done in (0, 4, 8, 9)]
    assert threads == {threading.get_ident()}


def test_in_async_code_too() -> None:
    heard: list[int] = []

    async def main() -> None:
        async with AsyncPipeline(base_url="sim:") as line:
            await line.send([*pictures(5), "?"], on_progress=lambda each: heard.append(each.done))

    asyncio.run(main())
    assert heard == [0, 4, 5]


def test_where_nothing_takes_long_nothing_is_said(line: Pipeline) -> None:
    heard: list[Progress] = []
    line.send("Hello", on_progress=heard.append)
    assert heard == []


def test_whoever_watches_ends_nothing(line: Pipeline) -> None:
    def broken(_progress: Progress) -> None:
        raise ZeroDivisionError("the caller's own")

    reply = line.send([*pictures(5), "?"], on_progress=broken)
    said = [text for who, text in reply.trace.notes if who == "on_progress"]
    assert said == ["failed: ZeroDivisionError: the caller's own"]


def test_uploads_tell_of_themselves(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (900, 900, 3), np.uint8)
    out = BytesIO()
    PIL.Image.fromarray(noise).save(out, "PNG")
    assert len(b64encode(out.getvalue())) > 1_000_000
    options = {"images": {"strategy": "file"}, "uploads": {"path": str(tmp_path / "ids")}}
    heard: list[Progress] = []
    with Pipeline(base_url="sim:", config={"plugins": options}) as line:
        line.send([Image(out.getvalue()), "?"], on_progress=heard.append)
    assert [each for each in heard if each.plugin == "uploads"] == [
        Progress("uploads", 0, 1, "uploads"), Progress("uploads", 1, 1, "uploads"),
    ]  # fmt: skip


def test_a_plugin_of_ones_own_may_tell() -> None:
    class Slow:
        name = "slow"

        @hookimpl
        def build_history(self, turn: Any) -> None:
            turn.report(Progress("slow", 1, 2, "pages"))

    heard: list[Progress] = []
    with Pipeline(base_url="sim:", plugins=[Slow()]) as line:
        line.send("Hello", on_progress=heard.append)
        line.send("Hello")  # and nobody listens
    assert heard == [Progress("slow", 1, 2, "pages")]


async def _later(_progress: Progress) -> None: ...


@pytest.mark.parametrize("wrong", ["print", 7, _later])
def test_what_cannot_be_called_is_refused(wrong: Any, line: Pipeline) -> None:
    with pytest.raises(InputError, match="on_progress= takes a function"):
        line.send("Hello", on_progress=wrong)
