"""Every example runs as a user would run it, and none reaches for the network or a key."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
DISTRIBUTION = EXAMPLES / "acme_policy"  # a whole one, of the platform team of a bank
SERVE = """\
from hookline.simulator import Scenario, Simulator, serve
serve(Simulator(Scenario.of()), port=0, on_ready=lambda url: print(url, flush=True))
"""


def clean_environment(**more: str) -> dict[str, str]:
    """What a user's shell holds, without anything that would steer Hookline."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANTHROPIC_", "HOOKLINE_"))
    }
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return {**kept, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8", **more}


@contextmanager
def simulator() -> Iterator[str]:
    """Serve the simulator on a free port of this machine, in a process of its own."""
    command = [sys.executable, "-c", SERVE]
    with subprocess.Popen(
        command, env=clean_environment(), stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def scripts() -> list[Path]:
    return sorted([*EXAMPLES.glob("*.py"), DISTRIBUTION / "use_policy.py"])


@pytest.mark.parametrize("script", scripts(), ids=lambda path: path.stem)
def test_an_example_runs(script: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", script],
        cwd=tmp_path,  # an example must not depend on where it is called
        env=clean_environment(),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip(), "an example prints its result"
    assert done.stderr == ""


@pytest.mark.parametrize("script", scripts(), ids=lambda path: path.stem)
def test_an_example_is_short_and_says_what_it_shows(script: Path) -> None:
    text = script.read_text(encoding="utf-8")

    assert text.startswith('"""')
    assert "assert " in text or "raise AssertionError" in text
    assert re.search(r"sim:|Simulator\(", text), "asks the simulator, and says so"
    assert "eave base_url out to talk to the API" in text


def test_every_file_of_the_examples_is_listed() -> None:
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")

    for path in EXAMPLES.iterdir():
        if path.is_file() and path.name != "README.md":
            assert f"`{path.name}`" in listed


def test_the_distribution_is_built_installed_and_attacked(tmp_path: Path) -> None:
    source, site = tmp_path / "source", tmp_path / "site"
    shutil.copytree(DISTRIBUTION, source, ignore=shutil.ignore_patterns("__pycache__"))
    build = ["pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
    for command in (
        [*build, "--no-build-isolation", "--target", str(site), str(source)],
        ["pytest", "-q", "-p", "no:cacheprovider", "-W", "error", str(source / "tests")],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=tmp_path,
            env=clean_environment(
                PYTHONPATH=f"{site}{os.pathsep}{clean_environment()['PYTHONPATH']}"
            ),
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_the_picture_is_small() -> None:
    assert (EXAMPLES / "ant.png").stat().st_size < 5_000


@pytest.mark.skipif(not shutil.which("curl") or not shutil.which("bash"), reason="needs curl, bash")
def test_the_plain_curl_requests_are_answered(tmp_path: Path) -> None:
    with simulator() as url:
        done = subprocess.run(
            ["bash", EXAMPLES / "curl.sh"],  # noqa: S607 -- wherever bash is
            cwd=tmp_path,
            env=clean_environment(BASE_URL=url),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert done.returncode == 0, done.stdout + done.stderr
    titles = re.findall(r"^== (.+)$", done.stdout, re.MULTILINE)
    bodies = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    texts = {title: body["content"][0]["text"] for title, body in zip(titles, bodies, strict=True)}
    assert "Hello, Claude" in texts["basic"]
    assert "describe LLMs" in texts["several turns"]
    assert texts["prefill"] == "C"
    assert "PNG, 192 x 128 pixels" in texts["image as base64"]
    assert "https://images.example.com/ant.png" in texts["image by URL"]


@pytest.mark.skipif(not shutil.which("curl") or not shutil.which("bash"), reason="needs curl, bash")
def test_the_curl_script_fails_when_a_request_fails(tmp_path: Path) -> None:
    with simulator() as url:
        done = subprocess.run(
            ["bash", EXAMPLES / "curl.sh"],  # noqa: S607 -- wherever bash is
            cwd=tmp_path,
            env=clean_environment(BASE_URL=f"{url}/nowhere"),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert done.returncode != 0
    assert "not_found_error" in done.stdout
