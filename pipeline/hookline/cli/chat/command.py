"""The command ``hookline chat`` and its options."""

import click

from hookline.cli.options import LINE, Arguments, examples, takes

__all__ = ["chat"]


@click.command(
    epilog=examples(
        "hookline chat --system 'Be brief.'",
        "hookline chat --load ants.json",
        "printf 'Hello\\nAnd in Latin?\\n/save ants.json\\n' | hookline chat",
    )
)
@click.option("--load", metavar="FILE", help="Go on with a conversation that /save wrote.")
@click.option(
    "--history/--no-history",
    default=True,
    help="Whether the lines you type are kept for the arrow keys of the next chat.",
)
@takes(LINE)
def chat(given: Arguments, load: str | None, *, history: bool) -> int:
    """Talk with a model; the conversation is kept.

    Enter sends a message; pasted text stays together, and Alt-Enter, or a backslash at the end of
    a line, goes on in a new one. Lines that begin with "/" are commands, and /help lists them; Tab completes them.
    Ctrl-C stops the reply that is being written and keeps what there is of it; at the prompt it
    clears the line. Ctrl-D or /quit ends the conversation.

    Without a terminal, each line of stdin is a message, and the exit code tells whether one failed.
    """
    from hookline.cli.chat.session import Session  # noqa: PLC0415 -- `--help` does without
    from hookline.cli.chat.transcript import load_conversation  # noqa: PLC0415 -- as above

    with given.pipeline() as line:
        options = given.options()
        talk = load_conversation(load, line, options) if load else line.conversation(**options)
        return Session(line, talk, file=load, history=history).run()
