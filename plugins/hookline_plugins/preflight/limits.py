"""Limits that are numbers: tokens, messages, bytes, characters; speed and batches (facts 1.4, 2.1)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from hookline.values import TextBlock
from hookline.wire import encode_request
from hookline_plugins.preflight.rules import Problem, Rule

if TYPE_CHECKING:
    from hookline_plugins.preflight.given import Given

__all__ = ["RULES", "check", "measured"]

MOST_BYTES: Final = 32 * 1024 * 1024
_NEARLY: Final = 0.75  # of the limit
_MOST_MESSAGES: Final = 100_000
_MOST_USER_ID: Final = 512  # 256 by some pages, 512 by others: what both refuse is wrong for sure
_LONG_OUTPUT: Final = "output-300k-"  # facts 12.5
_LONG: Final = 300_000
_FAST: Final = "fast-mode-"  # facts 12.6

# facts 2.1
MAX_TOKENS: Final = Rule("max-tokens", "2.1", "Lower max_tokens", goes_by="max_output")
LEAST_TOKENS: Final = Rule("max-tokens-least", "2.1", "Raise max_tokens", shared=True)
COMPACTION: Final = Rule("compaction", "16.1", "Leave out one of the two")
MESSAGES: Final = Rule("message-count", "1.4", "Summarise or drop old messages")
BODY: Final = Rule(
    "body-size", "1.4", "Drop old images and documents, or upload them once and name the file ids"
)
STOP: Final = Rule("stop-sequence", "2.1", "Leave it out, or give it a visible character")
USER_ID: Final = Rule("user-id", "2.1", "Send a short opaque id, for example a hash")
# facts 12.5, 12.6
SPEED: Final = Rule(
    "speed", "12.6", 'Leave out speed="fast", or use a model that has it', goes_by="fast_mode"
)
BATCH: Final = Rule("batch", "12.5", "Leave it out of batch items")

RULES: Final = (MAX_TOKENS, LEAST_TOKENS, MESSAGES, BODY, STOP, USER_ID, SPEED, BATCH, COMPACTION)


def check(given: "Given") -> Iterator[Problem]:
    """Check the numbers."""
    request = given.request
    if not given.counts:
        yield from _max_tokens(given)
    if len(request.messages) > _MOST_MESSAGES:
        text = f"{len(request.messages):,} messages, {_MOST_MESSAGES:,} are possible"
        yield MESSAGES.broken("messages", text)
    if not given.batch:  # a batch has a limit of its own, for all of its items together
        yield from _body(given)
    for index, sequence in enumerate(request.stop_sequences or ()):
        if not sequence.strip():
            yield STOP.broken(f"stop_sequences.{index}", "a stop sequence cannot be white space")
    user_id = (request.metadata or {}).get("user_id")
    if isinstance(user_id, str) and len(user_id) > _MOST_USER_ID:
        text = f"{len(user_id)} characters, {_MOST_USER_ID} are possible"
        yield USER_ID.broken("metadata.user_id", text)
    if request.speed == "fast":
        yield from _speed(given)
    if request.compaction is not None and request.context_management is not None:
        text = "compaction and context_management exclude each other"
        yield COMPACTION.broken("compaction", text)
    if given.batch and request.stream:
        yield BATCH.broken("stream", "batches do not stream")


def _max_tokens(given: "Given") -> Iterator[Problem]:
    asked, facts = given.request.max_tokens, given.limits
    least = 1 if given.batch else 0
    if asked < least:
        yield LEAST_TOKENS.broken("max_tokens", f"{asked} is less than {least}")
    if facts is None:
        return
    most = facts.max_output
    if given.batch and given.has_beta(_LONG_OUTPUT):
        most = max(most, _LONG)
    if asked > most:
        yield MAX_TOKENS.broken("max_tokens", f"{asked:,} is more than the {most:,} of {facts.id}")


def _body(given: "Given") -> Iterator[Problem]:
    size = measured(given, MOST_BYTES)
    if size > MOST_BYTES:
        yield BODY.broken("", f"the body has {size:,} bytes, {MOST_BYTES:,} are possible")


def measured(given: "Given", most: int) -> int:
    """Return the bytes of the body; exactly only where they come near ``most``, because that costs time."""
    request = given.request
    system = request.system or ()
    texts = (
        (system,)
        if isinstance(system, str)
        else [b.text for b in system if isinstance(b, TextBlock)]
    )
    about = given.history.size + sum(map(len, texts))
    return about if about < most * _NEARLY else len(encode_request(request)) - given.going()


def _speed(given: "Given") -> Iterator[Problem]:
    facts = given.facts
    if given.batch:
        yield BATCH.broken("speed", "batches have no fast mode")
    elif facts is not None and facts.fast_mode == "no":
        yield SPEED.broken("speed", f"{facts.id} has no fast mode")
    elif facts is not None and facts.fast_mode == "beta" and not given.has_beta(_FAST):
        remedy = "Add betas=['fast-mode-2026-02-01']"
        yield SPEED.broken("speed", f"fast mode of {facts.id} needs a beta header", remedy)
