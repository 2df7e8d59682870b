"""The commands: ``hookline policy check | explain | test | lint | diff``."""

import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import click

from hookline._journey.contract import SURFACES
from hookline.cli.options import CONFIG, JSON, examples
from hookline.cli.output import console, print_json, print_table, styled
from hookline.cli.policy.judging import Judge, Judgement, cases
from hookline.cli.replay.recorded import read_bytes, read_request, recorded
from hookline.config import dotted
from hookline.values.principal import Principal

__all__ = ["policy"]

_REFUSED: Final = 4
_FAILED: Final = 1
_COLOURS: Final = {"allow": "green", "refuse": "bold red"}

_FILES: Final = click.option(
    "files",
    "--policy",
    multiple=True,
    metavar="FILE",
    help="A policy file; else those that hold here (HOOKLINE_POLICY, the system's). May be repeated.",
)


def _who(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say on whose behalf."""
    for option in (
        click.option("--user", default="", metavar="NAME", help="On whose behalf."),
        click.option("--team", default="", metavar="NAME", help="The team."),
        click.option("--tenant", default="", metavar="NAME", help="The tenant."),
        click.option("tags", "--tag", multiple=True, metavar="NAME=VALUE", help="A tag of theirs."),
        click.option(
            "--model", "-m", metavar="ID", help="The model asked, in place of the request's."
        ),
    ):
        command = option(command)
    return command


def _principal(user: str, team: str, tenant: str, tags: Sequence[str]) -> Principal:
    pairs = [tag.partition("=") for tag in tags]
    return Principal(
        user=user, team=team, tenant=tenant, tags={name: value for name, _, value in pairs}
    )


@click.group(
    epilog=examples(
        "hookline policy check request.json --team sales",
        "hookline policy explain --user ada@acme.example",
        "hookline policy test cases.toml",
        "hookline policy lint --policy policy.toml",
        "hookline policy diff old.toml new.toml --traces requests.jsonl",
    )
)
def policy() -> None:
    """Try the organisation's rules on requests; nothing is sent, and no other plugin runs."""


@policy.command(epilog=examples("hookline policy check request.json --user ada --json"))
@click.argument("request", metavar="REQUEST.json")
@_FILES
@_who
@click.option(
    "--surface",
    default="send",
    type=click.Choice(SURFACES),
    help="The door it would come in by; send by default.",
)
@CONFIG
@JSON
def check(  # noqa: PLR0917 -- click hands all of them over by name
    request: str,
    files: tuple[str, ...],
    user: str,
    team: str,
    tenant: str,
    tags: tuple[str, ...],
    model: str | None,
    surface: str,
    config: str | None,
    *,
    as_json: bool,
) -> int:
    """Say whether a request would be let through. Exit code 0: allowed, 4: refused, 2: unreadable.

    REQUEST.json is a body as the API takes it; - reads it from standard input.
    """
    judge = Judge(files, config)
    asked = read_request(_content(request), request)
    if model is not None:
        asked = asked.evolve(model=model)
    judgement = judge.judge(asked, _principal(user, team, tenant, tags), surface=surface)
    if as_json:
        print_json(judgement.to_dict())
    else:
        _print(judgement)
    return 0 if judgement.refusal is None else _REFUSED


@policy.command(epilog=examples("hookline policy explain --team sales --model claude-haiku-4-5"))
@_FILES
@_who
@CONFIG
@JSON
def explain(  # noqa: PLR0917 -- as above
    files: tuple[str, ...],
    user: str,
    team: str,
    tenant: str,
    tags: tuple[str, ...],
    model: str | None,
    config: str | None,
    *,
    as_json: bool,
) -> None:
    """Say in words what holds for somebody: locks, bounds, plugins, rules."""
    judge = Judge(files, config)
    found = judge.policy
    rows = [
        *(
            (dotted(key), f"is {locked.value!r}", locked.by)
            for key, locked in found.lock.items()
            if not (key[0] == "plugins" and locked.value is found.rules)
        ),
        *((dotted(key), f"must be {bound.words}", bound.by) for key, bound in found.bounds.items()),
        *(
            (each.name, f"must take part {each.versions}".strip(), each.by)
            for each in found.require
        ),
    ]
    if judge.rules is not None:
        rows += judge.rules.explained(_principal(user, team, tenant, tags), model)
    if as_json:
        print_json([{"id": name, "says": says, "limits": limits} for name, says, limits in rows])
    else:
        print_table(("WHAT", "SAYS", "WHERE, OR FOR WHOM"), rows, wrapped=("SAYS",))


@policy.command(epilog=examples("hookline policy test cases.toml --policy policy.toml"))
@click.argument("path", metavar="CASES.toml")
@_FILES
@CONFIG
@JSON
def test(path: str, files: tuple[str, ...], config: str | None, *, as_json: bool) -> int:
    """Judge the requests of a file and compare with what it expects. Exit code 0: as expected, 1: not."""
    judge = Judge(files, config)
    rows: list[dict[str, Any]] = []
    for case in cases(path):
        found = judge.judge(
            case.request, case.principal, surface=case.surface, context=case.context
        )
        right = found.decision == case.expect and case.rule in ("", found.rule)
        rows.append({
            "case": case.name,
            "expected": f"{case.expect} {case.rule}".strip(),
            "found": f"{found.decision} {found.rule}".strip(),
            "ok": right,
        })  # fmt: skip
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("", "CASE", "EXPECTED", "FOUND"),
            [("ok" if r["ok"] else "WRONG", r["case"], r["expected"], r["found"]) for r in rows],
        )
    return 0 if all(row["ok"] for row in rows) else _FAILED


