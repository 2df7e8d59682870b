"""F23 to F43: what an HTTP status, its headers and its body can say."""

import datetime as dt
import gzip
import json
import tracemalloc
import zlib
from email.utils import format_datetime
from typing import Any

import pytest

from hookline import APIError, DeadlineExceeded, DecodeError, ReadTimeout, TransportError
from hookline.testing import (
    Close,
    Delay,
    FaultServer,
    Send,
    Stall,
    error_answer,
    http_answer,
    json_answer,
    message,
    stream_answer,
    stream_events,
    stream_parts,
)
from support.patience import SLACK, widening


def throttled(**headers: str) -> bytes:
    return error_answer(
        429, "rate_limit_error", headers={key.replace("_", "-"): v for key, v in headers.items()}
    )


def test_f23_a_429_is_sent_again_when_the_server_says(way: Any) -> None:
    outcome = way.meet(throttled(retry_after="2"), way.good)
    assert outcome.text == "Hello!"
    assert 2 <= outcome.waits[0] <= 3.0


def test_f24_retry_after_may_be_a_date(few: Any) -> None:
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=30)
    outcome = few.meet(throttled(retry_after=format_datetime(soon, usegmt=True)), few.good)
    assert outcome.text == "Hello!"
    assert 27 <= outcome.waits[0] <= 32


@pytest.mark.parametrize("value", ["0", "-5", "Wed, 21 Oct 2015 07:28:00 GMT", "", "0.0"])
def test_f25_no_time_to_wait_means_the_usual_wait(few_plain: Any, value: str) -> None:
    outcome = few_plain.meet(throttled(retry_after=value), few_plain.good)
    assert outcome.text == "Hello!"
    assert 0 <= outcome.waits[0] <= 1


@pytest.mark.parametrize("value", ["1e9", "inf", "nan", "soon", "9" * 400, "²", "1_0", "2;3"])
def test_f26_nonsense_means_the_usual_wait(few_plain: Any, value: str) -> None:
    answer = throttled(retry_after="X").replace(b"X", value.encode())
    outcome = few_plain.meet(answer, few_plain.good)
    assert outcome.text == "Hello!"
    assert outcome.waits[0] <= 1


def test_f26_a_wait_beyond_the_deadline_fails_now_and_says_so(way: Any) -> None:
    outcome = way.meet(throttled(retry_after="1000000000"), way.good)
    assert (outcome.error.status, outcome.waits) == (429, [])
    assert outcome.error.headers["retry-after"] == "1000000000"


def test_f27_milliseconds_are_preferred(few: Any) -> None:
    answer = throttled(retry_after_ms="4500", retry_after="60")
    outcome = few.meet(answer, few.good)
    assert 4.5 <= outcome.waits[0] <= 5.5


def test_f28_the_server_may_forbid_a_retry(few: Any) -> None:
    outcome = few.meet(error_answer(500, headers={"x-should-retry": "false"}), few.good)
    assert (outcome.error.status, len(outcome.attempts)) == (500, 1)


def test_f28_the_server_may_ask_for_one(few: Any) -> None:
    refused = error_answer(400, "invalid_request_error", headers={"x-should-retry": "true"})
    assert few.meet(refused, few.good).text == "Hello!"
    outcome = few.meet(refused)
    assert (outcome.error.status, len(outcome.attempts)) == (400, 2)


def test_f29_a_spend_limit_is_not_waited_for(few: Any) -> None:
    details = {"error_code": "enforced_spend_limit_reached"}
    outcome = few.meet(error_answer(429, "rate_limit_error", details=details), few.good)
    assert (outcome.error.status, len(outcome.attempts)) == (429, 1)
    assert outcome.error.error_code == "enforced_spend_limit_reached"
    assert outcome.error.retryable is False


def test_f30_overload_waits_on_the_longer_base(few: Any) -> None:
    from hookline_plugins.resilience.retry import Retry

    most = Retry(random=lambda: 1.0)  # pyright: ignore[reportCallIssue]  # attrs strips the underscore
    options = {"config": {"plugins": {"enable": ["history"]}}, "plugins": [most]}
    assert few.meet(error_answer(529, "overloaded_error"), few.good, **options).waits == [1.0]
    assert few.meet(error_answer(503), few.good, **options).waits == [0.5]


