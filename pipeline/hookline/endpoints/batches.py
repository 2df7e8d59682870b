"""``line.batches``: many messages at once, at half the price, within a day (facts 12.5)."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Final, TypeAlias, Unpack

from attrs import frozen

from hookline._api.retry_after import retry_after
from hookline._http.transport import RawResponse
from hookline._io import drive
from hookline._journey.engine import Engine
from hookline._journey.life import Life
from hookline._said import hide
from hookline.endpoints.access import Access, CallOptions, identified
from hookline.endpoints.batch_items import (
    Departure,
    arrived,
    depart,
    encoded,
    named,
    read_result,
    tell_attempts,
)
from hookline.endpoints.batch_objects import Batch, BatchItem, BatchResult, checked_items
from hookline.endpoints.objects import Deleted
from hookline.endpoints.pages import AsyncItems, Items, Page, walk
from hookline.errors import DeadlineExceeded, InputError
from hookline.send_options.options import betas_of, timeout_of
from hookline.turn import Turn
from hookline.values.messages import Request, Response
from hookline.values.secret import HiddenBytes
from hookline.wire.json_lines import lines

__all__ = ["AsyncBatches", "Batches", "Journeys"]

_PATH: Final = "/v1/messages/batches"
_MOST_BODY: Final = 256 * 1024 * 1024
_LEAST_SECONDS: Final = 1.0  # for one question about a batch, however little time is left
_POLL_SECONDS: Final = 30.0  # where the API does not say how long to wait

BatchOrId: TypeAlias = Batch | str


@frozen(eq=False)
class Journeys:
    """How the turns of a pipeline begin.

    Attributes:
        engine: plugins.
        begin: makes the turn and the first request of an item.
        resume: makes the turn of a result; gets the turn that the item left in, if it is known,
            and the custom_id.

    """

    engine: Engine
    begin: Callable[[BatchItem], tuple[Turn, Request]]
    resume: Callable[[Turn | None, str], Turn]


class AsyncBatches:
    """The batches of an ``AsyncPipeline``; see `Batches`."""

    def __init__(self, access: Access, journeys: Journeys) -> None:
        self._access = access
        self._journeys = journeys

    async def create(self, items: Sequence[BatchItem], **options: Unpack[CallOptions]) -> Batch:
        """Send many messages as one batch; see `Batches.create`."""
        checked_items(items)
        engine = self._journeys.engine
        departures: dict[str, Departure] = {}
        bodies: list[bytes] = []
        batch: Batch | None = None
        try:
            async with AsyncExitStack() as lives:
                for item in items:
                    try:
                        turn, first = self._journeys.begin(item)
                        life = await lives.enter_async_context(Life(engine, turn, first))
                        request = await depart(engine, turn, first)
                        departure = Departure(item, life, turn, request)
                        bodies.append(HiddenBytes(encoded(departure)))
                    except BaseException as error:
                        named(error, item.custom_id)
                        raise
                    departures[item.custom_id] = departure
                batch = await self._sent(bodies, departures, options)
                for departure in departures.values():
                    departure.left(Response(headers=batch.headers))
        except BaseException as error:
            if batch is not None:  # what failed is the conclusion of a turn, not the sending
                error.add_note(f"the batch {batch.id} has been created all the same")
            raise
        return batch.evolve(turns={name: each.turn for name, each in departures.items()})

    async def _sent(
        self, bodies: Sequence[bytes], departures: Mapping[str, Departure], options: CallOptions
    ) -> Batch:
        """Send the batch; the exchange is an attempt of every item."""
        content = HiddenBytes(b'{"requests":[' + b",".join(bodies) + b"]}")
        if len(content) > _MOST_BODY:
            raise InputError(
                f"the batch is {len(content):,} bytes, and the API takes {_MOST_BODY:,}; make "
                "several batches, or upload images and documents with line.files"
            )
        betas = dict.fromkeys(betas_of(options.get("betas")))
        for departure in departures.values():
            betas.update(dict.fromkeys(departure.request.betas))
        access = self._access
        began = access.io.now()
        answered: Response | None = None
        problem: BaseException | None = None
        try:
            batch = await access.ask(
                Batch, "POST", _PATH, {**options, "betas": tuple(betas)}, content=content
            )
            answered = Response(headers=batch.headers)
        except BaseException as error:
            problem = error
            raise
        finally:
            await tell_attempts(
                self._journeys.engine,
                departures,
                seconds=access.io.now() - began,
                answered=answered,
                error=problem,
            )
        return batch

    async def get(self, batch: BatchOrId, **options: Unpack[CallOptions]) -> Batch:
        """Return a batch as it stands now; see `Batches.get`."""
        found = await self._access.get(Batch, identified(_PATH, batch), options)
        return _keeping_turns(batch, found)

    async def list(
        self,
        *,
        limit: int | None = None,
        after_id: str | None = None,
        before_id: str | None = None,
        **options: Unpack[CallOptions],
    ) -> Page[Batch]:
        """Return one page of the batches; see `Batches.list`."""
        query = [("limit", limit), ("after_id", after_id), ("before_id", before_id)]
        return await self._access.page(Batch, _PATH, options, query)

    def all(self, *, limit: int | None = None, **options: Unpack[CallOptions]) -> AsyncItems[Batch]:
        """Go through all batches; see `Batches.all`."""
        return walk(lambda cursor: self.list(limit=limit, after_id=cursor, **options))

    async def wait(
        self,
        batch: BatchOrId,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 -- one door for both colours and both loops
        betas: Sequence[str] = (),
    ) -> Batch:
        """Wait until a batch has ended; see `Batches.wait`."""
        io = self._access.io
        most = timeout_of(timeout)
        until = None if most is None else io.now() + most
        while True:
            limit = self._access.timeout
            if until is not None:
                limit = min(limit, max(_LEAST_SECONDS, until - io.now()))
            found = await self.get(batch, timeout=limit, betas=betas)
            if found.ended:
                return found
            pause = retry_after(found.headers) or _POLL_SECONDS
            if until is not None:
                remaining = until - io.now()
                if remaining <= 0:
                    raise DeadlineExceeded(f"the wait for batch {found.id}", timeout or 0.0)
                pause = min(pause, remaining)
            await io.sleep(pause)

    def results(self, batch: BatchOrId, **options: Unpack[CallOptions]) -> AsyncItems[BatchResult]:
        """Read the results as they arrive; see `Batches.results`."""
        found = self._results(batch, options)
        return AsyncItems(lambda: anext(found, None), found.aclose)

    async def _results(
        self, batch: BatchOrId, options: CallOptions
    ) -> AsyncGenerator[BatchResult, None]:
        turns = batch.turns if isinstance(batch, Batch) else {}
        answer = await self._access.exchange(
            _opened,
            "GET",
            identified(_PATH, batch, "results"),
            options,
            accept="application/x-jsonl",
            whole=False,
        )
        try:
            number = 0
            async with aclosing(answer.chunks()) as chunks, aclosing(lines(chunks)) as found:
                async for line in found:
                    number += 1
                    result = read_result(line, number)
                    if isinstance(result, BatchResult) and result.error is not None:
                        hide(result.error, answer.hidden)
                    if not isinstance(result, BatchResult):
                        result = await self._arrived(turns.get(result[0]), *result)
                    yield result
        finally:
            await self._access.io.shielded(answer.aclose())

    async def _arrived(self, left: Turn | None, custom_id: str, response: Response) -> BatchResult:
        request = left.request if left is not None else None
        if request is None:  # read by another process than the one that sent it
            request = Request(response.model, response.usage.output_tokens)
        turn = self._journeys.resume(left, custom_id)
        return await arrived(self._journeys.engine, turn, request, custom_id, response)

    async def cancel(self, batch: BatchOrId, **options: Unpack[CallOptions]) -> Batch:
        """Ask for an early end; see `Batches.cancel`."""
        path = identified(_PATH, batch, "cancel")
        return _keeping_turns(batch, await self._access.ask(Batch, "POST", path, options))

    async def delete(self, batch: BatchOrId, **options: Unpack[CallOptions]) -> Deleted:
        """Delete a batch that has ended; see `Batches.delete`."""
        return await self._access.ask(Deleted, "DELETE", identified(_PATH, batch), options)


async def _opened(answer: RawResponse) -> RawResponse:
    return answer


def _keeping_turns(asked: BatchOrId, found: Batch) -> Batch:
    return found.evolve(turns=asked.turns) if isinstance(asked, Batch) else found


class Batches:
    """The batches of a ``Pipeline``. Wherever one takes a batch, its id will do.

    Example:
        >>> with Pipeline(base_url="sim:") as line:
        ...     batch = line.batches.create([BatchItem("a", "Hello"), BatchItem("b", "Good day")])
        ...     batch = line.batches.wait(batch, timeout=3600)
        ...     texts = {r.custom_id: r.reply.text for r in line.batches.results(batch) if r.reply}

    """

    def __init__(self, access: Access, journeys: Journeys) -> None:
        self._twin = AsyncBatches(access, journeys)

    def create(self, items: Sequence[BatchItem], **options: Unpack[CallOptions]) -> Batch:
        """Send many messages as one batch.

        Every item goes through the stages, the ``send`` onion and ``check_request`` like a message
        of its own; if one is refused, nothing is sent. Onions see only the way out: what a ``send``
        hook does with a response does not happen to the results.

        Args:
            items: up to 100,000, each with a ``custom_id`` of its own.
            **options: ``timeout`` (seconds, for the upload) and ``betas`` (those of the items are
                added).

        Returns:
            The batch. Hand this very value to ``wait`` and ``results``, rather than its id, so
            that replies know their requests.

        Raises:
            InputError: an item cannot be sent; like the next two it names the item.
            PolicyViolation: a rule refused an item.
            PluginError: a plugin failed.
            APIError: the API refused the batch.
            TransportError: no answer came; the batch may have been created even so.

        """
        return drive(self._twin.create(items, **options))

    def get(self, batch: BatchOrId, **options: Unpack[CallOptions]) -> Batch:
        """Return a batch as it stands now.

        Args:
            batch: the batch or its id.
            **options: ``timeout`` (seconds) and ``betas``.

        Raises:
            APIError: the API answered with an error.
            TransportError: no answer came.

        """
        return drive(self._twin.get(batch, **options))

    def list(
        self,
        *,
        limit: int | None = None,
        after_id: str | None = None,
        before_id: str | None = None,
        **options: Unpack[CallOptions],
    ) -> Page[Batch]:
        """Return one page of the batches, newest first.

        Args:
            limit: the most items on the page, 1 to 1000; the API's default is 20.
            after_id: begin after this id.
            before_id: end before this id.
            **options: as for ``get``.

        """
        return drive(
            self._twin.list(limit=limit, after_id=after_id, before_id=before_id, **options)
        )

    def all(self, *, limit: int | None = None, **options: Unpack[CallOptions]) -> Items[Batch]:
        """Go through all batches, page after page.

        Args:
            limit: the most items on a page.
            **options: for each call, as for ``get``.

        """
        return Items(self._twin.all(limit=limit, **options))

    def wait(
        self, batch: BatchOrId, *, timeout: float | None = None, betas: Sequence[str] = ()
    ) -> Batch:
        """Wait until a batch has ended, asking as often as the API likes to be asked.

        Args:
            batch: the batch or its id.
            timeout: seconds to wait at most; None waits for its end, a day at most.
            betas: as for ``get``.

        Raises:
            DeadlineExceeded: it has not ended in time; it goes on all the same.
            APIError: the API answered with an error.
            TransportError: no answer came.

        """
        return drive(self._twin.wait(batch, timeout=timeout, betas=betas))

    def results(self, batch: BatchOrId, **options: Unpack[CallOptions]) -> Items[BatchResult]:
        """Read the results as they arrive, in any order.

        Read them to their end, or close the iterator (it is a context manager): it holds a
        connection. Nothing is sent before the first is asked for.

        Args:
            batch: the batch, or its id. With an id, or in another process, a reply does not know
                its request: ``reply.request`` has the model only, and a prefill is missing from
                ``reply.text``.
            **options: ``timeout`` (seconds until the first byte) and ``betas``.

        Raises:
            APIError: there are none (yet, or any more), or another error of the API's.
            TransportError: no answer came, or it broke off.
            DecodeError: a line does not have the shape that the API promises.

        """
        return Items(self._twin.results(batch, **options))

    def cancel(self, batch: BatchOrId, **options: Unpack[CallOptions]) -> Batch:
        """Ask for an early end; what has run by then has results.

        Args:
            batch: the batch or its id.
            **options: as for ``get``.

        """
        return drive(self._twin.cancel(batch, **options))

    def delete(self, batch: BatchOrId, **options: Unpack[CallOptions]) -> Deleted:
        """Delete a batch that has ended, with its results.

        Args:
            batch: the batch or its id.
            **options: as for ``get``.

        """
        return drive(self._twin.delete(batch, **options))
