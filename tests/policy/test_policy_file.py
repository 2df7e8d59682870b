"""Policy files: how they are found, joined, verified and refused; never a part of one."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hookline import ConfigError, Pipeline, PolicyViolation, hookimpl
from hookline.policy import load_policy

MODEL = "claude-haiku-4-5"

WRONG = [
    ("[plugin]\nrequire = []\n", 1, "no 'plugin'; did you mean 'plugins'?"),
    ('[plugins]\nrequired = ["x"]\n', 2, "no 'plugins.required'; did you mean 'require'?"),
    ('[plugins]\nrequire = "x"\n', 2, "plugins.require must be a list of names"),
    ('[plugins]\ncode_plugins = "no"\n', 2, "must be true or false"),
    ("[policy]\nid = 7\n", 2, "policy.id must be a text"),
    ('[policy]\nnmae = "x"\n', 2, "no 'policy.nmae'"),
    ('[lock]\nbase_ulr = "https://x"\n', 2, "no option 'base_ulr'; did you mean 'base_url'?"),
    ("[lock]\n\nmax_tokens = 'x'\n", 3, "max_tokens must be a whole number"),
    ("[lock]\nplugins.images.strategy = 'x'\n", 2, '"plugins.images" = …'),
    ("[bounds]\nmax_tokens = 7\n", 2, "are a table"),
    ("[bounds]\nmax_tokens = {most = 7}\n", 2, "no 'bounds.max_tokens.most'"),
    ("[bounds]\nmodel = {max = 7}\n", 2, "model is no number"),
    ("[bounds]\nmax_tokens = {max = nan}\n", 2, "a bound must be a number"),
    ("[bounds]\nmax_tokens = {min = 9, max = 7}\n", 2, "no number is left"),
    ("[bounds]\nmax_tokens = {max = 0}\n", 2, "this bound allows none"),
    ("[lock]\nmax_tokens = 9\n[bounds]\nmax_tokens = {max = 7}\n", 4, "locked to 9"),
    ("[rule]\nid = 'x'\n", 1, "written as [[rule]]"),
    ("include = [{sha256 = 'x'}]\n", 1, "include needs a path"),
    ("include = [{path = 'x', signed = 'x'}]\n", 1, "did you mean 'signed_by'?"),
    ('[plugins]\nrequire = ["a b"]\n', 2, "is no plugin with versions"),
    ('[plugins]\nrequire = ["a>=!"]\n', 2, "a>=!"),
]


@pytest.mark.parametrize(("text", "line", "complaint"), WRONG, ids=range(len(WRONG)))
def test_what_is_not_understood_stops_everything_with_its_line(
    write: Any, refusal: Any, text: str, line: int, complaint: str
) -> None:
    path = write(text)
    told = str(refusal(policy=path))
    assert told.startswith(f"{path}:{line}: "), told
    assert complaint in told


@pytest.mark.parametrize("text", ["[lock", "lock = 1\nlock = 2", "[lock]\nx = " + "[" * 9000])
def test_what_is_no_toml_stops_everything(write: Any, refusal: Any, text: str) -> None:
    assert "is no TOML" in str(refusal(policy=write(text)))


def test_what_cannot_be_read_stops_everything(
    refusal: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: Path
) -> None:
    assert "cannot be read: no such file" in str(refusal(policy=str(tmp_path / "gone.toml")))
    monkeypatch.setenv("HOOKLINE_POLICY", str(tmp_path))
    assert "cannot be read" in str(refusal())
    monkeypatch.delenv("HOOKLINE_POLICY")
    system.symlink_to(tmp_path / "gone.toml")  # it is there, and cannot be read
    assert "cannot be read" in str(refusal())


def test_all_places_hold(write: Any, system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system.write_text("[policy]\nid = 'machine'\n[bounds]\nmax_tokens = {max = 900}\n")
    one = write("[bounds]\nmax_tokens = {max = 800}\ntimeout = {max = 90}\n", "one.toml")
    two = write("[policy]\nid = 'two'\n[bounds]\nmax_tokens = {max = 700, min = 5}\n", "two.toml")
    three = write("[policy]\nid = 'three'\n[bounds]\nmax_tokens = {max = 750}\n", "three.toml")
    monkeypatch.setenv("HOOKLINE_POLICY", f"{one}{os.pathsep}{two}")
    with Pipeline(base_url="sim:", policy=[three]) as line:
        assert (line.settings.max_tokens, line.settings.timeout) == (700, 90)
        assert line.policy.names == f"machine, {one}, two, three"
        with pytest.raises(PolicyViolation, match="at least 5 and at most 700"):
            line.send("Hello", max_tokens=4)


def test_two_that_contradict_each_other_are_an_error(write: Any, refusal: Any) -> None:
    one = write("[lock]\nmax_tokens = 9\n", "one.toml")
    two = write("\n[lock]\nmax_tokens = 8\n", "two.toml")
    told = str(refusal(policy=[one, two]))
    assert f"{two}:3: max_tokens is locked to another value by {one}:2" in told
    three = write("[bounds]\nmax_tokens = {max = 8}\n", "three.toml")
    assert f"bound to at most 8 by {three}:2" in str(refusal(policy=[one, three]))
    four = write("[bounds]\nmax_tokens = {min = 9}\n", "four.toml")
    assert "no number is left" in str(refusal(policy=[three, four]))


def test_files_are_brought_relative_to_the_one_that_brings_them(write: Any, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    inner = write("[lock]\nmax_tokens = 77\n", "more/inner.toml")
    digest = hashlib.sha256(Path(inner).read_bytes()).hexdigest()
    outer = write(f"include = [{{path = 'more/inner.toml', sha256 = '{digest}'}}]\n")
    with Pipeline(base_url="sim:", policy=outer) as line:
        assert line.settings.max_tokens == 77


def test_an_include_that_is_not_what_was_pinned_stops_everything(write: Any, refusal: Any) -> None:
    write("[lock]\nmax_tokens = 77\n", "inner.toml")
    outer = write(f"\n[policy]\ninclude = [{{path = 'inner.toml', sha256 = '{'0' * 64}'}}]\n")
    assert "another is pinned" in str(refusal(policy=outer))
    assert str(refusal(policy=outer)).startswith(f"{outer}:3: ")
    itself = write("include = [{path = 'policy.toml'}]\n")
    assert "includes itself" in str(refusal(policy=itself))
    assert "no such file" in str(refusal(policy=write("include = [{path = 'gone.toml'}]\n")))


def test_a_signature_of_ssh_keygen_may_be_demanded(
    write: Any, refusal: Any, tmp_path: Path
) -> None:
    keygen = shutil.which("ssh-keygen")
    assert keygen  # of OpenSSH, which every system that we test on has

    def key(name: str) -> str:
        where: Path = tmp_path / name
        words = ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(where)]
        subprocess.run([keygen, *words], check=True)
        public: str = Path(f"{where}.pub").read_text(encoding="utf-8")
        return public.strip()

    ours, theirs = key("ours"), key("theirs")
    inner = write("[lock]\nmax_tokens = 77\n", "inner.toml")

    def outer(by: str) -> Any:
        return write(f"include = [{{path = 'inner.toml', signed_by = '{by}'}}]\n")

    assert "must be signed" in str(refusal(policy=outer(ours)))
    words = [keygen, "-q", "-Y", "sign", "-n", "hookline-policy", "-f", str(tmp_path / "ours")]
    subprocess.run([*words, inner], check=True, capture_output=True)
    with Pipeline(base_url="sim:", policy=outer(ours)) as line:
        assert line.settings.max_tokens == 77
    assert "not signed by the key" in str(refusal(policy=outer(theirs)))
    Path(inner).write_text("[lock]\nmax_tokens = 78\n")
    assert "not signed by the key" in str(refusal(policy=outer(ours)))


MINISIGN = shutil.which("minisign")


@pytest.mark.skipif(MINISIGN is None, reason="needs minisign")
def test_a_signature_of_minisign_may_be_demanded(write: Any, refusal: Any, tmp_path: Path) -> None:
    def run(*words: str) -> None:
        assert MINISIGN
        subprocess.run([MINISIGN, *words], check=True, capture_output=True)

    def key(name: str) -> str:
        public = tmp_path / f"{name}.pub"
        run("-G", "-W", "-p", str(public), "-s", str(tmp_path / name))
        return public.read_text(encoding="utf-8").splitlines()[-1]

    ours, theirs = key("ours"), key("theirs")
    inner = write("[lock]\nmax_tokens = 77\n", "inner.toml")

    def outer(by: str) -> Any:
        return write(f"include = [{{path = 'inner.toml', signed_by = '{by}'}}]\n")

    assert "must be signed" in str(refusal(policy=outer(ours)))
    run("-S", "-s", str(tmp_path / "ours"), "-m", inner)
    with Pipeline(base_url="sim:", policy=outer(ours)) as line:
        assert line.settings.max_tokens == 77
    assert "not signed by the key" in str(refusal(policy=outer(theirs)))
    Path(inner).write_text("[lock]\nmax_tokens = 78\n")
    assert "not signed by the key" in str(refusal(policy=outer(ours)))


def test_a_tool_that_is_not_installed_is_an_error(
    write: Any, refusal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("[policy]\n", "inner.toml")
    write("x", "inner.toml.minisig")
    monkeypatch.setenv("PATH", "")
    outer = write("include = [{path = 'inner.toml', signed_by = 'RWQx'}]\n")
    assert "minisign is not installed" in str(refusal(policy=outer))


# Locks and bounds


@pytest.mark.parametrize("how", ["found", "named", "variable", "code", "dict"])
def test_a_locked_option_set_elsewhere_is_an_error_that_names_who_locked_it(
    write: Any, refusal: Any, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("[lock]\nmax_tokens = 77\n")
    options: dict[str, Any] = {"policy": path}
    if how == "found":
        write("max_tokens = 78\n", "hookline.toml")
    elif how == "named":
        options["config"] = write("max_tokens = 78\n", "named.toml")
    elif how == "variable":
        monkeypatch.setenv("HOOKLINE_MAX_TOKENS", "78")
    elif how == "code":
        options["max_tokens"] = 78
    else:
        options["config"] = {"max_tokens": 78}
    assert f"max_tokens is locked by {path}:2" in str(refusal(**options))


def test_a_value_somebody_gave_beyond_a_bound_is_refused_and_a_default_is_cut(
    write: Any, refusal: Any
) -> None:
    path = write('[bounds]\nmax_tokens = {max = 100}\n"plugins.retry.attempts" = {max = 1}\n')
    assert f"at most 100 (bound by {path}:2), not 101" in str(refusal(policy=path, max_tokens=101))
    config = {"plugins": {"retry": {"attempts": 2}}}
    told = str(refusal(policy=path, config=config))
    assert f"plugins.retry.attempts must be at most 1 (bound by {path}:3), not 2" in told
    with Pipeline(base_url="sim:", policy=path) as line:
        assert line.settings.max_tokens == 100
        retry: Any = line.plugins.get("retry")
        assert retry.object.attempts == 1


def test_bounds_and_locks_hold_against_calls_and_plugins(write: Any, sim: Any) -> None:
    from hookline.plugin import Destination

    server = sim()
    path = write(
        f'[lock]\nmodel = "{MODEL}"\nbase_url = "sim:"\n[bounds]\nmax_tokens = {{max = 100}}\n'
        "timeout = {max = 90}\n"
    )

    class Widens:
        def __init__(self, **fields: Any) -> None:
            self.fields = fields

        @hookimpl
        async def send(self, turn: Any, request: Any, call_next: Any) -> Any:
            if "base_url" in self.fields:
                turn.destination = Destination(base_url=self.fields["base_url"])
                return await call_next(request)
            return await call_next(request.evolve(**self.fields))

    for fields, rule in (
        ({"max_tokens": 101}, "bounds.max_tokens"),
        ({"model": "claude-opus-4-5"}, "lock.model"),
        ({"base_url": "http://127.0.0.1:9"}, "lock.base_url"),
    ):
        with (
            Pipeline(policy=path, plugins=[Widens(**fields)]) as line,
            pytest.raises(PolicyViolation) as caught,
        ):
            line.send("Hello")
        assert (caught.value.rule, caught.value.plugin) == (rule, "policy")
    with Pipeline(policy=path) as line:
        line.send("Hello", max_tokens=100)
        for call, rule in (
            ({"max_tokens": 101}, "bounds.max_tokens"),
            ({"model": "claude-opus-4-5"}, "lock.model"),
            ({"timeout": 91}, "bounds.timeout"),
        ):
            with pytest.raises(PolicyViolation) as caught:
                line.send("Hello", **call)
            assert caught.value.rule == rule
            with pytest.raises(PolicyViolation):
                line.count_tokens("Hello", **call)
    assert server.calls == []


def test_an_object_from_code_is_held_to_locks_and_bounds_of_its_options(
    write: Any, refusal: Any
) -> None:
    from hookline_plugins.resilience.retry import Retry

    path = write(
        '[lock]\n"plugins.retry.base" = 0.4\n[bounds]\n"plugins.retry.attempts" = {max = 3}\n'
    )
    assert "plugins.retry.base is locked" in str(refusal(policy=path, plugins=[Retry()]))
    told = str(refusal(policy=path, plugins=[Retry(base=0.4, attempts=9)]))
    assert "plugins.retry.attempts must be at most 3" in told
    with Pipeline(base_url="sim:", policy=path, plugins=[Retry(base=0.4, attempts=2)]):
        pass


def test_hashes_and_names_are_told_for_the_audit(write: Any) -> None:
    path = write("[policy]\nid = 'acme'\n")
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert load_policy([path]).described == (f"acme sha256:{digest}",)


def test_no_policy_is_no_policy() -> None:
    with Pipeline(base_url="sim:") as line:
        assert line.policy.files == ()
        assert line.plugins.get("policy") is None


def test_the_errors_of_a_policy_are_config_errors(write: Any, refusal: Any) -> None:
    assert isinstance(refusal(policy=write("x = 1")), ConfigError)
