"""``hookline sim``: the simulator on a port."""

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import click

from hookline.cli.options import examples
from hookline.cli.output import note

if TYPE_CHECKING:
    pass

__all__ = ["sim"]

_READY: Final = """\
The simulator listens on {url} (ctrl-C ends it). For example:

  curl {url}/v1/messages \\
    -H 'content-type: application/json' -H 'anthropic-version: 2023-06-01' -H 'x-api-key: any' \\
    -d '{{"model": "{model}", "max_tokens": 100,
         "messages": [{{"role": "user", "content": "Hello, Claude"}}]}}'

For everything that speaks to the API, in another terminal:

  export ANTHROPIC_BASE_URL={url} ANTHROPIC_API_KEY=any
"""


@click.command(
    epilog=examples(
        "hookline sim",
        "hookline sim --port 0",
        "hookline sim --scenario examples/outage.toml",
    )
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="0 takes a free one.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--scenario", metavar="FILE", help="Scripted replies and faults, in TOML.")
def sim(port: int, host: str, scenario: str | None) -> None:
    """Serve a strict local Messages API.

    It judges requests as the API does, answers the same thing to the same request, and needs
    neither key nor network. Any client of the API can be pointed at it.
    """
    from hookline.simulator import Scenario, Simulator, serve  # noqa: PLC0415 -- `--help` does without

    simulator: Simulator = Simulator(Scenario.from_toml(scenario) if scenario else None)
    if not _is_loopback(host):
        note(f"everyone who can reach {host} can use this simulator")
    try:
        serve(simulator, host, port, on_ready=_announce)
    except KeyboardInterrupt:
        return  # the usual way to end it


def _announce(url: str) -> None:
    from hookline.config import Settings  # noqa: PLC0415 -- `--help` does without

    click.echo(_READY.format(url=url, model=Settings().model))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
