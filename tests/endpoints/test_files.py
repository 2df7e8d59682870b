"""Files: uploaded from anywhere, listed, referred to, downloaded, deleted."""

import io
import os
from inspect import isawaitable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline import APIError, AsyncItems, DeadlineExceeded, Deleted, File, InputError, Items
from hookline.endpoints.multipart import form
from hookline.simulator.endpoints.files import _parse_form


async def settled(value: Any) -> Any:
    return await value if isawaitable(value) else value


async def everything(items: Any) -> list[Any]:
    if isinstance(items, AsyncItems):
        return [item async for item in items]
    assert isinstance(items, Items)
    return list(items)


def uploaded(run: Any, source: Any, **options: Any) -> File:
    found: File = run(lambda line: settled(line.files.upload(source, **options)))
    return found


def test_a_file_from_its_upload_to_its_deletion(run: Any) -> None:
    async def body(line: Any) -> None:
        file = await settled(line.files.upload(b"An ant.", filename="ant.txt"))
        assert isinstance(file, File)
        assert (file.filename, file.mime_type, file.size_bytes) == ("ant.txt", "text/plain", 7)
        assert file.request_id
        assert await settled(line.files.get(file)) == file
        assert await settled(line.files.get(file.id)) == file
        assert (await settled(line.files.list())).data == (file,)
        with pytest.raises(APIError, match="not downloadable") as caught:
            await settled(line.files.content(file))
        assert caught.value.error_code == "file_not_downloadable"
        assert await settled(line.files.delete(file)) == Deleted(file.id, "file_deleted")
        with pytest.raises(APIError) as caught:
            await settled(line.files.get(file))
        assert caught.value.status == 404

    run(body)


def test_a_path_gives_name_and_type(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "ant map.pdf"
    path.write_bytes(b"%PDF-1.4")
    for source in (path, str(path)):
        file = uploaded(run, source)
        assert (file.filename, file.mime_type) == ("ant map.pdf", "application/pdf")


def test_an_open_file_is_read_from_where_it_stands_and_not_closed(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "ant.txt"
    path.write_bytes(b"skip me")
    with path.open("rb") as opened:
        opened.seek(5)
        file = uploaded(run, opened)
        assert not opened.closed
    assert (file.filename, file.size_bytes) == ("ant.txt", 2)


def test_bytes_in_memory_are_a_file_without_a_name(run: Any) -> None:
    for source in (b"x", bytearray(b"x"), memoryview(b"x"), io.BytesIO(b"x")):
        file = uploaded(run, source)
        assert (file.filename, file.mime_type) == ("file", "application/octet-stream")


def test_name_and_type_may_be_said(run: Any) -> None:
    file = uploaded(run, b"x", filename="a.bin", media_type="text/plain; charset=utf-8")
    assert (file.filename, file.mime_type) == ("a.bin", "text/plain")


def test_a_file_may_expire(run: Any) -> None:
    file = uploaded(run, b"x", expires_in_seconds=3600)
    assert file.expires_at is not None
    with pytest.raises(APIError, match="greater than or equal to 3600"):
        uploaded(run, b"x", expires_in_seconds=1)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("gone.png", r"gone\.png: it cannot be read: no such file"),
        (Path(), "it is a directory"),
        ("/dev/zero", "not a regular file"),
        ("/proc/self/environ", "empty|no such file"),
        ("a\0b", "no file name has"),
        (b"", "nothing in it to upload"),
        (io.BytesIO(), "nothing in it to upload"),
        (io.StringIO("text"), "binary mode"),
        (7, "not int"),
        (None, "not NoneType"),
    ],
)
def test_what_cannot_be_uploaded_is_refused(run: Any, sim: Any, source: Any, text: str) -> None:
    server = sim()

    async def body(line: Any) -> None:
        with pytest.raises(InputError, match=text):
            await settled(line.files.upload(source))

    run(body, base_url=server)
    assert server.calls == []


