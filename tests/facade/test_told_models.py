"""Facts about models that the settings tell."""

import base64
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hookline import ConfigError, HooklineError, Image, Pipeline
from hookline.config import load_settings

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
            "preflight": {"strict": True},
            "disable": ["retry"],
        },
        "models": {"ants-7b": facts},
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
        ({"aliases": [[]]}, "aliases must be a list of texts"),
        ({"thinking": "enabled"}, "thinking must be a list"),
        ({"vision": "eagle"}, "vision must be one of high, standard"),
        ({"vision": ["high"]}, "vision must be one of high, standard"),
        ({"context": 0}, "context must be 1 or more"),
        ({"aliases": ["claude-opus-5-5"]}, "claude-opus-5-5 is in the table of models"),
        ({"prices": {"input": -1, "output": 1}}, "0 dollars or more"),
        ({"prices": {"input": "nan", "output": 1}}, "0 dollars or more"),
        ({"prices": 5}, "prices are a table"),
        ({"prices": {"input": 1}}, "prices are a table"),
        ({"prices": {"input": "cheap", "output": 1}}, "numbers of dollars"),
    ],
)
def test_a_wrong_fact_is_named(facts: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Pipeline(base_url="sim:", config=config(**facts))


@pytest.mark.parametrize("tables", [5, {"ants-7b": 5}])
def test_facts_are_tables(tables: Any) -> None:
    with pytest.raises(ConfigError, match=r"models.* must be a table"):
        Pipeline(base_url="sim:", config={"models": tables})


PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
TOML = """
[models."ants-7b"]
context = 8192
vision = false
{more}

[plugins]
disable = ["retry"]
"""


def test_a_file_tells_and_its_mistakes_have_a_line(tmp_path: Path) -> None:
    file = tmp_path / "hookline.toml"
    file.write_text(TOML.format(more='prices = { input = "0.10", output = 0.4 }'))
    with Pipeline(base_url="sim:", config=file) as line:
        facts = line.model_table.require("ants-7b")
    assert (facts.context, facts.vision) == (8192, None)
    assert facts.prices is not None
    assert facts.prices.input == Decimal("0.10")
    file.write_text(TOML.format(more="contxt = 5"))
    with pytest.raises(ConfigError, match=r"hookline\.toml:2: .*did you mean 'context'"):
        Pipeline(base_url="sim:", config=file)


def test_layers_are_put_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    users = tmp_path / "hookline" / "config.toml"
    users.parent.mkdir()
    users.write_text("[models.ants-7b]\ncontext = 1000\n[models.bees-1b]\ncontext = 2000\n")
    named = tmp_path / "named.toml"
    named.write_text("[models.ants-7b]\ncontext = 3000\n")
    settings = load_settings(named)
    assert {name: told["context"] for name, told in settings.models.items()} == {
        "ants-7b": 3000,
        "bees-1b": 2000,
    }


@pytest.mark.parametrize(
    ("model", "fact", "harmless"),
    [
        ("ants-7b", "context = 8192", True),
        ("ants-7b", "prices = { input = 0, output = 0 }", False),
        ("ants-7b", 'aliases = ["claude-opus-5-5"]', False),
        ("claude-haiku-4-5", "context = 8192", False),
    ],
)
def test_a_file_that_was_merely_found_changes_no_price_and_no_known_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, fact: str, harmless: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hookline.toml").write_text(f'[models."{model}"]\n{fact}\n')
    if harmless:
        with Pipeline(base_url="sim:") as line:
            assert line.model_table.require(model).context == 8192
        return
    with pytest.raises(ConfigError, match="such a models is not for a file that was merely found"):
        Pipeline(base_url="sim:")


def test_a_model_that_cannot_see_is_sent_no_image() -> None:
    image = Image(PNG)
    given: Any = {"base_url": "http://127.0.0.1:9", "model": "ants-7b", "timeout": 5}
    with (
        Pipeline(**given, config=config(vision=False)) as line,
        pytest.raises(HooklineError, match="does not take images"),
    ):
        line.send([image, "What is it?"])


@pytest.mark.parametrize("name", ["claude-haiku-4-5", "claude-haiku-4-5-20251001"])
def test_what_the_table_knows_is_not_for_settings(name: str) -> None:
    free = {"prices": {"input": 0, "output": 0}}
    with pytest.raises(ConfigError, match=f"{name} is in the table of models"):
        Pipeline(base_url="sim:", config={"models": {name: free}})


def test_a_policy_may_keep_settings_from_telling_of_models(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[policy]\nid = "acme"\n[lock]\nmodels = {}\n')
    with pytest.raises(ConfigError, match=r"models is locked by .*policy\.toml"):
        Pipeline(base_url="sim:", policy=policy, config={"models": {"ants-7b": ANTS}})
    with Pipeline(base_url="sim:", policy=policy) as line:
        assert "ants-7b" not in line.model_table
