"""Where a chat of these tests runs: a simulator that answers by script, and no settings of ours."""

import os
from pathlib import Path

import pytest

DRIP = """
[[rule]]
when = "slow"
reply = "one two three four"
chunk = 4
drip = 0.3

[[rule]]
when = "break"
status = 529

[[rule]]
when = "paint"
reply = "\\u001b[31mred\\u001b]0;title\\u0007"
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "drip.toml").write_text(DRIP)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANTHROPIC_", "HOOKLINE_"))
    }
    return {
        **kept,
        "ANTHROPIC_BASE_URL": "sim:drip.toml",
        "TERM": "xterm",
        "NO_COLOR": "1",
        "PROMPT_TOOLKIT_NO_CPR": "1",
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }
