"""``hookline replay``: the command."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

import click

from hookline.cli.options import CONFIG, JSON, examples
from hookline.cli.output import console, print_json, print_table, styled
from hookline.cli.replay.comparison import Comparison, Spent, compared
from hookline.cli.replay.recorded import Recorded, recorded
from hookline.cli.replay.rehearsal import Rehearsal
from hookline.cli.selection import Selection, chosen, selection
from hookline.errors import InputError
from hookline.policy import load_policy, policy_settings
from hookline.send_options.call import check_model

__all__ = ["replay"]

_CHANGED: Final = 3
_TAPES: Final = ("record", "replay")  # what is replayed is not written over, and answers nothing
_COLOURS: Final = {"+": "green", "-": "red"}
_DECISIONS: Final = {"allow": "green", "refuse": "bold red", "fail": "bold red"}


def _names(
    _context: click.Context, _parameter: click.Parameter, values: Sequence[str]
) -> tuple[str, ...]:
    names = (name.strip() for value in values for name in value.split(","))
    return tuple(name for name in names if name)


@click.command(
    epilog=examples(
        "hookline replay calls.jsonl --plugins ./my_plugin.py",
        "hookline replay calls.jsonl --policy new.toml --json | jq .changed",
        "hookline replay calls.jsonl --model claude-haiku-4-5",
        "hookline replay calls.jsonl --model claude-haiku-4-5 --send",
    )
)
@click.argument("files", metavar="CASSETTE|TRACES…", nargs=-1, required=True)
@click.option(
    "--plugins",
    multiple=True,
    callback=_names,
    metavar="NAME,FILE,…",
    help="Plugins to add: optional ones by name, files of your own, no:NAME to leave one out.",
)
@click.option(
    "policies", "--policy", multiple=True, metavar="FILE", help="A policy file; may be repeated."
)
@click.option("--model", "-m", metavar="ID", help="Ask this model in place of the recorded one.")
@click.option("--base-url", metavar="URL", help="Where to send; sim: is the simulator.")
@click.option("--send", is_flag=True, help="Really send each request; costs what it costs.")
@CONFIG
@JSON
def replay(  # noqa: PLR0917 -- click hands all of them over by name
    files: tuple[str, ...],
    plugins: tuple[str, ...],
    policies: tuple[str, ...],
    model: str | None,
    base_url: str | None,
    config: str | None,
    *,
    send: bool,
    as_json: bool,
) -> int:
    """Run recorded requests through another configuration, and show what would change.

    Reads cassettes of the plugin `record`, and JSON lines: a request's body, or {request, response, principal}.
    Compared is what was recorded: who would be refused, how request and reply would differ, what it would cost.
    Nothing is sent and no tool runs; tokens and cost of what would change are estimates. With --send each request
    is a real turn.

    Exit code 0: nothing changes, 3: something does, 2: it cannot be read.
    """
    exchanges = [each for path in files for each in recorded(path)]
    if not exchanges:
        raise InputError(f"{', '.join(files)}: no request was recorded there")
    if send:
        _check_whole(exchanges)
    with _line(plugins, policies, base_url, config) as line:
        if model is not None:
            check_model(line.settings, line.model_table, model, strict=line.profile.all_rules)
        take = line.really_send if send else line.rehearse
        found = [_compared(line, each, model, take, sent=send) for each in exchanges]
    if as_json:
        print_json(_summary(found, sent=send))
    else:
        _print(found)
    return _CHANGED if any(each.changed for each in found) else 0


def _check_whole(exchanges: Sequence[Recorded]) -> None:
    """Refuse to send what is not known whole, before anything has cost something."""
    for each in exchanges:
        if each.hashed:
            raise InputError(
                f"{each.where}: the cassette kept only the hash of an image or document, so this "
                "cannot be sent; replay it without --send"
            )


def _line(
    plugins: Sequence[str], policies: Sequence[str], base_url: str | None, config: str | None
) -> Rehearsal:
    given, more = selection(), chosen(plugins, None)
    both = Selection((*given.added, *more.added), (*given.without, *more.without), given.only)
    policy = load_policy(policies)
    added, disable = both.applied(policy_settings(policy, config), policy)
    return Rehearsal(
        plugins=added,
        disable=[
            *disable,
            *(each for each in _TAPES if each not in added and policy.required(each) is None),
        ],
        policy=list(policies) or None,
        base_url=base_url,
        config=config,
    )


def _compared(
    line: Rehearsal,
    given: Recorded,
    model: str | None,
    take: Callable[[Recorded], Any],
    *,
    sent: bool,
) -> Comparison:
    asked = given.asking(model) if model is not None else given
    return compared(given, take(asked), line.model_table, sent=sent)


def _summary(found: Sequence[Comparison], *, sent: bool) -> dict[str, Any]:
    was, now = _cost(each.was for each in found), _cost(each.now for each in found)
    return {
        "requests": len(found),
        "changed": sum(each.changed for each in found),
        "sent": sent,
        "cost": {
            "was": None if was is None else float(was),
            "now": None if now is None else float(now),
        },
        "exchanges": [each.to_dict() for each in found],
    }


def _cost(spent: Any) -> Decimal | None:
    total = Decimal(0)
    for each in spent:
        if each.cost is None:
            return None
        total += each.cost
    return total


def _print(found: Sequence[Comparison]) -> None:
    print_table(
        ("REQUEST", "VERDICT", "EDITED BY", "REPLY", "TOKENS", "COST"),
        [
            (
                each.where,
                f"{each.decision} {each.by}".strip(),
                ", ".join(each.plugins),
                "other" if each.reply_diff else "",
                _both(_tokens(each.was), _tokens(each.now)),
                _both(_dollars(each.was), _dollars(each.now)),
            )
            for each in found
        ],
        wrapped=("EDITED BY",),
    )
    for each in found:
        if each.changed or each.notes:
            _print_one(each)
    changed = sum(each.changed for each in found)
    was, now = _cost(each.was for each in found), _cost(each.now for each in found)
    cost = "" if was is None or now is None else f"; cost {_both(f'${was:.6f}', f'${now:.6f}')}"
    click.echo(f"\n{changed} of {len(found)} requests would change{cost}")


def _print_one(each: Comparison) -> None:
    screen = console()
    screen.print(styled((f"\n{each.where} ", "bold"), (each.decision, _DECISIONS[each.decision])))
    if each.error:
        screen.print(styled((f"  {each.error}", "")))
    for title, lines in (("request", each.request_diff), ("reply", each.reply_diff)):
        if lines:
            screen.print(styled((f"  {title}", "bold cyan")))
        for line in lines:
            screen.print(styled((f"    {line}", _COLOURS.get(line[:1], "dim"))))
    for note in each.notes:
        screen.print(styled((f"  note · {note}", "yellow")))


def _tokens(spent: Spent) -> str:
    about = "~" if spent.about else ""
    out = "" if spent.output_tokens is None else f"+{spent.output_tokens}"
    return f"{about}{spent.input_tokens}{out}"


def _dollars(spent: Spent) -> str:
    if spent.cost is None:
        return "?"
    return f"{'~' if spent.about else ''}${spent.cost:.6f}"


def _both(was: str, now: str) -> str:
    return was if was == now else f"{was} → {now}"
