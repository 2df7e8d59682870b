"""POST /v1/messages: headers, turns, prefill, replies, stop reasons."""

import gzip
from typing import Any

import pytest
from loguru import logger

from hookline.simulator import Answer, Call, Rule, Scenario, Simulator
from hookline.wire import json

OLD, NEW = "claude-haiku-4-5", "claude-opus-5-5"
HEADERS = (("X-Api-Key", "test"), ("Anthropic-Version", "2023-06-01"))
HELLO = [{"role": "user", "content": "Hello"}]
DIRECTIVE = "the directive-only form (content: [] with output_config) is accepted at any position"


def post(
    simulator: Simulator | None = None,
    *,
    path: str = "/v1/messages",
    headers: tuple[tuple[str, str], ...] = HEADERS,
    version: str | None = None,
    beta: str | None = None,
    **body: Any,
) -> Answer:
    body = {"model": OLD, "max_tokens": 100, "messages": HELLO, **body}
    if version:
        headers = (*headers[:1], ("anthropic-version", version))
    if beta:
        headers = (*headers, ("anthropic-beta", beta))
    call = Call("POST", path, headers, json.dumps(body))
    return (simulator or Simulator()).handle(call)


def reply(simulator: Simulator | None = None, **body: Any) -> dict[str, Any]:
    answer = post(simulator, **body)
    assert answer.status == 200, answer.content
    message: dict[str, Any] = json.loads(answer.content)
    return message


def text_of(message: dict[str, Any]) -> str:
    return "".join(block["text"] for block in message["content"] if block["type"] == "text")


def error(answer: Answer) -> tuple[int, str, str]:
    body = json.loads(answer.content)
    assert body["type"] == "error"
    assert body["request_id"] == dict(answer.headers)["request-id"]
    return answer.status, body["error"]["type"], body["error"]["message"]


def refused(**body: Any) -> str:
    status, kind, text = error(post(**body))
    assert (status, kind) == (400, "invalid_request_error")
    return text


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def system(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "system", "content": content, **more}


# --- headers and bodies


@pytest.mark.parametrize(
    ("headers", "status", "text"),
    [
        ((), 401, "x-api-key header is required"),
        ((("x-api-key", ""),), 401, "API key is invalid."),
        ((("authorization", "Bearer "),), 401, "API key is invalid."),
        ((("authorization", "Basic abc"),), 401, "x-api-key header is required"),
        ((("x-api-key", "k"),), 400, "anthropic-version: header is required"),
    ],
)
def test_headers(headers: tuple[tuple[str, str], ...], status: int, text: str) -> None:
    answer = post(headers=headers)
    assert error(answer)[::2] == (status, text)


@pytest.mark.parametrize("credential", [("x-api-key", "k"), ("Authorization", "Bearer k")])
@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21"])
def test_both_credentials_and_both_versions(credential: tuple[str, str], version: str) -> None:
    assert post(headers=(credential, ("anthropic-version", version))).status == 200


def test_an_unknown_version() -> None:
    assert "2020-01-01" in error(post(version="2020-01-01"))[2]


def test_given_keys_only_and_x_api_key_wins() -> None:
    simulator = Simulator(api_keys={"good"})
    version = ("anthropic-version", "2023-06-01")
    good, bad = ("x-api-key", "good"), ("authorization", "Bearer bad")
    assert post(simulator, headers=(good, bad, version)).status == 200
    wrong = post(simulator, headers=(("x-api-key", "bad"), version))
    assert error(wrong) == (401, "authentication_error", "API key is invalid.")


@pytest.mark.parametrize(
    "name",
    ["nope", "nope-2026", "nope-2026-1-1", "2026-01-01", "nope_2026-01-01", "nope-2026-01-01x"],
)
def test_malformed_betas_are_named(name: str) -> None:
    text = refused(beta=f"mcp-client-2025-11-20, {name}")
    assert text.startswith(f"Unexpected value(s) `{name}` for the `anthropic-beta` header.")


