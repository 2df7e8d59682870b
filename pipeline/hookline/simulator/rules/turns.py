"""The rules about turns: who speaks first, what may be empty, what may stand where."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from hookline.models import ModelFacts
from hookline.simulator.errors import invalid
from hookline.simulator.measures.tokens import blocks_of

NO_PREFILL: Final = (
    "This model does not support assistant message prefill. "
    "The conversation must end with a user message."
)
_DIRECTIVE: Final = (
    "the directive-only form (content: [] with output_config) is accepted at any position"
)
_THINKING: Final = frozenset({"thinking", "redacted_thinking"})

# Who may hold which block. What is not listed may stand anywhere; the text is approximate.
_HOLDER: Final[Mapping[str, str]] = {
    "image": "user",
    "search_result": "user",
    "tool_result": "user",
    "container_upload": "user",
    "thinking": "assistant",
    "redacted_thinking": "assistant",
    "tool_use": "assistant",
    "server_tool_use": "assistant",
    "web_search_tool_result": "assistant",
    "web_fetch_tool_result": "assistant",
    "code_execution_tool_result": "assistant",
    "bash_code_execution_tool_result": "assistant",
    "text_editor_code_execution_tool_result": "assistant",
    "tool_search_tool_result": "assistant",
    "mcp_tool_use": "assistant",
    "mcp_tool_result": "assistant",
    "mcp_tool_listing": "assistant",
    "advisor_tool_result": "assistant",
    "compaction": "assistant",
    "fallback": "assistant",
}
# What a turn that may go on ends in, besides results of server tools (facts 4.2, 7.2).
_PAUSES: Final = frozenset({"server_tool_use", "mcp_tool_use", "compaction"})
_SYSTEM_BLOCKS: Final = frozenset({"text", "tool_addition", "tool_removal"})
NEW_VERSION: Final = "2026-10-21"


def check_turns(
    body: Mapping[str, Any], facts: ModelFacts, version: str, *, credit_retry: bool = False
) -> None:
    """Check order, roles, emptiness, white space and prefill.

    Args:
        body: A request of the right shape.
        facts: The model.
        version: The ``anthropic-version`` header.
        credit_retry: Whether a fallback credit allows a final assistant turn.

    Raises:
        ApiError: 400 with the API's text.

    """
    messages: Sequence[Mapping[str, Any]] = body["messages"]
    if not messages:
        raise invalid("messages: at least one message is required")
    _check_system_prompt(body.get("system"))
    spoken = [m for m in messages if not is_directive(m)]
    if not spoken or (spoken[0]["role"] == "assistant" and not _begins_with_summary(spoken[0])):
        raise invalid('messages: first message must use the "user" role')
    _check_system_turns(messages, facts)
    for position, message in enumerate(messages):
        last = position == len(messages) - 1
        if message["role"] != "system":
            _check_content(position, message, version, last=last)
    if spoken[-1]["role"] == "assistant":
        if not (credit_retry or _is_paused(spoken[-1])):
            _check_prefill(len(messages) - 1, spoken[-1], body, facts)
    elif (body.get("thinking") or {}).get("type") == "enabled":
        _check_tool_loop(messages, body)


def _begins_with_summary(message: Mapping[str, Any]) -> bool:
    """Tell whether a compaction stands in place of all that was said before (facts 12.3)."""
    return [block["type"] for block in blocks_of(message["content"])[:1]] == ["compaction"]


def is_directive(message: Mapping[str, Any]) -> bool:
    """Tell whether a message is a system message that only sets ``output_config``."""
    return message["role"] == "system" and message["content"] == [] and "output_config" in message


def check_text(text: str, where: str) -> None:
    """Check that a text block says something; ``where`` is ``messages`` or ``system``."""
    if not text:
        raise invalid(f"{where}: text content blocks must be non-empty")
    if not text.strip():
        raise invalid(f"{where}: text content blocks must contain non-whitespace text")


def _check_system_prompt(system: Any) -> None:
    if isinstance(system, str):  # an empty string is the same as no system prompt
        if system:
            check_text(system, "system")
        return
    for position, block in enumerate(system or ()):
        _check_marker(block, f"system.{position}")
        check_text(block["text"], "system")


def _check_marker(block: Mapping[str, Any], where: str) -> None:
    if not block["text"] and block.get("cache_control"):
        raise invalid(f"{where}: cache_control cannot be set for empty text blocks")


def _check_content(position: int, message: Mapping[str, Any], version: str, *, last: bool) -> None:
    role, content = message["role"], message["content"]
    if not content:
        if last and role == "assistant":
            return
        raise invalid(
            f"messages.{position}: all messages must have non-empty content except for the "
            "optional final assistant message"
        )
    for place, block in enumerate(blocks_of(content)):
        where = f"messages.{position}.content.{place}"
        kind = block["type"]
        holder = _HOLDER.get(kind)
        if holder is not None and holder != role:
            raise invalid(f"{where}: `{kind}` blocks can only be in `{holder}` messages")
        if kind in ("tool_addition", "tool_removal"):
            raise invalid(f"{where}: `{kind}` blocks can only be in `system` messages")
        if kind == "document" and role == "assistant" and version == NEW_VERSION:
            raise invalid(f"{where}: `document` blocks can only be in `user` messages")
        for text, text_where in _texts(block, where):
            _check_marker(text, text_where)
            if role == "user" and text.get("citations") and version == NEW_VERSION:
                raise invalid(f"{text_where}.citations: Extra inputs are not permitted")
            if not (last and role == "assistant"):
                check_text(text["text"], "messages")


def _texts(block: Mapping[str, Any], where: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield the text blocks in a block, itself included, with their positions."""
    if block["type"] == "text":
        yield block, f"{where}.text"
    if block["type"] in ("tool_result", "search_result"):
        inner = block.get("content")
        for place, item in enumerate(inner if isinstance(inner, list) else ()):
            yield from _texts(item, f"{where}.{block['type']}.content.{place}")


