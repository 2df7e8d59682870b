"""Metrics as Prometheus reads them: kept in this process, bounded, and written as text."""

import threading
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from attrs import define, field

from hookline_plugins.otel.conventions import METRICS, Metric

__all__ = ["CONTENT_TYPE", "Registry", "metrics_app"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_MOST_SERIES: Final = 1000  # of one metric; those that come later are counted together
_Labels = tuple[tuple[str, str], ...]
_REST: Final[_Labels] = (("hookline_overflow", "true"),)


@define
class _Series:
    """One metric for one set of labels."""

    counts: list[int]
    total: float = 0.0
    observed: int = 0


@define(eq=False)
class Registry:
    """The metrics of one process. Thread-safe."""

    _kept: dict[str, dict[_Labels, _Series]] = field(factory=dict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def add(self, name: str, amount: float, labels: Mapping[str, Any]) -> None:
        """Count an amount, or take it into a histogram.

        Args:
            name: a key of ``METRICS``.
            amount: what happened.
            labels: what tells series apart.

        """
        buckets = METRICS[name].buckets
        key = _key(tuple(labels), *labels.values())
        with self._lock:
            series = self._kept.setdefault(name, {})
            one = series.get(key)
            if one is None:
                key = key if len(series) < _MOST_SERIES else _REST
                one = series.setdefault(key, _Series([0] * len(buckets)))
            one.total += amount
            one.observed += 1
            if buckets:
                place = bisect_left(buckets, amount)
                if place < len(buckets):
                    one.counts[place] += 1

    def render(self) -> str:
        """Return all metrics in the text format of Prometheus."""
        with self._lock:
            return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        for name, metric in METRICS.items():
            series = self._kept.get(name)
            if not series:
                continue
            shown = _full_name(name, metric)
            yield f"# HELP {shown} {metric.what}"
            yield f"# TYPE {shown} {'histogram' if metric.buckets else 'counter'}"
            for labels, one in series.items():
                yield from _of_series(shown, metric, labels, one)


def _of_series(name: str, metric: Metric, labels: _Labels, one: _Series) -> Iterator[str]:
    if not metric.buckets:
        yield f"{name}{_written(labels)} {one.total:g}"
        return
    below = 0
    for bound, count in zip(metric.buckets, one.counts, strict=True):
        below += count
        yield f"{name}_bucket{_written((*labels, ('le', f'{bound:g}')))} {below}"
    yield f"{name}_bucket{_written((*labels, ('le', '+Inf')))} {one.observed}"
    yield f"{name}_sum{_written(labels)} {one.total:g}"
    yield f"{name}_count{_written(labels)} {one.observed}"


def _full_name(name: str, metric: Metric) -> str:
    unit = {"s": "_seconds", "USD": "_usd"}.get(metric.unit, "")
    return _name(name) + unit + ("" if metric.buckets else "_total")


@lru_cache(maxsize=_MOST_SERIES, typed=True)  # 1 and True are equal, and written otherwise
def _key(labels: tuple[str, ...], *values: Any) -> _Labels:
    return tuple(sorted(zip(map(_name, labels), map(str, values), strict=True)))


def _name(name: str) -> str:
    return name.replace(".", "_")


def _written(labels: _Labels) -> str:
    inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{inner}}}" if inner else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def metrics_app(registry: Registry) -> Any:
    """Return an ASGI application that answers with the metrics."""

    async def app(scope: Mapping[str, Any], _receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        headers = [(b"content-type", CONTENT_TYPE.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": registry.render().encode()})

    return app