def test_an_unknown_beta_passes_with_a_note() -> None:
    lines: list[str] = []
    logger.enable("hookline")
    sink = logger.add(lines.append, format="{message}", level="WARNING")
    try:
        for _ in range(2):
            assert (
                post(beta="claude-code-20250219, brand-new-2027-02-03,brand-new-20270203").status
                == 200
            )
    finally:
        logger.remove(sink)
        logger.disable("hookline")
    assert sorted(line.split(":")[0] for line in lines) == [
        "the simulator does not know the beta brand-new-2027-02-03",
        "the simulator does not know the beta brand-new-20270203",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (rb"\ud83d", "no low surrogate in string: line 1 column 42"),
        (rb"\udc00", "invalid high surrogate in string: line 1 column 42"),
        (b"\xed\xa0\xbd", "str is not valid UTF-8: surrogates not allowed: line 1 column 1"),
    ],
)
def test_lone_surrogates(text: bytes, words: str) -> None:
    body = b'{"model": "claude-haiku-4-5", "system": "' + text + b'"}'
    call = Call("POST", "/v1/messages", HEADERS, body)
    assert error(Simulator().handle(call))[2].startswith(
        f"The request body is not valid JSON: {words}"
    )


def test_numbers_that_json_does_not_have() -> None:
    for number in (b"NaN", b"Infinity", b"-Infinity", b"1e999"):
        call = Call("POST", "/v1/messages", HEADERS, b'{"max_tokens": %b}' % number)
        text = error(Simulator().handle(call))[2]
        assert text.startswith("The request body is not valid JSON: ")
        assert "line 1 column 1" in text


def test_broken_json() -> None:
    call = Call("POST", "/v1/messages", HEADERS, b'{"model": ')
    assert error(Simulator().handle(call))[2].startswith("The request body is not valid JSON: ")


def test_a_body_of_more_than_32_megabytes() -> None:
    call = Call("POST", "/v1/messages", HEADERS, b" " * (32 * 1024 * 1024 + 1))
    assert error(Simulator().handle(call))[:2] == (413, "request_too_large")


def test_a_body_nested_without_end() -> None:
    deep = "[" * 5000 + "]" * 5000
    body = f'{{"model":"{OLD}","max_tokens":1,"messages":{deep}}}'.encode()
    text = error(Simulator().handle(Call("POST", "/v1/messages", HEADERS, body)))[2]
    assert text.startswith(
        "The request body is not valid JSON: depth limit exceeded: line 1 column "
    )


def test_compressed_bodies() -> None:
    body = json.dumps({"model": OLD, "max_tokens": 1, "messages": HELLO})
    packed = (*HEADERS, ("content-encoding", "gzip"))
    simulator = Simulator()
    assert simulator.handle(Call("POST", "/v1/messages", packed, gzip.compress(body))).status == 200
    broken = simulator.handle(Call("POST", "/v1/messages", packed, b"nope"))
    details = json.loads(broken.content)["error"]["details"]
    assert details == {"error_code": "request_body_encoding_invalid"}
    bomb = gzip.compress(b" " * (33 * 1024 * 1024))
    assert simulator.handle(Call("POST", "/v1/messages", packed, bomb)).status == 413


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/messages", 405), ("GET", "/v1/nope", 404), ("POST", "/v1/complete", 404)],
)
def test_other_paths(method: str, path: str, status: int) -> None:
    assert error(Simulator().handle(Call(method, path, HEADERS)))[0] == status


def test_the_beta_query_of_the_sdk_is_ignored() -> None:
    assert post(path="/v1/messages?beta=true").status == 200


def test_every_answer_has_an_id_and_limits() -> None:
    headers = dict(post().headers)
    assert headers["request-id"].startswith("req_")
    assert headers["anthropic-ratelimit-requests-limit"] == "4000"
    assert headers["anthropic-ratelimit-tokens-reset"].endswith("Z")


# --- models


@pytest.mark.parametrize("model", ["claude-nope", "claude-opus-4-1", "claude-3-haiku-20240307"])
def test_unknown_and_retired_models(model: str) -> None:
    assert error(post(model=model)) == (404, "not_found_error", f"model: {model}")


def test_sonnet_4_5_stays_whatever_the_date() -> None:
    far = Simulator(clock=lambda: 4_000_000_000.0)
    assert reply(far, model="claude-sonnet-4-5")["model"] == "claude-sonnet-4-5-20250929"


def test_max_tokens_above_the_cap() -> None:
    text = "max_tokens: 64001 > 64000, which is the maximum allowed number of output tokens for "
    assert refused(max_tokens=64_001) == text + OLD


