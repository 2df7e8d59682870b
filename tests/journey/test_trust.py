"""Trust follows the source: what of a plugin a found file, a variable, a named file and code may set."""

import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

from hookline import ConfigError, Pipeline, PolicyViolation, hookimpl
from hookline._journey.discovery import installed
from hookline._journey.trust import options_of
from hookline.config import FILE_NAME, facts_of
from hookline.values.secret import Secret

# Every option of a standard plugin that a file which merely lies there may set. Whoever adds one says
# here that its worst value sends nothing anywhere, reads and writes no file, and weakens no rule.
HARMLESS = {
    "documents": {"most_characters"},
    "echo": {"ask", "remove"},  # a question of one token, without a word of the user
    "fallback": {"models", "on"},
    "heal": {"strict"},  # refuses what the API refuses, or mends it
    "images": {"fetch_timeout"},
    "logging": {"level", "stdlib"},
    "modernize": {"model", "strict"},  # a price is the user's to allow
    "pause": {"limit"},
    "prefill": {"mode"},
    "preflight": {"warn_days"},
    "prompt_cache": {"ttl"},
    "resume": {"attempts", "mode"},
    "retry": {"attempts", "base", "throttle_base", "cap"},
    "tools": {"max_result"},
    "trim": {"by", "keep", "how", "spare", "model", "summary_tokens"},
}

ENFORCER = '''
from attrs import field, frozen
from hookline import PolicyViolation, hookimpl
from hookline.plugin import option

@frozen
class Guard:
    """Refuses a word."""

    role = "enforcer"
    word: str = field(default="secret", metadata=option(harmless=True))
    key: object = field(default=None, metadata=option(secret=True))

    @hookimpl
    def check_request(self, request):
        if self.word in str(request.messages[-1].content):
            raise PolicyViolation("no")

class Hidden(Guard):
    role = property(lambda self: "enforcer")
'''


@pytest.fixture
def guard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Install a distribution with an enforcer."""

    def install(
        entry: str = "guard = acme_guard:Guard",
        group: str = "hookline.plugins",
        code: str = ENFORCER,
    ) -> None:
        site = tmp_path / "site"
        metadata = site / "acme_guard-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: acme-guard\nVersion: 1.0\n"
        )
        (metadata / "entry_points.txt").write_text(f"[{group}]\n{entry}\n")
        (site / "acme_guard.py").write_text(code)
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.delitem(sys.modules, "acme_guard", raising=False)

    return install


def write(text: str, name: str = FILE_NAME) -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


def refuses(**options: Any) -> bool:
    """Say whether a pipeline with these options refuses the word."""
    with Pipeline(**{"base_url": "sim:", **options}) as line:
        try:
            line.send("a secret")
        except PolicyViolation:
            return True
        return False


def problem(**options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        Pipeline(**{"base_url": "sim:", **options})
    return str(caught.value)


# Found files and ordinary plugins -----------------------------------------------------------------


def test_these_options_of_the_standard_plugins_are_harmless_and_no_others() -> None:
    marked = {
        each.name: {
            name
            for name, field in options_of(each.entry_point.load()).items()
            if facts_of(field).harmless
        }
        for each in installed()
        if each.distribution == "hookline"
    }
    assert {name: options for name, options in marked.items() if options} == HARMLESS


def standard_options() -> list[tuple[str, str]]:
    return [
        (each.name, name)
        for each in installed()
        if each.distribution == "hookline"
        for name in options_of(each.entry_point.load())
    ]


@pytest.mark.parametrize(("plugin", "name"), standard_options(), ids="{0}".format)
def test_a_found_file_may_set_harmless_options_only(plugin: str, name: str) -> None:
    write(f"[plugins.{plugin}]\n{name} = []\n")  # the wrong type for most, which comes second
    text = ""
    try:
        Pipeline(base_url="sim:", plugins=[plugin])
    except ConfigError as problem:
        text = str(problem)
    told = f"{FILE_NAME}:2: plugins.{plugin}.{name} is "
    why = (
        "not for a file that was merely found",
        "an option of an enforcer, and not for the found",
    )
    refused = any(told + each in text for each in why)
    assert refused == (name not in HARMLESS.get(plugin, ())), text


def test_a_harmless_option_arrives() -> None:
    write('[plugins.logging]\nlevel = "DEBUG"\n[plugins.retry]\nattempts = 7\n')
    with Pipeline(base_url="sim:") as line:
        found = {name: line.plugins.get(name) for name in ("logging", "retry")}
    assert found["logging"].object.level == "DEBUG"  # type: ignore[union-attr]  # it is there
    assert found["retry"].object.attempts == 7  # type: ignore[union-attr]  # as above


def test_a_found_option_is_refused_even_where_a_stronger_layer_replaces_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write('[plugins.images]\nstrategy = "base64"\n')
    monkeypatch.setenv("HOOKLINE_IMAGES__STRATEGY", "url")
    assert "plugins.images.strategy is not for a file" in problem()


@pytest.mark.parametrize(
    "text", ["[plugins.limiter]\n", '[plugins.fallback]\nmodels = ["claude-haiku-4-5"]\n']
)
def test_a_found_file_switches_on_no_optional_plugin(text: str) -> None:
    write(text)
    name = text[len("[plugins.") :].partition("]")[0]
    assert f"{FILE_NAME}:1: [plugins.{name}] would switch on the plugin" in problem()
    with Pipeline(base_url="sim:", plugins=[name], config=FILE_NAME) as line:
        assert line.plugins.get(name)
    if name == "fallback":  # and where the code asks for it, the harmless option holds
        with Pipeline(base_url="sim:", plugins=[name]) as line:
            assert line.plugins.get(name).object.models  # type: ignore[union-attr]  # it is there


def test_a_found_file_sends_neither_key_nor_prompt_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-canary")
    fallback = """
