"""What ``explain`` finds: the request that would leave, and how it came about."""

import html
import json
from typing import Any

from attrs import frozen

from hookline.trace.difference import pretty
from hookline.trace.record import Trace
from hookline.values.messages import Request
from hookline.values.pictures.survey import Medium, total_tokens
from hookline.values.pictures.tokens import TokenRange

__all__ = ["Explanation"]


@frozen
class Explanation:
    """What ``explain`` found: the request that would leave, and how it came about.

    Attributes:
        request: as it would be sent.
        trace: who changed what.
        media: its images and documents, and what they cost.

    """

    request: Request
    trace: Trace
    media: tuple[Medium, ...] = ()

    @property
    def media_tokens(self) -> TokenRange:
        """What the images and documents cost together, as far as it is known before."""
        return total_tokens(self.media)

    def render(self) -> str:
        """Return it as text for a person."""
        body = "\n".join("    " + line for line in pretty(self.request, self.trace.shown))
        media = "".join(f"{each}\n" for each in self.media)
        return f"{self.trace.render()}\n{media}would be sent:\n{body}".lstrip("\n")

    def to_html(self) -> str:
        """Return it as one page that needs nothing besides itself."""
        return self.trace.to_html("What would be sent").replace("</html>", f"{self._sent()}</html>")

    def _repr_html_(self) -> str:
        return self.trace._repr_html_() + self._sent()

    def _sent(self) -> str:
        body = html.escape("\n".join(pretty(self.request, self.trace.shown)))
        return f"<details open><summary>would be sent</summary><pre>{body}</pre></details>"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return {
            "trace": self.trace.to_dict(),
            "media": [each.to_dict() for each in self.media],
            "request": json.loads("\n".join(pretty(self.request, self.trace.shown))),
        }
