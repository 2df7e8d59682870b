"""A stand-in for the SDK of old: it takes down what a script would have sent."""

import sys
import types
from typing import Any, Self

import pytest

__all__ = ["requests_of"]


class _Anything:
    """Whatever a script does with an answer."""

    def __getattr__(self, name: str) -> Any:
        return "" if name in ("text", "completion", "id") else _Anything()

    def __getitem__(self, _index: Any) -> Any:
        return _Anything()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def __iter__(self) -> Any:
        return iter(())


class _Client:
    """``client.messages.create`` and all its relatives; every chain of names ends in a call."""

    def __init__(self, taken: list[dict[str, Any]], betas: tuple[str, ...]) -> None:
        self._taken = taken
        self._betas = betas

    def __getattr__(self, name: str) -> Any:
        return self._take if name in ("create", "stream") else self

    def _take(self, *, requests: Any = None, **fields: Any) -> Any:
        for each in [item["params"] for item in requests] if requests else [fields]:
            betas = [*self._betas, *each.get("betas", ())]
            self._taken.append({**each, **({"betas": betas} if betas else {})})
        return _Anything()


def requests_of(source: str, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Run a script and return what it would have sent."""
    taken: list[dict[str, Any]] = []

    def client(default_headers: Any = None, **_options: Any) -> _Client:
        betas = (default_headers or {}).get("anthropic-beta", "").replace(",", " ").split()
        return _Client(taken, tuple(betas))

    module: Any = types.ModuleType("anthropic")
    module.Anthropic = client
    module.HUMAN_PROMPT, module.AI_PROMPT = "\n\nHuman:", "\n\nAssistant:"
    monkeypatch.setitem(sys.modules, "anthropic", module)
    exec(compile(source, "<tutorial>", "exec"), {"__name__": "tutorial"})  # noqa: S102 -- ours
    return taken
