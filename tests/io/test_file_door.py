"""The one door for local files: what is read, what is written, and what is left alone."""

import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from hookline.errors import InputError
from hookline.plugin import read_file, secure_file, write_file

posix = pytest.mark.skipif(os.name != "posix", reason="pipes, links and rights of POSIX")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert write_file(path, b"one") == path
    assert read_file(path, most=3) == b"one"
    assert write_file(str(path), b"") == path
    assert read_file(path, most=3, empty=True) == b""
    with pytest.raises(InputError, match="empty"):
        read_file(path, most=3)


@posix
def test_a_file_is_written_for_its_owner_alone_even_over_a_loose_one(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.touch()
    path.chmod(0o666)
    write_file(path, b"x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@posix
def test_only_regular_files_are_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "null").symlink_to("/dev/null")
    for name, words in {"pipe": "regular", "folder": "directory", "null": "regular"}.items():
        for work in (lambda path: write_file(path, b"x"), secure_file):
            with pytest.raises(InputError, match=words):
                work(tmp_path / name)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@posix
def test_a_link_stays_and_what_it_points_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert write_file(tmp_path / "link", b"new") == tmp_path / "a"
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    write_file(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="cannot be written: No space left"):
        write_file(path, b"new")
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("a", b"old")]


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    contents = [bytes([65 + n]) * 300_000 for n in range(4)]
    write_file(path, contents[0])
    stop = threading.Event()
    seen: list[bytes] = []

    def read() -> None:
        while not stop.is_set():
            seen.append(read_file(path, most=10**6))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(10):
        for content in contents:
            write_file(path, content)
    stop.set()
    reader.join()
    assert seen
    assert all(each in contents for each in seen)


@posix
def test_rights_are_narrowed_and_never_widened(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for before, after in {0o666: 0o600, 0o640: 0o600, 0o400: 0o400}.items():
        path.touch()
        path.chmod(before)
        secure_file(path)
        assert stat.S_IMODE(path.stat().st_mode) == after
        path.unlink()
    secure_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == b""


@posix
def test_rights_that_cannot_be_narrowed_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_ours(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    path = tmp_path / "a"
    path.touch()
    path.chmod(0o644)
    monkeypatch.setattr(os, "fchmod", not_ours)
    with pytest.raises(InputError, match="permission denied"):
        secure_file(path)


def test_the_clock_is_looked_at_while_a_long_file_is_read(tmp_path: Path) -> None:
    class Late(Exception):
        pass

    path = tmp_path / "a"
    with path.open("wb") as sparse:
        sparse.truncate(64 * 1024 * 1024)
    looks = 0

    def check() -> None:
        nonlocal looks
        looks += 1
        if looks == 2:
            raise Late

    with pytest.raises(Late):
        read_file(path, most=10**9, check=check)


@pytest.mark.parametrize("work", [lambda path: write_file(path, b""), secure_file])
def test_a_path_that_leads_nowhere_is_explained(work: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="its directory does not exist"):
        work(tmp_path / "none" / "a")
    with pytest.raises(InputError, match="no file name has"):
        work("a\0b")
    with pytest.raises(InputError, match="~ is not expanded"):
        work("~/none/a")