@pytest.mark.parametrize("status", [500, 502, 503, 504, 529, 408, 409, 429])
def test_f31_f32_what_may_pass_is_sent_again(few_plain: Any, status: int) -> None:
    outcome = few_plain.meet(error_answer(status), error_answer(status), few_plain.good)
    assert outcome.text == "Hello!"
    assert [attempt.status for attempt in outcome.attempts] == [status, status, 200]


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422])
def test_f33_what_will_not_pass_is_not_sent_again(few_plain: Any, status: int) -> None:
    outcome = few_plain.meet(error_answer(status, "invalid_request_error"), few_plain.good)
    assert (outcome.error.status, len(outcome.attempts)) == (status, 1)
    assert outcome.error.request_id == "req_test"


def test_f34_a_page_of_html_is_told_in_short(few: Any) -> None:
    page = b"<html><head><title>502 Bad Gateway</title></head><body>\x1b[31m" + b"<p>x</p>" * 150
    outcome = few.meet(http_answer(502, page, {"content-type": "text/html"}))
    assert outcome.error.status == 502
    assert f"non-JSON body, {len(page):,} bytes, text/html: 502 Bad Gateway" in str(outcome.error)
    assert "\x1b" not in str(outcome.error)
    assert len(str(outcome.error)) < 350
    assert len(outcome.attempts) == 3


@pytest.mark.parametrize("status", [500, 200])
def test_f35_an_empty_body_is_an_error(few: Any, status: int) -> None:
    outcome = few.meet(http_answer(status, b"", {"content-type": "application/json"}))
    assert isinstance(outcome.error, APIError)
    assert "0 bytes" in str(outcome.error)


def test_f36_of_a_huge_error_body_little_is_read(way: Any) -> None:
    head = http_answer(400, b"", {"content-type": "text/plain"}, length=100_000_000)
    outcome = way.meet((Send(head), Send(b"no way " * 14_285_714)))
    assert "65,536 bytes" in str(outcome.error)
    assert outcome.seconds < SLACK


@pytest.mark.parametrize("status", [200, 201])
def test_f38_an_error_is_an_error_whatever_its_status(few: Any, status: int) -> None:
    outcome = few.meet(error_answer(status, "invalid_request_error", "not like this"))
    assert isinstance(outcome.error, APIError)
    assert (outcome.error.type, len(outcome.attempts)) == ("invalid_request_error", 1)


@pytest.mark.parametrize("body", [b"[]", b'"hi"', b"null", b"17", b'{"type": "completion"}', b"{"])
def test_an_answer_that_is_no_message_is_an_error(few: Any, body: bytes) -> None:
    outcome = few.meet(http_answer(200, body, {"content-type": "application/json"}))
    assert isinstance(outcome.error, DecodeError | APIError), outcome.error


def test_f40_a_body_that_is_cut_short_is_sent_for_again(plain: Any) -> None:
    whole = json_answer(message("Hello!"))
    outcome = plain.meet((Send(whole[:-20]), Close()), (Send(whole[:-1]), Close()), whole)
    assert outcome.text == "Hello!"
    assert len(outcome.attempts) == 3


def compressed(body: bytes, encoding: str, kind: str = "application/json") -> bytes:
    return http_answer(200, body, {"content-type": kind, "content-encoding": encoding})


def body_of(way: Any) -> tuple[bytes, str]:
    if way.streamed:
        return b"".join(stream_parts(stream_events("Hel", "lo!"))), "text/event-stream"
    return json.dumps(message("Hello!")).encode(), "application/json"


def test_f41_a_compressed_answer_is_read(way: Any) -> None:
    body, kind = body_of(way)
    assert way.meet(compressed(gzip.compress(body), "gzip", kind)).text == "Hello!"


@pytest.mark.parametrize("encoding", ["x-gzip", "deflate", "raw deflate", "identity"])
def test_f41_other_encodings_are_read(few: Any, encoding: str) -> None:
    body, kind = body_of(few)
    packed = {
        "deflate": zlib.compress(body),
        "raw deflate": zlib.compress(body)[2:-4],
        "identity": body,
    }.get(encoding, gzip.compress(body))
    answer = compressed(packed, encoding.removeprefix("raw "), kind)
    assert few.meet(answer).text == "Hello!"


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip, gzip", "compress"])
def test_f41_unknown_encodings_are_refused(few: Any, encoding: str) -> None:
    body, kind = body_of(few)
    outcome = few.meet(compressed(body, encoding, kind))
    assert isinstance(outcome.error, TransportError)
    assert (outcome.error.phase, len(outcome.attempts)) == ("protocol", 1)
    assert encoding in str(outcome.error)


