"""All texts of a request and of a reply, by part: whatever leaves or arrives stands in one of them."""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Final, TypeAlias

import attrs

from hookline import Reply, Request
from hookline.turn import Turn
from hookline.values import Block
from hookline_plugins.policy.rules.blocks import pieces_of
from hookline_plugins.policy.rules.json_texts import strings
from hookline_plugins.policy.rules.keys import PARTS, Part

__all__ = ["Texts", "texts_of_reply", "texts_of_request"]

Texts: TypeAlias = dict[Part, list[str]]

_ROLES: Final = frozenset({"user", "assistant", "system"})
# Fields that are read one by one; every other one is metadata, those of tomorrow included.
_READ: Final = frozenset(
    {"model", "max_tokens", "messages", "system", "tools", "mcp_servers", "betas"}
)
_others: Final = attrgetter(
    *(
        each.name
        for each in attrs.fields(Request)
        if each.name not in _READ and not each.name.startswith("_")
    )
)


def texts_of_request(turn: Turn, request: Request) -> Texts:
    """Return every text that leaves, in the order in which it stands there.

    Args:
        turn: the journey; names, headers and an instructed prefill are its.
        request: what leaves.

    """
    texts: Texts = {part: [] for part in PARTS}
    _add(texts, request.system, "system")
    for message in request.messages:
        _add(texts, message.content, "system" if message.role == "system" else "messages")
        if message.role not in _ROLES:
            texts["metadata"].append(message.role)
        beside = (message.output_config, message.clear_at, message.extra)
        if any(beside):
            texts["metadata"].extend(strings(beside))
    last = request.messages[-1] if request.messages else None
    if last is not None and last.role == "assistant":
        texts["prefill"].append(last.text)
    if turn.prefill is not None:
        texts["prefill"].append(turn.prefill.text)
    if request.tools:
        texts["tools"].extend(strings(request.tools))
    if request.mcp_servers:
        servers = tuple(strings(request.mcp_servers))
        texts["tools"].extend(servers)
        texts["urls"].extend(servers)
    others = [each for each in _others(request) if each is not None]
    texts["metadata"].extend(strings(others))
    texts["headers"].extend((*request.betas, *turn.betas, *strings(turn.headers)))
    if turn.name:
        texts["names"].append(turn.name)
    return texts


def texts_of_reply(reply: Reply) -> Texts:
    """Return every text that the caller gets, as one part."""
    response = reply.response
    found: Texts = {"reply": []}
    if reply.earlier:  # what no step holds by itself may stand across two of them
        found["reply"].append(reply.text)
    elif reply.prefill is not None:
        found["reply"].append(reply.prefill.text)
    for block in response.content:
        found["reply"].extend(text for _, text in pieces_of(block, "reply"))
    for value in (
        response.stop_reason,
        response.stop_sequence,
        response.stop_details,
        response.container,
        response.extra,
    ):
        if value:
            found["reply"].extend(strings(value))
    return found


def _add(texts: Texts, content: "str | Sequence[Block] | None", part: Part) -> None:
    if isinstance(content, str):
        texts[part].append(content)
    elif content:
        _add_blocks(texts, content, part)


def _add_blocks(texts: Texts, blocks: Iterable[Block], part: Part) -> None:
    for block in blocks:
        for into, text in pieces_of(block, part):
            texts[into].append(text)