# --- turns


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([], "messages: at least one message is required"),
        ([assistant("Hi")], 'messages: first message must use the "user" role'),
        (
            [user(""), assistant("x"), user("y")],
            (
                "messages.0: all messages must have non-empty content except for the optional final "
                "assistant message"
            ),
        ),
        (
            [user("x"), assistant([]), user("y")],
            (
                "messages.1: all messages must have non-empty content except for the optional final "
                "assistant message"
            ),
        ),
        (
            [user([{"type": "text", "text": ""}])],
            "messages: text content blocks must be non-empty",
        ),
        (
            [user([{"type": "text", "text": "", "cache_control": {"type": "ephemeral"}}])],
            "messages.0.content.0.text: cache_control cannot be set for empty text blocks",
        ),
        ([user(" \n")], "messages: text content blocks must contain non-whitespace text"),
        (
            [user("x"), assistant("The answer is ")],
            "messages: final assistant content cannot end with trailing whitespace",
        ),
        (
            [user("x"), assistant([{"type": "text", "text": "a\n"}])],
            "messages: final assistant content cannot end with trailing whitespace",
        ),
        (
            [user([{"type": "tool_use", "id": "toolu_1", "name": "a", "input": {}}])],
            "messages.0.content.0: `tool_use` blocks can only be in `assistant` messages",
        ),
    ],
)
def test_turns(messages: list[Any], text: str) -> None:
    assert refused(messages=messages) == text


def test_runs_of_one_role_are_merged_and_empty_prefill_is_tolerated() -> None:
    assert reply(messages=[user("a"), user("b"), assistant("c"), assistant("d"), user("e")])
    assert reply(messages=[user("a"), assistant("")])
    assert reply(messages=[user("a"), assistant([])])


@pytest.mark.parametrize("value", [" ", [{"type": "text", "text": " "}]])
def test_a_blank_system_prompt(value: Any) -> None:
    assert refused(system=value) == "system: text content blocks must contain non-whitespace text"


def test_an_empty_system_prompt_is_none() -> None:
    assert reply(system="")["usage"]["input_tokens"] == reply()["usage"]["input_tokens"]


# --- prefill


@pytest.mark.parametrize("model", ["claude-opus-4-6", "claude-sonnet-5", NEW, "claude-haiku-5-5"])
@pytest.mark.parametrize("content", ["The answer is", [], [{"type": "text", "text": "x"}]])
def test_new_models_take_no_prefill(model: str, content: Any) -> None:
    assert refused(model=model, messages=[*HELLO, assistant(content)]) == (
        "This model does not support assistant message prefill. "
        "The conversation must end with a user message."
    )


def test_a_paused_turn_may_go_on_without_prefill() -> None:
    paused = assistant(
        [{"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}]
    )
    tools = [{"type": "web_search_20250305", "name": "web_search"}]
    answer = post(model=NEW, messages=[*HELLO, paused], tools=tools)
    assert "You said: Hello" in text_of(json.loads(answer.content))


def test_the_reply_goes_on_from_the_prefill_without_repeating_it() -> None:
    message = reply(messages=[user("Say more"), assistant("Once upon a time")])
    assert text_of(message).startswith(" ")
    assert "Once upon a time" not in text_of(message)


def test_the_guide_s_multiple_choice() -> None:
    question = "What is latin for Ant? (A) Apoidea, (B) Rhopalocera, (C) Formicidae"
    message = reply(max_tokens=1, messages=[user(question), assistant("The answer is (")])
    assert text_of(message) == "C"
    assert message["stop_reason"] == "max_tokens"
    assert message["usage"]["output_tokens"] == 1


def test_an_echoing_server_can_be_imitated() -> None:
    simulator = Simulator(Scenario.of(Rule(reply=" 42.", echo_prefill=True)))
    assert text_of(reply(simulator, messages=[*HELLO, assistant("It is")])) == "It is 42."


# --- role system


NAMED = "claude-opus-5-5"


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        (
            [system("x"), user("y")],
            (
                f"messages.0: use the top-level 'system' parameter for the initial system prompt; "
                f"{DIRECTIVE}"
            ),
        ),
        (
            [user("a"), assistant("b"), system("x"), user("y")],
            (
                "messages.2: role 'system' must follow a 'user' message or an 'assistant' message "
                f"ending in a server tool result; {DIRECTIVE}"
            ),
        ),
        (
            [user("a"), system("x"), user("y")],
            (
                f"messages.1: role 'system' must precede an 'assistant' message or end the array; "
                f"{DIRECTIVE}"
            ),
        ),
        ([user("a"), system([])], "messages.1: system content must contain at least one block"),
        (
            [user("a"), system([{"type": "image", "source": {"type": "url", "url": "https://x"}}])],
            "messages.1: role 'system' supports text, tool_addition, and tool_removal blocks only",
        ),
        ([user("a"), system(None)], "messages.1.content: Input should be a valid array"),
        (
            [user("a"), system([], output_config={"effort": "low"})],
            "messages.1.output_config: Extra inputs are not permitted",
        ),
    ],
)
def test_system_turns(messages: list[Any], text: str) -> None:
    assert refused(model=NAMED, messages=messages) == text