def test_f41_damaged_compression_is_an_error(way: Any) -> None:
    body, kind = body_of(way)
    packed = bytearray(gzip.compress(body))
    packed[12:20] = b"\xff" * 8
    outcome = way.meet(compressed(bytes(packed), "gzip", kind))
    assert isinstance(outcome.error, TransportError)
    assert "damaged" in str(outcome.error)


def test_f41_a_bomb_meets_the_cap(few_plain: Any) -> None:
    squeezer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(squeezer.compress(bytes(1_000_000)) for _ in range(70)) + squeezer.flush()
    outcome = few_plain.meet(compressed(bomb, "gzip"))
    assert isinstance(outcome.error, DecodeError)
    assert "larger than 67,108,864 bytes" in str(outcome.error)
    assert len(outcome.attempts) == 1


def test_f41_a_bomb_in_an_error_stays_small() -> None:
    from hookline import Pipeline

    bomb = gzip.compress(bytes(100_000_000), 9)
    answer = compressed(bomb, "gzip").replace(b" 200 ", b" 400 ")
    with (
        FaultServer((Send(answer), Close())) as server,
        Pipeline(
            base_url=server.url, api_key="test", config={"plugins": {"enable": ["history"]}}
        ) as line,
    ):
        tracemalloc.start()
        try:
            with pytest.raises(APIError, match="65,536 bytes"):
                line.send("Hi", timeout=20)
            assert tracemalloc.get_traced_memory()[1] < 8_000_000
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_f43_a_redirect_is_never_followed(few_plain: Any, status: int) -> None:
    with FaultServer(few_plain.good) as elsewhere:
        location = {"location": f"{elsewhere.url}/v1/messages"}
        outcome = few_plain.meet((Send(http_answer(status, b"", location)), Close()))
        assert elsewhere.accepted == 0
    assert (outcome.error.phase, outcome.error.retryable) == ("protocol", False)
    assert "redirect" in str(outcome.error)
    assert len(outcome.attempts) == 1


def test_a_stream_that_is_answered_whole_is_replayed(stream: Any) -> None:
    assert stream.meet(json_answer(message("Hello!"))).seen == "Hello!"


def test_a_plain_call_that_gets_a_stream_is_read_whole(plain: Any) -> None:
    outcome = plain.meet(stream_answer("Hel", "lo!"))
    assert outcome.text == "Hello!"
    assert outcome.reply.stop_reason == "end_turn"
    assert len(outcome.attempts) == 1


def test_a_stream_in_place_of_a_plain_answer_may_break_off(plain: Any) -> None:
    outcome = plain.meet(stream_answer("Hel", end=False), plain.good)
    assert outcome.text == "Hello!"
    assert len(outcome.attempts) == 2


def test_a_stream_that_is_silent_meets_the_read_timeout_and_is_not_sent_again(stream: Any) -> None:
    outcome = stream.meet(Stall(), stream.good, read_timeout=0.15)
    assert isinstance(outcome.error, ReadTimeout)
    assert "read_timeout" in str(outcome.error)
    assert len(outcome.attempts) == 1


def test_it_is_sent_again_where_that_is_configured(stream: Any) -> None:
    config = {"plugins": {"enable": ["retry"], "retry": {"after_read_timeout": True}}}
    for limit in widening(0.15):
        outcome = stream.meet(Stall(), stream.good, read_timeout=limit, config=config)
        if outcome.error is None:
            break
    assert outcome.text == "Hello!"
    assert "read failed" in outcome.attempts[0].error


def test_a_plain_answer_may_take_longer_than_a_stream_may_be_silent(plain: Any) -> None:
    outcome = plain.meet((Delay(0.4), Send(plain.good), Close()), read_timeout=0.1)
    assert outcome.text == "Hello!"
    assert len(outcome.attempts) == 1


def test_a_plain_answer_that_never_comes_is_ended_by_the_turns_own_time(plain: Any) -> None:
    outcome = plain.meet(Stall(), plain.good, read_timeout=30, timeout=0.3, real_time=True)
    assert isinstance(outcome.error, DeadlineExceeded)
    assert "timeout=" in str(outcome.error)
    assert len(outcome.attempts) == 1


def test_a_plain_call_that_is_a_stream_on_the_wire_meets_the_read_timeout(few_plain: Any) -> None:
    good = stream_answer("Hel", "lo!")
    outcome = few_plain.meet(good, always_stream=True)
    assert outcome.text == "Hello!"
    assert outcome.server.requests[0].json["stream"] is True
    outcome = few_plain.meet(Stall(), good, always_stream=True, read_timeout=0.15)
    assert isinstance(outcome.error, ReadTimeout)
