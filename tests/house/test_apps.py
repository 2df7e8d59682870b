"""The applications of ``examples/apps``: each really runs, in the framework that it is written for."""

import asyncio
import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hookline import AsyncPipeline
from hookline.simulator import Rule, Scenario, Simulator
from hookline.testing import RecordingSimulator
from hookline.wire import dumps

APPS = Path(__file__).parents[2] / "examples" / "apps"
STARTED = [
    ("message_start", {"message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 3, "output_tokens": 1},
    }}),
    ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
    ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "Ants"}}),
]  # fmt: skip


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(APPS))
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "sim:")
    yield
    for path in APPS.glob("*.py"):
        sys.modules.pop(path.stem, None)


class Upstream:
    """An API that begins to answer, and then waits until the caller is gone."""

    def __init__(self) -> None:
        self.left = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection:
            received = b""
            while not received.endswith(b"}"):
                received += connection.recv(65536)
            events = b"".join(
                f"event: {name}\ndata: ".encode() + dumps({"type": name, **data}) + b"\n\n"
                for name, data in STARTED
            )
            connection.sendall(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + events
            )
            while connection.recv(65536):
                pass
        self.left.set()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@contextmanager
def served(application: Any) -> Iterator[str]:
    """Serve an ASGI application with uvicorn, as in production."""
    import uvicorn

    config = uvicorn.Config(application, port=0, log_level="error", lifespan="on")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


def events(text: str) -> list[tuple[str, Any]]:
    found = [block.split("\n") for block in text.strip().split("\n\n")]
    return [(name.partition(": ")[2], json.loads(data.partition(": ")[2])) for name, data in found]


# --- FastAPI


