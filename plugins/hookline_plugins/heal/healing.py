"""A history mended: what the API would refuse is found and put right, and everything else left alone.

Pure, and always the same for the same history. Each round mends messages one by one, then who speaks
first, then where system messages stand, then the pairs of call and result; what one of them leaves out
may make work for another, so rounds go on until there is nothing left to do. Therefore what is mended stays
as it is when it is mended again; and messages before the first fault stay the same objects, with the same bytes.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from attrs import define, evolve, field, frozen

from hookline import Block, Message, TextBlock, ToolResultBlock, ToolUseBlock
from hookline.values import CompactionBlock, MCPToolUseBlock, ServerToolUseBlock
from hookline_plugins.heal.blocks import is_thought, mended
from hookline_plugins.heal.repairs import Repair, Unhealable

__all__ = ["Healed", "heal", "is_server_result"]

_SERVER_CALLS: Final = (ServerToolUseBlock, MCPToolUseBlock)
_MOST_ROUNDS: Final = 20


@frozen
class Healed:
    """A history that the API takes.

    Attributes:
        messages: the messages.
        system: what stood as system messages before the first speaker, and belongs into the
            system prompt.
        repairs: what was mended, in order.

    """

    messages: tuple[Message, ...]
    system: tuple[TextBlock, ...] = ()
    repairs: tuple[Repair, ...] = ()


@frozen
class _Placed:
    """A message, and where it stood in the beginning."""

    message: Message
    origin: int

    @property
    def where(self) -> str:
        return f"messages.{self.origin}"


@define
class _Patient:
    placed: list[_Placed]
    stored: int
    lift: bool
    system: list[TextBlock] = field(factory=list)
    repairs: list[Repair] = field(factory=list)

    def say(self, where: str, what: str) -> None:
        self.repairs.append(Repair(where, what))


def heal(messages: Sequence[Message], *, stored: int | None = None, lift: bool = True) -> Healed:
    """Mend a history.

    Args:
        messages: the whole of it, the new message included.
        stored: how many of them come from a history; None for all. Half characters that a caller
            has just written are left, to be refused.
        lift: whether system messages before the first speaker are taken out. A conversation keeps
            them, and they move into the system prompt each time it is sent.

    Returns:
        What can be sent, and what was mended. Where nothing is wrong, the same messages.

    Raises:
        Unhealable: a message has a role that there is not, or nothing is left.

    """
    count = len(messages) if stored is None else stored
    patient = _Patient([_Placed(each, index) for index, each in enumerate(messages)], count, lift)
    for _ in range(_MOST_ROUNDS):
        before = len(patient.repairs)
        for step in (_messages, _beginning, _system_places, _ids, _pairs, _server_pairs, _ends):
            step(patient)
        if len(patient.repairs) == before:
            break
    if messages and not patient.placed:
        raise Unhealable("nothing that can be sent is left of the messages")
    if not patient.repairs:
        return Healed(tuple(messages))
    kept = tuple(each.message for each in patient.placed)
    return Healed(kept, tuple(patient.system), tuple(patient.repairs))


def _messages(patient: _Patient) -> None:
    kept = []
    for each in patient.placed:
        stored = each.origin < patient.stored
        message = mended(each.message, each.where, patient.say, stored=stored)
        if message is not None:
            kept.append(each if message is each.message else evolve(each, message=message))
    patient.placed = kept


def _is_directive(message: Message) -> bool:
    return message.role == "system" and not message.content


def _beginning(patient: _Patient) -> None:
    """Begin with a user, or with a summary of all that was before."""
    kept: list[_Placed] = []
    begun = False
    for each in patient.placed:
        message = each.message
        if begun or _is_directive(message) or (message.role == "system" and not patient.lift):
            kept.append(each)
        elif message.role == "system":
            patient.say(each.where, "a leading system message moved into the system prompt")
            patient.system += [block for block in message.blocks if isinstance(block, TextBlock)]
        elif message.role == "assistant" and not isinstance(message.blocks[0], CompactionBlock):
            patient.say(each.where, "a leading assistant message left out")
        else:
            begun = True
            kept.append(each)
    patient.placed = kept


def is_server_result(block: Block) -> bool:
    """Say whether a block is the result of a tool that runs at the API (facts 2.4)."""
    return block.type.endswith("_tool_result") and not isinstance(block, ToolResultBlock)


def _system_places(patient: _Patient) -> None:
    """Let system messages stand behind a user, and before an assistant or at the end (facts 2.4)."""
    for index, each in enumerate(patient.placed):
        message = each.message
        if message.role != "system" or _is_directive(message):
            continue
        before = _spoken(reversed(patient.placed[:index]))
        if before is None:
            continue  # a leading one
        after = _spoken(patient.placed[index + 1 :])
        behind = before.role == "user" or is_server_result(before.blocks[-1])
        if behind and (after is None or after.role == "assistant"):
            continue
        patient.say(each.where, "a system message where none can stand is now the user's")
        patient.placed[index] = evolve(each, message=as_user(message))


def _spoken(placed: Iterable[_Placed]) -> Message | None:
    return next((each.message for each in placed if each.message.role != "system"), None)


def as_user(message: Message) -> Message:
    """Return a system message as words of the user that say what they are.

    Raises:
        Unhealable: it holds no words.

    """
    text = message.text
    if not text:
        raise Unhealable("a system message that changes the tools cannot stand where it does")
    return Message("user", f"<system>\n{text}\n</system>")


def _runs(placed: Sequence[_Placed]) -> list[list[int]]:
    """Return the places of messages by turns: the API takes those of one role in a row as one."""
    runs: list[list[int]] = []
    role = ""
    for place, each in enumerate(placed):
        if each.message.role == "system":
            continue
        if each.message.role != role:
            runs.append([])
            role = each.message.role
        runs[-1].append(place)
    return runs


def _ids(patient: _Patient) -> None:
    """Give a second call of the same id another one, and its result too."""
    seen: set[str] = set()
    runs = _runs(patient.placed)
    for number, run in enumerate(runs):
        renamed: dict[str, str] = {}
        for place in run:
            each = patient.placed[place]
            blocks: list[Block] = []
            for index, block in enumerate(each.message.blocks):
                if isinstance(block, ToolUseBlock) and block.id in seen:
                    fresh = _fresh(block.id, seen)
                    patient.say(f"{each.where}.content.{index}", f"a second {block.id} is {fresh}")
                    renamed[block.id] = fresh
                    block = block.evolve(id=fresh)  # noqa: PLW2901 -- what stands here from now on
                if isinstance(block, ToolUseBlock):
                    seen.add(block.id)
                blocks.append(block)
            _put(patient, place, blocks)
        for place in runs[number + 1] if renamed and number + 1 < len(runs) else ():
            _put(
                patient,
                place,
                [
                    block.evolve(tool_use_id=renamed[block.tool_use_id])
                    if isinstance(block, ToolResultBlock) and block.tool_use_id in renamed
                    else block
                    for block in patient.placed[place].message.blocks
                ],
            )


def _fresh(call_id: str, seen: set[str]) -> str:
    number = 2
    while f"{call_id}_{number}" in seen:
        number += 1
    return f"{call_id}_{number}"


def _put(patient: _Patient, place: int, blocks: Sequence[Block]) -> bool:
    """Put other blocks into a message; say whether they are others."""
    each = patient.placed[place]
    old = each.message.blocks
    if len(old) == len(blocks) and all(a is b or a == b for a, b in zip(old, blocks, strict=True)):
        return False
    patient.placed[place] = evolve(each, message=each.message.evolve(content=tuple(blocks)))
    return True


def _pairs(patient: _Patient) -> None:
    """Every call has one result, in the next turn and before anything else there (facts 10.4)."""
    runs = _runs(patient.placed)
    asked: dict[str, ToolUseBlock] = {}
    for number, run in enumerate(runs):
        following = runs[number + 1] if number + 1 < len(runs) else []
        if patient.placed[run[0]].message.role == "assistant":
            answers = {
                block.tool_use_id
                for place in following
                for block in patient.placed[place].message.blocks
                if isinstance(block, ToolResultBlock)
            }
            asked = _answered_calls(patient, run, answers)
        else:
            _fitting_results(patient, run, asked)
            asked = {}
    _clear(patient)


def _answered_calls(
    patient: _Patient, run: list[int], answers: set[str]
) -> dict[str, ToolUseBlock]:
    asked: dict[str, ToolUseBlock] = {}
    for place in run:
        each = patient.placed[place]
        kept: list[Block] = []
        for index, block in enumerate(each.message.blocks):
            if isinstance(block, ToolUseBlock) and block.id not in answers:
                patient.say(
                    f"{each.where}.content.{index}",
                    f"the tool call {block.id} left out, which has no result",
                )
                continue
            if isinstance(block, ToolUseBlock):
                asked[block.id] = block
            kept.append(block)
        _put(patient, place, kept)
    return asked


def _fitting_results(patient: _Patient, run: list[int], asked: dict[str, ToolUseBlock]) -> None:
    """Keep one result for each call, and put results before everything else of the turn."""
    left = dict(asked)
    kept: list[list[Block]] = []
    others = late = False
    for place in run:
        each = patient.placed[place]
        kept.append([])
        for index, block in enumerate(each.message.blocks):
            if not isinstance(block, ToolResultBlock):
                others = True
                kept[-1].append(block)
                continue
            at = f"{each.where}.content.{index}"
            call = left.pop(block.tool_use_id, None)
            if call is None:
                patient.say(at, f"a result of {block.tool_use_id} left out, which nobody asked for")
                continue
            if others:
                late = True
                patient.say(at, "the result moved before everything else of its turn")
            kept[-1].append(_of_toolset(block, call, at, patient))
    if late:
        results = [block for blocks in kept for block in blocks if _is_result(block)]
        kept = [[block for block in blocks if not _is_result(block)] for blocks in kept]
        kept[0] = [*results, *kept[0]]
    for place, blocks in zip(run, kept, strict=True):
        _put(patient, place, blocks)


def _is_result(block: Block) -> bool:
    return isinstance(block, ToolResultBlock)


def _of_toolset(
    block: ToolResultBlock, call: ToolUseBlock, at: str, patient: _Patient
) -> ToolResultBlock:
    if call.toolset_name == block.toolset_name:
        return block
    patient.say(at, "the toolset of the call put into its result")
    return block.evolve(toolset_name=call.toolset_name)


def _server_pairs(patient: _Patient) -> None:
    """Keep calls of servers' tools with their results in one turn; at the end one may be open."""
    runs = _runs(patient.placed)
    for number, run in enumerate(runs):
        blocks = [block for place in run for block in patient.placed[place].message.blocks]
        calls = {block.id for block in blocks if isinstance(block, _SERVER_CALLS)}
        answered = {getattr(each, "tool_use_id", "") for each in blocks if is_server_result(each)}
        last = number == len(runs) - 1 or any(isinstance(each, ToolUseBlock) for each in blocks)
        for place in run:
            each = patient.placed[place]
            kept: list[Block] = []
            for index, block in enumerate(each.message.blocks):
                at = f"{each.where}.content.{index}"
                if isinstance(block, _SERVER_CALLS) and block.id not in answered and not last:
                    patient.say(at, f"the call {block.id} of a server's tool was never finished")
                elif is_server_result(block) and getattr(block, "tool_use_id", "") not in calls:
                    patient.say(at, f"a {block.type} left out, which nobody asked for")
                else:
                    kept.append(block)
            _put(patient, place, kept)
    _clear(patient)


def _ends(patient: _Patient) -> None:
    """Let no message end in a thought."""
    for place, each in enumerate(patient.placed):
        if each.message.role != "assistant" or isinstance(each.message.content, str):
            continue
        kept = list(each.message.content)
        while kept and is_thought(kept[-1]):
            patient.say(f"{each.where}.content.{len(kept) - 1}", "a thought that leads to nothing")
            kept.pop()
        _put(patient, place, kept)
    _clear(patient)


def _clear(patient: _Patient) -> None:
    """Forget messages of which nothing is left."""
    patient.placed = [
        each for each in patient.placed if each.message.content or _is_directive(each.message)
    ]
