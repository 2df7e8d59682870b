"""Batches, files and models."""

from typing import Any

import pytest

from hookline.simulator import Answer, Call, Rule, Scenario, Simulator
from hookline.wire import json

HEADERS = (("x-api-key", "test"), ("anthropic-version", "2026-10-21"))
BATCHES = "/v1/messages/batches"


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def simulator(clock: Clock) -> Simulator:
    return Simulator(Scenario.of(Rule(when="boom", status=500)), clock=clock, batch_seconds=60)


def call(simulator: Simulator, method: str, path: str, body: Any = None) -> Answer:
    data = b"" if body is None else json.dumps(body)
    return simulator.handle(Call(method, path, (*HEADERS, ("host", "sim.test:1")), data))


def ok(simulator: Simulator, method: str, path: str, body: Any = None) -> Any:
    answer = call(simulator, method, path, body)
    assert answer.status == 200, answer.content
    return json.loads(answer.content)


def error(simulator: Simulator, method: str, path: str, body: Any = None) -> tuple[int, str]:
    answer = call(simulator, method, path, body)
    return answer.status, json.loads(answer.content)["error"]["message"]


def item(name: str, text: str = "Hello", **params: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {
        "custom_id": name,
        "params": {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": messages, **params},
    }


def lines(simulator: Simulator, batch_id: str) -> dict[str, Any]:
    answer = call(simulator, "GET", f"{BATCHES}/{batch_id}/results")
    assert answer.status == 200, answer.content
    assert dict(answer.headers)["content-type"] == "application/x-jsonl"
    rows = [json.loads(line) for line in answer.content.splitlines()]
    return {row["custom_id"]: row["result"] for row in rows}


# --- batches


def test_a_batch_from_start_to_end(simulator: Simulator, clock: Clock) -> None:
    requests = [item("a"), item("b", max_tokens=0), item("c", model="nope"), item("d", "boom")]
    made = ok(simulator, "POST", BATCHES, {"requests": requests})
    path = f"{BATCHES}/{made['id']}"
    assert made["id"].startswith("msgbatch_")
    assert made["processing_status"] == "in_progress"
    assert made["request_counts"]["processing"] == 4
    assert made["results_url"] is None
    assert dict(call(simulator, "GET", path).headers)["retry-after"] == "10"
    assert error(simulator, "GET", f"{path}/results") == (
        404,
        f"Message Batch {made['id']} has no available results.",
    )
    assert error(simulator, "DELETE", path) == (
        400,
        "In progress batches cannot be deleted. Consider canceling the batch instead.",
    )
    clock.now += 60
    ended = ok(simulator, "GET", path)
    assert ended["processing_status"] == "ended"
    assert ended["request_counts"] == {
        "processing": 0,
        "succeeded": 1,
        "errored": 3,
        "canceled": 0,
        "expired": 0,
    }
    assert ended["results_url"] == f"http://sim.test:1{path}/results"
    assert "retry-after" not in dict(call(simulator, "GET", path).headers)
    results = lines(simulator, made["id"])
    assert results["a"]["message"]["usage"]["service_tier"] == "batch"
    assert results["b"]["error"]["error"]["message"] == (
        "max_tokens: must be greater than or equal to 1"
    )
    assert results["c"]["error"]["error"] == {"type": "not_found_error", "message": "model: nope"}
    assert results["d"]["error"]["error"]["type"] == "api_error"
    assert ok(simulator, "DELETE", path) == {"id": made["id"], "type": "message_batch_deleted"}
    assert error(simulator, "GET", path) == (404, f"Message Batch {made['id']} not found.")


def test_cancelling(simulator: Simulator, clock: Clock) -> None:
    made = ok(simulator, "POST", BATCHES, {"requests": [item("a")]})
    path = f"{BATCHES}/{made['id']}"
    assert ok(simulator, "POST", f"{path}/cancel")["processing_status"] == "canceling"
    clock.now += 1
    assert ok(simulator, "GET", path)["processing_status"] == "ended"
    assert lines(simulator, made["id"]) == {"a": {"type": "canceled"}}


def test_expiry(clock: Clock) -> None:
    slow = Simulator(clock=clock, batch_seconds=2 * 86_400)
    made = ok(slow, "POST", BATCHES, {"requests": [item("a")]})
    clock.now += 86_399
    assert ok(slow, "GET", f"{BATCHES}/{made['id']}")["processing_status"] == "in_progress"
    clock.now += 1
    assert ok(slow, "GET", f"{BATCHES}/{made['id']}")["request_counts"]["expired"] == 1
    clock.now += 29 * 86_400
    assert error(slow, "GET", f"{BATCHES}/{made['id']}/results")[0] == 404


@pytest.mark.parametrize(
    ("requests", "text"),
    [
        ([], "requests: List should have at least 1 item after validation, not 0"),
        (
            [item("dup"), item("dup")],
            "requests: custom_id's must be unique within a batch. Duplicate custom_id found: dup",
        ),
        (
            [item("x" * 65)],
            "requests.0.custom_id: String should have at most 64 characters",
        ),
        (
            [item("a b")],
            "requests.0.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'",
        ),
        (
            [item("a", stream=True)],
            '"stream=True" is not supported in the Message Batches API',
        ),
    ],
)
def test_what_is_refused_at_once(simulator: Simulator, requests: list[Any], text: str) -> None:
    assert error(simulator, "POST", BATCHES, {"requests": requests}) == (400, text)


def test_lists_are_paged(simulator: Simulator) -> None:
    ids = [ok(simulator, "POST", BATCHES, {"requests": [item("a")]})["id"] for _ in range(5)]
    newest = ids[::-1]
    page = ok(simulator, "GET", f"{BATCHES}?limit=2")
    assert [batch["id"] for batch in page["data"]] == newest[:2]
    assert (page["has_more"], page["first_id"], page["last_id"]) == (True, newest[0], newest[1])
    after = ok(simulator, "GET", f"{BATCHES}?limit=3&after_id={newest[1]}")
    assert [batch["id"] for batch in after["data"]] == newest[2:]
    assert not after["has_more"]
    before = ok(simulator, "GET", f"{BATCHES}?limit=2&before_id={newest[3]}")
    assert [batch["id"] for batch in before["data"]] == newest[1:3]
    assert before["has_more"]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "after_id=nope"])