def test_fastapi_streams_events_and_tells_plugins_who_asks() -> None:
    import fastapi_chat

    sim = RecordingSimulator()
    told: list[Any] = []
    with served(fastapi_chat.make_app(base_url=sim, plugins=[watcher(told)])) as url:
        answer = httpx.post(f"{url}/chat", json={"text": "Hello", "user": "ada"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    *pieces, (last, data) = events(answer.text)
    assert {name for name, _ in pieces} == {"text"}
    assert "Hello" in "".join(text for _, text in pieces)
    assert last == "done"
    assert float(data["cost"]) > 0
    assert told == [("ada", {"service": "chat", "path": "/chat"})]


def test_fastapi_tells_of_an_error_as_an_event() -> None:
    import fastapi_chat

    sim = Simulator(Scenario.of(Rule(status=403)))
    with served(fastapi_chat.make_app(base_url=sim)) as url:
        answer = httpx.post(f"{url}/chat", json={"text": "Hello"})
    ((name, text),) = events(answer.text)
    assert name == "error"
    assert "permission" in text


def test_a_reader_who_leaves_fastapi_ends_the_request_to_the_api(upstream: Upstream) -> None:
    import fastapi_chat

    app = fastapi_chat.make_app(base_url=upstream.url, api_key="sk-ant-none")
    with served(app) as url:
        with (
            httpx.Client() as client,
            client.stream("POST", f"{url}/chat", json={"text": "Hello"}) as answer,
        ):
            assert "Ants" in next(answer.iter_text())
            assert not upstream.left.is_set()
        assert upstream.left.wait(20), "the connection to the API is still open"


# --- Django


@pytest.fixture
def django_client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(ROOT_URLCONF="django_chat", ALLOWED_HOSTS=["testserver"], SECRET_KEY="x")
        django.setup()
    import django_chat
    from django.test import Client

    django_chat.line.cache_clear()
    yield Client()
    django_chat.line().close()
    django_chat.line.cache_clear()


def test_django_replies_refuses_and_streams(django_client: Any) -> None:
    answer = django_client.post("/ask", {"text": "Hello"}).json()
    assert "Hello" in answer["text"]
    assert float(answer["cost"]) > 0
    assert django_client.post("/ask", {"text": " "}).status_code == 400
    assert django_client.post("/stream", {"text": " "}).status_code == 400
    assert django_client.get("/ask").status_code == 405
    streamed = django_client.post("/stream", {"text": "Hello"})
    assert "Hello" in b"".join(streamed.streaming_content).decode()


def test_a_reader_who_leaves_django_ends_the_request_to_the_api(
    django_client: Any, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", upstream.url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-none")
    streamed = django_client.post("/stream", {"text": "Hello"})
    assert next(iter(streamed.streaming_content)) == b"Ants"
    assert not upstream.left.is_set()
    streamed.close()  # what a WSGI server does when the connection is gone
    assert upstream.left.wait(20)


# --- Celery


def test_celery_summarises_in_a_worker_and_retries_what_may_succeed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import celery_summaries
    from celery.contrib.testing.worker import start_worker

    scenario = (
        tmp_path / "busy.toml"
    )  # the turn has two attempts: it fails once, and is tried again
    scenario.write_text("[[rule]]\nstatus = 529\nheaders = {retry-after = '0'}\ntimes = 2\n")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", f"sim:{scenario}")
    celery_summaries.line.cache_clear()
    celery_summaries.app.conf.update(broker_connection_retry_on_startup=False)
    with start_worker(celery_summaries.app, perform_ping_check=False, pool="solo"):
        result = celery_summaries.summarise.delay("Ants are many.", user="ada").get(timeout=30)
    assert "Ants are many." in result["summary"]
    assert float(result["cost"]) > 0
    celery_summaries.line().close()


def test_celery_gives_up_what_cannot_succeed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import celery_summaries

    from hookline import APIError

    scenario = tmp_path / "closed.toml"
    scenario.write_text("[[rule]]\nstatus = 403\n")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", f"sim:{scenario}")
    celery_summaries.line.cache_clear()
    celery_summaries.app.conf.task_always_eager = True  # of this import of the module alone
    result = celery_summaries.summarise.delay("Ants are many.")
    assert result.failed()
    assert isinstance(result.result, APIError)
    celery_summaries.line().close()


# --- a notebook


@pytest.mark.slow
def test_the_notebook_runs_in_a_kernel(tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(APPS / "notebook.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "kept without outputs"
    NotebookClient(
        notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    shown = [
        output["data"]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "data" in output
    ]
    pages = [data["text/html"] for data in shown if "text/html" in data]
    assert "What do ants eat?" in pages[0]
    assert any("would be sent" in page for page in pages)
    assert any("for 2 replies" in data.get("text/plain", "") for data in shown)


# --- Discord


@pytest.mark.filterwarnings("ignore:'audioop' is deprecated:DeprecationWarning")
def test_the_discord_bot_answers_a_mention() -> None:
    """Everything is real but Discord: its REST API is a server on this machine."""
    pytest.importorskip("discord")
    sim = RecordingSimulator(Rule(reply="Ants. " * 500))
    sent = asyncio.run(mention(sim))
    assert [len(each["content"]) for each in sent] == [2000, 1000]
    assert "".join(each["content"] for each in sent) == "Ants. " * 500
    assert sent[0]["message_reference"]["message_id"] == 30
    (request,) = sim.requests
    assert request["messages"] == [{"role": "user", "content": "@Bot What do ants eat?"}]


async def mention(sim: Any) -> list[dict[str, Any]]:
    import discord
    import discord_bot
    from aiohttp import web

    sent: list[dict[str, Any]] = []
    done = asyncio.Event()
    bot_user = {"id": "1", "username": "Bot", "discriminator": "0", "avatar": None, "bot": True}
    author = {"id": "2", "username": "ada", "discriminator": "0", "avatar": None}

    def message(number: int, by: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {
            "id": str(number), "channel_id": "20", "author": by, "content": "", "timestamp":
            "2026-11-27T00:00:00+00:00", "edited_timestamp": None, "tts": False, "pinned": False,
            "mention_everyone": False, "mentions": [], "mention_roles": [], "attachments": [],
            "embeds": [], "type": 0, "components": [], **more,
        }  # fmt: skip

    def said(value: Any) -> web.Response:  # discord.py wants this very content type
        return web.Response(body=json.dumps(value).encode(), content_type="application/json")

    async def me(_request: web.Request) -> web.Response:
        return said(bot_user)

    async def itself(_request: web.Request) -> web.Response:
        team = {"id": "5", "name": "Bot", "description": "", "icon": None, "rpc_origins": []}
        return said({**team, "bot_public": True, "bot_require_code_grant": False, "owner": author,
                     "verify_key": "", "summary": "", "flags": 0})  # fmt: skip

    async def post(request: web.Request) -> web.Response:
        sent.append(await request.json())
        if sum(len(each["content"]) for each in sent) >= 3000:
            done.set()
        return said(message(40 + len(sent), bot_user, content=sent[-1]["content"]))

    async def typing(_request: web.Request) -> web.Response:
        return web.Response(status=204)

    application = web.Application()
    application.add_routes([
        web.get("/users/@me", me),
        web.get("/oauth2/applications/@me", itself),
        web.post("/channels/20/messages", post),
        web.post("/channels/20/typing", typing),
    ])  # fmt: skip
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    base, discord.http.Route.BASE = (
        discord.http.Route.BASE,
        f"http://127.0.0.1:{runner.addresses[0][1]}",
    )
    try:
        async with AsyncPipeline(base_url=sim) as line, discord_bot.Bot(line) as bot:
            await bot.login("token")
            state = bot._connection
            state.user = discord.ClientUser(state=state, data=bot_user)
            guild = {
                "id": "10", "name": "Ants", "channels": [{"id": "20", "type": 0, "name": "ants",
                "position": 0, "permission_overwrites": []}], "roles": [], "members": [], "emojis": [],
                "features": [], "owner_id": "2", "member_count": 2,
            }  # fmt: skip
            state._add_guild_from_data(guild)
            state.parse_message_create(
                message(
                    30, author, content="<@1> What do ants eat?", guild_id="10", mentions=[bot_user]
                )
            )
            state.parse_message_create(message(31, author, content="not for you", guild_id="10"))
            await asyncio.wait_for(done.wait(), 30)
    finally:
        discord.http.Route.BASE = base
        await runner.cleanup()
    return sent


# --- all of them


def watcher(told: list[Any]) -> Any:
    from hookline import hookimpl

    class Watcher:
        @hookimpl
        def on_turn_start(self, turn: Any) -> None:
            told.append((turn.principal.user, dict(turn.context)))

    return Watcher()


def test_each_shows_config_and_context_and_is_listed() -> None:
    listed = (APPS.parent / "README.md").read_text(encoding="utf-8")
    for path in APPS.iterdir():
        if path.suffix in (".py", ".ipynb"):
            text = path.read_text(encoding="utf-8")
            assert "config=" in text, path
            assert "context=" in text, path
            assert f"`apps/{path.name}`" in listed
