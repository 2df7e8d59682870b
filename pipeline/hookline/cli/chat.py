"""``hookline chat``: a conversation at the terminal; what the lines mean is in ``session``."""

import click

from hookline.cli.options import LINE, Wish, examples, takes

__all__ = ["chat"]


@click.command(
    epilog=examples(
        "hookline chat --system 'Be brief.'",
        "hookline chat --load ants.json",
        "printf 'Hello\\nAnd in Latin?\\n/save ants.json\\n' | hookline chat",
    )
)
@click.option("--load", metavar="FILE", help="Go on with a conversation that /save wrote.")
@takes(LINE)
def chat(wish: Wish, load: str | None) -> int:
    """Talk with a model; the conversation is kept.

    A line is a message; lines that begin with "/" are commands, and /help lists them. Ctrl-C stops
    the reply that is being written and keeps what there is of it; at the prompt it clears the line.
    Ctrl-D or /quit ends the conversation.

    Without a terminal, each line of stdin is a message, and the exit code tells whether one failed.
    """
    from hookline.cli.session import Session  # noqa: PLC0415 -- `--help` does without
    from hookline.cli.transcript import load_messages  # noqa: PLC0415 -- as above

    messages = load_messages(load) if load else []
    with wish.pipeline() as line:
        return Session(line, line.conversation(messages=messages), wish.options()).run()
