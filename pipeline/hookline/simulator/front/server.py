"""The simulator on a socket, with uvicorn (extra ``sim``)."""

import socket
from collections.abc import Callable

from hookline.errors import ConfigError, MissingExtra
from hookline.simulator.front.core import Simulator


def serve(
    simulator: Simulator | None = None,
    host: str = "127.0.0.1",
    port: int = 8765,
    *,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until interrupted.

    Args:
        simulator: A fresh one by default.
        host: Loopback by default. On any other address everyone who reaches it is let in.
        port: The TCP port; 0 takes a free one.
        on_ready: Told the base URL as soon as connections are taken.

    Raises:
        MissingExtra: uvicorn is not installed.
        ConfigError: The address cannot be had, for example because the port is taken.

    """
    try:
        import uvicorn  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtra("sim", "uvicorn", "serving the simulator") from error
    from hookline.simulator.front.app import SimulatorApp  # noqa: PLC0415 - only when served

    # Opened here, so that the URL is known, and a taken port is an error and not a log line.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(
            f"The simulator cannot listen on {host} port {port}: {error.strerror or error}. "
            "Choose another port; 0 takes a free one."
        ) from error
    with listener:
        if on_ready is not None:
            shown = f"[{host}]" if ":" in host else host
            on_ready(f"http://{shown}:{listener.getsockname()[1]}")
        config = uvicorn.Config(
            SimulatorApp(simulator),
            # Whoever stops it does not want to wait for a scripted drip, nor read of it; nor that
            # a scenario cut a connection.
            timeout_graceful_shutdown=1,
            log_level="critical",
        )
        uvicorn.Server(config).run(sockets=[listener])
