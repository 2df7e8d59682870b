"""Who speaks when, and what a message may hold (facts 2.3, 2.4, 3.1, 4)."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from hookline import Block, Message, TextBlock
from hookline_plugins.preflight.rules import Problem, Rule

if TYPE_CHECKING:
    from hookline_plugins.preflight.digest import Digest
    from hookline_plugins.preflight.given import Given

__all__ = ["HOLDER", "RULES", "check", "look", "look_at_message"]

NEW_VERSION: Final = "2026-10-21"

# facts 2.1, 2.3
NO_MESSAGES: Final = Rule("no-messages", "2.3", "Send at least one user message", shared=True)
FIRST: Final = Rule("first-message", "2.3", "Begin `messages` with a user message")
EMPTY: Final = Rule("empty-message", "2.3", "Leave the message out, or give it content")
BLANK: Final = Rule("blank-text", "2.3", "Leave the text block out, or write something in it")
END: Final = Rule("trailing-whitespace", "2.3", "Strip the end of the prefill")
# facts 2.4
SYSTEM_ROLE: Final = Rule(
    "system-role",
    "2.4",
    "Use the top-level `system`, or a model that takes it in `messages`",
    goes_by="system_role",
)
SYSTEM_PLACE: Final = Rule(
    "system-place",
    "2.4",
    "Put it after a user message, and at the end or before an assistant message",
)
SYSTEM_CONTENT: Final = Rule("system-content", "2.4", "Give it text and nothing else")
DIRECTIVE: Final = Rule(
    "system-directive", "2.4", "Give it text, or leave it out", goes_by="system_directive"
)
# facts 3.1
PLACE: Final = Rule("block-place", "3.1", "Move the block to a message of the other role")
# facts 1.5
VERSION: Final = Rule(
    "version-content", "1.5", "Leave it out, or use api_version 2023-06-01", shared=False
)
# facts 4.2, 4.3
PREFILL: Final = Rule(
    "prefill",
    "4.2",
    "End with a user message; `prefill=` of a call works on every model",
    goes_by="prefill",
)
PREFILL_FORMAT: Final = Rule(
    "prefill-format", "4.3", "Leave out either the prefill or `output_config.format`"
)
THINKING_FIRST: Final = Rule(
    "thinking-first",
    "4.3",
    "Pass the thinking block back as the first block of that turn, or turn thinking off",
)

RULES: Final = (
    NO_MESSAGES, FIRST, EMPTY, BLANK, END, SYSTEM_ROLE, SYSTEM_PLACE, SYSTEM_CONTENT,
    DIRECTIVE, PLACE, VERSION, PREFILL, PREFILL_FORMAT, THINKING_FIRST,
)  # fmt: skip

# facts 3.1: who may hold which block. What is not listed may stand anywhere.
HOLDER: Final[Mapping[str, str]] = {
    **dict.fromkeys(("image", "search_result", "tool_result", "container_upload"), "user"),
    **dict.fromkeys(
        (
            "thinking",
            "redacted_thinking",
            "tool_use",
            "server_tool_use",
            "web_search_tool_result",
            "web_fetch_tool_result",
            "code_execution_tool_result",
            "bash_code_execution_tool_result",
            "text_editor_code_execution_tool_result",
            "tool_search_tool_result",
            "mcp_tool_use",
            "mcp_tool_result",
            "mcp_tool_listing",
            "advisor_tool_result",
            "compaction",
            "fallback",
        ),
        "assistant",
    ),
    "tool_addition": "system",
    "tool_removal": "system",
}
# Known blocks that a system message cannot hold; of unknown ones only the API can tell.
_NOT_FOR_SYSTEM: Final = frozenset({*HOLDER, "document"}) - {"tool_addition", "tool_removal"}
_THINKING: Final = frozenset({"thinking", "redacted_thinking"})


def look_at_message(message: Message, digest: "Digest") -> None:
    """Note what is wrong with a message as a whole."""
    if digest.empty and not digest.directive:
        problem = (
            SYSTEM_CONTENT.broken("", "a system message must have content")
            if message.role == "system"
            else EMPTY.broken("", "only a final assistant message may be empty")
        )
        if message.role == "assistant":
            digest.unless_last += (problem,)
        else:
            digest.problems += (problem,)
    if message.role == "assistant" and digest.kinds and digest.kinds[-1] == "text":
        last = message.blocks[-1]
        text = last.text if isinstance(last, TextBlock) else ""
        if text != text.rstrip():
            digest.if_last += (
                END.broken(
                    f"content.{len(digest.kinds) - 1}",
                    "the final assistant text ends with white space",
                ),
            )


def look(block: Block, place: str, role: str, digest: "Digest", *, inner: bool = False) -> None:
    """Note what is wrong with a block where it stands."""
    kind = block.type
    if not inner:
        holder = HOLDER.get(kind, role)
        if role == "system" and kind in _NOT_FOR_SYSTEM:
            text = f"a system message cannot hold a {kind} block"
            digest.problems += (SYSTEM_CONTENT.broken(place, text),)
        elif holder != role and role in ("user", "assistant"):
            text = f"a {kind} block can only stand in {holder} messages"
            digest.problems += (PLACE.broken(place, text),)
        if kind == "document" and role == "assistant":
            text = f"version {NEW_VERSION} takes documents in user messages only"
            digest.if_new += (VERSION.broken(place, text),)
    if isinstance(block, TextBlock):
        _look_at_text(block, place, role, digest)


def _look_at_text(block: TextBlock, place: str, role: str, digest: "Digest") -> None:
    if not block.text.strip():
        problem = BLANK.broken(place, "text must be more than white space")
        if role == "assistant":
            digest.unless_last += (problem,)
        else:
            digest.problems += (problem,)
    if block.citations and role == "user":
        text = f"version {NEW_VERSION} takes no citations in user messages"
        digest.if_new += (VERSION.broken(f"{place}.citations", text),)


def check(given: "Given") -> Iterator[Problem]:
    """Check the order of the messages and the system prompt."""
    history = given.history
    if not given.request.messages:
        yield NO_MESSAGES.broken("messages", "there is no message")
        return
    yield from _system_prompt(given)
    if history.first_speaker in ("", "assistant") and not _goes_on(given):
        yield FIRST.broken("messages", "the first message must be the user's")
    if given.version == NEW_VERSION:
        yield from history.if_new
    yield from _system_turns(given)
    yield from _ending(given)


def _goes_on(given: "Given") -> bool:
    """Tell whether the conversation began elsewhere: in a thread, or before a compaction."""
    first = given.request.messages[0]
    return given.request.thread is not None or any(
        block.type == "compaction" for block in first.blocks
    )


def _system_prompt(given: "Given") -> Iterator[Problem]:
    system = given.request.system
    for index, block in enumerate(system if isinstance(system, tuple) else ()):
        if isinstance(block, TextBlock) and not block.text.strip():
            yield BLANK.broken(f"system.{index}", "text must be more than white space")
    if isinstance(system, str) and system and not system.strip():
        yield BLANK.broken("system", "the system prompt must be more than white space")


def _system_turns(given: "Given") -> Iterator[Problem]:
    history, facts = given.history, given.facts
    if not history.system_at:
        return
    if facts is not None and not facts.system_role:
        yield SYSTEM_ROLE.broken(
            f"messages.{history.system_at[0]}", f"{facts.id} takes no system messages"
        )
        if facts.confirmed("system_role"):
            return
    yield from history.misplaced
    if facts is not None and not facts.system_directive and history.directive_at is not None:
        yield DIRECTIVE.broken(
            f"messages.{history.directive_at}",
            f"{facts.id} does not take a system message without content",
        )


def _ending(given: "Given") -> Iterator[Problem]:
    """Judge the last message that somebody speaks."""
    history, request = given.history, given.request
    last, at = history.last_spoken, f"messages.{history.last_spoken_at}"
    if last is None:
        return
    if last.role != "assistant":
        if given.thinking == "enabled" and last.results:
            yield from _thinking_first(history.last_assistant, history.last_assistant_at)
        return
    if last.paused or request.fallback_credit_token is not None or last.uses:
        return  # facts 4.2: a turn to be continued; open tool calls are told elsewhere
    if given.facts is not None and not given.facts.prefill:
        yield PREFILL.broken(at, f"{given.facts.id} does not continue an assistant message")
        return
    if (request.output_config or {}).get("format"):
        yield PREFILL_FORMAT.broken(at, "a prefill and a structured output exclude each other")
    if given.thinking in ("enabled", "adaptive"):
        yield from _thinking_first(last, history.last_spoken_at)
    if given.facts is not None:
        for problem in last.if_last:
            yield problem.below(at)


def _thinking_first(digest: "Digest | None", position: int) -> Iterator[Problem]:
    if digest is None or not digest.kinds or digest.kinds[0] in _THINKING:
        return
    yield THINKING_FIRST.broken(
        f"messages.{position}.content.0",
        f"with thinking on this turn must begin with a thinking block, not {digest.kinds[0]}",
    )
