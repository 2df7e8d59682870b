"""A sound history fitted to the model and the server that get it: what others took and these refuse."""

from collections.abc import Collection, Mapping
from hashlib import blake2b
from typing import Final

from hookline import Block, Message, Request, ToolResultBlock, ToolUseBlock
from hookline.models import ModelFacts
from hookline.profiles import Profile
from hookline.values import (
    MCPToolUseBlock,
    RedactedThinkingBlock,
    ServerToolUseBlock,
    ThinkingBlock,
)
from hookline_plugins.heal.blocks import is_thought
from hookline_plugins.heal.healing import as_user, heal, is_server_result
from hookline_plugins.heal.repairs import Repair, Unhealable, told
from hookline_plugins.heal.sound import sound
from hookline_plugins.heal.together import breakpoints, citations, images, shorter_last

__all__ = ["fitted", "mark_of", "marks_in"]

_PER_TURN: Final = "per-turn-control-"
# facts 8.3: blocks of these are taken only with the tool that made them.
_MADE_BY: Final[Mapping[str, str]] = {
    "web_search_tool_result": "web_search",
    "web_fetch_tool_result": "web_fetch",
    "code_execution_tool_result": "code_execution",
    "bash_code_execution_tool_result": "code_execution",
    "text_editor_code_execution_tool_result": "code_execution",
}
_BRINGS_CODE_EXECUTION: Final = ("web_search_2026", "web_fetch_2026")


def mark_of(block: Block) -> bytes | None:
    """Return what a thought is known again by: a digest of its signature; None for other blocks."""
    if isinstance(block, ThinkingBlock):
        return blake2b(block.signature.encode("utf-8", "replace"), digest_size=16).digest()
    if isinstance(block, RedactedThinkingBlock):
        return blake2b(block.data.encode("utf-8", "replace"), digest_size=16).digest()
    return None


def fitted(
    request: Request,
    facts: ModelFacts | None,
    profile: Profile,
    *,
    refused: Collection[bytes] = (),
    unread: Collection[str] = (),
    betas: Collection[str] = (),
    prefill: str | None = None,
    seen: bool = False,
) -> tuple[Request, tuple[Repair, ...]]:
    """Return a request whose history the model at hand takes, and what was changed.

    Args:
        request: its history is sound.
        facts: of the model; None where nothing is known of it.
        profile: of the server.
        refused: marks of thoughts that this server has refused.
        unread: types of blocks that it has refused.
        betas: names of beta headers that go out besides the request's own.
        prefill: the words, perhaps none, that the last assistant message may be; None where the messages
            are not sent but kept, and so may well end in a reply.
        seen: whether these messages have been found `sound` already.

    Raises:
        Unhealable: nothing is left of the messages.

    """
    repairs: list[Repair] = []
    request = _lifted(request, repairs)
    messages = list(request.messages)
    if repairs or unread or not (seen or sound(messages)):
        request, messages = _each(
            request, facts, profile, repairs, refused=refused, unread=unread, betas=betas
        )
    if repairs:  # what was left out may have left something else alone
        messages = _sound(messages, repairs)
    if facts is not None and prefill is not None and request.fallback_credit_token is None:
        ended = _ending(messages, request, facts, prefill, repairs)
        messages = ended if len(ended) == len(messages) else _sound(ended, repairs)
    if not repairs:
        return request, ()
    if not messages:
        raise Unhealable(
            f"nothing that can be sent is left of the messages: {told(tuple(repairs))}"
        )
    return request.evolve(messages=tuple(messages)), tuple(repairs)


def _each(
    request: Request,
    facts: ModelFacts | None,
    profile: Profile,
    repairs: list[Repair],
    *,
    refused: Collection[bytes],
    unread: Collection[str],
    betas: Collection[str],
) -> tuple[Request, list[Message]]:
    """Look at every block; return the request, and what is left of its messages."""
    messages = list(request.messages)
    if unread:
        messages = _read(messages, unread, repairs)
    if facts is not None:
        messages = _system(messages, facts, repairs)
        messages = images(messages, facts, repairs)
    if profile.signatures:
        with_them = len(repairs)
        messages = _thoughts(messages, refused, repairs)
        if len(repairs) > with_them:
            request = _unthinking(request, repairs)
    if profile.all_rules:
        messages = _directives(messages, (*request.betas, *betas), repairs)
        messages = citations(messages, repairs)
        messages = _server_tools(messages, request, repairs)
        messages = breakpoints(messages, request, repairs)
        messages = shorter_last(messages, request, repairs)
    return request, messages


def _sound(messages: list[Message], repairs: list[Repair]) -> list[Message]:
    healed = heal(messages)
    repairs += healed.repairs
    return list(healed.messages)


def _lifted(request: Request, repairs: list[Repair]) -> Request:
    """Move system messages before the first speaker into the system prompt."""
    if not request.messages or request.messages[0].role != "system":
        return request
    said: list[str] = []
    kept: list[Message] = []
    begun = False
    for index, message in enumerate(request.messages):
        begun = begun or message.role != "system"
        if begun or not message.content:
            kept.append(message)
        else:
            said.append(message.text)
            at = f"messages.{index}"
            repairs.append(Repair(at, "a leading system message moved into the system prompt"))
    if not said:
        return request
    return request.evolve(messages=tuple(kept)).with_system("\n\n".join(said))


