"""Checks of what must not change: what was handed in, the same call again, the next step."""

import itertools
import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final

from hookline.testing.conformance.report import Finding
from hookline.testing.conformance.samples import PLACES, sentence, words
from hookline.testing.conformance.surfaces import Call
from hookline.testing.conformance.trying import Trying
from hookline.values.messages import Message, Request
from hookline.wire.codec import encode_request, structure_message

__all__ = ["determinism", "purity", "steps"]

_TRANSFORMS: Final = ("build_history", "inject_prefill", "resolve_images", "send")
_ALIKE: Final = frozenset({"id", "request_id"})


def purity(trying: Trying) -> Iterator[Finding]:
    """Check that what the caller handed over is what it was, down to the bytes of the frozen request."""
    for place in PLACES:
        message, options = place.put(sentence(trying.subject.samples[0]))
        given = (deepcopy(message), deepcopy(options))
        trying.take(Call(message=message, options=options))
        if (message, options) != given:
            yield Finding(
                f"what the caller handed over was changed in place ({place.name})",
                "make a new value: request.evolve(…), request.map_text(…)",
            )
    yield from _frozen(trying)


def _frozen(trying: Trying) -> Iterator[Finding]:
    """Run each request hook on a request, and look at the request afterwards."""
    from hookline._io import drive  # noqa: PLC0415 -- only here
    from hookline.testing.making import make_reply, make_turn  # noqa: PLC0415 -- only here

    async def call_next(_: Request) -> Any:
        return make_reply().response

    messages = [structure_message({"role": "user", "content": [{"type": "text", "text": "Hi"}]})]
    request = Request(
        "claude-haiku-4-5", 10, (*messages, Message("user", "Hello")), system="Be brief."
    )
    before = encode_request(request.evolve())
    for hook in _TRANSFORMS:
        for implementation in trying.subject.plugins.of(hook):
            arguments = (request, call_next) if hook == "send" else (request,)
            try:
                result = implementation.call(make_turn(), *arguments)
                if hasattr(result, "__await__"):
                    drive(result)
            except Exception:  # noqa: BLE001, S112 -- whether it fails is another check's business
                continue
            if encode_request(request.evolve()) != before:
                yield Finding(
                    f"{hook} changed the frozen request in place",
                    "return a new value: request.evolve(…), request.map_text(…)",
                )
                return


def determinism(trying: Trying) -> Iterator[Finding]:
    """Check that the same call has the same outcome, sent and streamed."""
    if not trying.subject.deterministic:
        trying.nothing("declared: deterministic = False")
        return
    for surface in ("send", "stream"):
        outcomes = [
            trying.take(Call(surface=surface, message=sentence("the same"))) for _ in range(4)
        ]
        for other in outcomes[1:]:
            if (other.bodies, other.text, other.error) != (
                outcomes[0].bodies,
                outcomes[0].text,
                outcomes[0].error,
            ):
                yield Finding(
                    f"the same call ({surface}) had different outcomes",
                    "the prompt cache, tests and replays need the same request to stay the same; "
                    "choose by turn.principal or the conversation, or say deterministic = False",
                )
                break


def steps(trying: Trying) -> Iterator[Finding]:
    """Check that what a turn or a conversation has sent stands unchanged at the beginning of what it sends next."""
    for surface in ("tool step", "streamed tool step", "conversation"):
        call = Call(surface=surface, options={"system": "Be brief."})
        outcome = trying.take(call)
        bare = trying.subject.without(call)
        if outcome.error is not None:
            continue  # `surfaces` says so
        if len(outcome.bodies) != len(bare.bodies):
            continue  # it answers some of them itself, or sends more; there is no pair to compare
        # A plugin may ask questions of its own in between, without the caller's tools.
        bodies = [each for each in outcome.bodies if "tools" in each or surface == "conversation"]
        for one, two in itertools.pairwise(bodies):
            if one.get("system") != two.get("system"):
                yield Finding(
                    f"the system prompt differs between the requests of one {surface}: "
                    f"{_said(one.get('system'))}, then {_said(two.get('system'))}",
                    "resolve_images and send run at every step: do not add what is there; and what "
                    "changes (a time) makes the prompt cache useless",
                )
                break
            sent = one["messages"]
            if [_bare(each) for each in two["messages"][: len(sent)]] != [
                _bare(each) for each in sent
            ]:
                yield Finding(
                    f"an earlier message is sent differently the next time ({surface})",
                    "a change must come out the same at every step, or the prompt cache is lost",
                )
                break


def _said(system: Any) -> str:
    return repr(words({"system": system}))


def _bare(message: Any) -> str:
    """Return a message without its cache breakpoint, which moves on, as text to compare."""
    content = message["content"]
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    blocks = [
        {key: value for key, value in each.items() if key != "cache_control"} for each in content
    ]
    return json.dumps([message["role"], blocks], sort_keys=True)
