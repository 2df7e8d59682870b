"""What the endpoints share: headers, errors, retries, time, pages; and the models endpoint."""

import inspect
from inspect import isawaitable
from typing import Any

import pytest

from hookline import (
    APIError,
    AsyncItems,
    AsyncPipeline,
    ConfigError,
    DeadlineExceeded,
    DecodeError,
    InputError,
    Items,
    ModelInfo,
    Page,
    Pipeline,
    TransportError,
)
from hookline._io import SyncIO
from hookline.endpoints.access import identified
from hookline.endpoints.batches import AsyncBatches, Batches
from hookline.endpoints.files import AsyncFiles, Files
from hookline.endpoints.models import AsyncModels, Models

PAIRS = [(Models, AsyncModels), (Batches, AsyncBatches), (Files, AsyncFiles)]


async def settled(value: Any) -> Any:
    return await value if isawaitable(value) else value


async def everything(items: Any) -> list[Any]:
    if isinstance(items, AsyncItems):
        return [item async for item in items]
    assert isinstance(items, Items)
    return list(items)


def error_body(kind: str, text: str = "No") -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": text}, "request_id": "req_1"}


@pytest.mark.parametrize(("sync", "twin"), PAIRS)
def test_both_colours_have_the_same_names_and_parameters(sync: type, twin: type) -> None:
    def surface(cls: type) -> dict[str, list[tuple[str, Any, Any]]]:
        return {
            name: [(p.name, p.kind, p.default) for p in inspect.signature(f).parameters.values()]
            for name, f in inspect.getmembers(cls, inspect.isfunction)
            if not name.startswith("_")
        }

    assert surface(sync) == surface(twin)
    for name in surface(twin):
        if name not in ("all", "results"):
            assert inspect.iscoroutinefunction(getattr(twin, name))


def test_the_endpoints_hang_on_both_pipelines() -> None:
    for name, (sync, twin) in zip(("models", "batches", "files"), PAIRS, strict=True):
        with Pipeline(base_url="sim:") as line:
            assert isinstance(getattr(line, name), sync)
            assert getattr(line, name) is getattr(line, name)
        assert isinstance(getattr(AsyncPipeline(base_url="sim:"), name), twin)


# Models -------------------------------------------------------------------------------------------


def test_models_are_listed_page_by_page(run: Any) -> None:
    async def body(line: Any) -> None:
        page = await settled(line.models.list(limit=2))
        assert isinstance(page, Page)
        assert len(page) == len(page.data) == 2
        assert list(page) == list(page.data)
        assert page.has_more
        assert (page.first_id, page.last_id) == (page.data[0].id, page.data[1].id)
        assert page.request_id
        following = await settled(line.models.list(limit=2, after_id=page.last_id))
        assert following.data[0].id not in {model.id for model in page}
        before = await settled(line.models.list(limit=2, before_id=following.first_id))
        assert before.data == page.data

    run(body)


