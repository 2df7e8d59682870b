"""The model table: complete, immutable, exact about money."""

import datetime as dt
import json
from decimal import Decimal
from typing import Any, get_args

import attrs
import pytest
from anthropic.types import Model

from hookline.errors import InputError
from hookline.models import EFFORTS, ModelFacts, ModelTable, Prices, Status, cost, load_models
from hookline.simulator import Call, Simulator

# Facts, section 4.2 and 9.2.
PREFILL = {"claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5"}
NO_PREFILL = {
    "claude-fable-5-2",
    "claude-mythos-5-2",
    "claude-haiku-5-5",
    "claude-sonnet-5-5",
    "claude-opus-5-5",
    "claude-fable-5-1",
    "claude-mythos-5-1",
    "claude-opus-5",
    "claude-sonnet-5",
    "claude-fable-5",
    "claude-mythos-5",
    "claude-opus-4-8",
    "claude-opus-4-7",
    "claude-sonnet-4-6",
    "claude-opus-4-6",
    "claude-mythos-preview",
}


@pytest.fixture
def table() -> ModelTable:
    return load_models()


@pytest.mark.parametrize("name", sorted(PREFILL | NO_PREFILL))
def test_every_model_of_the_facts_is_there(table: ModelTable, name: str) -> None:
    assert table.require(name).prefill is (name in PREFILL)
    assert not table.require(name).retired


def test_every_model_of_the_sdk_is_there(table: ModelTable) -> None:
    literals = get_args(get_args(Model)[0])
    assert len(literals) > 20
    assert [name for name in literals if name not in table] == []


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("claude-opus-4-1", dt.date(2026, 8, 5)),
        ("claude-opus-4-20250514", dt.date(2026, 6, 15)),
        ("claude-sonnet-4-20250514", dt.date(2026, 6, 15)),
        ("claude-3-haiku-20240307", dt.date(2026, 4, 20)),
        ("claude-3-7-sonnet-latest", dt.date(2026, 2, 19)),
        ("claude-3-5-haiku-20241022", dt.date(2026, 2, 19)),
        ("claude-2.1", dt.date(2025, 7, 21)),
    ],
)
def test_retired_models_keep_their_day(table: ModelTable, name: str, day: dt.date) -> None:
    assert table.require(name).retired
    assert table.require(name).retires == day


def test_an_alias_means_the_same_facts(table: ModelTable) -> None:
    assert table.get("claude-sonnet-4-5") is table.get("claude-sonnet-4-5-20250929")
    assert table.require("claude-sonnet-4-5").retires == dt.date(2026, 11, 30)


@pytest.mark.parametrize(
    ("name", "prices"),
    [
        ("claude-opus-4-0", ("15", "75")),
        ("claude-3-5-sonnet-latest", ("3", "15")),
        ("claude-3-5-sonnet-20240620", ("3", "15")),
        ("claude-3-sonnet-20240229", ("3", "15")),
        ("claude-3-5-haiku-latest", ("0.80", "4")),
        ("claude-3-haiku-20240307", ("0.25", "1.25")),
        ("claude-3-opus-latest", ("15", "75")),
        ("claude-2.1", ("8", "24")),
        ("claude-2.0", ("8", "24")),
        ("claude-instant-1.2", ("0.80", "2.40")),
    ],
)
def test_retired_models_keep_their_prices(
    table: ModelTable, name: str, prices: tuple[str, str]
) -> None:
    old = table.require(name).prices
    assert old is not None
    assert (old.input, old.output) == tuple(map(Decimal, prices))


def test_a_model_on_its_way_out_names_where_to_go(table: ModelTable) -> None:
    for facts in table:
        if facts.status == "active":
            assert facts.successor is None, facts.id
        else:
            assert facts.successor is not None, facts.id
            after = table.require(facts.successor)
            assert after.status == "active"
            assert facts.line in (after.line, None), facts.id


def test_what_is_unconfirmed_names_fields(table: ModelTable) -> None:
    known = {attribute.name for attribute in attrs.fields(ModelFacts)}
    for facts in table:
        assert set(facts.unconfirmed) <= known, facts.id
    assert not table.require("claude-sonnet-5").confirmed("system_role")
    assert table.require("claude-sonnet-5").confirmed("prefill")


def test_the_facts_of_november(table: ModelTable) -> None:
    assert table.require("claude-sonnet-4-6").max_output == 128_000
    assert table.require("claude-opus-4-5").retires == dt.date(2027, 1, 22)
    assert table.require("claude-opus-4-5").status == "deprecated"


def _item(simulator: Simulator, name: str) -> dict[str, Any]:
    headers = (("x-api-key", "any"), ("anthropic-version", "2026-10-21"))
    answer = simulator.handle(Call("GET", f"/v1/models/{name}", headers))
    item: dict[str, Any] = json.loads(answer.content)
    return item


def test_the_models_api_says_what_the_table_says(table: ModelTable) -> None:
    simulator = Simulator()
    for facts in table:
        for name in (facts.id, *facts.aliases):
            item = _item(simulator, name)
            can = item["capabilities"]
            assert item["id"] == facts.id
            assert item["display_name"] == facts.display_name
            assert item["line"] == facts.line
            assert item["lifecycle"] == facts.status
            assert item["max_input_tokens"] == facts.context
            assert item["max_tokens"] == facts.max_output
            retires = None if facts.status == "active" else facts.retires
            assert item["retires_at"] == (retires and f"{retires}T00:00:00Z")
            levels = [level for level in EFFORTS if can["effort"][level]["supported"]]
            assert tuple(levels) == facts.effort
            kinds = {kind for kind, is_ in can["thinking"]["types"].items() if is_["supported"]}
            assert kinds == set(facts.thinking)
            assert can["image_input"]["supported"] is (facts.vision is not None)


