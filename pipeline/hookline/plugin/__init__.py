"""What plugin authors import: the marker, filters, and what the standard plugins are made with.

``hookline.hookspecs`` says what each hook gets and returns; this package holds the tools for the bodies.
"""

from typing import TYPE_CHECKING

from hookline._faces import face

if TYPE_CHECKING:
    from hookline._api.retry_after import retry_after
    from hookline._fetch.url_grammar import check_url
    from hookline.filters import StreamFilter
    from hookline.hookspecs import hookimpl
    from hookline.models import ModelFacts, cost
    from hookline.plugin.relay import Relay, asks_model, close, discard, watched

__all__ = [
    "ModelFacts",
    "Relay",
    "StreamFilter",
    "asks_model",
    "check_url",
    "close",
    "cost",
    "discard",
    "hookimpl",
    "retry_after",
    "watched",
]

__getattr__, __dir__ = face(
    __name__,
    {
        "hookline._api.retry_after": ("retry_after",),
        "hookline._fetch.url_grammar": ("check_url",),
        "hookline.filters": ("StreamFilter",),
        "hookline.hookspecs": ("hookimpl",),
        "hookline.models": ("ModelFacts", "cost"),
        "hookline.plugin.relay": ("Relay", "asks_model", "close", "discard", "watched"),
    },
)
