"""``hookline doctor``: the command."""

import sys
from collections.abc import Callable, Iterator
from typing import Final

import click

from hookline.cli.doctor.found import Found
from hookline.cli.doctor.installation import extras, versions
from hookline.cli.doctor.server import server
from hookline.cli.doctor.setting import credentials, plugins, policy_and_settings, proxies
from hookline.cli.options import CONFIG, JSON, examples
from hookline.cli.output import console, print_json, styled
from hookline.config import Settings

__all__ = ["doctor"]

_COLOURS: Final = {"good": "green", "note": "yellow", "finding": "bold red"}


@click.command(
    epilog=examples("hookline doctor", "hookline doctor --offline --json | jq '.[].fix'")
)
@click.option("--offline", is_flag=True, help="Do not ask the server.")
@CONFIG
@JSON
def doctor(config: str | None, *, offline: bool, as_json: bool) -> int:
    """Look for what is wrong with this installation; each finding comes with its fix.

    Looks at versions, extras, the policy, settings, credentials, proxies, plugins, the server, what kind of server it
    is taken for, and the clock. Exit code 1 says that there are findings.
    """
    found = [*versions(), *extras()]
    first, settings = policy_and_settings(config)
    found += first
    if settings is not None:
        looks: list[Callable[[Settings, str | None], Iterator[Found]]] = [credentials, plugins]
        looks += [proxies, *(() if offline else (server,))]
        for look in looks:
            found += look(settings, config)
    if as_json:
        print_json([each.to_dict() for each in found])
    else:
        _print(found)
    return 1 if any(each.state == "finding" for each in found) else 0


def _print(found: list[Found]) -> None:
    screen = console()
    width = max(len(each.about) for each in found)
    for each in found:
        screen.print(
            styled(
                (f"{each.state:<8}", _COLOURS[each.state]),
                (f"{each.about:<{width}}  ", "bold"),
                (each.what, ""),
            )
        )
        if each.fix:
            screen.print(styled((f"{'':<8}{'':<{width}}  → {each.fix}", "dim")))
    findings = sum(each.state == "finding" for each in found)
    text = f"{findings} finding{'' if findings == 1 else 's'}" if findings else "all is well"
    screen.print(styled((text, "bold red" if findings else "bold green")))
    sys.stdout.flush()
