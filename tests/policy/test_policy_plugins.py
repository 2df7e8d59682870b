"""What a policy says of plugins: which must take part, which may, and who configures them."""

import sys
from pathlib import Path
from typing import Any

import pytest

from hookline import Pipeline, PolicyViolation, hookimpl
from hookline.config import Bound

GUARD = '''
from attrs import frozen
from hookline import PolicyViolation, hookimpl

@frozen
class Guard:
    """Refuses a word."""

    role = "enforcer"
    word: str = "secret"

    @hookimpl
    def check_request(self, request):
        if self.word in str(request.messages[-1].content):
            raise PolicyViolation("no")
'''


@pytest.fixture
def guard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Install a distribution with an enforcer."""

    def install(
        code: str = GUARD, group: str = "hookline.plugins", name: str = "acme-guard"
    ) -> None:
        site = tmp_path / "site" / name
        metadata = site / f"{name.replace('-', '_')}-1.2.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (metadata / "entry_points.txt").write_text(f"[{group}]\nguard = acme_guard:Guard\n")
        (site / "acme_guard.py").write_text(code)
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.delitem(sys.modules, "acme_guard", raising=False)

    return install


def refuses(**options: Any) -> bool:
    with Pipeline(**{"base_url": "sim:", **options}) as line:
        try:
            line.send("a secret")
        except PolicyViolation:
            return True
        return False


def test_a_required_plugin_that_is_missing_stops_the_pipeline(write: Any, refusal: Any) -> None:
    path = write(
        "[policy]\nid = 'acme-2026'\ncontact = 'ai@acme.example'\n[plugins]\nrequire = ['gone']\n"
    )
    error = refusal(policy=path)
    assert "policy (acme-2026) does not let this pipeline be built; ask ai@acme.example" in str(
        error
    )
    assert path not in str(error)  # which is for the administrator
    assert error.admin == f"{path}:5: plugin 'gone' is required, and is not installed"


@pytest.mark.parametrize(
    ("require", "told"),
    [
        ("guard>=2", "is required in version >=2, and acme-guard 1.2 is installed"),
        ("guard<1", "is required in version <1"),
    ],
)
def test_one_of_a_wrong_version_does(
    guard: Any, write: Any, refusal: Any, require: str, told: str
) -> None:
    guard()
    assert told in refusal(policy=write(f"[plugins]\nrequire = ['{require}']\n")).admin
    assert refuses(policy=write("[plugins]\nrequire = ['guard>=1,<2']\n"))


def test_a_broken_one_does(guard: Any, write: Any, refusal: Any) -> None:
    guard(code="raise RuntimeError('broken at import')")
    error = refusal(policy=write("[plugins]\nrequire = ['guard']\n"))
    assert "'guard' is required, and broken" in error.admin
    assert "broken at import" in error.admin


@pytest.mark.parametrize("how", ["code", "variable", "named", "object", "deny", "distribution"])
def test_one_that_somebody_leaves_out_does(
    guard: Any, write: Any, refusal: Any, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard()
    text = "[plugins]\nrequire = ['guard']\n"
    options: dict[str, Any] = {}
    if how == "code":
        options["disable"] = ["guard"]
    elif how == "variable":
        monkeypatch.setenv("HOOKLINE_DISABLE", "guard")
    elif how == "named":
        options["config"] = write("[plugins]\ndisable = ['guard']\n", "named.toml")
    elif how == "object":

        class Mine:
            name = "guard"

            @hookimpl
            def build_history(self) -> None:
                return None

        options |= {"plugins": [Mine()], "disable": []}
    elif how == "deny":
        text += "deny = ['guard']\n"
    else:
        text += "allow_distributions = ['hookline']\n"
    error = refusal(policy=write(text), **options)
    assert "plugin 'guard' is required" in error.admin, error


def test_an_optional_one_is_on_where_it_is_required(guard: Any, write: Any) -> None:
    guard(group="hookline.plugins.optional")
    assert not refuses()
    assert refuses(policy=write("[plugins]\nrequire = ['guard']\n"))


@pytest.mark.parametrize("option", [{"word": "other"}, {"shadow": True}])
def test_only_the_policy_configures_an_enforcer_that_it_requires(
    guard: Any, write: Any, refusal: Any, option: dict[str, Any]
) -> None:
    guard()
    path = write("[plugins]\nrequire = ['guard']\n")
    error = refusal(policy=path, config={"plugins": {"guard": option}})
    assert "only the policy gives its options" in str(error)
    both = path, write("[plugins.guard]\nword = 'other'\n", "more.toml")
    assert not refuses(policy=list(both))


def test_a_further_policy_cannot_weaken_an_enforcer(
    guard: Any, write: Any, refusal: Any, system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard()
    system.write_text("[policy]\nid = 'machine'\n")
    weaker = {
        "deny": "[plugins]\ndeny = ['guard']\n",
        "allow": "[plugins]\nallow_distributions = ['hookline']\n",
        "option": "[plugins.guard]\nword = 'other'\n",
        "shadow": "[lock]\n'plugins.guard.shadow' = true\n",
    }
    for name, text in weaker.items():
        path = write(text, f"{name}.toml")
        assert "can" in refusal(policy=path).admin
        monkeypatch.setenv("HOOKLINE_POLICY", path)
        assert "is an enforcer" in refusal().admin
        monkeypatch.delenv("HOOKLINE_POLICY")
        system.write_text(text)
        assert not refuses()
        system.write_text("[policy]\nid = 'machine'\n")


def test_what_is_not_allowed_is_not_even_imported(guard: Any, write: Any, refusal: Any) -> None:
    guard(code="raise RuntimeError('imported')", name="evil-guard")
    path = write("[plugins]\nallow_distributions = ['hookline', 'acme-*']\n")
    assert not refuses(policy=path)
    assert "evil-guard is not allowed" in refusal(policy=path, plugins=["guard"]).admin
    assert "acme_guard" not in sys.modules


def test_what_is_denied_is_not_loaded_and_cannot_be_asked_for(write: Any, refusal: Any) -> None:
    path = write("[plugins]\ndeny = ['echo', 'limiter']\n")
    with Pipeline(base_url="sim:", policy=path) as line:
        assert line.plugins.get("echo") is None
    assert f"{path}:2: denied by the policy" in refusal(policy=path, plugins=["limiter"]).admin


def test_no_plugins_from_code(write: Any, refusal: Any) -> None:
    class Mine:
        role = "enforcer"

        @hookimpl
        def build_history(self) -> None:
            return None

    path = write("[plugins]\ncode_plugins = false\n")
    assert (
        "no plugins from code, and there are 'Mine'"
        in refusal(policy=[path], plugins=[Mine()]).admin
    )
    assert "there are 'Mine'" in refusal(policy=[path, Mine()]).admin
    with Pipeline(base_url="sim:", policy=[write("[policy]\n"), Mine()]) as line:
        assert line.plugins.get("Mine")


def test_a_lock_of_a_plugin_that_there_is_not_is_an_error_with_its_line(
    write: Any, refusal: Any
) -> None:
    path = write("[policy]\n[lock]\n'plugins.imags.strategy' = 'base64'\n")
    told = str(refusal(policy=path))
    assert told == f"{path}:3: there is no plugin called 'imags'; did you mean 'images'?"
    path = write("[policy]\n[lock]\n'plugins.images.url' = 'fetch'\n")
    assert f"{path}:3: plugin 'images' has no option 'url'" in str(refusal(policy=path))


@pytest.mark.parametrize(
    ("bound", "told"),
    [
        ("'plugins.imags.attempts' = { max = 2 }", "there is no plugin called 'imags'"),
        ("'plugins.retry.attemps' = { max = 2 }", "plugin 'retry' has no option 'attemps'"),
        ("'plugins.images.strategy' = { max = 2 }", "plugins.images.strategy is no number"),
        ("'plugins.retry.attempts' = { max = -3 }", "takes no value that is allowed"),
    ],
)
def test_a_bound_that_holds_nothing_is_an_error_with_its_line(
    write: Any, refusal: Any, bound: str, told: str
) -> None:
    path = write(f"[policy]\n[bounds]\n{bound}\n")
    error = refusal(policy=path)
    assert f"{path}:3: {told}" in f"{error} {error.admin}" or (
        told in error.admin and f"{path}:3: " in error.admin
    )


@pytest.mark.parametrize("most", ["2", "2.0", "2.5"])
def test_whole_numbers_stay_whole(write: Any, most: str) -> None:
    path = write(
        f"[bounds]\nmax_tokens = {{ max = {most} }}\n'plugins.retry.attempts' = {{ max = {most} }}\n"
    )
    with Pipeline(base_url="sim:", policy=path, config={}) as line:
        assert repr(line.settings.max_tokens) == "2"
        retry: Any = line.plugins.get("retry")
        assert repr(retry.object.attempts) == "2"
        assert line.send("Hello").request.max_tokens == 2
    assert Bound(least=2.5).clamped(1) == 3
    assert Bound(least=0.5, most=2.5).clamped(None) == 2.5
