"""Presidio as a recogniser of `redact`: a stand-in for its engine, and the engine itself where it is installed."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from hookline import ConfigError, MissingExtra
from hookline.simulator import Rule
from hookline_plugins.policy.redact import Redact
from hookline_plugins.policy.redact.presidio import presidio


class Stand:
    """Finds names that it has been told."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def analyze(self, text: str, language: str, **options: Any) -> list[Any]:
        self.asked.append(text)
        assert (language, options) == (
            "en",
            {"entities": ["PERSON", "LOCATION"], "score_threshold": 0.5},
        )
        return [
            SimpleNamespace(
                entity_type=kind, start=text.index(name), end=text.index(name) + len(name)
            )
            for kind, name in (("PERSON", "Ada Lovelace"), ("LOCATION", "London"))
            if name in text
        ]


def test_what_it_finds_is_a_kind_of_its_own(run: Any, sim: Any, streamed: bool) -> None:
    server = sim(Rule(reply="[PERSON_1] of [LOCATION_1]."))
    stand = Stand()
    plugin = Redact(finders=presidio(["PERSON", "LOCATION"], analyzer=stand))
    text = "I am Ada Lovelace of London."
    reply = run.outcome(streamed, text, line={"base_url": server, "plugins": [plugin]})
    assert reply.text == "Ada Lovelace of London."
    assert server.bodies[0]["messages"][0]["content"] == "I am [PERSON_1] of [LOCATION_1]."
    assert stand.asked.count(text) == 1  # for both kinds


def test_mistakes_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="name entities"):
        presidio([])
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    with pytest.raises(MissingExtra, match=r"pip install 'hookline\[presidio\]'"):
        presidio(["PERSON"])


def test_presidio_s_own_engine(run: Any, sim: Any) -> None:
    analyzer = pytest.importorskip(
        "presidio_analyzer", reason="an extra of 400 MB: hookline[presidio]"
    )
    spacy = pytest.importorskip("spacy")
    from presidio_analyzer.nlp_engine import SpacyNlpEngine  # type: ignore[import-not-found]

    blank = SpacyNlpEngine()  # no model is loaded, and so none fetched
    blank.nlp = {"en": spacy.blank("en")}
    pattern = analyzer.Pattern("case", r"case-\d{4}", 0.9)
    recogniser = analyzer.PatternRecognizer("CASE_FILE", patterns=[pattern])
    registry = analyzer.RecognizerRegistry([recogniser])
    engine = analyzer.AnalyzerEngine(registry=registry, nlp_engine=blank)
    plugin = Redact(finders=presidio(["CASE_FILE"], analyzer=engine))
    server = sim(Rule(reply="About [CASE_FILE_1]."))
    reply = run.outcome(False, "See case-1234.", line={"base_url": server, "plugins": [plugin]})
    assert reply.text == "About case-1234."
    assert "case-1234" not in server.calls[0].body.decode()