@policy.command(epilog=examples("hookline policy lint --policy policy.toml"))
@_FILES
@CONFIG
@JSON
def lint(files: tuple[str, ...], config: str | None, *, as_json: bool) -> int:
    """Find rules that never decide, that others make idle, or that are too broad. Exit code 0 or 1."""
    judge = Judge(files, config)
    found = judge.rules.findings() if judge.rules is not None else []
    if as_json:
        print_json([{"rule": rule, "finding": text} for rule, text in found])
    else:
        for rule, text in found:
            click.echo(f"{rule}: {text}")
    return _FAILED if found else 0


@policy.command(epilog=examples("hookline policy diff old.toml new.toml --traces requests.jsonl"))
@click.argument("old", metavar="OLD.toml")
@click.argument("new", metavar="NEW.toml")
@click.option(
    "--traces",
    multiple=True,
    required=True,
    metavar="FILE",
    help="Recorded requests: lines of JSON (a body, or {request, principal}), a cassette, what hookline "
    "explain --json or hookline audit export wrote. May be repeated.",
)
@CONFIG
@JSON
def diff(old: str, new: str, traces: tuple[str, ...], config: str | None, *, as_json: bool) -> None:
    """Show what another policy would change on recorded requests."""
    before, after = Judge([old], config), Judge([new], config)
    changed: list[dict[str, str]] = []
    count = 0
    for path in traces:
        for each in recorded(path):
            count += 1
            was, now = [
                judge.judge(each.request, each.principal, surface=each.surface)
                for judge in (before, after)
            ]
            if (was.decision, was.rule) != (now.decision, now.rule):
                changed.append({
                    "request": each.where,
                    "old": f"{was.decision} {was.rule}".strip(),
                    "new": f"{now.decision} {now.rule}".strip(),
                })  # fmt: skip
    if as_json:
        print_json({"requests": count, "changed": changed})
        return
    if changed:
        print_table(("REQUEST", "OLD", "NEW"), [tuple(each.values()) for each in changed])
    click.echo(f"{len(changed)} of {count} requests would be judged otherwise")


def _content(path: str) -> bytes:
    return sys.stdin.buffer.read() if path == "-" else read_bytes(path)


def _print(judgement: Judgement) -> None:
    screen = console()
    refusal = judgement.refusal
    screen.print(styled((judgement.decision, _COLOURS[judgement.decision])))
    if refusal is not None:
        screen.print(styled((f"  rule {refusal.rule}", "bold"), (f": {refusal}", "")))
        if refusal.evidence:
            screen.print(styled((f"  found in {refusal.evidence}", "dim")))
    for each in judgement.verdicts:
        screen.print(styled((f"  in shadow, {each.rule} {each.decision}: {each.reason}", "yellow")))
