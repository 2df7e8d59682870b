"""The simulator on a socket, with uvicorn (extra ``sim``)."""

from hookline.errors import MissingExtra
from hookline.simulator.core import Simulator


def serve(
    simulator: Simulator | None = None, host: str = "127.0.0.1", port: int = 8765
) -> None:
    """Serve until interrupted.

    Args:
        simulator: A fresh one by default.
        host: Loopback by default; anything else lets others in, and any key opens it.
        port: The TCP port; 0 takes a free one, which uvicorn prints.

    Raises:
        MissingExtra: uvicorn is not installed.

    """
    try:
        import uvicorn  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtra("sim", "uvicorn", "serving the simulator") from error
    from hookline.simulator.app import SimulatorApp  # noqa: PLC0415 - only when served

    uvicorn.run(SimulatorApp(simulator), host=host, port=port, log_level="warning")
