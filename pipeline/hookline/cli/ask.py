"""``hookline ask``: one message, one reply."""

import os
import sys
from typing import TYPE_CHECKING

import click

from hookline.cli.options import JSON, LINE, MESSAGE, Arguments, examples, takes
from hookline.cli.output import Writer, note, print_json

if TYPE_CHECKING:
    from hookline.conversation import Conversation
    from hookline.pipeline import Pipeline
    from hookline.reply import Reply
    from hookline.send_options import Input, SendOptions

__all__ = ["ask"]


@click.command(
    epilog=examples(
        'hookline ask "Why is the sky blue?"',
        'hookline ask "What is this?" --image ant.jpg',
        'hookline ask "Which ants?" --document report.pdf --schema ants.json | jq .',
        'hookline ask "And in Latin?" --continue ants.json --usage',
        'hookline ask "Latin for ant? (A) … (C) …" --prefill "The answer is (" --max-tokens 1',
        'git diff | hookline ask "Review this:"',
        'hookline ask --base-url sim: --json "Hello" | jq .usage',
    )
)
@click.option("--usage", is_flag=True, help="Say on stderr what the reply took: tokens, dollars.")
@click.option(
    "file",
    "--continue",
    "-c",
    metavar="FILE",
    help="Go on with the conversation in FILE, and keep it there; new where there is none.",
)
@takes(MESSAGE, LINE, JSON)
def ask(given: Arguments, file: str | None, *, usage: bool) -> None:
    """Send one message and print the reply.

    Only the reply goes to stdout, everything else to stderr. Without TEXT, or with "-", the text is
    read from stdin. With TEXT and something piped in, the piped text is appended after a blank
    line; in a shell loop that reads a file, add </dev/null to keep that from happening.

    The key comes from ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN.
    """
    from hookline.cli.chat.transcript import save_conversation  # noqa: PLC0415 -- `--help` does without
    from hookline.cli.figures import figures  # noqa: PLC0415 -- as above

    message, options = given.message(), given.message_options()
    whole = given.as_json or given.schema is not None
    streamed = given.stream if given.stream is not None else sys.stdout.isatty() and not whole
    with given.pipeline() as line:
        talk = _conversation(file, line, given)
        if streamed and not whole:
            reply = _streamed(talk, message, options)
        else:
            reply = _whole(talk, message, options, streamed=streamed)
            _print(reply, given)
        if file is not None:
            talk.options.setdefault("model", line.settings.model)  # it may be another one later
            save_conversation(file, talk)
    if usage:
        note(figures(reply))
    _remark(given, reply)


def _conversation(file: str | None, line: "Pipeline", given: Arguments) -> "Conversation":
    from hookline.cli.chat.transcript import load_conversation  # noqa: PLC0415 -- `--help` does without

    if file is None or not os.path.exists(os.path.expanduser(file)):  # noqa: PTH110, PTH111 -- Path raises for some names
        return line.conversation(**given.options())
    return load_conversation(file, line, given.options())


def _whole(
    talk: "Conversation", message: "Input", options: "SendOptions", *, streamed: bool
) -> "Reply":
    if not streamed:
        return talk.send(message, **options)
    with talk.stream(message, **options) as stream:
        return stream.reply


def _streamed(talk: "Conversation", message: "Input", options: "SendOptions") -> "Reply":
    writer = Writer()
    try:
        with talk.stream(message, **options) as stream:
            for text in stream.text:
                writer.write(text)
            return stream.reply
    finally:
        writer.finish()  # whatever broke it, the error gets a line of its own


def _print(reply: "Reply", given: Arguments) -> None:
    if given.as_json:
        print_json(reply.to_dict())
    elif given.schema is not None:
        print_json(reply.output)
    else:
        writer = Writer()
        writer.write(reply.text)
        writer.finish()


def _remark(given: Arguments, reply: "Reply") -> None:
    """Say what the text alone does not tell."""
    if reply.stop_reason == "max_tokens" and given.max_tokens is None:
        note("the reply was cut at max_tokens; allow more with --max-tokens")
    elif reply.stop_reason == "refusal":
        details = reply.response.stop_details
        why = f": {details.explanation}" if details and details.explanation else ""
        note(f"the model refused{why}")
    elif not reply.text:
        note(f"the reply has no text (stop_reason {reply.stop_reason})")
