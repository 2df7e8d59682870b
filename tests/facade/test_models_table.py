"""The model table: complete, immutable, exact about money."""

import datetime as dt
from decimal import Decimal
from typing import get_args

import attrs
import pytest
from anthropic.types import Model

from hookline.errors import InputError
from hookline.models import ModelFacts, ModelTable, Prices, cost, load_models

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
    ],
)
def test_retired_models_keep_their_day(table: ModelTable, name: str, day: dt.date) -> None:
    assert table.require(name).retired
    assert table.require(name).retires == day


def test_an_alias_means_the_same_facts(table: ModelTable) -> None:
    assert table.get("claude-sonnet-4-5") is table.get("claude-sonnet-4-5-20250929")
    assert table.require("claude-sonnet-4-5").retires == dt.date(2026, 11, 30)


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
    exceptions = {"claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"}
    exceptions |= {"claude-fable-5-1", "claude-mythos-5-1"}  # a cheaper cache read
    for facts in table:
        if facts.prices is None:
            continue
        assert facts.prices.cache_write_5m == facts.prices.input * Decimal("1.25"), facts.id
        assert facts.prices.cache_write_1h == facts.prices.input * 2, facts.id
        if facts.id not in exceptions:
            assert facts.prices.cache_read == facts.prices.input / 10, facts.id


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
