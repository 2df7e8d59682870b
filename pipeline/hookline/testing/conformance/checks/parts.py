"""A check of the rest of a reply: thinking, tool calls, usage and why it ended are what the API said."""

from collections.abc import Iterator
from typing import Any, Final

from hookline.reply import Reply
from hookline.simulator import Rule
from hookline.testing.conformance.report import Finding
from hookline.testing.conformance.samples import TEXTS, sentence
from hookline.testing.conformance.surfaces import Call
from hookline.testing.conformance.trying import Trying
from hookline.wire.codec import unstructure

__all__ = ["parts"]

_LOOK_UP: Final = {"name": "look_up", "input_schema": {"type": "object"}}
_THINKS: Final = Rule(thinking="Let me see.", reply=sentence(TEXTS[0]))
_CALLS: Final = Rule(
    reply=[
        {"type": "text", "text": "Let me look."},
        {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {"about": "ants"}},
    ]
)
_CUT: Final = Rule(stop_reason="max_tokens", reply="Ants are")
_REPLIES: Final[tuple[tuple[str, dict[str, Any], Rule], ...]] = (
    ("a reply with thinking", {}, _THINKS),
    ("a reply that calls a tool", {"tools": [_LOOK_UP]}, _CALLS),
    ("a reply that is cut off", {}, _CUT),
)


def parts(trying: Trying) -> Iterator[Finding]:
    """Check what of a reply is not text against the same reply without the plugin."""
    for what, options, rule in _REPLIES:
        for surface in ("send", "stream"):
            call = Call(surface=surface, options=options, rules=(rule,))
            outcome, bare = trying.take(call), trying.subject.without(call)
            if outcome.reply is None or bare.reply is None or not outcome.bodies:
                continue
            one, two = _rest(bare.reply), _rest(outcome.reply)
            for name, value in one.items():
                if two[name] != value:
                    yield Finding(
                        f"{what} ({surface}) has {name} {two[name]!r}, and {value!r} without it",
                        "evolve what you were given: reply.map_text(…), response.evolve(…); a value "
                        "made anew has lost what you did not think of",
                    )
            spent, sent = outcome.reply.usage.output_tokens, bare.reply.usage.output_tokens
            if spent < sent:
                yield Finding(
                    f"{what} ({surface}) has used {spent} output tokens, and {sent} without it",
                    "evolve the response you were given, whose usage is the API's",
                )


def _rest(reply: Reply) -> dict[str, Any]:
    blocks = [
        {
            key: bool(value) if key == "signature" else value
            for key, value in unstructure(each).items()
        }
        for each in reply.response.content
    ]
    return {
        "the blocks": [each for each in blocks if each.get("type") != "text"],
        "the stop reason": reply.response.stop_reason,
    }
