"""The table of servers: named, guessed by the host, or generic."""

from typing import Any

import pytest

from hookline import ConfigError, Pipeline
from hookline.plugin import Destination
from hookline.profiles import load_profiles, profile_of


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://api.anthropic.com", "anthropic"),
        ("sim:", "anthropic"),
        ("https://notanthropic.com", "generic"),
        ("https://anthropic.com.example.org", "generic"),
        ("https://bedrock-mantle.us-east-1.api.aws/anthropic", "bedrock"),
        ("https://us-east5-aiplatform.googleapis.com", "vertex"),
        ("https://ec2-1-2-3-4.compute.amazonaws.com", "generic"),
        ("https://aiplatform.googleapis.com", "vertex"),
        ("https://mine.services.ai.azure.com/anthropic", "foundry"),
        ("http://localhost:11434", "ollama"),
        ("http://127.0.0.1:8080", "llama.cpp"),
        ("http://[::1]:8000", "vllm"),
        ("http://localhost:1234", "lmstudio"),
        ("http://localhost:4000", "litellm"),
        ("https://example.com:8080", "generic"),
        ("http://localhost", "generic"),
    ],
)
def test_a_host_tells_the_profile(address: str, name: str) -> None:
    assert profile_of(Destination(base_url=address)).name == name


def test_a_named_profile_wins_over_the_host() -> None:
    there = Destination(base_url="http://localhost:8080", server="vllm")
    assert profile_of(there).name == "vllm"


@pytest.mark.parametrize("where", ["code", "table", "environment"])
def test_settings_name_it(monkeypatch: Any, where: str) -> None:
    options: dict[str, Any] = {"config": {}}
    if where == "code":
        options["server"] = "llama.cpp"
    elif where == "table":
        options["config"] = {"server": "llama.cpp"}
    else:
        monkeypatch.setenv("HOOKLINE_SERVER", "llama.cpp")
    with Pipeline(base_url="http://localhost:9", **options) as line:
        assert line.settings.server == "llama.cpp"
        turn, _ = line._begin("explain", "Hi", {"model": "x"})
    assert profile_of(turn.destination).name == "llama.cpp"


def test_a_profile_that_there_is_not_is_refused_with_the_nearest() -> None:
    with pytest.raises(
        ConfigError, match=r"no server profile 'llama-cpp'; did you mean 'llama\.cpp'"
    ):
        Pipeline(server="llama-cpp", config={})


def test_the_table_is_sound() -> None:
    table = load_profiles()
    names = [profile.name for profile in table]
    assert len(names) == len(set(names))
    assert {"anthropic", "llama.cpp", "ollama", "vllm", "lmstudio", "litellm"} <= set(names)
    assert {"bedrock", "vertex", "foundry", "generic"} <= set(names)
    for profile in table:
        assert profile.image_types
        assert profile.all_rules is (profile.name == "anthropic")
