"""What all endpoints beside messages share: who asks, how long, how often, and how lists are read."""

import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypedDict, TypeVar
from urllib.parse import quote, urlencode

from attrs import frozen

from hookline._api.retry_after import retry_after
from hookline._said import hide
from hookline.endpoints.objects import APIObject, read
from hookline.endpoints.pages import Page
from hookline.errors import (
    APIError,
    DeadlineExceeded,
    DecodeError,
    HooklineError,
    InputError,
    TransportError,
)
from hookline.send_options.options import betas_of, timeout_of
from hookline.turn import IO
from hookline.values.brief import brief

if TYPE_CHECKING:
    from hookline._api.upstream import Upstream
    from hookline._http.transport import RawResponse

__all__ = ["Access", "CallOptions", "identified"]

T = TypeVar("T")
R = TypeVar("R", bound=APIObject)

Query = Iterable[tuple[str, Any]]

_ATTEMPTS: Final = 3
_FIRST_WAIT: Final = 0.5  # seconds; doubled with each attempt
_LONGEST_WAIT: Final = 8.0
_NOT_SENT: Final = frozenset({"connect", "pool", "tls"})
_SLACK: Final = 0.05  # seconds by which a time-out of the network may come early
_PAGE: Final = ("data", "has_more", "first_id", "last_id", "next_page")


class CallOptions(TypedDict, total=False):
    """What every method of an endpoint takes besides its own parameters.

    Attributes:
        timeout: seconds for the call, retries included; None is the pipeline's ``timeout``.
        betas: names for the ``anthropic-beta`` header.

    """

    timeout: float | None
    betas: Sequence[str]


@frozen(eq=False)
class Access:
    """One caller's way to the API.

    Attributes:
        reach: returns the upstream, connected when it is first needed.
        io: time and clean-up.
        timeout: seconds that one call may take, where it does not say otherwise.

    """

    reach: Callable[[], "Upstream"]
    io: IO
    timeout: float

    async def get(self, cls: type[R], path: str, options: CallOptions, query: Query = ()) -> R:
        """Ask for one object."""
        return await self.ask(cls, "GET", path, options, query=query)

    async def page(
        self, cls: type[R], path: str, options: CallOptions, query: Query = ()
    ) -> Page[R]:
        """Ask for one page of a list.

        Args:
            cls: what its items are.
            path: of the endpoint.
            options: of the call.
            query: parameters; those that are None are left out.

        """
        page = await self.ask(_Listed, "GET", path, options, query=query)
        items = page.extra.get("data")
        if not isinstance(items, tuple):
            raise DecodeError(f"expected an array of {cls.__name__}", "$.data")
        data = tuple(read(cls, item, path=f"$.data[{index}]") for index, item in enumerate(items))
        following = page.extra.get("next_page")
        return Page(
            data=data,
            has_more=bool(page.extra.get("has_more", following)),
            first_id=page.extra.get("first_id"),
            last_id=page.extra.get("last_id"),
            next_page=following,
            headers=page.headers,
            extra={key: value for key, value in page.extra.items() if key not in _PAGE},
        )

    async def ask(
        self,
        cls: type[R],
        method: str,
        path: str,
        options: CallOptions,
        *,
        query: Query = (),
        content: bytes | None = None,
        content_type: str = "application/json",
    ) -> R:
        """Send a request, again if that is safe and may help, and read the object it answers.

        Raises:
            APIError: the API answered with an error.
            TransportError: no usable answer came.
            DecodeError: the answer has another shape than the API promises.

        """

        async def exchange(answer: "RawResponse") -> R:
            from hookline._api.bodies import read_json  # noqa: PLC0415 -- loads the wire format

            return read(cls, await read_json(answer), answer.headers)

        return await self.exchange(
            exchange,
            method,
            path,
            options,
            query=query,
            content=content,
            content_type=content_type,
        )

    async def exchange(
        self,
        use: "Callable[[RawResponse], Awaitable[T]]",
        method: str,
        path: str,
        options: CallOptions,
        *,
        query: Query = (),
        content: bytes | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        whole: bool = True,
    ) -> T:
        """Send a request, again if that is safe and may help, and hand its answer to ``use``.

        Args:
            use: reads the answer and closes it, or keeps it to do so later; if it raises, the
                answer is closed here.
            method: of HTTP.
            path: of the endpoint.
            options: of the call.
            query: parameters; those that are None are left out.
            content: the body.
            content_type: of the body.
            accept: what the answer may be.
            whole: whether the time limit holds for reading the body as well.

        Raises:
            DeadlineExceeded: the time was up.

        """
        unknown = options.keys() - CallOptions.__annotations__.keys()
        if unknown:
            raise InputError(f"there is no parameter {min(unknown)!r} here")
        timeout = timeout_of(options.get("timeout")) or self.timeout
        deadline = self.io.now() + timeout
        late = DeadlineExceeded(f"{method} {path}", timeout)
        betas = betas_of(options.get("betas", ()))
        target = _target(path, [(name, value) for name, value in query if value is not None])
        for number in count(1):
            remaining = max(0.0, deadline - self.io.now())
            sending = self.reach().call(
                method,
                target,
                io=self.io,
                remaining=remaining,
                whole=whole,
                content=content,
                content_type=content_type,
                accept=accept,
                betas=betas,
            )
            try:
                return await self.io.bounded(self._used(sending, use), remaining)
            except TimeoutError as error:
                raise late from error
            except HooklineError as error:
                if isinstance(error, TransportError) and self.io.now() >= deadline - _SLACK:
                    raise late from error
                wait = _wait(method, error, number)
                if wait is None or self.io.now() + wait >= deadline:
                    raise
                await self.io.sleep(wait)
        raise AssertionError  # count() never ends

    async def _used(
        self, sending: "Awaitable[RawResponse]", use: "Callable[[RawResponse], Awaitable[T]]"
    ) -> T:
        answer = await sending
        try:
            return await use(answer)
        except BaseException as error:
            hide(error, answer.hidden)
            await self.io.shielded(answer.aclose())
            raise


