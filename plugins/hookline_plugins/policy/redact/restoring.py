"""The way back: values in the place of their placeholders, wherever the chunks of a stream end."""

from typing import Any, Final

from hookline.plugin import StreamFilter
from hookline.values import CitationsDelta, ContentBlockDelta, Event
from hookline_plugins.policy.redact.placeholders import Placeholders

__all__ = ["Restoring"]

_CITED: Final = ("cited_text", "document_title", "title")


class Restoring(StreamFilter):
    """Restores values in text, in the input of tools, and in what citations quote and whose titles they name.

    Args:
        placeholders: of the request that is being answered.

    """

    sees = "deltas"

    def __init__(self, placeholders: Placeholders) -> None:
        self._restored = placeholders.restored
        self._texts = StreamFilter.deltas(
            placeholders.restored,
            look_behind=placeholders.longest,
            kinds=("text", "input_json"),
        )

    def begin(self, prefill: str, *, whole: bool) -> None:
        """Take in the prefill."""
        self._texts.begin(prefill, whole=whole)

    def feed(self, event: Event) -> Any:
        """Take the next event; return what can be delivered of it and of those before."""
        if isinstance(event, ContentBlockDelta) and isinstance(event.delta, CitationsDelta):
            citation = event.delta.citation
            told = {name: getattr(citation, name, None) for name in _CITED}
            said = {name: self._restored(text) for name, text in told.items() if text}
            if any(said[name] != told[name] for name in said):
                cited = event.delta.evolve(citation=citation.evolve(**said))
                return (event.evolve(delta=cited),)
        return self._texts.feed(event)
