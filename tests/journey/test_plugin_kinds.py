"""Kinds of plugin: object, module, class, file; what they declare; what becomes of a broken one."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from benchmarks.many_plugins import built
from benchmarks.many_plugins import install as install_many
from hookline import ConfigError, Pipeline, PluginWarning, StreamFilter, hookimpl
from hookline._versions import CHANGES
from hookline.cli import main
from hookline.hookspecs import CONTRACT
from support.distributions import install

FILE = '''
"""Plugins of a project."""
from attrs import frozen
from hookline import hookimpl

@frozen
class Stamp:
    """Adds a system prompt."""
    word: str = "stamped"
    @hookimpl
    def build_history(self, request):
        return request.with_system(self.word)

class Second:
    name = "second"
    @hookimpl
    def build_history(self, request):
        return request.with_system("second")

class _Hidden(Second):
    name = "hidden"
'''

MODULE = """
from hookline import hookimpl

@hookimpl
def build_history(request):
    return request.with_system("from a module")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "mine.py").write_text(FILE)
    (folder / "mod.py").write_text(MODULE)
    return folder


def system_of(**options: Any) -> Any:
    with Pipeline(base_url="sim:", **options) as line:
        return line.send("Hello").request.system


def test_a_class_is_made_with_its_options() -> None:
    @frozen
    class Stamp:
        word: str = "plain"

        @hookimpl
        def build_history(self, request: Any) -> Any:
            return request.with_system(self.word)

    assert system_of(plugins=[Stamp], config={}) == "plain"
    assert system_of(plugins=[Stamp], config={"plugins": {"Stamp": {"word": "set"}}}) == "set"
    with pytest.raises(ConfigError, match="no option 'wrod'; did you mean 'word'"):
        Pipeline(base_url="sim:", plugins=[Stamp], config={"plugins": {"Stamp": {"wrod": "x"}}})


def test_a_file_brings_every_class_with_hooks_that_is_not_private(project: Path) -> None:
    with Pipeline(base_url="sim:", plugins=[str(project / "mine.py")], config={}) as line:
        assert line.send("Hello").request.system == "stamped\n\nsecond"
        stamp = line.plugins.get("Stamp")
    assert stamp is not None
    assert stamp.distribution == str(project / "mine.py")


def test_one_of_a_file_by_name_and_a_file_that_is_itself_a_plugin(project: Path) -> None:
    assert system_of(plugins=[f"{project / 'mine.py'}:Second"], config={}) == "second"
    assert system_of(plugins=[str(project / "mod.py")], config={}) == "from a module"


def test_a_named_settings_file_names_files_beside_it(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = project / "settings.toml"
    settings.write_text(
        '[plugins]\nfiles = ["./mine.py:Stamp"]\n[plugins.Stamp]\nword = "from the file"\n'
    )
    monkeypatch.chdir(tmp_path)  # not where the file lies
    assert system_of(config=settings) == "from the file"
    (tmp_path / "hookline.toml").write_text('[plugins]\nfiles = ["project/mine.py"]\n')
    with pytest.raises(ConfigError, match=r"plugins.files is not for a file that was merely found"):
        Pipeline(base_url="sim:")


def test_a_file_that_was_named_and_is_wrong_is_refused(project: Path) -> None:
    (project / "broken.py").write_text("raise SystemExit(3)")
    (project / "empty.py").write_text("x = 1\n")
    for name, said in {
        "broken.py": r"cannot be imported \(SystemExit: 3\)",
        "empty.py": "there is no plugin in .*mark functions",
        "gone.py": "there is no plugin file",
        "mine.py:Gone": "holds nothing called 'Gone'",
    }.items():
        with pytest.raises(ConfigError, match=said):
            Pipeline(base_url="sim:", plugins=[str(project / name)])


def test_a_file_plugin_is_switched_off_by_name(project: Path) -> None:
    config = {"plugins": {"files": [str(project / "mine.py")], "disable": ["Stamp"]}}
    assert system_of(config=config) == "second"


def test_a_file_cannot_take_the_name_of_an_installed_plugin(project: Path) -> None:
    (project / "thief.py").write_text(FILE.replace('"second"', '"history"', 1))
    with pytest.raises(ConfigError, match=r"hookline and .*thief.py both offer .* 'history'"):
        Pipeline(base_url="sim:", config={"plugins": {"files": [str(project / "thief.py")]}})


# --- contract and surfaces


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("<1", f"these are version {CONTRACT}; it is older than this Hookline: update it"),
        (">=2", "it needs a newer Hookline: update hookline"),
        ("==0.9", "older than this Hookline"),
        ("new", "must be a range of versions such as '>=1,<2', not 'new'"),
    ],
)
def test_a_plugin_for_another_contract_is_told_what_to_do(wanted: str, said: str) -> None:
    class Other:
        contract = wanted

        @hookimpl
        def build_histroy(self, request: Any) -> None:  # what it was called then does not matter
            return None

    with pytest.raises(ConfigError) as caught:
        Pipeline(base_url="sim:", plugins=[Other()])
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("wanted", "told"), [("<1", True), ("==0.9", True), ("==1.0", False), (">=2", False)]
)
def test_an_older_plugin_is_told_what_has_changed_since(wanted: str, told: bool) -> None:
    class Other:
        contract = wanted

        @hookimpl
        def build_history(self, request: Any) -> None:
            return None

    with pytest.raises(ConfigError) as caught:
        Pipeline(base_url="sim:", plugins=[Other()])
    assert (CHANGES["1.0"] in str(caught.value)) == told
    assert (CHANGES["1.1"] in str(caught.value)) == (wanted != ">=2")
    assert list(CHANGES)[-1] == CONTRACT, "whoever changes the contract says what has changed"


