"""Histories with which nothing is wrong, told at a glance: texts, calls of tools and their results, by turns.

Most are so, and long ones are looked at anew in every turn. This says nothing but "leave it alone", and
only where `hookline_plugins.heal.healing` would; a test holds the two against each other.
"""

from collections.abc import Sequence

from attrs import define, field

from hookline import Block, Message, TextBlock, ToolResultBlock, ToolUseBlock
from hookline_plugins.heal.blocks import LONGEST_NAME, NOT_IN_IDS

__all__ = ["sound"]


def sound(messages: Sequence[Message]) -> bool:
    """Say whether messages hold texts, calls and results alone, from a user on, and nothing to mend.

    Args:
        messages: any messages; a thousand texts take a fifth of a millisecond, a thousand calls and results
            a millisecond.

    """
    roles = [each.role for each in messages]
    if set(roles[::2]) != {"user"} or not set(roles[1::2]) <= {"assistant"}:
        return False
    contents = [each.content for each in messages]
    seen = _Seen([each for each in contents if type(each) is str])
    for place in [place for place, each in enumerate(contents) if type(each) is not str]:
        content = contents[place]
        waits = bool(seen.asked) and type(contents[place - 1]) is str
        if waits or not isinstance(content, tuple) or not content:
            return False
        if not seen.takes(content, roles[place]):
            return False
    return not seen.asked and seen.legal


@define
class _Seen:
    """What stands in the messages so far.

    Attributes:
        words: texts that must not be blank.
        results: what tools said, which may be.
        calls: every call, by its id.
        asked: the ids of those that the next message has to answer.

    """

    words: list[str] = field(factory=list)
    results: list[str] = field(factory=list)
    calls: dict[str, ToolUseBlock] = field(factory=dict)
    asked: set[str] = field(factory=set)

    def takes(self, blocks: Sequence[Block], role: str) -> bool:
        """Say whether these blocks may stand in the next message."""
        if role == "assistant":
            return all(map(self._says_or_asks, blocks))
        count = len(self.asked)
        answered = all(map(self._answers, blocks[:count])) and not self.asked
        return answered and all(map(self._says, blocks[count:]))

    def _says(self, block: Block) -> bool:
        if type(block) is not TextBlock or block.cache_control is not None:
            return False
        self.words.append(block.text)
        return True

    def _says_or_asks(self, block: Block) -> bool:
        if type(block) is not ToolUseBlock:
            return self._says(block)
        if block.id in self.calls or block.cache_control is not None:
            return False
        self.calls[block.id] = block
        self.asked.add(block.id)
        return True

    def _answers(self, block: Block) -> bool:
        if type(block) is not ToolResultBlock or block.cache_control is not None:
            return False
        if block.tool_use_id not in self.asked or type(block.content) is not str:
            return False
        self.asked.remove(block.tool_use_id)
        (self.words if block.is_error else self.results).append(block.content)
        return block.toolset_name == self.calls[block.tool_use_id].toolset_name

    @property
    def legal(self) -> bool:
        """Whether no text is blank or broken, and every name and id one that the API takes."""
        try:
            "".join(self.words + self.results).encode()
        except UnicodeEncodeError:  # half characters
            return False
        return all(map(str.strip, self.words)) and (not self.calls or self._legal_calls)

    @property
    def _legal_calls(self) -> bool:
        names = {call.name for call in self.calls.values()}
        said = (*names, *self.calls)
        short = all(len(name) <= LONGEST_NAME for name in names)
        return short and all(said) and NOT_IN_IDS.search("".join(said)) is None
