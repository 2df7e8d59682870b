"""The table of servers: named, guessed by the host, or generic."""

from typing import Any

import pytest
from attrs import evolve

from hookline import APIError, ConfigError, Pipeline, hookimpl
from hookline.plugin import Destination, Profile
from hookline.profiles import Servers, load_profiles, profile_of
from hookline_plugins.resilience.fallback import Elsewhere, Fallback


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
        turn, _ = line.begin_turn("explain", "Hi", {"model": "x"})
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


class Acme:
    """A plugin that knows a server."""

    @hookimpl
    def register_profiles(self, register: Any) -> None:
        register(Profile(name="acme", hosts=["*.acme.example", "localhost:8080"], claude=True))


def test_a_plugin_adds_a_profile_and_its_hosts_come_first() -> None:
    with Pipeline(server="acme", base_url="http://localhost:9", plugins=[Acme()]) as line:
        assert line.profile.name == "acme"
    with Pipeline(base_url="https://llm.acme.example", plugins=[Acme()]) as line:
        assert line.profile.name == "acme"
    with Pipeline(base_url="http://127.0.0.1:8080", plugins=[Acme()]) as line:
        assert line.profile.name == "acme"
    with Pipeline(base_url="http://127.0.0.1:8080") as line:  # pipelines share nothing
        assert line.profile.name == "llama.cpp"


def test_a_plugin_replaces_a_profile(run: Any, loopback: Any, http: Any, message: Any) -> None:
    class Mine:
        @hookimpl
        def register_profiles(self, register: Any) -> None:
            register(evolve(load_profiles().require("vllm"), repeats_prefill="never"))

    server = loopback(lambda request: http(200, message("# Ants")))
    line = {**server.line, "server": "vllm", "model": "ants-7b", "plugins": [Mine()]}
    assert run.send("Head", line=line, prefill="#").text == "## Ants"
    assert len(server.requests) == 1  # nothing had to be learned


def test_an_unknown_profile_is_told_with_its_line(tmp_path: Any) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('model = "x"\nserver = "ollamma"\n')
    with pytest.raises(ConfigError, match=r"mine\.toml:2: .*'ollamma'; did you mean 'ollama'"):
        Pipeline(config=str(file), base_url="http://localhost:9")


@pytest.mark.parametrize(
    ("headers", "name"),
    [({"server": "llama.cpp"}, "llama.cpp"), ({"x-litellm-version": "1.2"}, "litellm")],
)
@pytest.mark.parametrize("status", [200, 400])
def test_a_server_names_itself_and_is_known_by_that_from_then_on(
    run: Any, loopback: Any, http: Any, message: Any, headers: Any, name: str, status: int
) -> None:
    server = loopback(lambda request: http(status, message("Hi") if status == 200 else {}, headers))

    async def body(line: Any) -> None:
        assert line.profile.name == "generic"
        for number in range(2):
            try:
                notes = (await line.send("Hi")).trace.notes
            except APIError:
                notes = []
            told = [text for who, text in notes if who == "server"]
            wanted = [f"{server.url}: it is {name} (by the headers of its answers)"]
            assert told == (wanted if number == 0 and status == 200 else [])
        assert line.profile.name == name
        (lesson,) = line.servers.lessons
        assert (lesson.name, lesson.value, lesson.base_url) == ("name", name, server.url)

    run(body, **{**server.line, "model": "ants-7b"})


def test_a_named_server_and_a_host_of_the_internet_are_believed_more_than_headers() -> None:
    servers = Servers()
    named = Destination(base_url="http://localhost:9", server="vllm")
    assert servers.listen(named, {"server": "llama.cpp"}) is None
    known = Destination(base_url="https://api.anthropic.com")
    servers.listen(known, {"server": "llama.cpp"})
    assert servers.profile(known).name == "anthropic"


def test_what_is_learned_is_of_one_account_and_model_and_bounded() -> None:
    servers = Servers()
    here = Destination(base_url="http://localhost:9", api_key="k1")
    assert servers.learn(here, "prefill", False, model="a", how="it refused one") is not None
    assert servers.learn(here, "prefill", False, model="a") is None  # no news
    assert servers.learned(here, "prefill", "a") is False
    assert servers.learned(here, "prefill", "b") is None
    assert servers.learned(evolve(here, api_key="k2"), "prefill", "a") is None
    assert "k1" not in repr(servers.lessons)
    for number in range(1200):
        servers.learn(here, "prefill", True, model=f"m{number}")
    assert len(servers.lessons) == 1000
    assert servers.learned(here, "prefill", "a") is None


def test_a_copy_of_a_destination_for_the_checks_keeps_its_server() -> None:
    assert Destination(base_url="http://localhost:9", server="vllm").apart().server == "vllm"


@pytest.mark.parametrize(
    ("options", "seconds"), [({}, 600.0), ({"read_timeout": 5}, 5.0), ({"server": ""}, 60.0)]
)
def test_a_server_that_sends_no_pings_may_be_silent_for_longer(
    options: Any, seconds: float
) -> None:
    given = {"base_url": "http://localhost:9", "server": "llama.cpp", "config": {}, **options}
    with Pipeline(**given) as line:
        assert line._upstreams.reach().timeouts.read == seconds


def test_a_500_is_bad_input_where_the_profile_says_so(run: Any, loopback: Any, http: Any) -> None:
    server = loopback(lambda request: http(500, {"error": {"message": "no such field"}}))
    for name, most in (("llama.cpp", 1), ("ollama", 2)):
        server.requests.clear()
        config = {"plugins": {"retry": {"attempts": 2, "base": 0.01}}}
        line = {**server.line, "server": name, "model": "ants-7b", "config": config}
        with pytest.raises(APIError):
            run.send("Hi", line=line)
        assert len(server.requests) == most


def test_a_fallback_to_a_server_of_an_unknown_kind_is_told_at_once(run: Any, sim: Any) -> None:
    there = Elsewhere(base_url="http://localhost:9", server="ollamma")
    with pytest.raises(ConfigError, match="did you mean 'ollama'"):
        run.send("Hi", line={"base_url": sim(), "plugins": [Fallback(elsewhere=(there,))]})