def test_a_file_that_is_too_large_is_not_read(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as sparse:
        sparse.truncate(500 * 1024 * 1024 + 1)
    with pytest.raises(InputError, match="524,288,001 bytes, and 524,288,000"):
        uploaded(run, path)


@pytest.mark.skipif(os.name != "posix", reason="making links needs a privilege on Windows")
def test_roots_hold_for_an_upload(run: Any, tmp_path: Path) -> None:
    """As for images: below one of them, and by no link on the way."""
    below, outside = tmp_path / "uploads", tmp_path / "secret.txt"
    below.mkdir()
    (below / "ant.txt").write_bytes(b"ants")
    outside.write_bytes(b"secret")
    (below / "link.txt").symlink_to(outside)
    (below / "hard.txt").hardlink_to(outside)
    assert uploaded(run, below / "ant.txt", roots=[below]).filename == "ant.txt"
    assert uploaded(run, str(below / "ant.txt"), roots=["/nowhere", str(below)]).size_bytes == 4
    for path, words in {
        outside: "does not lie below",
        below / ".." / "secret.txt": "does not lie below",
        below / "link.txt": "symbolic links",
        below / "hard.txt": "hard links",
    }.items():
        with pytest.raises(InputError, match=words):
            uploaded(run, path, roots=[below])
    with pytest.raises(InputError, match="does not lie below"):
        uploaded(run, below / "ant.txt", roots=[])
    for wrong in ("/srv", [5], 7):
        with pytest.raises(InputError, match="roots= takes"):
            uploaded(run, below / "ant.txt", roots=wrong)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no pipes in folders")
def test_a_pipe_without_a_writer_does_not_hold_up_an_upload(run: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="not a regular file"):
        uploaded(run, tmp_path / "pipe")


def test_reading_counts_against_the_time_of_an_upload(run: Any, sim: Any) -> None:
    class Slow(io.RawIOBase):
        """Never ends, and is read quickly only in the first piece."""

        def read(self, size: int = -1) -> bytes:
            return b"x"

    server = sim()

    async def body(line: Any) -> None:
        with pytest.raises(
            DeadlineExceeded, match=r"0\.05 s were up during the reading of the file"
        ):
            await settled(line.files.upload(Slow(), timeout=0.05))

    run(body, base_url=server)
    assert server.calls == []


def test_a_closed_file_is_a_mistake_of_the_caller(run: Any) -> None:
    closed = io.BytesIO(b"x")
    closed.close()
    with pytest.raises(InputError, match="the open file cannot be read"):
        uploaded(run, closed)


@pytest.mark.parametrize("kind", ["png", "image/", "image/png\r\nX-Evil: 1", "ä/ö", "a b/c"])
def test_a_media_type_that_is_none_is_refused(run: Any, kind: str) -> None:
    with pytest.raises(InputError, match="media_type must look like"):
        uploaded(run, b"x", media_type=kind)


def test_files_are_listed_page_by_page_and_by_id(run: Any) -> None:
    async def body(line: Any) -> None:
        made = [await settled(line.files.upload(bytes([65 + n]))) for n in range(5)]
        page = await settled(line.files.list(limit=2))
        assert list(page) == [made[4], made[3]]
        assert page.has_more
        following = await settled(line.files.list(limit=2, page=page.next_page))
        assert list(following) == [made[2], made[1]]
        assert await everything(line.files.all(limit=2)) == made[::-1]
        chosen = await settled(line.files.list(ids=[made[0].id, made[2].id]))
        assert {file.id for file in chosen} == {made[0].id, made[2].id}
        assert not chosen.has_more

    run(body)


def test_a_made_file_is_downloaded(run: Any, loopback: Any, http: Any) -> None:
    server = loopback(lambda _: http(200, b"\x00\xffbytes", {"content-type": "image/png"}))

    async def body(line: Any) -> None:
        assert await settled(line.files.content("file_1")) == b"\x00\xffbytes"

    run(body, **server.line)
    assert server.requests[0].path == "/v1/files/file_1/content"


def test_an_upload_says_who_sends_it(run: Any, loopback: Any, http: Any) -> None:
    server = loopback(lambda _: http(200, {"id": "file_1", "type": "file", "newer": 1}))

    async def body(line: Any) -> None:
        file = await settled(line.files.upload(b"x", filename="x.txt"))
        assert file.extra == {"newer": 1}

    run(body, **server.line)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/v1/files")
    assert request.headers["x-api-key"] == "test-key"
    assert "anthropic-beta" not in request.headers
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)


@given(st.binary(max_size=300), NAMES)
def test_a_form_gives_back_what_was_put_in(content: bytes, name: str) -> None:
    kind, body = form(content, name, "text/plain", {"expires_in_seconds": "3600"})
    parts = _parse_form(kind, body)
    assert set(parts) == {"file", "expires_in_seconds"}
    assert parts["file"].data == content
    assert parts["file"].mime_type == "text/plain"
    assert parts["expires_in_seconds"].data == b"3600"
    escaped = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    assert escaped.endswith("\\") or parts["file"].filename == escaped


def test_a_name_cannot_end_its_header() -> None:
    _, body = form(b"x", 'a"\r\nX-Evil: 1\r\n\r\n', "text/plain", {})
    assert b"\r\nX-Evil" not in body
