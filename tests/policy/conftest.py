"""What the tests of the policy need: no policy of the machine, files in one line, pipelines that say why not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hookline import ConfigError, Pipeline
from hookline.policy import reading


@pytest.fixture(autouse=True)
def system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return where the machine's policy would be."""
    place = tmp_path / "system" / "policy.toml"
    place.parent.mkdir()
    monkeypatch.setattr(reading, "system_path", lambda _environ: place)
    return place


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Write a policy file: ``write("[lock]…")``; return its path."""

    def written(text: str, name: str = "policy.toml") -> str:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    return written


@pytest.fixture
def refusal() -> Callable[..., ConfigError]:
    """Build a pipeline that must not be built; return why."""

    def why(**options: Any) -> ConfigError:
        with pytest.raises(ConfigError) as caught:
            Pipeline(**{"base_url": "sim:", **options})
        return caught.value

    return why