def test_system_turns_in_their_place() -> None:
    assert reply(
        model=NAMED, messages=[user("a"), system("x"), system("y"), assistant("b"), user("c")]
    )
    assert reply(model=NAMED, messages=[user("a"), system("x")])


def test_system_turns_on_models_that_have_none() -> None:
    text = refused(messages=[user("a"), system("x")])
    assert text == "role 'system' is not supported on this model"


def test_a_directive_stands_anywhere_with_its_header() -> None:
    beta = "mid-conversation-output-config-2026-07-01"
    directive = system([], output_config={"effort": "low"})
    assert post(model=NAMED, beta=beta, messages=[directive, user("a")]).status == 200


# --- replies


def test_the_reply_says_what_it_is_and_what_it_was_given() -> None:
    text = text_of(reply(messages=[user("How many legs has an ant?")]))
    assert "simulator" in text
    assert "How many legs has an ant?" in text


def test_long_text_is_shortened() -> None:
    text = text_of(reply(max_tokens=4000, messages=[user("word " * 1000)]))
    assert len(text) < 400


def test_replies_are_the_same_on_every_run() -> None:
    assert post().content == post().content
    simulator = Simulator()
    assert reply(simulator)["id"] != reply(simulator)["id"]


def test_max_tokens_and_stop_sequences() -> None:
    simulator = Simulator(Scenario.of(Rule(reply="one two three STOP four")))
    cut = reply(simulator, max_tokens=2)
    assert (text_of(cut), cut["stop_reason"]) == ("one two", "max_tokens")
    stopped = reply(simulator, stop_sequences=["four", "STOP"])
    assert text_of(stopped) == "one two three "
    assert (stopped["stop_reason"], stopped["stop_sequence"]) == ("stop_sequence", "STOP")
    both = reply(simulator, max_tokens=2, stop_sequences=["STOP"])
    assert (both["stop_reason"], both["stop_sequence"]) == ("max_tokens", None)
    whole = reply(simulator)
    assert (whole["stop_reason"], whole["stop_sequence"]) == ("end_turn", None)


def test_an_exact_fit_is_no_truncation() -> None:
    simulator = Simulator(Scenario.of(Rule(reply="one two")))
    assert reply(simulator, max_tokens=2)["stop_reason"] == "end_turn"


def test_max_tokens_zero_only_warms_the_cache() -> None:
    message = reply(max_tokens=0)
    assert (message["content"], message["stop_reason"]) == ([], "max_tokens")
    assert message["usage"]["output_tokens"] == 0


def test_blank_stop_sequences() -> None:
    text = "stop_sequences: each stop sequence must contain non-whitespace"
    assert refused(stop_sequences=["ok", " "]) == text


def test_the_context_window() -> None:
    long = [user("word " * 210_000)]
    assert refused(messages=long).startswith("prompt is too long: ")
    assert refused(messages=long).endswith(" tokens > 200000 maximum")
    nearly = [user("word " * 199_980)]
    message = reply(messages=nearly)
    assert message["stop_reason"] == "model_context_window_exceeded"
    total = message["usage"]["input_tokens"] + message["usage"]["output_tokens"]
    assert total == 200_000


def test_count_tokens_agrees_with_usage() -> None:
    body: dict[str, Any] = {
        "system": "Be brief.",
        "messages": [user("Hello"), assistant("Hi"), user("Again")],
    }
    call = Call("POST", "/v1/messages/count_tokens", HEADERS, json.dumps({"model": OLD, **body}))
    counted = json.loads(Simulator().handle(call).content)
    assert counted == {"input_tokens": reply(**body)["usage"]["input_tokens"]}


def test_count_tokens_knows_fewer_fields() -> None:
    answer = post(path="/v1/messages/count_tokens")
    assert error(answer)[2] == "max_tokens: Extra inputs are not permitted"


# --- sampling, thinking, effort, by model and version


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
def test_the_new_version_has_no_sampling(name: str) -> None:
    text = f"{name}: Extra inputs are not permitted"
    assert refused(version="2026-10-21", **{name: 1}) == text