def test_wrong_pages(simulator: Simulator, query: str) -> None:
    assert error(simulator, "GET", f"{BATCHES}?{query}")[0] == 400


# --- files


def upload(
    simulator: Simulator, data: bytes, *fields: tuple[str, str], filename: str = "a.txt"
) -> Answer:
    parts = [
        b'--XX\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
        % (n.encode(), v.encode())
        for n, v in fields
    ]
    parts.append(
        b'--XX\r\nContent-Disposition: form-data; name="file"; filename="%b"\r\n'
        b"Content-Type: text/plain\r\n\r\n%b\r\n--XX--\r\n" % (filename.encode(), data)
    )
    kind = ("content-type", "multipart/form-data; boundary=XX")
    return simulator.handle(Call("POST", "/v1/files", (*HEADERS, kind), b"".join(parts)))


def test_a_file_from_start_to_end(simulator: Simulator) -> None:
    data = bytes(range(256)) + b"\r\n--X\r\n\r\n"
    made = json.loads(upload(simulator, data, filename="../dir/ant.txt").content)
    assert (made["filename"], made["mime_type"]) == ("ant.txt", "text/plain")
    assert made["size_bytes"] == len(data)
    assert not made["downloadable"]
    path = f"/v1/files/{made['id']}"
    assert ok(simulator, "GET", path) == made
    assert ok(simulator, "GET", "/v1/files")["data"] == [made]
    assert ok(simulator, "GET", f"/v1/files?ids[]={made['id']}&ids[]=file_x")["data"] == [made]
    answer = call(simulator, "GET", f"{path}/content")
    assert answer.status == 400
    code = json.loads(answer.content)["error"]["details"]["error_code"]
    assert code == "file_not_downloadable"
    assert ok(simulator, "DELETE", path) == {"id": made["id"], "type": "file_deleted"}
    assert call(simulator, "GET", path).status == 404


