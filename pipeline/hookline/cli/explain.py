"""``hookline explain``: what would be sent, and which plugin made it so."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from hookline.cli.options import JSON, LINE, MESSAGE, Arguments, examples, takes
from hookline.cli.output import console, note, print_json, styled

if TYPE_CHECKING:
    from rich.console import Console

    from hookline._journey.plugin_set import PluginSet
    from hookline.trace import Change, Explanation, Trace

__all__ = ["explain"]

_STAGES: Final = ("build_history", "inject_prefill", "resolve_images", "send", "check_request")
_COLOURS: Final = {"+": "green", "-": "red"}


@click.command(
    epilog=examples(
        'hookline explain "What is this?" --image ant.jpg --prefill "It is"',
        'hookline explain "What is this?" --image ant.jpg --show',
        'hookline explain "Hello" --system "Be brief." --json | jq .request',
    )
)
@click.option("--show", is_flag=True, help="Show the images too: in kitty, iTerm2, or by sixel.")
@click.option("--html", metavar="FILE", help="Write one page that needs nothing besides itself.")
@takes(MESSAGE, LINE, JSON)
def explain(given: Arguments, html: str | None, *, show: bool) -> None:
    """Show what would be sent, and why; send nothing.

    Takes what `hookline ask` takes of a message. Under each stage stand the plugins that changed the request,
    with the difference they made, and those that left it alone. Images are read, and fetched where
    a plugin would fetch them; tools are not run.
    """
    message = given.message()
    with given.pipeline() as line:
        explanation = line.explain(message, **given.message_options())
        if html is not None:
            from hookline.plugin import write_file  # noqa: PLC0415 -- only for pages

            write_file(Path(html).expanduser(), explanation.to_html().encode())
        elif given.as_json:
            print_json(explanation.to_dict())
        else:
            _print(explanation, line.plugins)
        if show and not given.as_json:
            _show(explanation)


def _print(explanation: "Explanation", plugins: "PluginSet") -> None:
    screen = console()
    trace = explanation.trace
    for stage in _STAGES:
        screen.print(styled((stage, "bold cyan")))
        changes = [change for change in trace.changes if change.stage == stage]
        for change in changes:
            _print_change(screen, change, trace)
        changed = {change.plugin for change in changes}
        others = [each.plugin for each in plugins.of(stage) if each.plugin not in changed]
        if others:
            verb = "passed by" if stage == "check_request" else "left alone by"
            screen.print(styled((f"  {verb} {', '.join(others)}", "dim")))
        elif not changed:
            screen.print(styled(("  no plugin takes part", "dim")))
    for verdict in trace.verdicts:
        screen.print(
            styled(
                (f"{verdict.hook} · {verdict.plugin} · ", ""),
                (verdict.decision, "bold red"),
                (f": {verdict.reason}", ""),
            )
        )
    for plugin, text in trace.notes:
        screen.print(styled(("note", "yellow"), (f" · {plugin} · {text}", "")))
    for medium in explanation.media:
        screen.print(styled((str(medium), "")))
    screen.print(styled(("would be sent", "bold cyan")))
    body = json.dumps(explanation.to_dict()["request"], indent=2, ensure_ascii=False)
    for text in body.splitlines():
        screen.print(styled((f"  {text}", "")))


def _show(explanation: "Explanation") -> None:
    """Draw the images that would be sent, as they would be sent."""
    from hookline.cli.picture import drawn, protocol  # noqa: PLC0415 -- only for --show
    from hookline.values.blocks import ImageBlock  # noqa: PLC0415 -- as above
    from hookline.values.pictures.survey import media_in  # noqa: PLC0415 -- as above
    from hookline.values.sources import Base64Source  # noqa: PLC0415 -- as above

    by = protocol()
    if by is None:
        note(
            "this terminal is not known to show pictures; if it does, say how: "
            "HOOKLINE_PICTURES=kitty, iterm or sixel"
        )
        return
    for block, place in media_in(explanation.request.messages):
        if isinstance(block, ImageBlock) and isinstance(block.source, Base64Source):
            console().print(styled((place, "dim")))
            sys.stdout.write(drawn(block.source.data, by))
            sys.stdout.flush()


def _print_change(screen: "Console", change: "Change", trace: "Trace") -> None:
    screen.print(
        styled((f"  {change.plugin}", "bold"), (f" · {change.microseconds:.0f} µs", "dim"))
    )
    for text in change.diff(trace.shown).splitlines():
        screen.print(styled((f"    {text}", _COLOURS.get(text[:1], "dim"))))
