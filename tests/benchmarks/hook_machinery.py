"""What ten plugins cost a turn that goes nowhere: the machinery, without any network."""

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

from attrs import frozen

from benchmarks import interleaved, row
from hookline import Request, Response, Turn, hookimpl
from hookline._http.pinned import sync_fetch
from hookline._io import SyncIO, drive
from hookline._journey.engine import Engine
from hookline._journey.journey import journey
from hookline._journey.plugin_set import Plugin, PluginSet
from hookline.models import load_models
from hookline.values.messages import Message
from hookline.values.usage import Usage

_TURNS = 200


@frozen(eq=False)
class Busy:
    """Takes part in every stage, as an ``async def`` where that costs most."""

    role = "transformer"
    rewrites_text = False

    @hookimpl
    def build_history(self, turn: Turn, request: Request) -> None: ...

    @hookimpl
    def inject_prefill(self, request: Request) -> None: ...

    @hookimpl
    async def resolve_images(self, turn: Turn, request: Request) -> None: ...

    @hookimpl
    async def send(self, request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        return response

    @hookimpl
    def check_request(self, request: Request) -> None: ...

    @hookimpl
    def post_process(self, turn: Turn, reply: Any) -> None: ...

    @hookimpl
    def on_turn_start(self, turn: Turn) -> None: ...

    @hookimpl
    def on_attempt(self, attempt: Any) -> None: ...

    @hookimpl
    def on_turn_end(self, reply: Any) -> None: ...


_ANSWER = Response("msg_1", "stub", ("Hello",), "end_turn", None, Usage(1, 1))


async def _answer(*_given: Any) -> Response:
    return _ANSWER


def _turns(count: int) -> Callable[[], float]:
    plugins = PluginSet([Plugin(f"busy{number}", Busy()) for number in range(count)])
    engine = Engine(plugins, _answer)
    io, models = SyncIO(sync_fetch()), load_models()
    request = Request("stub", 16, (Message("user", "Hello"),))

    def measure() -> float:
        began = perf_counter()
        for _ in range(_TURNS):
            turn = Turn(id="turn_1", io=io, models=models)
            items = journey(engine, turn, request)
            drive(anext(items))
            drive(items.aclose())
        return (perf_counter() - began) / _TURNS

    return measure


def report(rounds: int = 15) -> Iterator[str]:
    """Yield the report's lines."""
    found = interleaved({"none": _turns(0), "ten": _turns(10)}, rounds)
    yield from row(
        "a turn with ten busy plugins", found["ten"], "a turn with none", found["none"], "none"
    )
    yield from row(
        "the ten plugins' machinery alone",
        found["ten"] - found["none"],
        "100 µs",
        1e-4,
        "at most 1",
    )