def test_files_expire(simulator: Simulator, clock: Clock) -> None:
    made = json.loads(upload(simulator, b"x", ("expires_in_seconds", "3600")).content)
    assert made["expires_at"].endswith("Z")
    clock.now += 3600
    answer = call(simulator, "GET", f"/v1/files/{made['id']}")
    assert json.loads(answer.content)["error"]["details"] == {"error_code": "file_expired"}
    assert ok(simulator, "GET", "/v1/files")["data"] == []


@pytest.mark.parametrize("seconds", ["3599", "7776001", "soon"])
def test_wrong_life_times(simulator: Simulator, seconds: str) -> None:
    assert upload(simulator, b"x", ("expires_in_seconds", seconds)).status == 400


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=XX", b"--XX\r\nnonsense"),
        ("multipart/form-data; boundary=XX", b"--XX--"),
    ],
)
def test_broken_forms(simulator: Simulator, kind: str, body: bytes) -> None:
    form = Call("POST", "/v1/files", (*HEADERS, ("content-type", kind)), body)
    assert simulator.handle(form).status == 400


def test_pages_of_files(simulator: Simulator) -> None:
    for number in range(3):
        upload(simulator, b"x", filename=f"{number}.txt")
    first = ok(simulator, "GET", "/v1/files?limit=2")
    second = ok(simulator, "GET", f"/v1/files?limit=2&page={first['next_page']}")
    names = [file["filename"] for page in (first, second) for file in page["data"]]
    assert names == ["2.txt", "1.txt", "0.txt"]
    assert second["next_page"] is None


def test_the_older_list_of_files_by_its_beta(simulator: Simulator) -> None:
    ids = [json.loads(upload(simulator, b"x").content)["id"] for _ in range(3)]
    headers = (*HEADERS, ("anthropic-beta", "files-api-2025-04-14"))

    def listed(query: str) -> dict[str, Any]:
        answer = simulator.handle(Call("GET", f"/v1/files?{query}", headers))
        page: dict[str, Any] = json.loads(answer.content)
        return page

    first = listed("limit=2")
    assert list(first) == ["data", "has_more", "first_id", "last_id"]
    assert (first["has_more"], first["last_id"]) == (True, ids[1])
    assert [file["id"] for file in listed(f"after_id={ids[1]}")["data"]] == [ids[0]]
    assert list(ok(simulator, "GET", "/v1/files")) == ["data", "next_page"]


@pytest.mark.parametrize("other", ["limit=2", "page=page_1"])
def test_chosen_files_have_no_pages(simulator: Simulator, other: str) -> None:
    assert error(simulator, "GET", f"/v1/files?ids[]=file_1&{other}") == (
        400,
        f"{other.partition('=')[0]}: cannot be used together with `ids`",
    )


# --- models


def test_models(simulator: Simulator) -> None:
    page = ok(simulator, "GET", "/v1/models?limit=1000")
    ids = [model["id"] for model in page["data"]]
    assert ids[:2] == ["claude-fable-5-2", "claude-mythos-5-2"]
    assert "claude-opus-4-1-20250805" not in ids
    retired = ok(simulator, "GET", "/v1/models?lifecycle[]=retired")
    assert "claude-opus-4-1-20250805" in [model["id"] for model in retired["data"]]
    assert len(ok(simulator, "GET", "/v1/models")["data"]) == min(20, len(ids))


def test_one_model_by_its_alias(simulator: Simulator) -> None:
    model = ok(simulator, "GET", "/v1/models/claude-sonnet-4-5")
    assert model["id"] == "claude-sonnet-4-5-20250929"
    assert (model["lifecycle"], model["retires_at"]) == ("deprecated", "2026-11-30T00:00:00Z")
    assert model["capabilities"]["thinking"]["types"]["enabled"] == {"supported": True}
    assert model["capabilities"]["thinking"]["types"]["adaptive"] == {"supported": False}
    assert error(simulator, "GET", "/v1/models/nope") == (404, "model: nope")