def _read(messages: list[Message], unread: Collection[str], repairs: list[Repair]) -> list[Message]:
    """Leave out blocks of types that this server has refused."""
    kept: list[Message] = []
    for index, message in enumerate(messages):
        blocks = [block for block in message.blocks if block.type not in unread]
        for place, block in enumerate(message.blocks):
            if block.type in unread:
                at = f"messages.{index}.content.{place}"
                repairs.append(
                    Repair(at, f"{block.type} block left out, which this server refuses")
                )
        same = len(blocks) == len(message.blocks)
        kept.append(message if same else message.evolve(content=tuple(blocks)))
    return kept


def _directives(
    messages: list[Message], betas: Collection[str], repairs: list[Repair]
) -> list[Message]:
    """Leave out directives for one turn where the beta that reads them is not asked for (facts 16.1)."""
    if any(name.startswith(_PER_TURN) for name in betas):
        return messages
    kept: list[Message] = []
    for index, message in enumerate(messages):
        if message.role != "system" or message.output_config is None:
            kept.append(message)
            continue
        repairs.append(
            Repair(f"messages.{index}", "a directive left out, whose beta is not asked for")
        )
        if message.content:
            kept.append(message.evolve(output_config=None))
    return kept


def _ending(
    messages: list[Message],
    request: Request,
    facts: ModelFacts,
    prefill: str,
    repairs: list[Repair],
) -> list[Message]:
    """Leave out a last turn of the assistant's that is neither words, which are a prefill, nor paused."""
    kept = list(messages)
    thinks = facts.thinks((request.thinking or {}).get("type"))
    if facts.prefill and not thinks:
        return kept  # it is continued
    while kept and kept[-1].role == "assistant" and kept[-1].content:
        end = kept[-1].blocks[-1]
        open_call = isinstance(end, ServerToolUseBlock | MCPToolUseBlock | ToolUseBlock)
        words = bool(prefill) and kept[-1].content == prefill
        if words or open_call or is_server_result(end):
            break
        at = f"messages.{len(kept) - 1}"
        repairs.append(
            Repair(at, f"a last assistant message left out, which {facts.id} does not continue")
        )
        kept.pop()
    return kept


def marks_in(request: Request) -> frozenset[bytes]:
    """Return the marks of all thoughts in a request."""
    marks = {mark_of(block) for message in request.messages for block in message.blocks}
    return frozenset(mark for mark in marks if mark is not None)


def _unthinking(request: Request, repairs: list[Repair]) -> Request:
    """Turn thinking off in a tool loop that has lost its thoughts: a budget wants those (facts 8.3)."""
    last = request.messages[-1] if request.messages else None
    loop = last is not None and any(isinstance(b, ToolResultBlock) for b in last.blocks)
    if not loop or (request.thinking or {}).get("type") != "enabled":
        return request
    repairs.append(
        Repair("thinking", "off until the tools are done: the thoughts before them are gone")
    )
    return request.evolve(thinking=None)


def _system(messages: list[Message], facts: ModelFacts, repairs: list[Repair]) -> list[Message]:
    kept: list[Message] = []
    for index, message in enumerate(messages):
        at = f"messages.{index}"
        if message.role != "system":
            kept.append(message)
        elif not message.content:
            if facts.system_directive and facts.system_role:
                kept.append(message)
            else:
                repairs.append(Repair(at, f"a directive left out, which {facts.id} does not take"))
        elif facts.system_role:
            kept.append(message)
        else:
            repairs.append(Repair(at, f"a system message is the user's for {facts.id}"))
            kept.append(as_user(message))
    return kept


def _thoughts(
    messages: list[Message], refused: Collection[bytes], repairs: list[Repair]
) -> list[Message]:
    """Leave out thoughts that nobody has signed, and those that the server has refused."""
    kept: list[Message] = []
    for index, message in enumerate(messages):
        if isinstance(message.content, str) or not any(map(is_thought, message.content)):
            kept.append(message)
            continue
        blocks: list[Block] = []
        for place, block in enumerate(message.content):
            unsigned = isinstance(block, ThinkingBlock) and not block.signature
            if unsigned or (refused and mark_of(block) in refused):
                why = "nobody has signed" if unsigned else "this server has refused"
                repairs.append(
                    Repair(f"messages.{index}.content.{place}", f"a thought that {why} left out")
                )
            else:
                blocks.append(block)
        same = len(blocks) == len(message.content)
        kept.append(message if same else message.evolve(content=tuple(blocks)))
    return kept


def _server_tools(
    messages: list[Message], request: Request, repairs: list[Repair]
) -> list[Message]:
    """Leave out what a server's tool did that is not offered any more, and the call of it."""
    kinds = [str(getattr(tool, "type", None) or "custom") for tool in request.tools or ()]
    offered = {
        kind
        for kind, tool in _MADE_BY.items()
        if any(each.startswith(tool) for each in kinds)
        or (tool == "code_execution" and any(e.startswith(_BRINGS_CODE_EXECUTION) for e in kinds))
    }
    kept: list[Message] = []
    for index, message in enumerate(messages):
        lost = {
            getattr(block, "tool_use_id", "")
            for block in message.blocks
            if is_server_result(block) and block.type in _MADE_BY and block.type not in offered
        }
        if not lost:
            kept.append(message)
            continue
        repairs.append(
            Repair(f"messages.{index}", "results of a server's tool left out, which is not offered")
        )
        blocks = tuple(
            block
            for block in message.blocks
            if not (is_server_result(block) and getattr(block, "tool_use_id", "") in lost)
            and not (isinstance(block, ServerToolUseBlock) and block.id in lost)
        )
        kept.append(message.evolve(content=blocks))
    return kept
