"""Celery: summaries in the background; what may succeed later is tried again later, and nothing else.

``celery -A celery_summaries worker`` runs it. Each worker process makes its pipeline on first use.
"""

from functools import cache
from typing import Any

from celery import Celery, Task

from hookline import APIError, Pipeline, Principal, TransportError

app = Celery("summaries", broker="memory://", backend="cache+memory://")

CONFIG = {"plugins": {"retry": {"attempts": 2}}}  # seconds; what lasts longer is Celery's business


@cache
def line() -> Pipeline:
    """Return this process's pipeline."""
    return Pipeline(config=CONFIG, context={"service": "summaries"})


@app.task(bind=True, max_retries=5)
def summarise(self: Task, text: str, user: str = "") -> dict[str, Any]:
    """Return a summary of a text and what it cost; arguments and result are JSON."""
    try:
        reply = line().send(
            text,
            system="Summarise in one sentence.",
            principal=Principal(user=user),
            context={"task": self.request.id},
        )
    except (APIError, TransportError) as error:
        if not error.retryable:
            raise
        wait = getattr(error, "retry_after", None) or 2**self.request.retries
        raise self.retry(exc=error, countdown=wait) from error
    return {"summary": reply.text, "cost": None if reply.cost is None else str(reply.cost)}
