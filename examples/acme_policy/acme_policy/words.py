"""An organisation's rules as a plugin in a file of its own: see ``use_policy.py`` for its use.

What leaves is judged in ``check_request``: innermost, on exactly what is sent, before every attempt.
What comes back is judged by a stream filter, which serves streams and whole replies alike.
Not seen: words inside pictures and PDFs, and a word that begins in the prefill and ends in the reply.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import attrs
from attrs import frozen

from hookline import PolicyViolation, Request, StreamFilter, hookimpl
from hookline.values import Base64Source, RedactedThinkingBlock, ThinkingBlock

MASK = "[withheld]"


@frozen
class AcmePolicy:
    """Acme's rules.

    Attributes:
        models: the models that may be asked.
        max_tokens: the most that a request may ask for.
        forbidden: words that neither a request nor a reply may hold; each also stands for
            everything that begins with it.
        replies: whether a forbidden word in a reply is masked, or the reply refused.

    """

    role = "enforcer"
    models: tuple[str, ...]
    max_tokens: int = 1024
    forbidden: tuple[str, ...] = ()
    replies: Literal["mask", "refuse"] = "mask"

    @hookimpl
    def check_request(self, request: Request) -> None:
        """Refuse what Acme does not allow to leave."""
        if request.model not in self.models:
            allowed = ", ".join(self.models)
            raise PolicyViolation(f"{request.model} is not allowed; use {allowed}", rule="model")
        if request.max_tokens > self.max_tokens:
            raise PolicyViolation(f"max_tokens may be {self.max_tokens} at most", rule="max-tokens")
        # The system prompt, every turn, tool results, prefill, tool definitions: all of it.
        for text in texts(request):
            self._refuse(unicodedata.normalize("NFKC", text), "request")

    @hookimpl
    def filter_stream(self) -> StreamFilter | None:
        """Judge what the model says, wherever its chunks happen to end."""
        if not self.forbidden:
            return None
        longest = max(map(len, self.forbidden)) + 1  # one more for the boundary before the word
        if self.replies == "mask":
            return StreamFilter.deltas(
                lambda text: self._pattern().sub(MASK, text),
                look_behind=longest,
                kinds=("text", "input_json"),  # a thinking block is signed and can't be edited
            )
        return StreamFilter.deltas(
            lambda text: self._refuse(text, "reply"),
            look_behind=longest,
            kinds=("text", "thinking", "input_json"),
        )

    def _pattern(self) -> re.Pattern[str]:
        words = "|".join(map(re.escape, self.forbidden))
        return re.compile(rf"\b(?:{words})" if words else r"(?!)", re.IGNORECASE)

    def _refuse(self, text: str, where: str) -> str:
        if self._pattern().search(text):
            raise PolicyViolation(f"the {where} holds a word that may not leave Acme", rule="words")
        return text


def texts(value: Any) -> Iterator[str]:
    """Yield every text in a request: values of fields, and keys of inputs and schemas."""
    match value:
        case str():
            yield value
        case Base64Source() | RedactedThinkingBlock():
            return  # encoded bytes, in which a word could only occur by chance
        case ThinkingBlock():
            yield value.thinking
        case Mapping():
            for key, item in value.items():
                yield str(key)
                yield from texts(item)
        case list() | tuple():
            for item in value:
                yield from texts(item)
        case _ if attrs.has(type(value)):
            for each in attrs.fields(type(value)):
                yield from texts(getattr(value, each.name))