def test_the_models_api_lists_every_model_of_the_table_once(table: ModelTable) -> None:
    headers = (("x-api-key", "any"), ("anthropic-version", "2026-10-21"))
    path = "/v1/models?limit=1000" + "".join(f"&lifecycle[]={s}" for s in get_args(Status))
    listed = json.loads(Simulator().handle(Call("GET", path, headers)).content)["data"]
    assert sorted(item["id"] for item in listed) == sorted(facts.id for facts in table)


def test_unknown_models(table: ModelTable) -> None:
    assert table.get("gpt-9") is None
    assert "gpt-9" not in table
    with pytest.raises(InputError, match="claude-haiku-4-5"):
        table.require("claude-haiku-45")


def test_with_models_leaves_the_table_alone(table: ModelTable) -> None:
    mine = ModelFacts(id="local-llama", aliases=["llama"], prefill=True)
    bigger = table.with_models(mine)
    assert bigger.require("llama") == mine
    assert mine.aliases == ("llama",)
    assert mine.display_name == "local-llama"
    assert "llama" not in table
    assert len(bigger) == len(table) + 1


def test_with_models_replaces_a_known_id(table: ModelTable) -> None:
    changed = attrs.evolve(table.require("claude-haiku-4-5"), max_output=1)
    other = table.with_models(changed)
    assert other.require("claude-haiku-4-5").max_output == 1
    assert len(other) == len(table)
    assert table.require("claude-haiku-4-5").max_output == 64_000


def test_facts_are_frozen(table: ModelTable) -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        table.require("claude-haiku-4-5").prefill = False  # type: ignore[misc]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        table.models = ()  # type: ignore[misc]


def test_thinking_by_default_and_by_request(table: ModelTable) -> None:
    assert table.require("claude-opus-5-5").thinks(None)
    assert not table.require("claude-opus-4-8").thinks(None)
    assert table.require("claude-opus-4-8").thinks("adaptive")
    assert not table.require("claude-opus-5").thinks("disabled")
    assert not table.require("claude-sonnet-5-5").thinks("between_tools")


def test_images_by_context(table: ModelTable) -> None:
    assert table.require("claude-haiku-4-5").max_images == 100
    assert table.require("claude-haiku-5-5").max_images == 600


def test_standard_cache_prices_follow_the_input_price(table: ModelTable) -> None:
    cheaper_reads = {"claude-sonnet-5-5": "0.10", "claude-opus-5-5": "0.20"}
    cheaper_reads |= {"claude-fable-5-1": "0.25", "claude-mythos-5-1": "0.25"}
    cheaper_reads |= {"claude-fable-5-2": "0.20", "claude-mythos-5-2": "0.20"}
    for facts in table:
        if facts.prices is None:
            continue
        assert facts.prices.cache_write_5m == facts.prices.input * Decimal("1.25"), facts.id
        assert facts.prices.cache_write_1h == facts.prices.input * 2, facts.id
        read = cheaper_reads.get(facts.id, facts.prices.input / 10)
        assert facts.prices.cache_read == Decimal(read), facts.id


def test_cost_is_exact(table: ModelTable) -> None:
    haiku = table.require("claude-haiku-4-5")
    assert cost(haiku, input_tokens=1_000_000, output_tokens=1_000_000) == Decimal(6)
    assert cost(haiku, input_tokens=1) == Decimal("0.000001")
    assert cost(haiku, cache_read=10, cache_write_5m=10, cache_write_1h=10) == Decimal("0.0000335")
    assert cost(haiku) == 0


def test_a_batch_costs_half(table: ModelTable) -> None:
    facts = table.require("claude-opus-5-5")
    assert cost(facts, input_tokens=7, output_tokens=9, batch=True) == Decimal("0.000104")


def test_us_only_costs_a_tenth_more_from_4_6_on(table: ModelTable) -> None:
    new, old = table.require("claude-opus-4-6"), table.require("claude-opus-4-5")
    assert cost(new, input_tokens=1_000_000, us_only=True) == Decimal("5.5")
    assert cost(old, input_tokens=1_000_000, us_only=True) == Decimal(5)


def test_the_long_prompt_step_counts_the_cached_prompt_too(table: ModelTable) -> None:
    haiku = table.require("claude-haiku-5-5")
    assert cost(haiku, input_tokens=100_000) == Decimal("0.01")
    assert cost(haiku, input_tokens=100_001) == Decimal("0.0500005")
    assert cost(haiku, input_tokens=1, cache_read=100_000) == Decimal("0.0050005")


def test_no_price_no_cost(table: ModelTable) -> None:
    assert cost(table.require("claude-mythos-preview"), input_tokens=1) is None


def test_prices_take_text_without_loss() -> None:
    price = Prices(
        input="0.1",
        output=1,
        cache_write_5m=1,
        cache_write_1h=1,
        cache_read=1,
    )
    assert price.input == Decimal("0.1")
