"""A process that resumes a turn: run by test_ledger, and killed at the worst moment.

Says ``at work`` on its standard output when a tool has begun that will not end, else what came of the turn.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from hookline import AsyncPipeline, HooklineError, Pipeline
from hookline_plugins.tools import Tools

HANGS = os.environ.get("HANGS", "")
RAN = Path(os.environ["RAN"])


def delete(path: str) -> str:
    """Delete a file."""
    with RAN.open("a") as file:
        file.write(f"{path}\n")
    if path == HANGS:
        sys.stdout.write("at work\n")
        sys.stdout.flush()
        time.sleep(600)
    return f"{path} is gone"


def main(url: str, colour: str, pending: Any, decisions: Any, ledger: Any) -> str:
    line: dict[str, Any] = {
        "base_url": url,
        "api_key": "test-key",
        "model": "claude-haiku-4-5",
        "plugins": [Tools(routes={"delete": "human"}, parallel=1, ledger=ledger)],
        "disable": ["retry"],
    }

    async def resumes() -> Any:
        async with AsyncPipeline(**line) as pipeline:
            return await pipeline.resume(pending, decisions, tools=[delete])

    try:
        if colour == "asyncio":
            reply = asyncio.run(resumes())
        else:
            with Pipeline(**line) as pipeline:
                reply = pipeline.resume(pending, decisions, tools=[delete])
    except HooklineError as error:
        return json.dumps({"error": str(error), "kind": type(error).__name__})
    return json.dumps({"text": reply.text, "pending": reply.pending})


if __name__ == "__main__":
    sys.stdout.write(main(*json.loads(sys.stdin.read())))