def test_all_models_are_gone_through_whatever_the_page_size(run: Any, sim: Any) -> None:
    server = sim()

    async def body(line: Any) -> None:
        one_page = await settled(line.models.list(limit=1000))
        asked = len(server.calls)
        small = await everything(line.models.all(limit=3))
        assert small == list(one_page)
        assert len(server.calls) - asked == -(-len(small) // 3)

    run(body, base_url=server)


def test_an_iterator_over_pages_asks_no_more_than_it_is_asked_for(run: Any, sim: Any) -> None:
    server = sim()

    async def body(line: Any) -> None:
        items = line.models.all(limit=1)
        assert server.calls == []
        assert isinstance(
            await settled(anext(items) if hasattr(items, "__anext__") else next(items)), ModelInfo
        )
        assert len(server.calls) == 1
        await settled(items.close())

    run(body, base_url=server)


def test_a_stage_of_life_can_be_asked_for(run: Any) -> None:
    async def body(line: Any) -> None:
        retired = await settled(line.models.list(lifecycle=["retired"], limit=1000))
        assert retired.data
        assert {model.lifecycle for model in retired} == {"retired"}

    run(body)


def test_one_model_by_id_or_alias(run: Any) -> None:
    async def body(line: Any) -> None:
        model = await settled(line.models.get("claude-haiku-4-5"))
        assert isinstance(model, ModelInfo)
        assert model.id == "claude-haiku-4-5-20251001"
        assert model.max_input_tokens == 200_000
        assert model.capabilities is not None
        assert model.capabilities["image_input"] == {"supported": True}
        with pytest.raises(APIError, match="model: gpt") as caught:
            await settled(line.models.get("gpt"))
        assert (caught.value.status, caught.value.type) == (404, "not_found_error")
        assert caught.value.request_id

    run(body)


def test_what_is_not_known_is_kept_and_what_is_missing_is_none(
    run: Any, loopback: Any, http: Any
) -> None:
    server = loopback(
        lambda _: http(200, {"data": [{"id": "llama", "object": "model"}], "object": "list"})
    )

    async def body(line: Any) -> None:
        page = await settled(line.models.list())
        assert page.extra == {"object": "list"}
        (model,) = page
        assert (model.id, model.display_name) == ("llama", None)
        assert model.extra == {"object": "model"}
        assert not page.has_more

    run(body, **server.line)


@pytest.mark.parametrize(
    ("answer", "path"),
    [
        ([], r"^\$: "),
        ({}, r"\$\.data"),
        ({"data": "x"}, r"\$\.data"),
        ({"data": [{"id": "a"}, {}]}, r"\$\.data\[1\]\.id"),
        ({"data": [{"id": 1}]}, r"\$\.data\[0\]\.id"),
    ],
)
def test_an_answer_of_another_shape_says_where(
    run: Any, loopback: Any, http: Any, answer: Any, path: str
) -> None:
    server = loopback(lambda _: http(200, answer))

    async def body(line: Any) -> None:
        with pytest.raises(DecodeError, match=path):
            await settled(line.models.list())

    run(body, **server.line)


def test_a_server_that_repeats_itself_ends_the_walk(run: Any, loopback: Any, http: Any) -> None:
    page = {"data": [{"id": "a"}], "has_more": True, "first_id": "a", "last_id": "a"}
    server = loopback(lambda _: http(200, page))

    async def body(line: Any) -> None:
        assert [model.id for model in await everything(line.models.all())] == ["a", "a"]

    run(body, **server.line)


# Who asks -----------------------------------------------------------------------------------------


def test_the_caller_is_the_same_as_for_messages(run: Any, loopback: Any, http: Any) -> None:
    server = loopback(lambda _: http(200, {"data": []}))

    async def body(line: Any) -> None:
        await settled(line.models.list(betas=["b-1", "b-2"], limit=5))

    options = {**server.line, "api_version": "2026-10-21", "headers": {"X-Team": "ants"}}
    run(body, **options)
    (request,) = server.requests
    assert request.method == "GET"
    assert request.path == "/v1/models?limit=5"
    assert request.headers["x-api-key"] == "test-key"
    assert request.headers["anthropic-version"] == "2026-10-21"
    assert request.headers["anthropic-beta"] == "b-1,b-2"
    assert request.headers["x-team"] == "ants"
    assert "content-type" not in request.headers


def test_a_bearer_token_is_sent_as_one(run: Any, loopback: Any, http: Any) -> None:
    server = loopback(lambda _: http(200, {"data": []}))
    options = {**server.line, "api_key": None, "auth_token": "token"}
    run(lambda line: settled(line.models.list()), **options)
    assert server.requests[0].headers["authorization"] == "Bearer token"
    assert "x-api-key" not in server.requests[0].headers


def test_without_a_key_nothing_is_sent(run: Any) -> None:
    async def body(line: Any) -> None:
        with pytest.raises(ConfigError, match="no API key"):
            await settled(line.models.list())

    run(body, base_url="https://api.anthropic.com")


@pytest.mark.parametrize("name", ["", " ", ".", "..", None, 7])
def test_what_is_no_id_is_refused(run: Any, sim: Any, name: Any) -> None:
    server = sim()

    async def body(line: Any) -> None:
        with pytest.raises(InputError, match="an id is needed"):
            await settled(line.models.get(name))

    run(body, base_url=server)
    assert server.calls == []


def test_an_id_cannot_lead_elsewhere() -> None:
    assert identified("/v1/models", "../files/x?a=b#c") == "/v1/models/..%2Ffiles%2Fx%3Fa%3Db%23c"


@pytest.mark.parametrize("options", [{"timout": 3}, {"timeout": -1}, {"timeout": "long"}])
def test_a_wrong_option_is_refused(run: Any, sim: Any, options: Any) -> None:
    server = sim()

    async def body(line: Any) -> None:
        with pytest.raises(InputError):
            await settled(line.models.list(**options))

    run(body, base_url=server)
    assert server.calls == []


# Failures -----------------------------------------------------------------------------------------


class Patient(SyncIO):
    """Notes what it should wait for, and does not."""

    __slots__ = ("waits",)

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[arg-type]  # nothing is fetched
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


class PatientPipeline(Pipeline):
    def _make_io(self) -> Patient:
        return Patient()


def patient(**options: Any) -> tuple[PatientPipeline, list[float]]:
    line = PatientPipeline(**options)
    io = line._io
    assert isinstance(io, Patient)
    return line, io.waits


def test_reading_is_tried_again_and_waits_as_asked(loopback: Any, http: Any) -> None:
    answers = [
        http(200, {"data": []}),
        http(429, error_body("rate_limit_error"), {"retry-after": "7"}),
        http(500, error_body("api_error")),
    ]
    server = loopback(lambda _: answers.pop())
    line, waits = patient(**server.line)
    with line:
        assert line.models.list().data == ()
    assert len(waits) == 2
    assert 0 <= waits[0] <= 0.5
    assert 7 <= waits[1] <= 8


def test_reading_is_given_up_after_the_third_time(loopback: Any, http: Any) -> None:
    server = loopback(lambda _: http(529, error_body("overloaded_error")))
    line, waits = patient(**server.line)
    with line, pytest.raises(APIError) as caught:
        line.models.list()
    assert caught.value.status == 529
    assert len(server.requests) == 3
    assert len(waits) == 2


def test_what_cannot_get_better_is_not_tried_again(loopback: Any, http: Any) -> None:
    server = loopback(lambda _: http(401, error_body("authentication_error")))
    line, waits = patient(**server.line)
    with line, pytest.raises(APIError):
        line.models.list()
    assert waits == []


def test_a_wait_that_outlasts_the_time_is_not_begun(loopback: Any, http: Any) -> None:
    server = loopback(lambda _: http(429, error_body("rate_limit_error"), {"retry-after": "60"}))
    line, waits = patient(**server.line)
    with line, pytest.raises(APIError, match="rate_limit_error"):
        line.models.list(timeout=30)
    assert waits == []


@pytest.mark.parametrize(("status", "times"), [(429, 3), (529, 3), (500, 1), (504, 1), (409, 1)])
def test_writing_is_tried_again_only_where_nothing_was_done(
    loopback: Any, http: Any, status: int, times: int
) -> None:
    server = loopback(lambda _: http(status, error_body("api_error")))
    line, _ = patient(**server.line)
    with line, pytest.raises(APIError):
        line.files.upload(b"ant")
    assert len(server.requests) == times


def test_a_connection_that_breaks_is_tried_again_for_reading_only(
    loopback: Any, reset: Any
) -> None:
    server = loopback(lambda _: (reset,))
    line, _ = patient(**server.line)
    with line:
        with pytest.raises(TransportError):
            line.models.list()
        assert len(server.requests) == 3
        with pytest.raises(TransportError):
            line.files.delete("file_1")
        assert len(server.requests) == 4


def test_a_server_that_says_nothing_is_left_in_time(run: Any, loopback: Any, wait: Any) -> None:
    server = loopback(lambda _: (wait,))

    async def body(line: Any) -> None:
        with pytest.raises(DeadlineExceeded, match="GET /v1/models"):
            await settled(line.models.list(timeout=0.2))

    run(body, **server.line)


def test_a_body_that_never_ends_is_left_in_time(
    run: Any, loopback: Any, http: Any, wait: Any
) -> None:
    begun = http(200, b"[", {"content-type": "application/json"}, length=1000)
    server = loopback(lambda _: (begun, wait))

    async def body(line: Any) -> None:
        with pytest.raises(DeadlineExceeded):
            await settled(line.models.list(timeout=0.2))

    run(body, **server.line)


def test_a_redirect_is_not_followed(run: Any, loopback: Any, http: Any) -> None:
    server = loopback(lambda _: http(302, b"", {"location": "https://elsewhere.example/"}))

    async def body(line: Any) -> None:
        with pytest.raises(TransportError, match="never followed"):
            await settled(line.models.list())

    run(body, **server.line)
    assert len(server.requests) == 1


def test_a_page_of_a_proxy_is_an_error_that_shows_it(run: Any, loopback: Any, http: Any) -> None:
    server = loopback(lambda _: http(403, b"<html><h1>Blocked by the proxy</h1></html>"))

    async def body(line: Any) -> None:
        with pytest.raises(APIError, match="Blocked by the proxy") as caught:
            await settled(line.models.list())
        assert caught.value.type == "permission_error"

    run(body, **server.line)