def test_sampling_by_model() -> None:
    assert reply(temperature=0.5)
    assert refused(model=NEW, temperature=0.5) == "`temperature` is deprecated for this model."
    assert reply(model=NEW, temperature=1)
    text = "`temperature` and `top_p` cannot both be specified for this model."
    assert refused(temperature=0.5, top_p=0.5) == text


ENABLED = {"type": "enabled", "budget_tokens": 1024}


@pytest.mark.parametrize(
    ("model", "thinking", "text"),
    [
        (OLD, {"type": "adaptive"}, "adaptive thinking is not supported on this model"),
        (
            OLD,
            {"type": "between_tools"},
            '"thinking.type.between_tools" is not supported for this model.',
        ),
        (
            NEW,
            ENABLED,
            (
                '"thinking.type.enabled" is not supported for this model. Use '
                '"thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
            ),
        ),
        (
            NEW,
            {"type": "disabled"},
            (
                '"thinking.type.disabled" is not supported for this model. Use '
                '"thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
            ),
        ),
    ],
)
def test_thinking_by_model(model: str, thinking: dict[str, Any], text: str) -> None:
    assert refused(model=model, max_tokens=2000, thinking=thinking) == text


def test_thinking_budgets_and_sampling() -> None:
    text = "`max_tokens` must be greater than `thinking.budget_tokens`"
    assert refused(max_tokens=1024, thinking=ENABLED) == text
    more = {"max_tokens": 2000, "thinking": ENABLED}
    assert refused(temperature=0.5, **more).startswith("`temperature` may only be set to 1 when")
    assert refused(top_k=5, **more).startswith("top_k must be unset when thinking is enabled")


def test_thinking_comes_before_the_text_and_is_counted() -> None:
    message = reply(max_tokens=2000, thinking=ENABLED)
    assert [block["type"] for block in message["content"]] == ["thinking", "text"]
    assert message["content"][0]["signature"]
    assert message["usage"]["output_tokens_details"]["thinking_tokens"] > 5


def test_thinking_is_omitted_by_default_on_new_models() -> None:
    block = reply(model=NEW, thinking={"type": "adaptive"})["content"][0]
    assert block["thinking"] == ""
    assert block["signature"]
    shown = {"type": "adaptive", "display": "summarized"}
    assert reply(model=NEW, thinking=shown)["content"][0]["thinking"]


def test_signatures_are_verified() -> None:
    body: dict[str, Any] = {"max_tokens": 2000, "thinking": ENABLED}
    content = reply(**body)["content"]
    spoken = [{k: v for k, v in block.items() if k != "citations"} for block in content]
    assert reply(**body, messages=[*HELLO, assistant(spoken), user("Go on")])
    changed = [{**spoken[0], "thinking": "other"}, *spoken[1:]]
    assert "in the latest assistant message cannot be modified" in refused(
        **body, messages=[*HELLO, assistant(changed), user("Go on")]
    )
    forged = [{**spoken[0], "signature": "abcd"}, *spoken[1:]]
    assert refused(**body, messages=[*HELLO, assistant(forged), user("Go on")]) == (
        "messages.1.content.0: Invalid `signature` in `thinking` block"
    )


def test_blocks_of_another_model_are_dropped_and_reported() -> None:
    content = reply(max_tokens=2000, thinking=ENABLED)["content"][:1]
    message = reply(
        model=NEW,
        messages=[*HELLO, assistant([*content, {"type": "text", "text": "x"}]), user("y")],
    )
    assert message["input_transformations"] == [
        {
            "type": "thinking_dropped",
            "path": "messages.1.content.0",
            "reason": "model_binding_mismatch",
        }
    ]


def test_bound_blocks_stay_in_their_conversation() -> None:
    thinking = {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "error"}}
    beta = "thinking-binding-controls-2026-08-01"
    first = json.loads(post(model=NEW, thinking={"type": "adaptive"}).content)
    content = [{k: v for k, v in block.items() if k != "citations"} for block in first["content"]]
    same = [*HELLO, assistant(content), user("Go on")]
    edited = [user("Goodbye"), *same[1:]]
    assert post(model=NEW, thinking=thinking, beta=beta, messages=same).status == 200
    text = refused(model=NEW, thinking=thinking, beta=beta, messages=edited)
    assert "thinking.block_binding.prefix_mismatch_behavior" in text
    drop = {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}}
    dropped = json.loads(post(model=NEW, thinking=drop, beta=beta, messages=edited).content)
    assert dropped["input_transformations"][0]["reason"] == "prefix_binding_mismatch"
    assert "Extra inputs" in refused(model=NEW, thinking=thinking, messages=same)


