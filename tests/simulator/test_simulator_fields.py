"""The tables of known fields against the request types of the official SDK."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

import pytest
import typing_extensions as te
from anthropic.types import message_count_tokens_params, message_create_params
from anthropic.types.beta import message_create_params as beta_create_params

from hookline.simulator.errors import ApiError
from hookline.simulator.rules.fields import COUNT_TOKENS, CREATE
from hookline.simulator.rules.shape import Beta, Either, Items, Record, Shape, Tagged
from hookline.simulator.rules.tool_fields import TOOL

# Sent as headers, although the SDK takes them as parameters.
HEADER_FIELDS = {"user_profile_id", "workspace_id", "betas"}


def unwrapped(annotation: Any) -> list[Any]:
    """The alternatives behind Optional, Union, Required, Iterable and Annotated."""
    if te.is_typeddict(annotation) or get_origin(annotation) is Literal:
        return [annotation]
    arguments = [item for item in get_args(annotation) if not isinstance(item, str)]
    return [leaf for item in arguments for leaf in unwrapped(item)] or [annotation]


def records_of(shape: Shape, kind: str | None) -> list[Record]:
    match shape:
        case Record():
            return [shape]
        case Beta():
            return records_of(shape.shape, kind)
        case Either():
            return records_of(shape.other, kind)
        case Items():
            return records_of(shape.of, kind)
        case Tagged():
            chosen = shape.kinds.get(kind or "", shape.kinds.get(shape.default or ""))
            return [] if chosen is None else records_of(chosen, kind)
        case _:
            return []


def tag_of(typed: Any, tag: str) -> str | None:
    hint = te.get_type_hints(typed).get(tag)
    literals = [leaf for leaf in unwrapped(hint) if get_origin(leaf) is Literal]
    return get_args(literals[0])[0] if literals else None


def missing(typed: Any, record: Record, path: str, seen: set[str]) -> Iterator[str]:
    if typed.__name__ in seen:
        return
    seen.add(typed.__name__)
    hints = te.get_type_hints(typed)
    for name, hint in hints.items():
        if name in HEADER_FIELDS:
            continue
        known = record.fields.get(name)
        if known is None:
            yield f"{path}.{name}"
            continue
        for leaf in unwrapped(hint):
            if te.is_typeddict(leaf):
                kind = tag_of(leaf, "role") or tag_of(leaf, "type")
                for inner in records_of(known.shape, kind):
                    yield from missing(leaf, inner, f"{path}.{name}[{kind}]", seen)


@pytest.mark.parametrize(
    ("typed", "record"),
    [
        (message_create_params.MessageCreateParamsNonStreaming, CREATE),
        (beta_create_params.MessageCreateParamsNonStreaming, CREATE),
        (message_count_tokens_params.MessageCountTokensParams, COUNT_TOKENS),
    ],
)
def test_every_field_of_the_sdk_is_known(typed: Any, record: Record) -> None:
    assert list(missing(typed, record, "", set())) == []


def test_every_required_field_of_the_sdk_is_required() -> None:
    def required(typed: Any) -> set[str]:
        hints = te.get_type_hints(typed, include_extras=True)
        origins: dict[str, Any] = {name: te.get_origin(hint) for name, hint in hints.items()}
        return {name for name, origin in origins.items() if origin is te.Required}

    typed = message_create_params.MessageCreateParamsNonStreaming
    ours = {name for name, known in CREATE.fields.items() if known.required}
    assert ours == required(typed)


OPEN_TOOLS = sorted(name for name, shape in TOOL.kinds.items() if not isinstance(shape, Beta))

VALID: Mapping[str, Any] = {
    "model": "claude-haiku-4-5",
    "max_tokens": 10,
    "messages": [{"role": "user", "content": "Hi"}],
}


def refusal(**changes: Any) -> str:
    with pytest.raises(ApiError) as caught:
        CREATE.check({**VALID, **changes}, "", frozenset())
    assert caught.value.status == 400
    assert caught.value.type == "invalid_request_error"
    return caught.value.message


def block(**fields: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [fields]}]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"foo": 1}, "foo: Extra inputs are not permitted"),
        ({"max_tokens": "10"}, "max_tokens: Input should be a valid integer"),
        ({"max_tokens": True}, "max_tokens: Input should be a valid integer"),
        ({"max_tokens": -1}, "max_tokens: Input should be greater than or equal to 0"),
        ({"messages": {}}, "messages: Input should be a valid array"),
        ({"messages": ["x"]}, "messages.0: Input should be an object"),
        ({"messages": [{"content": "x"}]}, "messages.0.role: Field required"),
        (
            {"messages": [{"role": "tool", "content": "x"}]},
            "messages.0.role: Input should be 'user', 'assistant' or 'system'",
        ),
        ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
        (
            {"messages": [{"role": "user", "content": 1}]},
            "messages.0.content: Input should be a valid array",
        ),
        (
            {"messages": [{"role": "user", "content": "x", "name": "a"}]},
            "messages.0.name: Extra inputs are not permitted",
        ),
        ({"messages": block(text="x")}, "messages.0.content.0.type: Field required"),
        (
            {"messages": block(type="text", text="x", foo=1)},
            "messages.0.content.0.text.foo: Extra inputs are not permitted",
        ),
        (
            {"messages": block(type="image", source={"type": "base64", "data": "x"})},
            "messages.0.content.0.image.source.base64.media_type: Field required",
        ),
        (
            {
                "messages": block(
                    type="text", text="x", cache_control={"type": "ephemeral", "scope": "global"}
                )
            },
            "messages.0.content.0.text.cache_control.ephemeral.scope: Extra inputs are not permitted",
        ),
        ({"system": 5}, "system: Input should be a valid array"),
        ({"system": [{"type": "image"}]}, "system.0.type: Input should be 'text'"),
        ({"stream": "yes"}, "stream: Input should be a valid boolean"),
        ({"temperature": 2}, "temperature: Input should be less than or equal to 1"),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 1023}},
            "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
        ),
        (
            {"tools": [{"name": "a b", "input_schema": {"type": "object"}}]},
            "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
        ),
        (
            {"tools": [{"name": "a" * 129, "input_schema": {"type": "object"}}]},
            "tools.0.custom.name: String should have at most 128 characters",
        ),
        (
            {"metadata": {"user_id": "u" * 513}},
            "metadata.user_id: String should have at most 512 characters",
        ),
        (
            {"tools": [{"type": "bash_20241022", "name": "bash"}]},
            (
                "tools.0: Input tag 'bash_20241022' found using 'type' does not match any of the "
                f"expected tags: {', '.join(map(repr, OPEN_TOOLS))}"
            ),
        ),
        ({"tools": [{"name": "a"}]}, "tools.0.custom.input_schema: Field required"),
        (
            {"tools": [{"name": "a", "input_schema": {}}]},
            "tools.0.custom.input_schema.type: Field required",
        ),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.tool.name: Field required"),
        ({"metadata": {"user": "x"}}, "metadata.user: Extra inputs are not permitted"),
        ({"mcp_servers": []}, "mcp_servers: Extra inputs are not permitted"),
        ({"fallbacks": "default"}, "fallbacks: Extra inputs are not permitted"),
    ],
)
def test_wrong_shapes_name_position_and_reason(changes: dict[str, Any], text: str) -> None:
    assert refusal(**changes) == text


@pytest.mark.parametrize("name", ["model", "max_tokens", "messages"])
def test_missing_fields(name: str) -> None:
    body = {key: value for key, value in VALID.items() if key != name}
    with pytest.raises(ApiError, match=f"{name}: Field required"):
        CREATE.check(body, "", frozenset())


def test_unknown_block_types_name_the_known_ones() -> None:
    text = refusal(messages=block(type="imgae"))
    assert text.startswith("messages.0.content.0: Input tag 'imgae' found using 'type' does not")
    assert "'image'" in text
    assert "'mcp_tool_use'" not in text  # it needs a beta header


MARKED = [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "scope": "global"}}]
SPOKEN = {"role": "user", "content": "x"}
DIRECTED = {"role": "system", "content": "Be brief.", "output_config": {"effort": "low"}}


@pytest.mark.parametrize(
    ("beta", "changes"),
    [
        ("mcp-client-2025-11-20", {"mcp_servers": []}),
        ("mcp-client-2025-04-04", {"mcp_servers": []}),
        ("per-turn-control-2026-07-01", {"messages": [SPOKEN, DIRECTED]}),
        ("mid-conversation-output-config-2026-07-01", {"messages": [SPOKEN, DIRECTED]}),
        ("server-side-fallback-2026-06-01", {"fallbacks": "default"}),
        ("compact-2026-09-04", {"compaction": {"type": "summarize", "instructions": "x"}}),
        ("computer-use-2024-10-22", {"tools": [{"type": "bash_20241022", "name": "bash"}]}),
        (
            "computer-use-2024-10-22",
            {"tools": [{"type": "text_editor_20241022", "name": "str_replace_editor"}]},
        ),
        ("prompt-caching-scope-2026-01-05", {"system": MARKED}),
        ("structured-outputs-2025-12-15", {"output_format": {"type": "json_schema"}}),
    ],
)
def test_a_beta_header_opens_its_fields(beta: str, changes: dict[str, Any]) -> None:
    CREATE.check({**VALID, **changes}, "", frozenset({beta}))
    with pytest.raises(ApiError):
        CREATE.check({**VALID, **changes}, "", frozenset({"claude-code-20250219"}))


def test_what_is_unconfirmed_is_not_refused() -> None:
    policy = {"type": "billing_policy", "bill_to": "user_profile"}
    CREATE.check({**VALID, "billing_policy": policy}, "", frozenset())
    CREATE.check({**VALID, "metadata": {"user_id": "u" * 512}}, "", frozenset())
    assert refusal(billing_policy={**policy, "bill_to": "them"}) == (
        "billing_policy.bill_to: Input should be 'self' or 'user_profile'"
    )


@pytest.mark.parametrize("value", [[], 1, "x", None, True])
def test_a_body_that_is_no_object(value: Any) -> None:
    with pytest.raises(ApiError, match="Input should be an object"):
        CREATE.check(value, "", frozenset())
