"""Plugins of installed distributions: found, configured, refused when broken."""

import sys
from pathlib import Path
from typing import Any

import pytest

from hookline import ConfigError, Pipeline, PluginWarning
from hookline._journey.discovery import installed
from hookline_plugins.resilience.retry import Retry
from support.distributions import MODULE, install


def test_the_standard_plugins_come_in_by_the_same_door() -> None:
    ours = {each.name for each in installed() if each.distribution == "hookline"}
    assert {"history", "prefill", "images", "echo", "cost", "tools", "logging"} <= ours


def test_an_installed_plugin_takes_part(
    run: Any, sim: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path)
    server = sim()
    run.send(line={"base_url": server})
    assert server.bodies[0]["system"] == "stamped"
    with Pipeline(base_url="sim:") as line:
        plugin = line.plugins.get("stamp")
    assert plugin is not None
    assert (plugin.distribution, plugin.version) == ("acme-stamp", "1.2")


def test_it_takes_its_options(
    run: Any, sim: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path)
    server = sim()
    run.send(line={"base_url": server, "config": {"plugins": {"stamp": {"text": "other"}}}})
    assert server.bodies[0]["system"] == "other"


def test_shadow_is_an_option_of_every_plugin(
    run: Any, sim: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path)
    server = sim()
    config = {"plugins": {"stamp": {"shadow": True}}}
    reply = run.send(line={"base_url": server, "config": config})
    assert "system" not in server.bodies[0]
    assert [verdict.plugin for verdict in reply.trace.verdicts] == ["stamp"]
    with pytest.raises(ConfigError, match=r"plugins\.stamp\.shadow must be true or false"):
        Pipeline(base_url="sim:", config={"plugins": {"stamp": {"shadow": "yes"}}})


def test_a_plugin_off_by_default_waits_to_be_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path, entry="shy = acme_stamp:Shy", group="hookline.plugins.optional")

    def there(**options: Any) -> bool:
        with Pipeline(base_url="sim:", **options) as line:
            return line.plugins.get("shy") is not None

    assert not there()
    assert "acme_stamp" not in sys.modules  # what is off costs nothing
    assert there(plugins=["shy"])
    assert there(config={"plugins": {"shy": {"text": "x"}}})


def test_one_given_in_code_replaces_the_installed_one_of_the_same_name() -> None:
    from hookline import hookimpl

    class Mine:
        name = "history"

        @hookimpl
        def build_history(self) -> None:
            return None

    mine = Mine()
    with Pipeline(base_url="sim:", plugins=[mine]) as line:
        found = [plugin.object for plugin in line.plugins.plugins if plugin.name == "history"]
    assert found == [mine]


@pytest.mark.parametrize(
    ("entry", "module"),
    [
        ("stamp = acme_stamp:Stamp", "raise RuntimeError('broken at import')"),
        ("stamp = acme_stamp:Stamp", "import nothing_of_this_name"),
        ("stamp = acme_stamp:Gone", MODULE),
    ],
)
def test_a_broken_plugin_is_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, entry: str, module: str
) -> None:
    install(monkeypatch, tmp_path, entry=entry, module=module)
    with pytest.warns(PluginWarning) as caught:
        line = Pipeline(base_url="sim:")
    with line:
        assert line.plugins.get("stamp") is None
        assert "simulator" in line.send("Hello").text  # the others go on
    text = str(caught[0].message)
    assert "'stamp' of acme-stamp cannot be loaded" in text
    assert "HOOKLINE_DISABLE=stamp" in text
    with Pipeline(base_url="sim:", config={"plugins": {"disable": ["stamp"]}}) as line:
        assert "simulator" in line.send("Hello").text
    monkeypatch.setenv("HOOKLINE_DISABLE", "stamp")
    with Pipeline(base_url="sim:") as line:
        assert line.plugins.get("stamp") is None


def test_two_distributions_with_one_name_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path, name="acme-stamp")
    install(monkeypatch, tmp_path, name="other-stamp")
    with pytest.raises(ConfigError, match="both offer a plugin called 'stamp'; uninstall one"):
        Pipeline(base_url="sim:")


def test_a_standard_plugin_handed_over_in_code_takes_the_place_of_the_installed_one() -> None:
    with Pipeline(base_url="sim:", plugins=[Retry(attempts=7)]) as line:
        names = [plugin.name for plugin in line.plugins.plugins]
        retry = line.plugins.get("retry")
    assert names.count("retry") == 1
    assert "Retry" not in names
    assert retry is not None
    assert retry.object.attempts == 7
