"""Speaks the user's language: the model is told which, and glossary words are put right."""

import re
from collections.abc import Mapping
from typing import ClassVar

from attrs import field, frozen

from hookline import Request, StreamFilter, Turn, hookimpl
from hookline.plugin import option


@frozen
class Translation:
    """Asks for replies in a language, and keeps to a glossary.

    Attributes:
        language: of the replies; a call's ``context={"language": …}`` comes first.
        glossary: words that must be said in a certain way.

    """

    contract = ">=1,<2"
    samples = ("colour",)
    sample_context: ClassVar = {"language": "Latin"}
    language: str = field(default="English", metadata=option(harmless=True))
    glossary: Mapping[str, str] = field(factory=lambda: {"colour": "color"})

    @hookimpl
    def build_history(self, turn: Turn, request: Request) -> Request:
        """Say which language."""
        language = turn.context.get("language", self.language)
        return request.with_system(f"Answer in {language}, whatever the language of the question.")

    @hookimpl
    def filter_stream(self) -> StreamFilter | None:
        """Put the glossary's words in place, in streams too."""
        if not self.glossary:
            return None
        words = sorted(self.glossary, key=len, reverse=True)
        pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\b")
        return StreamFilter.deltas(
            lambda text: pattern.sub(lambda found: self.glossary[found[0]], text),
            look_behind=max(map(len, words)) + 2,
        )
