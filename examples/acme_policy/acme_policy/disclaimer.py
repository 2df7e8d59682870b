"""A sentence under whatever sounds like advice, in streams and whole replies alike."""

import re

from attrs import field, frozen

from hookline import Response, StreamFilter, TextBlock, hookimpl
from hookline.plugin import option

__all__ = ["Disclaimer"]


@frozen
class Disclaimer:
    """Adds a sentence to replies that speak of investments.

    Attributes:
        text: the sentence.
        about: a regular expression of what needs it.

    """

    role = "enforcer"
    inline = True

    text: str = field(default="This is no investment advice.", metadata=option())
    about: str = field(default=r"(?i)\b(shares?|funds?|bonds?|invest\w*)\b", metadata=option())

    @hookimpl
    def filter_stream(self) -> StreamFilter:
        """Look at the whole reply, and add the sentence at its end."""
        pattern = re.compile(self.about)

        def judged(response: Response) -> Response | None:
            if not pattern.search(response.text) or self.text in response.text:
                return None
            return response.evolve(content=(*response.content, TextBlock(f"\n\n{self.text}")))

        return StreamFilter.message(judged)
