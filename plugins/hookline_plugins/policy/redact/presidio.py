"""Presidio as a recogniser: what its analyser finds (names, places, its own patterns) as kinds of `redact`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any, Final, Protocol

from hookline import ConfigError, MissingExtra
from hookline_plugins.policy.redact.placeholders import Found

__all__ = ["Analyses", "presidio"]

_REMEMBERED: Final = 256  # texts: each kind asks about the same one


class Analyses(Protocol):
    """What is needed of ``presidio_analyzer.AnalyzerEngine``."""

    def analyze(self, text: str, language: str, **options: Any) -> Sequence[Any]:
        """Return results with ``entity_type``, ``start`` and ``end``."""
        ...


def presidio(
    entities: Sequence[str],
    *,
    language: str = "en",
    threshold: float = 0.5,
    analyzer: Analyses | None = None,
) -> Mapping[str, Callable[[str], Iterator[tuple[int, int]]]]:
    """Return what Presidio recognises, for ``Redact(finders=…)``.

    Args:
        entities: what is to be found: ``"PERSON"``, ``"LOCATION"`` …; each is a kind of its own.
        language: of the texts.
        threshold: the score, 0 to 1, from which on a find counts.
        analyzer: an engine that has been set up; by default one of Presidio's own settings, which
            wants a language model (``python -m spacy download en_core_web_lg``).

    Raises:
        ConfigError: no entity is named.
        MissingExtra: Presidio is not installed.

    Example:
        >>> Redact(finders=presidio(["PERSON"]))

    """
    if not entities:
        raise ConfigError("redact: presidio is to find nothing; name entities, such as PERSON")
    engine = analyzer if analyzer is not None else _engine()

    @lru_cache(maxsize=_REMEMBERED)
    def found(text: str) -> tuple[Found, ...]:
        results = engine.analyze(
            text=text, language=language, entities=list(entities), score_threshold=threshold
        )
        return tuple([Found(each.entity_type, each.start, each.end) for each in results])

    def of(entity: str) -> Callable[[str], Iterator[tuple[int, int]]]:
        return lambda text: ((e.start, e.end) for e in found(text) if e.kind == entity)

    return {entity: of(entity) for entity in entities}


def _engine() -> Analyses:
    try:
        module = import_module("presidio_analyzer")
    except ImportError:
        raise MissingExtra("presidio", "presidio-analyzer", "recognition by Presidio") from None
    engine: Analyses = module.AnalyzerEngine()
    return engine