def test_a_prefill_with_thinking_must_begin_with_thinking() -> None:
    text = refused(max_tokens=2000, thinking=ENABLED, messages=[*HELLO, assistant("x")])
    assert text.startswith(
        "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `text`."
    )


def test_effort_by_model() -> None:
    assert reply(model=NEW, output_config={"effort": "xhigh"})
    assert "xhigh" in refused(model="claude-opus-4-6", output_config={"effort": "xhigh"})
    assert "low" in refused(output_config={"effort": "low"})
    quiet = {"type": "disabled"}
    assert reply(model="claude-opus-5", thinking=quiet, output_config={"effort": "high"})
    assert "high" in refused(model="claude-opus-5", thinking=quiet, output_config={"effort": "max"})


def test_documents_and_citations_by_version() -> None:
    document = {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "Ants."},
    }
    turns = [user("x"), assistant([document]), user("y")]
    assert reply(messages=turns)
    assert post(messages=turns, version="2026-10-21").status == 400
    cited = {
        "type": "char_location",
        "cited_text": "A",
        "document_index": 0,
        "document_title": None,
        "start_char_index": 0,
        "end_char_index": 1,
    }
    quoting = [user([{"type": "text", "text": "x", "citations": [cited]}])]
    assert reply(messages=quoting)
    assert post(messages=quoting, version="2026-10-21").status == 400


def test_citations_quote_what_they_point_at() -> None:
    document = {
        "type": "document",
        "title": "Ants",
        "citations": {"enabled": True},
        "source": {"type": "text", "media_type": "text/plain", "data": "Ants have six legs."},
    }
    message = reply(messages=[user([document, {"type": "text", "text": "How many?"}])])
    citation = message["content"][-1]["citations"][0]
    data = document["source"]["data"]  # type: ignore[index]
    quoted = data[citation["start_char_index"] : citation["end_char_index"]]
    assert citation["cited_text"] == quoted
    plain = {key: value for key, value in document.items() if key != "citations"}
    assert "all documents or on none" in refused(messages=[user([document, plain])])


# --- prompt cache


def marked(text: str, ttl: str | None = None) -> dict[str, Any]:
    marker = {"type": "ephemeral"} | ({"ttl": ttl} if ttl else {})
    return {"type": "text", "text": text, "cache_control": marker}


def test_the_prompt_cache_shows_in_usage() -> None:
    now = [1000.0]
    simulator = Simulator(clock=lambda: now[0])
    body = {"system": [marked("word " * 5000)]}
    first, second = reply(simulator, **body)["usage"], reply(simulator, **body)["usage"]
    written = first["cache_creation_input_tokens"]
    assert written > 4096
    assert first["cache_creation"]["ephemeral_5m_input_tokens"] == written
    assert second["cache_read_input_tokens"] == written
    assert second["cache_creation_input_tokens"] == 0
    assert second["input_tokens"] == first["input_tokens"]
    now[0] += 301
    assert reply(simulator, **body)["usage"]["cache_read_input_tokens"] == 0


def test_a_growing_conversation_reads_its_own_past() -> None:
    simulator = Simulator()
    system_prompt = "word " * 5000
    cache = {"cache_control": {"type": "ephemeral"}, "system": system_prompt}
    first = reply(simulator, **cache)["usage"]
    turns = [*HELLO, assistant("Hi"), user("And now?")]
    second = reply(simulator, **cache, messages=turns)["usage"]
    assert second["cache_read_input_tokens"] == first["cache_creation_input_tokens"]
    assert second["cache_creation_input_tokens"] > 0


def test_short_prompts_are_not_cached() -> None:
    usage = reply(system=[marked("short")])["usage"]
    assert usage["cache_creation_input_tokens"] == usage["cache_read_input_tokens"] == 0


def test_cache_rules() -> None:
    blocks = [marked(str(number)) for number in range(5)]
    text = "A maximum of 4 blocks with cache_control may be provided. Found 5."
    assert refused(messages=[user(blocks)]) == text
    assert refused(messages=[user(blocks[:4])], cache_control={"type": "ephemeral"}) == text
    assert "must not come after" in refused(messages=[user([marked("a"), marked("b", "1h")])])
    assert reply(messages=[user([marked("a", "1h"), marked("b")])])
