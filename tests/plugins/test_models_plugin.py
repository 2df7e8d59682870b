"""Facts about models that the settings tell."""

from decimal import Decimal
from typing import Any

import pytest

from hookline import ConfigError, HooklineError, Pipeline
from hookline_plugins.models import Models

ANTS: dict[str, Any] = {
    "context": 8192,
    "max_output": 100,
    "prefill": True,
    "thinking": ["enabled"],
    "vision": "standard",
    "prices": {"input": 0.1, "output": "0.4"},
}


def config(**facts: Any) -> Any:
    return {
        "plugins": {
            "models": {"facts": {"ants-7b": facts}},
            "preflight": {"strict": True},
            "disable": ["retry"],
        }
    }


def test_facts_are_known_like_any_others(loopback: Any, http: Any, message: Any) -> None:
    usage = {"input_tokens": 1_000_000, "output_tokens": 1_000_000}
    server = loopback(lambda request: http(200, message("Hi", model="ants-7b", usage=usage)))
    with Pipeline(
        base_url=server.url, model="ants-7b", max_tokens=50, config=config(**ANTS)
    ) as line:
        facts = line.model_table.require("ants-7b")
        assert line.send("Hello").cost == Decimal("0.5")
    assert (facts.context, facts.max_output, facts.prefill) == (8192, 100, True)
    assert facts.thinking == ("enabled",)
    assert facts.vision is not None
    assert facts.prices is not None
    assert facts.prices.cache_read == Decimal("0.1")
    assert len(server.requests) == 1


def test_preflight_goes_by_what_was_told_and_refuses_nothing_for_a_default() -> None:
    def explained(**facts: Any) -> str:
        given: Any = {
            "base_url": "http://127.0.0.1:9",
            "model": "ants-7b",
            "config": config(**facts),
        }
        with Pipeline(**given, timeout=5) as line, pytest.raises(HooklineError) as caught:
            line.send("Hello", max_tokens=100_000)
        return str(caught.value)

    assert "max_tokens: 100,000 is more than the 100 of ants-7b" in explained(max_output=100)
    assert "connect failed" in explained(context=8192)  # which is the next thing to go wrong


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"contxt": 1}, "did you mean 'context'"),
        ({"context": "many"}, "context must be a whole number, not 'many'"),
        ({"context": True}, "context must be a whole number"),
        ({"prefill": 1}, "prefill must be true or false"),
        ({"display_name": 1}, "display_name must be a text"),
        ({"thinking": "enabled"}, "thinking must be a list"),
        ({"vision": "eagle"}, "vision must be one of high, standard"),
        ({"prices": 5}, "prices are a table"),
        ({"prices": {"input": 1}}, "prices are a table"),
        ({"prices": {"input": "cheap", "output": 1}}, "numbers of dollars"),
    ],
)
def test_a_wrong_fact_is_named(facts: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Pipeline(base_url="sim:", config=config(**facts))


@pytest.mark.parametrize("facts", [5, {"ants-7b": 5}])
def test_facts_are_tables(facts: Any) -> None:
    with pytest.raises(ConfigError, match=r"facts.*must be .*table"):
        Models(facts=facts)
