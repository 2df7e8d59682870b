"""The commands that set a machine up: what is missing is installed, and nothing else."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
INSTALL = ROOT / ".ci" / "install"

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a script for POSIX shells")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A directory of commands, the only ones there are; each writes down how it is called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "env"):
        found = shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    return folder


def offer(machine: Path, name: str, *, prints: str = "") -> None:
    """Put a command on the machine."""
    script = f"#!/bin/sh\necho {name} \"$@\" >> '{machine.parent}/calls'\n"
    script += f"echo {prints}\n" if prints else ""
    if name == "sudo":
        script += 'exec "$@"\n'
    (machine / name).write_text(script, encoding="utf-8")
    (machine / name).chmod(0o755)


def install(machine: Path, *wanted: str) -> tuple[int, list[str], str]:
    """Run the script; return its status, the calls that it made, and what it complained of."""
    done = subprocess.run(
        [machine / "sh", INSTALL, *wanted],
        env={"PATH": str(machine)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    calls = machine.parent / "calls"
    made = calls.read_text(encoding="utf-8").splitlines() if calls.exists() else []
    return done.returncode, [call for call in made if call != "id -u"], done.stderr


def test_what_is_there_is_not_installed(machine: Path) -> None:
    for name in ("apt-get", "redis-server"):
        offer(machine, name)

    assert install(machine, "redis-server=redis", "sh=dash") == (0, [], "")


def test_what_is_missing_is_installed_by_root(machine: Path) -> None:
    offer(machine, "id", prints="0")
    offer(machine, "apt-get")
    offer(machine, "exiftool")

    status, calls, _ = install(
        machine, "node=nodejs", "exiftool=libimage-exiftool-perl", "redis-server=redis"
    )

    assert status == 0
    assert calls == [
        "apt-get update -qq",
        "apt-get install -qq --yes --no-install-recommends nodejs redis",
    ]


def test_anybody_else_asks_sudo(machine: Path) -> None:
    offer(machine, "id", prints="1000")
    offer(machine, "dnf")
    offer(machine, "sudo")

    status, calls, _ = install(machine, "node=nodejs")

    assert status == 0
    assert calls == [
        "sudo dnf install --quiet --assumeyes nodejs",
        "dnf install --quiet --assumeyes nodejs",
    ]


def test_without_sudo_it_says_what_is_missing(machine: Path) -> None:
    offer(machine, "id", prints="1000")
    offer(machine, "apt-get")

    status, calls, said = install(machine, "node=nodejs")

    assert (status, calls) == (1, [])
    assert "wants root or sudo: nodejs" in said


def test_without_a_package_tool_it_says_what_is_missing(machine: Path) -> None:
    offer(machine, "id", prints="0")

    status, _, said = install(machine, "node=nodejs", "curl=curl")

    assert status == 1
    assert "install by hand: nodejs curl" in said


def test_every_command_of_the_makefile_is_in_the_guide_for_contributors() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    targets = [line.partition(":")[0] for line in makefile.splitlines() if ":  ##" in line]
    targets += [
        line.partition(":")[0] for line in makefile.splitlines() if ": $(READY)  ##" in line
    ]

    assert len(targets) > 8
    for target in targets:
        assert target == "help" or f"`make {target}`" in guide, target