@pytest.mark.parametrize(
    ("imported", "said"),
    [
        ("from hookline.messages import Request", "hookline.messages is hookline.values now"),
        ("import hookline.retry_after", "hookline.retry_after is hookline.plugin now"),
        ("from hookline import TextDelta", "TextDelta comes from hookline.values now"),
        ("from hookline.values import watched", "watched comes from hookline.plugin now"),
    ],
)
def test_an_import_of_an_older_version_is_told_its_new_home(
    imported: str, said: str, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "old.py").write_text(f"{imported}\n")
    with pytest.raises(ConfigError, match=f"written for another version of the hooks.*{said}"):
        Pipeline(base_url="sim:", plugins=[str(project / "old.py")])
    install(monkeypatch, tmp_path, module=imported)
    with pytest.warns(PluginWarning, match=f"acme-stamp.*{said}"):
        Pipeline(base_url="sim:", config={}).send("the others go on")


@pytest.mark.parametrize("imported", ["import nothing_of_ours", "from hookline import nothing"])
def test_another_failed_import_is_no_matter_of_versions(imported: str, project: Path) -> None:
    (project / "old.py").write_text(f"{imported}\n")
    with pytest.raises(ConfigError, match="cannot be imported") as caught:
        Pipeline(base_url="sim:", plugins=[str(project / "old.py")])
    assert "another version" not in str(caught.value)


@pytest.mark.parametrize("wanted", [">=1,<2", f"=={CONTRACT}", "<=1.9", ">0.9"])
def test_a_plugin_for_this_contract_takes_part(wanted: str) -> None:
    class Fitting:
        contract = wanted

        @hookimpl
        def build_history(self, request: Any) -> Any:
            return request.with_system("here")

    assert system_of(plugins=[Fitting()], config={}) == "here"


def test_surfaces_that_a_plugin_does_not_name_pass_it_by(run: Any, streamed: bool) -> None:
    class Streams:
        surfaces = ("stream",)

        def __init__(self) -> None:
            self.sent = 0

        @hookimpl
        def build_history(self, request: Any) -> Any:
            return request.with_system("streamed")

        @hookimpl
        async def send(self, request: Any, call_next: Any) -> Any:
            self.sent += 1
            return await call_next(request)

        @hookimpl
        def filter_stream(self) -> Any:
            return StreamFilter.deltas(str.upper, look_behind=1)

    plugin = Streams()
    reply = run.outcome(streamed, line={"plugins": [plugin]})
    assert plugin.sent == int(streamed)
    assert reply.request.system == ("streamed" if streamed else None)
    assert reply.text.isupper() == streamed


def test_surfaces_are_known_and_not_for_enforcers() -> None:
    class Unknown:
        surfaces = ("sned",)

        @hookimpl
        def build_history(self) -> None: ...

    class Guard:
        role = "enforcer"
        surfaces = ("send",)

        @hookimpl
        def check_request(self) -> None: ...

    with pytest.raises(ConfigError, match="no surface 'sned'; surfaces are send, stream"):
        Pipeline(base_url="sim:", plugins=[Unknown()])
    with pytest.raises(ConfigError, match="an enforcer, which judges on every surface"):
        Pipeline(base_url="sim:", plugins=[Guard()])


# --- a broken one


GUARD = """
import nothing_of_this_name
from hookline import hookimpl

class Stamp:
    role = "enforcer"
    @hookimpl
    def check_request(self): ...
"""
MISSHAPEN = """
from hookline import hookimpl

class Stamp:
    @hookimpl
    def build_history(self, rekwest): ...
"""


