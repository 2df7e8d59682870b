"""Where requests go: one upstream a destination, bounded, over shared connections."""

import threading
from typing import Any

from hookline import Destination, Pipeline, hookimpl


class Tenants:
    """Sends each tenant's turns with the tenant's own key."""

    @hookimpl
    async def send(self, turn: Any, request: Any, call_next: Any) -> Any:
        turn.destination = Destination(base_url=turn.upstream, api_key=turn.context["tenant"])
        return await call_next(request)


def test_tenants_share_connections_and_not_keys(loopback: Any, http: Any, message: Any) -> None:
    server = loopback(lambda request: http(200, message("Hello!")))
    with Pipeline(**server.line, plugins=[Tenants()]) as line:
        for number in range(200):
            line.send("Hi", context={"tenant": f"key-{number}"})
        assert len(line._upstreams.transports) == 1
    keys = [request.headers["x-api-key"] for request in server.requests]
    assert keys == [f"key-{number}" for number in range(200)]


def test_the_list_of_destinations_is_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr("hookline._api.upstreams._MOST_KEPT", 5)
    with Pipeline(base_url="sim:", plugins=[Tenants()]) as line:
        for number in range(20):
            line.send("Hi", context={"tenant": f"key-{number}"})
        assert len(line._upstreams._upstreams) == 5


def test_threads_that_begin_together_open_one_transport() -> None:
    made: list[Any] = []
    with Pipeline(base_url="sim:") as line:
        opened = line._upstreams._open_transport

        def counting(*place: Any) -> Any:
            made.append(place)
            return opened(*place)

        line._upstreams._open_transport = counting
        elsewhere = Destination(base_url="http://127.0.0.1:9")
        begin = threading.Barrier(4)

        def reach() -> None:
            begin.wait()
            line._upstreams.reach(elsewhere)

        threads = [threading.Thread(target=reach) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(made) == 1


def test_the_headers_of_the_pipeline_go_to_its_own_destination_alone(
    loopback: Any, http: Any, message: Any
) -> None:
    own = loopback(lambda request: http(200, message("Hello!")))
    other = loopback(lambda request: http(200, message("Hello!")))

    class Elsewhere:
        @hookimpl
        async def send(self, turn: Any, request: Any, call_next: Any) -> Any:
            await call_next(request)
            turn.destination = Destination(base_url=other.line["base_url"], api_key="theirs")
            return await call_next(request)

    with Pipeline(**own.line, headers={"x-secret": "ours"}, plugins=[Elsewhere()]) as line:
        line.send("Hi")
    assert own.requests[0].headers["x-secret"] == "ours"
    assert "x-secret" not in other.requests[0].headers
    assert other.requests[0].headers["x-api-key"] == "theirs"
