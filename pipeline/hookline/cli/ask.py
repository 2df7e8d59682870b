"""``hookline ask``: one message, one reply."""

import sys
from typing import TYPE_CHECKING, Any

import click

from hookline.cli.options import JSON, LINE, MESSAGE, Wish, examples, takes
from hookline.cli.output import Writer, note, print_json

if TYPE_CHECKING:
    from hookline.pipeline import Pipeline
    from hookline.reply import Reply

__all__ = ["ask"]


@click.command(
    epilog=examples(
        'hookline ask "Why is the sky blue?"',
        'hookline ask "What is this?" --image ant.jpg',
        'hookline ask "Latin for ant? (A) … (C) …" --prefill "The answer is (" --max-tokens 1',
        'git diff | hookline ask "Review this:"',
        'hookline ask --base-url sim: --json "Hello" | jq .usage',
    )
)
@takes(MESSAGE, LINE, JSON)
def ask(wish: Wish) -> None:
    """Send one message and print the reply.

    Only the reply goes to stdout, everything else to stderr. Without TEXT, or with "-", the text is
    read from stdin. With TEXT and something piped in, the piped text is appended after a blank
    line; in a shell loop that reads a file, add </dev/null to keep that from happening.

    The key comes from ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN.
    """
    message = wish.message()
    streamed = wish.stream if wish.stream is not None else sys.stdout.isatty() and not wish.as_json
    with wish.pipeline() as line:
        if wish.as_json:
            print_json(_described(_whole(line, wish, message, streamed=streamed)))
            return
        writer = Writer()
        if streamed:
            reply = _streamed(line, wish, message, writer)
        else:
            reply = _whole(line, wish, message, streamed=False)
            writer.write(reply.text)
            writer.finish()
    _remark(wish, reply)


def _whole(line: "Pipeline", wish: Wish, message: str | None, *, streamed: bool) -> "Reply":
    if not streamed:
        return line.send(message, **wish.message_options())
    with line.stream(message, **wish.message_options()) as stream:
        return stream.reply


def _streamed(line: "Pipeline", wish: Wish, message: str | None, writer: Writer) -> "Reply":
    try:
        with line.stream(message, **wish.message_options()) as stream:
            for text in stream.text:
                writer.write(text)
            return stream.reply
    finally:
        writer.finish()  # whatever broke it, the error gets a line of its own


def _remark(wish: Wish, reply: "Reply") -> None:
    """Say what the text alone does not tell."""
    if reply.stop_reason == "max_tokens" and wish.max_tokens is None:
        note("the reply was cut at max_tokens; allow more with --max-tokens")
    elif reply.stop_reason == "refusal":
        details = reply.response.stop_details
        why = f": {details.explanation}" if details and details.explanation else ""
        note(f"the model refused{why}")
    elif not reply.text:
        note(f"the reply has no text (stop_reason {reply.stop_reason})")


def _described(reply: "Reply") -> dict[str, Any]:
    from hookline.wire.codec import unstructure  # noqa: PLC0415 -- only for --json

    trace = reply.trace.to_dict()
    del trace["changes"]  # `hookline explain` shows them
    return {
        "text": reply.text,
        "completion": reply.completion,
        "stop_reason": reply.stop_reason,
        "model": reply.model,
        "prefill_mode": reply.prefill_mode,
        "usage": unstructure(reply.usage),
        "cost": None if reply.cost is None else float(reply.cost),
        "request_id": reply.request_id,
        "trace": trace,
        "response": unstructure(reply.response),
    }