def test_one_that_does_not_fit_is_left_out_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path, module=MISSHAPEN)
    with pytest.warns(PluginWarning, match="'stamp'.*no parameter 'rekwest'.*the others go on"):
        line = Pipeline(base_url="sim:")
    with line:
        assert line.send("Hello").text
        assert line.plugins.get("stamp") is None


ENFORCING = MISSHAPEN.replace("class Stamp:", 'class Stamp:\n    role = "enforcer"')


@pytest.mark.parametrize("module", [GUARD, ENFORCING])
def test_a_broken_enforcer_is_never_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: str
) -> None:
    install(monkeypatch, tmp_path, module=module)
    with pytest.raises(ConfigError, match="'stamp'"):
        Pipeline(base_url="sim:")


def test_nor_is_one_whose_module_is_gone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, tmp_path, entry="stamp = acme_gone:Stamp")  # nothing is known of it
    with pytest.raises(ConfigError, match="cannot be loaded"):
        Pipeline(base_url="sim:")


def test_nor_one_that_was_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, tmp_path, module="raise RuntimeError('broken')")
    with pytest.raises(ConfigError, match="broken"):
        Pipeline(base_url="sim:", plugins=["stamp"])
    with pytest.raises(ConfigError, match="broken"):
        Pipeline(base_url="sim:", config={"plugins": {"stamp": {"text": "x"}}})


# --- for one run


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "sim:")

    def ask(*arguments: str) -> tuple[int, str, str]:
        code = main([*arguments, "explain", "Hello"])
        out = capfd.readouterr()
        return code, out.out, out.err

    return ask


def test_a_file_before_the_command(asked: Any, project: Path) -> None:
    code, out, _ = asked("-p", str(project / "mine.py"))
    assert code == 0
    assert "stamped" in out
    assert "second" in out


def test_leaving_one_out(asked: Any) -> None:
    assert "left alone by images" in asked()[1]
    code, out, _ = asked("-p", "no:images")
    assert code == 0
    assert "by images" not in out


def test_only_these(asked: Any) -> None:
    code, out, _ = asked("--only", "history,echo")
    assert code == 0
    assert "by images" not in out
    assert "left alone by history" in out


def test_a_policy_without_plugins_from_code_does_not_import_files(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[policy]\nid = "acme"\n[plugins]\ncode_plugins = false\n')
    monkeypatch.setenv("HOOKLINE_POLICY", str(policy))
    (project / "marks.py").write_text("open('imported', 'w').close()\n" + FILE)
    for options in (
        {"plugins": [str(project / "marks.py")]},
        {"config": {"plugins": {"files": [str(project / "marks.py")]}}},
    ):
        with pytest.raises(ConfigError):
            Pipeline(base_url="sim:", **options)
    assert not (tmp_path / "imported").exists()


def test_an_unknown_name_is_refused(asked: Any) -> None:
    code, _, err = asked("-p", "no:imgaes")
    assert code == 2
    assert "did you mean 'images'" in err


def test_an_enforcer_stays(asked: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    guard = GUARD.replace("import nothing_of_this_name\n", "")
    install(monkeypatch, tmp_path, module=guard)
    code, _, err = asked("-p", "no:stamp")
    assert code == 2
    assert "only code switches it off" in err
    code, out, _ = asked("--only", "history")
    assert code == 0
    assert "passed by stamp" in out
    monkeypatch.setenv("HOOKLINE_DISABLE", "stamp")  # adding to it must not make it code's word
    code, _, err = asked("-p", "no:images")
    assert code == 2
    assert "only code switches it off" in err


def test_plugins_shows_the_run_as_it_would_be(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "sim:")
    assert main(["-p", str(project / "mine.py"), "-p", "no:echo", "plugins"]) == 0
    out = capfd.readouterr().out
    (history,) = [line for line in out.splitlines() if line.startswith("  build_history")]
    assert "→ Stamp → second" in history
    assert "echo: switched off by plugins.disable" in out


# --- many of them


def test_of_forty_installed_plugins_only_the_two_that_are_asked_for_are_imported(
    tmp_path: Path,
) -> None:
    install_many(tmp_path, 40)
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    _, imported = built(["many-3", "many-17"], {**os.environ, "PYTHONPATH": path})
    assert imported == ["many_17", "many_3"]
    _, imported = built([], {**os.environ, "PYTHONPATH": path})
    assert imported == []


@pytest.mark.parametrize("name", ["evil\x1b[31m", "two\nlines", " ", "\u202etxet"])
def test_a_name_that_cannot_be_shown_is_refused(name: str) -> None:
    class Named:
        @hookimpl
        def build_history(self) -> None: ...

    Named.name = name  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match="a plugin's name is some printable characters"):
        Pipeline(base_url="sim:", config={}, plugins=[Named()])