@frozen(eq=False, repr=False)
class _Listed(APIObject):
    """The envelope of a list, all of it in ``extra``."""


def _wait(method: str, error: HooklineError, number: int) -> float | None:
    """Return the seconds to wait before sending again, or None if that is not safe or no use."""
    asked = None
    if isinstance(error, APIError):
        safe = method == "GET" or error.throttled
        asked = retry_after(error.headers)
    else:
        safe = isinstance(error, TransportError) and (method == "GET" or error.phase in _NOT_SENT)
    if not error.should_retry or not safe or number >= _ATTEMPTS:
        return None
    jitter = random.random() * min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** (number - 1))  # noqa: S311 -- no secret
    return jitter + (asked or 0.0)


def _target(path: str, query: list[tuple[str, Any]]) -> str:
    if not query:
        return path
    try:
        return f"{path}?{urlencode(query)}"
    except UnicodeEncodeError as error:
        raise InputError(f"a parameter is no text: {brief(error.object)}") from error
    except (ValueError, RecursionError) as error:  # of what Python does not write out
        raise InputError(f"a parameter cannot be written: {error}") from error


def identified(path: str, thing: str | Any, *more: str) -> str:
    """Return the path of one object.

    Args:
        path: of the endpoint.
        thing: its id, or the object itself.
        *more: what comes after the id.

    Raises:
        InputError: no id, or one that would lead elsewhere.

    """
    name = getattr(thing, "id", thing)
    if not isinstance(name, str) or name.strip() in ("", ".", ".."):
        raise InputError(f"an id is needed, not {brief(name)}")
    try:
        return "/".join((path, quote(name, safe=""), *more))
    except UnicodeEncodeError as error:
        raise InputError(f"an id is needed, not {brief(name)}") from error
