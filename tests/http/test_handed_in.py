"""A client that is handed in is used, not rewired."""

import ast
import asyncio
import contextlib
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest

import hookline
from hookline import APIError, AsyncPipeline, Pipeline
from hookline.testing import FaultServer, json_answer, message, no_leaks, stream_answer

LIBRARIES = [httpx, httpx2]
PARTS = ("_network_backend", "_max_connections", "_max_keepalive_connections", "_keepalive_expiry")


def state(client: Any) -> Any:
    """Return all by which a client's behaviour could have been changed."""
    pool = client._transport._pool
    return (
        [getattr(pool, name) for name in PARTS],
        {name: value for name, value in vars(pool).items() if callable(value)},
        {name: value for name, value in vars(client._transport).items() if callable(value)},
        client.timeout,
        dict(client.headers),
        dict(client.cookies),
        client.follow_redirects,
        client.event_hooks,
        client.trust_env,
        client.base_url,
        client.max_redirects,
    )


@pytest.mark.parametrize("library", LIBRARIES)
def test_it_is_afterwards_as_it_was_before(library: Any) -> None:
    def answer(request: Any) -> bytes:
        return stream_answer("Hi") if request.json.get("stream") else json_answer(message("Hi"))

    with no_leaks(), FaultServer(answer) as server:
        options: dict[str, Any] = {"base_url": server.url, "api_key": "k"}
        with library.Client() as client:
            before = state(client)
            with Pipeline(**options, client=client) as line:
                assert line.send("Hi").text == "Hi"
                assert state(client) == before
                with line.stream("Hi") as stream:
                    assert "".join(stream.text) == "Hi"
            assert state(client) == before
            assert client.post(f"{server.url}/v1/messages", json={}).status_code == 200

        async def main() -> None:
            async with library.AsyncClient() as client:
                before = state(client)
                async with AsyncPipeline(**options, client=client) as line:
                    assert (await line.send("Hi")).text == "Hi"
                    assert state(client) == before
                assert state(client) == before
                answer = await client.post(f"{server.url}/v1/messages", json={})
                assert answer.status_code == 200

        asyncio.run(main())


@pytest.mark.parametrize("library", LIBRARIES)
def test_an_asgi_application_answers(library: Any) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        body = json_answer(message("Hi")).partition(b"\r\n\r\n")[2]
        head = [(b"content-type", b"application/json")]
        assert scope["path"] == "/v1/messages"
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body})

    async def main() -> None:
        transport = library.ASGITransport(app=application)
        async with (
            library.AsyncClient(transport=transport) as client,
            AsyncPipeline(base_url="http://app.example", api_key="k", client=client) as line,
        ):
            assert (await line.send("Hi")).text == "Hi"

    asyncio.run(main())


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_mock_that_breaks_off_is_not_asked_again(library: Any) -> None:
    """It has no connections, so none that could have been kept for too long."""
    asked: list[Any] = []

    def answer(request: Any) -> Any:
        asked.append(request)
        raise library.ReadError("gone")

    config = {"plugins": {"enable": ["history"]}}
    with (
        library.Client(transport=library.MockTransport(answer)) as client,
        Pipeline(base_url="http://m.example", api_key="k", client=client, config=config) as line,
        contextlib.suppress(hookline.TransportError, APIError),
    ):
        line.send("Hi")
    assert len(asked) == 1


def _privates(path: Path) -> set[str]:
    """Return the private names of other objects that a module reads."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        own = isinstance(node, ast.Attribute) and (
            isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
        )
        if isinstance(node, ast.Attribute) and not own and node.attr.startswith("_"):
            found.add(node.attr)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("getattr", "hasattr"):
            names = [str(each.value) for each in node.args[1:2] if isinstance(each, ast.Constant)]
            found |= {name for name in names if name.startswith("_")}
    return {name for name in found if not name.endswith("__")}


def test_private_attributes_of_libraries_are_few_and_in_one_place() -> None:
    folder = Path(hookline.__file__).parent / "_http"
    found = {path.name: _privates(path) for path in folder.glob("*.py")}
    known = found.pop("pool_repair.py")
    assert {name: names for name, names in found.items() if names} == {}
    assert len(known | {"_connections", "_requests"}) < 12, sorted(known)


@pytest.mark.parametrize("library", LIBRARIES)
def test_canary_those_that_we_read_are_still_there(library: Any) -> None:
    """Without them nothing breaks, but poisoned connections and lost slots would go unseen."""
    from hookline._http.pool_repair import engine_stream, pool_of

    async def main(url: str) -> None:
        async with library.AsyncClient() as client:
            pool = pool_of(client, library.URL(url))
            assert pool is not None
            assert callable(pool._assign_requests_to_connections)
            response = await client.send(client.build_request("GET", url), stream=True)
            stream = engine_stream(response)
            assert stream._pool_request in pool._requests
            state = stream._stream._connection._h11_state
            assert repr(state.their_state) == "SEND_BODY"
            assert state.trailing_data[1] is False
            await response.aclose()

    with FaultServer(json_answer(message("Hi"))) as server:
        asyncio.run(main(server.url))
