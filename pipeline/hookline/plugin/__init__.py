"""What plugin authors import: the marker, layers, filters, state, and the tools of the standard plugins.

``hookline.hookspecs`` says what each hook gets and returns; this package holds what their bodies are made of.

======================================  ==============================================================
`hookimpl`, `Layer`                     mark a method as a hook; where a ``send`` hook stands
`StreamFilter`                          rules on what the model says
`TurnState`, `ConversationState`        values kept for one turn, for one conversation
`Book`                                  values kept by model, tenant, destination …, in bounds
`Principal`, `Destination`, `Outcome`   on whose behalf; where to, and as whom; how a turn ended
`ModelFacts`, `Profile`                 what is known of a model, of a kind of server
`Continue`, `Verdict`                   one more step; what a check or a shadow said
`watched`, `Relay`, `close`, `discard`  a stream on its way through a ``send`` hook
`whole`                                 the same, read to its end
`price`, `retry_after`                  what usage costs; how long to wait
`estimate`, `estimate_message`          about how many tokens
`check_url`                             whether a URL may be fetched at all
`checks_options`                        wrong options are told as one error
`read_file`, `write_file`               the one door for local files
`secure_file`                           a file that only its owner may read, for others to open
`cache_folder`, `state_folder`          where what can be made again is kept; and what is remembered
======================================  ==============================================================
"""

from typing import TYPE_CHECKING

from hookline._faces import face

if TYPE_CHECKING:
    from hookline._api.retry_after import retry_after
    from hookline._fetch.url_grammar import check_url
    from hookline._files import cache_folder, read_file, secure_file, state_folder, write_file
    from hookline._journey.plugin_set import Plugin
    from hookline.config import option
    from hookline.filters import StreamFilter
    from hookline.hookspecs import Layer, hookimpl
    from hookline.models import ModelFacts, price
    from hookline.plugin.book import Book
    from hookline.plugin.checking import checks_options
    from hookline.plugin.estimate import estimate, estimate_message
    from hookline.plugin.relay import Relay, StreamOutcome, close, discard, watched, whole
    from hookline.plugin.state import ConversationState, TurnState
    from hookline.profiles import Profile
    from hookline.reply import Outcome
    from hookline.trace import Verdict
    from hookline.turn import Continue, Progress
    from hookline.values.destination import Destination
    from hookline.values.principal import Principal

__all__ = [
    "Book",
    "Continue",
    "ConversationState",
    "Destination",
    "Layer",
    "ModelFacts",
    "Outcome",
    "Plugin",
    "Principal",
    "Profile",
    "Progress",
    "Relay",
    "StreamFilter",
    "StreamOutcome",
    "TurnState",
    "Verdict",
    "cache_folder",
    "check_url",
    "checks_options",
    "close",
    "discard",
    "estimate",
    "estimate_message",
    "hookimpl",
    "option",
    "price",
    "read_file",
    "retry_after",
    "secure_file",
    "state_folder",
    "watched",
    "whole",
    "write_file",
]

__getattr__, __dir__ = face(
    __name__,
    {
        "hookline._api.retry_after": ("retry_after",),
        "hookline._fetch.url_grammar": ("check_url",),
        "hookline._journey.plugin_set": ("Plugin",),
        "hookline._files": (
            "cache_folder",
            "read_file",
            "secure_file",
            "state_folder",
            "write_file",
        ),
        "hookline.config": ("option",),
        "hookline.filters": ("StreamFilter",),
        "hookline.hookspecs": ("Layer", "hookimpl"),
        "hookline.models": ("ModelFacts", "price"),
        "hookline.plugin.book": ("Book",),
        "hookline.plugin.checking": ("checks_options",),
        "hookline.plugin.estimate": ("estimate", "estimate_message"),
        "hookline.plugin.relay": (
            "Relay",
            "StreamOutcome",
            "close",
            "discard",
            "watched",
            "whole",
        ),
        "hookline.plugin.state": ("ConversationState", "TurnState"),
        "hookline.profiles": ("Profile",),
        "hookline.reply": ("Outcome",),
        "hookline.trace": ("Verdict",),
        "hookline.turn": ("Continue", "Progress"),
        "hookline.values.destination": ("Destination",),
        "hookline.values.principal": ("Principal",),
    },
)
