"""Masks words in what the model says, in streams too."""

import re
from functools import cached_property

from attrs import field, frozen

from hookline import StreamFilter, hookimpl
from hookline.plugin import option


@frozen(slots=False)
class ProfanityFilter:
    """Masks words in replies.

    Attributes:
        words: what is masked, whatever its case.
        mask: the character that stands for each letter.

    """

    contract = ">=1,<2"
    samples = ("darn",)
    words: tuple[str, ...] = field(default=("darn", "heck"), metadata=option(harmless=True))
    mask: str = field(default="*", metadata=option(harmless=True))

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        words = sorted(self.words, key=len, reverse=True)
        return re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\b", re.IGNORECASE)

    @hookimpl
    def filter_stream(self) -> StreamFilter | None:
        """Mask each word; the longest and a letter on either side decide how far to look behind."""
        if not self.words:
            return None
        longest = max(map(len, self.words))
        return StreamFilter.deltas(
            lambda text: self._pattern.sub(lambda found: self.mask * len(found[0]), text),
            look_behind=longest + 2,
        )
