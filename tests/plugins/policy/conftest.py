"""A real Redis server, one for all tests that want one."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server of our own, on a socket that nobody else has."""
    program = shutil.which("redis-server")
    assert program, "redis-server is missing: make test-deps"
    home: Path = tmp_path_factory.mktemp("redis")
    options = ["--port", "0", "--unixsocket", "s", "--save", "", "--appendonly", "no"]
    server = subprocess.Popen(
        [program, *options], cwd=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert server.stdout is not None
    said = []
    for line in server.stdout:
        said.append(line)
        if "eady to accept connections" in line:
            break
    else:
        pytest.fail("".join(said))
    yield f"unix://{home}/s"
    server.terminate()
    server.stdout.read()
    server.wait()
    server.stdout.close()


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The URL of an empty database."""
    from redis import Redis

    with Redis.from_url(redis_server) as client:
        client.flushall()
    return redis_server
