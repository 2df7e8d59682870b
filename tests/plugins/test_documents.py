"""Documents go as text where the server would drop them."""

import asyncio
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from reportlab.pdfgen import canvas  # type: ignore[import-untyped]

from hookline import AsyncPipeline, Document, InputError, MissingExtra, Pipeline
from hookline.testing import FaultServer, json_answer, message, stream_answer, stream_head
from hookline.values import (
    CacheControl,
    ContentSource,
    DocumentBlock,
    FileSource,
    TextBlock,
    TextSource,
)

ANSWER = json_answer(message("Ants.", model="ants-7b"))
LLAMA_CPP = json_answer(
    message("Which document?", model="ants-7b"), headers={"server": "llama.cpp"}
)


def pdf(*pages: str, **options: Any) -> bytes:
    out = BytesIO()
    drawn = canvas.Canvas(out, **options)
    for page in pages:
        drawn.drawString(50, 700, page)
        drawn.showPage()
    drawn.save()
    return out.getvalue()


def ask(content: list[Any], *answers: Any, **given: Any) -> list[Any]:
    """Send content to a server and return the bodies that arrived there."""
    given = {"server": "llama.cpp", **given}
    with FaultServer(*(answers or (ANSWER,))) as stub:
        with Pipeline(base_url=stub.url, model="ants-7b", **given) as line:
            line.send([*content, "What is it about?"])
        return [each.json for each in stub.requests]


def texts(body: Any) -> list[str]:
    return [block["text"] for block in body["messages"][0]["content"]]


def test_a_pdf_is_sent_as_its_text() -> None:
    (body,) = ask([Document(pdf("Ants are insects.", "Bees are too."), title="Zoo")])
    assert texts(body) == [
        "Document: Zoo",
        "Ants are insects.\n\nBees are too.",
        "What is it about?",
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (TextSource("text/plain", "Ants."), ["Ants."]),
        (ContentSource("Ants."), ["Ants."]),
        (ContentSource((TextBlock("Ants."), TextBlock("Bees."))), ["Ants.", "Bees."]),
    ],
)
def test_texts_and_blocks_are_sent_as_they_are(source: Any, expected: list[str]) -> None:
    block = DocumentBlock(source, context="From a zoo.")
    (body,) = ask([block])
    assert texts(body) == ["Document:\nFrom a zoo.", *expected, "What is it about?"]


def test_a_cache_breakpoint_stays_behind_the_document() -> None:
    cached = DocumentBlock(TextSource("text/plain", "Ants."), cache_control=CacheControl())
    (body,) = ask([cached])
    marked = [block.get("cache_control") for block in body["messages"][0]["content"]]
    assert marked == [None, {"type": "ephemeral"}, None]


def test_in_the_result_of_a_tool_too() -> None:
    def read() -> Document:
        """Read the file."""
        return Document(pdf("Ants are insects."))

    call = {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {}}
    calling = json_answer(message(content=[call], stop_reason="tool_use", model="ants-7b"))
    with (
        FaultServer(calling, ANSWER) as stub,
        Pipeline(base_url=stub.url, model="ants-7b", server="llama.cpp") as line,
    ):
        line.send("Read it", tools=[read])
        (result,) = stub.requests[1].json["messages"][-1]["content"]
    assert [block["text"] for block in result["content"]] == ["Document:", "Ants are insects."]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (Document(pdf("")), "no text in it, as scans have none"),
        (Document(pdf("x", encrypt="secret")), "encrypted"),
        (Document("https://example.com/ants.pdf"), 'strategy = "base64"'),
        (DocumentBlock(FileSource("file_1")), "send its bytes"),
        (DocumentBlock(ContentSource(())), "no text to send"),
        (Document(b"%PDF-1.7 and then nothing of the kind"), "damaged"),
    ],
)
def test_what_has_no_text_is_refused_with_its_place(document: Any, said: str) -> None:
    with pytest.raises(InputError, match=rf"messages\.0\.content\.0: .*{said}"):
        ask([document])


def test_a_text_may_not_be_endless() -> None:
    config = {"plugins": {"documents": {"most_characters": 5}}}
    with pytest.raises(InputError, match="longer than the 5 characters that most_characters"):
        ask([Document(pdf("Ants are insects."))], config=config)


def test_without_the_library_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pypdf", None)
    with pytest.raises(MissingExtra, match=r"hookline\[pdf\]"):
        ask([Document(pdf("Ants."))])


def test_who_reads_documents_gets_them() -> None:
    (body,) = ask([Document(pdf("Ants."))], server="vllm")
    assert body["messages"][0]["content"][0]["type"] == "document"


def test_an_unknown_server_that_names_itself_is_asked_again_with_text() -> None:
    document = Document(pdf("Ants are insects."))
    with (
        FaultServer(LLAMA_CPP, ANSWER, ANSWER) as stub,
        Pipeline(base_url=stub.url, model="ants-7b") as line,
    ):
        reply = line.send([document, "What is it about?"])
        assert line.send([document, "And now?"]).text == "Ants."
        kinds = [each.json["messages"][0]["content"][0]["type"] for each in stub.requests]
    assert kinds == ["document", "text", "text"]  # and is known from then on
    assert reply.text == "Ants."
    assert "sent again: llama.cpp drops documents" in str(reply.trace)


def test_in_a_stream_nothing_of_the_first_answer_is_seen() -> None:
    named = stream_head({"server": "llama.cpp"}).replace(
        b"connection: close", b"transfer-encoding: chunked"
    )
    first, second = (
        named + stream_answer(text).partition(b"\r\n\r\n")[2] for text in ("Which one?", "Ants.")
    )

    async def twin(url: str) -> str:
        async with (
            AsyncPipeline(base_url=url, model="ants-7b") as line,
            line.stream([Document(pdf("Ants.")), "What is it about?"]) as stream,
        ):
            return "".join([text async for text in stream.text])

    with (
        FaultServer(first, second) as stub,
        Pipeline(base_url=stub.url, model="ants-7b") as line,
        line.stream([Document(pdf("Ants.")), "What is it about?"]) as stream,
    ):
        assert "".join(stream.text) == "Ants."
    with FaultServer(first, second) as stub:
        assert asyncio.run(twin(stub.url)) == "Ants."


def test_a_conversation_remembers_the_document(tmp_path: Path) -> None:
    path = tmp_path / "ants.pdf"
    path.write_bytes(pdf("Ants are insects."))
    with (
        FaultServer(ANSWER, ANSWER) as stub,
        Pipeline(base_url=stub.url, model="ants-7b", server="llama.cpp") as line,
    ):
        chat = line.conversation()
        chat.send([Document(path), "What is it about?"])
        chat.send("And what else?")
        assert isinstance(chat.messages[0].blocks[0], DocumentBlock)
        second = stub.requests[1].json
    assert texts(second)[1] == "Ants are insects."
