"""Message batches: created whole, run when their time has come, expired after a day."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import define

from hookline.simulator.endpoints.paging import Query, page
from hookline.simulator.errors import ApiError, invalid, not_found
from hookline.simulator.exchange import Answer, json_answer
from hookline.simulator.incoming import Incoming
from hookline.simulator.limits import rfc3339
from hookline.simulator.rules.shape import Free, Items, Record, Text

_MAX_BODY: Final = 256 * 1024 * 1024
_POLL_LATER: Final = (("retry-after", "10"),)
_DAY: Final = 24 * 3600.0
_RESULTS_KEPT: Final = 29 * _DAY
_CUSTOM_ID: Final = "^[a-zA-Z0-9_-]{1,64}$"
_SHAPE: Final = Record(
    {
        "requests!": Items(
            Record({"custom_id!": Text(longest=64, pattern=_CUSTOM_ID), "params!": Free()}),
            least=1,
            most=100_000,
        )
    }
)

Runner = Callable[[Any, str, frozenset[str]], dict[str, Any]]


@define
class _Batch:
    id: str
    requests: list[Mapping[str, Any]]
    version: str
    betas: frozenset[str]
    created: float
    base_url: str
    cancelled: float | None = None
    ended: float | None = None
    results: list[dict[str, Any]] | None = None


class Batches:
    """The store of batches. The caller holds the lock.

    Args:
        clock: Seconds since 1970.
        seconds: How long a batch takes; more than a day lets it expire.
        run: Runs one item; raises ``ApiError`` for an errored one.

    """

    def __init__(self, clock: Callable[[], float], seconds: float, run: Runner) -> None:
        self._clock = clock
        self._seconds = seconds
        self._run = run
        self._batches: dict[str, _Batch] = {}

    def create(self, incoming: Incoming, base_url: str) -> Answer:
        """Take a batch; its items are checked when they run, as the API does.

        Args:
            incoming: The call; its version and betas hold for every item.
            base_url: What the link to the results begins with.

        Returns:
            The batch object, in progress.

        Raises:
            ApiError: 400 for what the API refuses at once.

        """
        body = incoming.json(_MAX_BODY)
        _SHAPE.check(body, "", frozenset())
        seen: set[str] = set()
        for request in body["requests"]:
            name = request["custom_id"]
            if name in seen:
                raise invalid(
                    "requests: custom_id's must be unique within a batch. Duplicate custom_id "
                    f"found: {name}"
                )
            seen.add(name)
            if request["params"].get("stream"):
                raise invalid('"stream=True" is not supported in the Message Batches API')
        batch = _Batch(
            incoming.identity.make("msgbatch"),
            body["requests"],
            incoming.version,
            incoming.betas,
            self._clock(),
            base_url,
        )
        self._batches[batch.id] = batch
        return json_answer(_shown(batch))

    def get(self, batch_id: str) -> Answer:
        """Return a batch as it stands now, or raise the 404."""
        batch = self._find(batch_id)
        return json_answer(_shown(batch), _POLL_LATER if batch.ended is None else ())

    def list_page(self, query: Query) -> Answer:
        """Return one page of the batches, newest first."""
        found = [self._advance(batch) for batch in reversed(self._batches.values())]
        return json_answer(page([_shown(batch) for batch in found], query))

    def results(self, batch_id: str) -> list[dict[str, Any]]:
        """Return the result lines, or raise the 404 while it runs and after 29 days."""
        batch = self._find(batch_id)
        kept = self._clock() < batch.created + _RESULTS_KEPT
        if batch.results is None or not kept:
            raise not_found(f"Message Batch {batch_id} has no available results.")
        return batch.results

    def cancel(self, batch_id: str) -> Answer:
        """Ask for an end; what has not run is canceled."""
        batch = self._find(batch_id)
        if batch.ended is None and batch.cancelled is None:
            batch.cancelled = self._clock()
        return json_answer(_shown(batch))

    def delete(self, batch_id: str) -> dict[str, Any]:
        """Delete a batch that has ended."""
        batch = self._find(batch_id)
        if batch.ended is None:
            raise invalid(
                "In progress batches cannot be deleted. Consider canceling the batch instead."
            )
        del self._batches[batch_id]
        return {"id": batch_id, "type": "message_batch_deleted"}

    def _find(self, batch_id: str) -> _Batch:
        batch = self._batches.get(batch_id)
        if batch is None:
            raise not_found(f"Message Batch {batch_id} not found.")
        return self._advance(batch)

    def _advance(self, batch: _Batch) -> _Batch:
        """Let the batch become what it should be by now."""
        if batch.ended is not None:
            return batch
        now = self._clock()
        if batch.cancelled is not None:
            self._end(batch, batch.cancelled, lambda _: {"type": "canceled"})
        elif now >= batch.created + _DAY and self._seconds > _DAY:
            self._end(batch, batch.created + _DAY, lambda _: {"type": "expired"})
        elif now >= batch.created + self._seconds:
            self._end(batch, batch.created + self._seconds, self._result_for(batch))
        return batch

    def _end(
        self,
        batch: _Batch,
        when: float,
        result: Callable[[Mapping[str, Any]], dict[str, Any]],
    ) -> None:
        batch.ended = when
        batch.results = [
            {"custom_id": request["custom_id"], "result": result(request)}
            for request in batch.requests
        ]

    def _result_for(self, batch: _Batch) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
        def result(request: Mapping[str, Any]) -> dict[str, Any]:
            try:
                message = self._run(request["params"], batch.version, batch.betas)
            except ApiError as error:
                return {"type": "errored", "error": error.as_json(None)}
            return {"type": "succeeded", "message": message}

        return result


def _shown(batch: _Batch) -> dict[str, Any]:
    counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
    if batch.results is None:
        counts["processing"] = len(batch.requests)  # all, until the batch ends
    for line in batch.results or ():
        counts[line["result"]["type"]] += 1
    status = "ended" if batch.ended is not None else "in_progress"
    if batch.ended is None and batch.cancelled is not None:
        status = "canceling"
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": status,
        "request_counts": counts,
        "created_at": rfc3339(batch.created),
        "expires_at": rfc3339(batch.created + _DAY),
        "ended_at": None if batch.ended is None else rfc3339(batch.ended),
        "cancel_initiated_at": None if batch.cancelled is None else rfc3339(batch.cancelled),
        "archived_at": None,
        "results_url": None
        if batch.results is None
        else f"{batch.base_url}/v1/messages/batches/{batch.id}/results",
    }