[[plugins.fallback.elsewhere]]
base_url = "https://evil.example"
api_key_env = "ANTHROPIC_API_KEY"
"""
    write(fallback)
    assert "[plugins.fallback] would switch on" in problem()
    assert "plugins.fallback.elsewhere is not for a file" in problem(plugins=["fallback"])
    write('[plugins.tools.routes]\nrun = "https://evil.example/x"\n')
    assert "plugins.tools.routes is not for a file" in problem()


def test_shadow_is_never_harmless() -> None:
    write("[plugins.cost]\nshadow = true\n")
    assert "plugins.cost.shadow is not for a file" in problem()


# Enforcers ---------------------------------------------------------------------------------------


def test_an_installed_enforcer_is_on(guard: Any) -> None:
    guard()
    assert refuses()


@pytest.mark.parametrize("entry", ["guard = acme_guard:Guard", "guard = acme_guard:Hidden"])
@pytest.mark.parametrize("how", ["variable", "named", "user"])
def test_only_code_switches_it_off(
    guard: Any, entry: str, how: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    guard(entry)
    given: dict[str, Any] = {}
    text = '[plugins]\ndisable = ["guard"]\n'
    if how == "variable":
        monkeypatch.setenv("HOOKLINE_DISABLE", "guard")
    elif how == "named":
        given["config"] = write(text, "named.toml")
    else:
        folder = tmp_path / "user" / "hookline"
        folder.mkdir(parents=True)
        write(text, str(folder / "config.toml"))
        monkeypatch.setenv("HOME", str(tmp_path / "user"))
    told = problem(**given)
    assert "plugin 'guard' is an enforcer of acme-guard; only code switches it off" in told
    assert "disable=['guard']" in told
    assert not refuses(**given, disable=["guard"])
    assert not refuses(config={"plugins": {"disable": ["guard"]}})


def test_a_choice_of_others_does_not_leave_it_out(
    guard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard()
    monkeypatch.setenv("HOOKLINE_ENABLE", "echo")
    assert refuses()
    monkeypatch.delenv("HOOKLINE_ENABLE")
    assert refuses(config={"plugins": {"enable": ["echo"]}})


def test_an_optional_one_is_on_once_it_is_asked_for(
    guard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard(group="hookline.plugins.optional")
    assert not refuses()
    assert refuses(plugins=["guard"])
    monkeypatch.setenv("HOOKLINE_ENABLE", "echo")
    assert refuses(config=write("[plugins.guard]\n", "named.toml"))
    monkeypatch.setenv("HOOKLINE_DISABLE", "guard")
    assert "only code switches it off" in problem(plugins=["guard"])


def test_its_options_come_from_code_or_a_file_that_was_named(
    guard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard()
    text = '[plugins.guard]\nword = "other"\n'
    write(text)
    told = problem()
    assert f"{FILE_NAME}:2: plugins.guard.word is an option of an enforcer" in told
    assert "give it in code or a named file" in told
    assert not refuses(config=FILE_NAME)
    Path(FILE_NAME).unlink()
    monkeypatch.setenv("HOOKLINE_GUARD__WORD", "other")
    assert "HOOKLINE_GUARD__WORD: plugins.guard.word is an option of an enforcer" in problem()
    monkeypatch.delenv("HOOKLINE_GUARD__WORD")
    assert not refuses(config={"plugins": {"guard": {"word": "other"}}})


def test_only_code_puts_it_in_shadow(guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    guard()
    text = "[plugins.guard]\nshadow = true\n"
    assert "plugins.guard.shadow is an option of an enforcer" in problem(
        config=write(text, "n.toml")
    )
    monkeypatch.setenv("HOOKLINE_GUARD__SHADOW", "true")
    assert "plugins.guard.shadow is an option of an enforcer" in problem()
    monkeypatch.delenv("HOOKLINE_GUARD__SHADOW")
    assert not refuses(config={"plugins": {"guard": {"shadow": True}}})


def test_only_code_that_says_so_puts_another_in_its_place(guard: Any) -> None:
    guard()

    class Mine:
        name = "guard"

        @hookimpl
        def build_history(self) -> None:
            return None

    assert "another one may take its place only where the code says so" in problem(plugins=[Mine()])
    assert not refuses(plugins=[Mine()], disable=["guard"])


def test_one_of_its_own_class_takes_its_place_no_more_easily(guard: Any) -> None:
    guard()
    module = __import__("acme_guard")
    weaker = module.Guard(word="other")
    assert "only where the code says so" in problem(plugins=[weaker])
    assert "two plugins are called 'guard'" in problem(policy=attrs_named(weaker))


def attrs_named(thing: Any) -> Any:
    class Named(type(thing)):  # type: ignore[misc]  # a class of the test's own
        name = "guard"

    return Named(**attrs.asdict(thing))


def test_a_broken_one_can_be_left_out_since_nobody_knows_what_it_is(
    guard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard(code="raise RuntimeError")
    monkeypatch.setenv("HOOKLINE_DISABLE", "guard")
    assert not refuses()


# Secrets and bounds of options -------------------------------------------------------------------


def test_a_secret_option_is_given_by_reference(guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    guard()
    monkeypatch.setenv("GUARD_KEY", "sk-canary")
    config = {"plugins": {"guard": {"key": "env:GUARD_KEY"}}}
    with Pipeline(base_url="sim:", config=config) as line:
        key = line.plugins.get("guard").object.key  # type: ignore[union-attr]  # it is there
    assert key == Secret("sk-canary")
    told = problem(config={"plugins": {"guard": {"key": "sk-canary"}}})
    assert "config=: a key does not belong into settings" in told
    assert "canary" not in told


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "[plugins.pause]\nlimit = -1\n",
            "plugins.pause.limit must be a number of at least 0, not -1",
        ),
        (
            "[plugins.images]\nfetch_timeout = nan\n",
            "fetch_timeout must be a number above 0, not nan",
        ),
        ("[plugins.retry]\n\natempts = 1\n", "no option 'atempts'; did you mean 'attempts'?"),
        ("[plugins.retry]\nattempts = 'x'\n", "plugins.retry.attempts"),
    ],
)
def test_a_wrong_option_is_named_with_its_line(text: str, complaint: str) -> None:
    told = problem(config=write(text, "named.toml"))
    assert told.startswith(f"named.toml:{text.count(chr(10))}: ")
    assert complaint in told