def _check_system_turns(messages: Sequence[Mapping[str, Any]], facts: ModelFacts) -> None:
    for position, message in enumerate(messages):
        if message["role"] != "system":
            continue
        if not facts.system_role and facts.confirmed("system_role"):
            raise invalid("role 'system' is not supported on this model")
        where = f"messages.{position}"
        if "output_config" in message and message["content"] == []:
            if not facts.system_directive and facts.confirmed("system_directive"):
                raise invalid(f"{where}: system content must contain at least one block")
            continue
        if not message["content"]:
            raise invalid(f"{where}: system content must contain at least one block")
        for block in blocks_of(message["content"]):
            if block["type"] not in _SYSTEM_BLOCKS:
                raise invalid(
                    f"{where}: role 'system' supports text, tool_addition, and tool_removal "
                    "blocks only"
                )
            if block["type"] == "text":
                check_text(block["text"], "messages")
        _check_system_place(
            where, _neighbour(messages, position, -1), _neighbour(messages, position, 1)
        )


def _neighbour(
    messages: Sequence[Mapping[str, Any]], position: int, step: int
) -> Mapping[str, Any] | None:
    """Return the nearest message that is not a system message: several in a row are one section."""
    position += step
    while 0 <= position < len(messages):
        if messages[position]["role"] != "system":
            return messages[position]
        position += step
    return None


def _check_system_place(
    where: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> None:
    if before is None:
        raise invalid(
            f"{where}: use the top-level 'system' parameter for the initial system prompt; "
            f"{_DIRECTIVE}"
        )
    if before["role"] == "assistant" and not ends_in_server_result(before):
        raise invalid(
            f"{where}: role 'system' must follow a 'user' message or an 'assistant' message "
            f"ending in a server tool result; {_DIRECTIVE}"
        )
    if after is not None and after["role"] != "assistant":
        raise invalid(
            f"{where}: role 'system' must precede an 'assistant' message or end the array; "
            f"{_DIRECTIVE}"
        )


def ends_in_server_result(message: Mapping[str, Any]) -> bool:
    """Tell whether a message ends in the result of a server tool."""
    blocks = blocks_of(message["content"])
    return bool(blocks) and (
        blocks[-1]["type"].endswith("_tool_result") and blocks[-1]["type"] != "tool_result"
    )


def _is_paused(message: Mapping[str, Any]) -> bool:
    """Tell whether a final assistant turn is one that ``pause_turn`` left open."""
    blocks = blocks_of(message["content"])
    return bool(blocks) and (blocks[-1]["type"] in _PAUSES or ends_in_server_result(message))


def _check_tool_loop(messages: Sequence[Mapping[str, Any]], body: Mapping[str, Any]) -> None:
    """In manual mode the assistant turn that called the tools must begin with its thinking."""
    answers = any(block["type"] == "tool_result" for block in blocks_of(messages[-1]["content"]))
    for position in range(len(messages) - 1, -1, -1) if answers else ():
        if messages[position]["role"] == "assistant":
            if position and messages[position - 1]["role"] == "assistant":
                return  # the turn is spread over messages; it begins in an earlier one
            _check_thinking_first(position, blocks_of(messages[position]["content"]), body)
            return


def _check_prefill(
    position: int, message: Mapping[str, Any], body: Mapping[str, Any], facts: ModelFacts
) -> None:
    blocks = blocks_of(message["content"])
    if not facts.prefill and facts.confirmed("prefill"):
        raise invalid(NO_PREFILL)
    _check_thinking_first(position, blocks, body)
    if (body.get("output_config") or {}).get("format"):
        raise invalid(f"{NO_PREFILL} `output_config.format` is incompatible with prefill.")
    if (
        blocks
        and blocks[-1]["type"] == "text"
        and blocks[-1]["text"] != blocks[-1]["text"].rstrip()
    ):
        raise invalid("messages: final assistant content cannot end with trailing whitespace")
    for block in blocks:
        if block["type"] == "text":
            check_text(block["text"], "messages")


def _check_thinking_first(
    position: int, blocks: Sequence[Mapping[str, Any]], body: Mapping[str, Any]
) -> None:
    if (body.get("thinking") or {}).get("type") not in ("enabled", "adaptive") or not blocks:
        return
    first = blocks[0]["type"]
    if first not in _THINKING:
        raise invalid(
            f"messages.{position}.content.0.type: Expected `thinking` or `redacted_thinking`, but "
            f"found `{first}`. When `thinking` is enabled, a final `assistant` message must start "
            "with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` "
            "blocks)."
        )
