"""The documentation as it is built: no warning, a search that finds what people look for, copy buttons."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sphinx.search.en import SearchEnglish

ROOT = Path(__file__).parents[2]

LOOKED_FOR = {
    "jupyter": "guide/notebooks",
    "notebook": "guide/notebooks",
    "fastapi": "guide/web_servers",
    "django": "guide/web_servers",
    "celery": "guide/web_servers",
    "discord": "guide/web_servers",
    "pydantic": "guide/output",
    "llama": "guide/local_servers",
    "langchain": "migrating/langchain",
    "litellm": "migrating/litellm",
    "middleware": "migrating/sdk_middleware",
    "caching": "guide/thinking_and_caching",
    "replay": "guide/resilience",
    "install": "guide/installation",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("html")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    done = subprocess.run(
        [*command, "-d", str(target / "doctrees"), str(ROOT / "docs"), str(target)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return target


@pytest.mark.slow
@pytest.mark.timeout(360)
def test_search_finds_what_people_look_for(built: Path) -> None:
    script = (built / "searchindex.js").read_text(encoding="utf-8")
    index: Any = json.loads(script.removeprefix("Search.setIndex(").removesuffix(")"))
    stem = SearchEnglish({}).stem
    for word, page in LOOKED_FOR.items():
        places = [index[kind].get(stem(word), []) for kind in ("terms", "titleterms")]
        found = {
            number for each in places for number in (each if isinstance(each, list) else [each])
        }
        assert page in {index["docnames"][number] for number in found}, word


@pytest.mark.slow
@pytest.mark.timeout(360)
def test_the_front_page_can_be_copied_from(built: Path) -> None:
    front = (built / "index.html").read_text(encoding="utf-8")
    assert "copybutton.js" in front
    assert (built / "_static" / "copybutton.js").exists()
    assert 'pip install "hookline[all]"' in front.replace("&quot;", '"')
    assert "highlight-python" in front
    assert front.index("pip install") < front.index("highlight-python") < front.index("journey")
