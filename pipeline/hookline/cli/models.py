"""``hookline models``: the table of models."""

from typing import TYPE_CHECKING, Any

import click

from hookline.cli.options import CONFIG, JSON, examples
from hookline.cli.output import note, print_json, print_table

if TYPE_CHECKING:
    from hookline.models import ModelFacts, Prices

__all__ = ["models"]


@click.command(
    epilog=examples(
        "hookline models",
        "hookline models --json | jq '.[] | select(.prefill) | .id'",
        "hookline models --refresh",
        "hookline models --learn --base-url http://localhost:8080",
    )
)
@CONFIG
@click.option("--base-url", metavar="URL", help="The server that is asked.")
@click.option(
    "--learn", is_flag=True, help="Ask the server for its own models, and what it tells of them."
)
@click.option(
    "--refresh",
    is_flag=True,
    help="Ask the server, and keep what it tells for later runs, thirty days.",
)
@JSON
def models(
    config: str | None, base_url: str | None, *, learn: bool, refresh: bool, as_json: bool
) -> None:
    """List the known models: prices, limits, features.

    $IN and $OUT are US dollars per million tokens; CONTEXT is the size of input and output
    together, OUTPUT the most that may be asked for, both in tokens. Models that plugins and settings
    add are included; retired ones are marked. What --refresh has kept of the server is, too: limits, thinking,
    effort and retirement.
    """
    from hookline.endpoints.model_cache import keep, kept  # noqa: PLC0415 -- `--help` does without
    from hookline.pipeline import Pipeline  # noqa: PLC0415 -- `--help` does without

    with Pipeline(config=config, base_url=base_url) as line:
        address = str(line.settings.base_url)
        if refresh:
            entries = list(line.models.all())
            note(f"{len(entries)} models of {address} kept in {keep(address, entries)}")
        if learn:
            line.models.learn()
        known = list(line.model_table)
    if refresh:
        with Pipeline(config=config, base_url=base_url) as line:
            known = list(line.model_table)
    elif (found := kept(address)) is not None:
        note(f"with what {address} told on {found.fetched.date()}")
    if as_json:
        print_json([_described(facts) for facts in known])
        return
    print_table(
        ("ID", "$IN", "$OUT", "CONTEXT", "OUTPUT", "PREFILL", "THINKING", "STATUS"),
        [_row(facts) for facts in known],
        right=("$IN", "$OUT", "CONTEXT", "OUTPUT"),
        wrapped=("THINKING", "STATUS"),
    )


def _row(facts: "ModelFacts") -> tuple[str, ...]:
    prices = facts.prices
    return (
        facts.id,
        f"{prices.input:f}" if prices else "",
        f"{prices.output:f}" if prices else "",
        _tokens(_size(facts, "context")),
        _tokens(_size(facts, "max_output")),
        "yes" if facts.prefill else "no",
        _thinking(facts),
        _status(facts),
    )


def _thinking(facts: "ModelFacts") -> str:
    ways = [way.replace("_", " ") for way in facts.thinking if way != "disabled"]
    return " + ".join(ways) or "no"


def _size(facts: "ModelFacts", name: str) -> int | None:
    """Return a size, or None where whoever told of the model said nothing of it."""
    return None if facts.told and name not in facts.told else getattr(facts, name)


def _tokens(count: int | None) -> str:
    if count is None:
        return ""
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if count >= size and count % size == 0:
            return f"{count // size}{unit}"
    return str(count)


def _status(facts: "ModelFacts") -> str:
    if facts.retired:
        return f"RETIRED {facts.retires or ''}".rstrip()
    if facts.retires is not None:
        return f"{facts.status} until {facts.retires}"
    return facts.status


def _described(facts: "ModelFacts") -> dict[str, Any]:
    return {
        "id": facts.id,
        "display_name": facts.display_name,
        "aliases": list(facts.aliases),
        "status": facts.status,
        "retired": facts.retired,
        "released": _day(facts.released),
        "retires": _day(facts.retires),
        "not_before": _day(facts.not_before),
        "context": _size(facts, "context"),
        "max_output": _size(facts, "max_output"),
        "prefill": facts.prefill,
        "thinking": list(facts.thinking),
        "vision": facts.vision.name if facts.vision else None,
        "prices": _prices(facts.prices),
    }


def _day(day: Any) -> str | None:
    return None if day is None else str(day.isoformat())


def _prices(prices: "Prices | None") -> dict[str, Any] | None:
    if prices is None:
        return None
    return {
        "input": float(prices.input),
        "output": float(prices.output),
        "cache_write_5m": float(prices.cache_write_5m),
        "cache_write_1h": float(prices.cache_write_1h),
        "cache_read": float(prices.cache_read),
        "long_over": prices.long_over,
        "long": _prices(prices.long),
    }
