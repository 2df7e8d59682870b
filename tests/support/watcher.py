"""A plugin that sees everything."""

from typing import Any

from hookline import hookimpl
from hookline.turn import Turn


class Watcher:
    """Takes part in every hook of a turn, and notes it; changes the request in two of them."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.ends: list[Any] = []
        self.answers: list[Any] = []
        self.surfaces: set[str] = set()

    def _note(self, hook: str, turn: Turn) -> None:
        self.seen.append(hook)
        self.surfaces.add(turn.surface)

    @hookimpl
    def build_history(self, turn: Any, request: Any) -> Any:
        self._note("build_history", turn)
        return request.evolve(system="From a transform.")

    @hookimpl
    def inject_prefill(self, turn: Any, request: Any) -> Any:
        self._note("inject_prefill", turn)

    @hookimpl
    def resolve_images(self, turn: Any, request: Any) -> Any:
        self._note("resolve_images", turn)

    @hookimpl
    async def send(self, turn: Any, request: Any, call_next: Any) -> Any:
        self._note("send", turn)
        response = await call_next(request.evolve(metadata={"user_id": "from the onion"}))
        self.answers.append(response)
        return response

    @hookimpl
    def check_request(self, turn: Any, request: Any) -> Any:
        self._note("check_request", turn)

    @hookimpl
    def post_process(self, turn: Any, reply: Any) -> Any:
        self._note("post_process", turn)

    @hookimpl
    def filter_stream(self, turn: Any) -> Any:
        self._note("filter_stream", turn)

    @hookimpl
    def on_turn_start(self, turn: Any, request: Any) -> Any:
        self._note("on_turn_start", turn)

    @hookimpl
    def on_attempt(self, turn: Any, request: Any, attempt: Any) -> Any:
        self._note(f"on_attempt {attempt.number} {attempt.status} {request.system}", turn)

    @hookimpl
    async def call_tool(self, turn: Any, call: Any, call_next: Any) -> Any:
        self._note("call_tool", turn)
        return await call_next(call)

    @hookimpl
    def check_tool(self, turn: Any, call: Any) -> Any:
        self._note("check_tool", turn)

    @hookimpl
    def check_reply(self, turn: Any, reply: Any) -> Any:
        self._note("check_reply", turn)

    @hookimpl
    def conclude(self, turn: Any, outcome: Any) -> Any:
        self._note("conclude", turn)

    @hookimpl
    def on_tool(self, turn: Any, call: Any, result: Any, seconds: Any) -> Any:
        self._note("on_tool", turn)

    @hookimpl
    def on_event(self, turn: Any, event: Any) -> Any:
        self._note("on_event", turn)

    @hookimpl
    def on_turn_end(self, turn: Any, reply: Any, error: Any) -> Any:
        self._note("on_turn_end", turn)
        self.ends.append((reply, error))
