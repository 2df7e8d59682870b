"""The ``open`` and ``close`` of plugins: with the pipeline, once, the last opened closed first."""

import threading
from enum import Enum, auto
from inspect import isawaitable

from hookline._journey.failures import failure
from hookline._journey.plugin_set import Implementation, PluginSet
from hookline._log import log_failure
from hookline.errors import InputError
from hookline.turn import IO

__all__ = ["Lifecycle"]


class _State(Enum):
    NEW = auto()
    OPEN = auto()
    CLOSED = auto()


class Lifecycle:
    """Opens and closes the plugins of one pipeline.

    Args:
        plugins: in their order.
        io: the pipeline's.

    """

    def __init__(self, plugins: PluginSet, io: IO) -> None:
        self._plugins = plugins
        self._io = io
        self._state = _State.NEW
        self._opened: list[str] = []
        self._turning = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether all plugins are ready."""
        return self._state is _State.OPEN

    async def open(self) -> None:
        """Open all plugins, if that has not been done; those that begin together wait for it.

        Raises:
            HooklineError: one failed; those before it have been closed again.
            InputError: the pipeline has been closed.

        """
        await self._lock()
        try:
            if self._state is _State.CLOSED:
                raise InputError("this pipeline is closed; make another one")
            if self._state is _State.OPEN:
                return
            for implementation in self._plugins.of("open"):
                try:
                    await _run(implementation)
                except (Exception, SystemExit) as error:  # a plugin does not end the program
                    await self._close_opened()
                    problem = failure(implementation, error)
                    if problem is error:
                        raise
                    raise problem from error
                self._opened.append(implementation.plugin)
            self._state = _State.OPEN
        finally:
            self._turning.release()

    async def close(self) -> None:
        """Close what has been opened; a second time does nothing."""
        await self._lock()
        try:
            was, self._state = self._state, _State.CLOSED
            if was is _State.OPEN:
                await self._close_opened()
        finally:
            self._turning.release()

    async def _close_opened(self) -> None:
        opens = {each.plugin for each in self._plugins.of("open")}
        for implementation in reversed(self._plugins.of("close")):
            # A plugin that has nothing to open is as open as the pipeline.
            if implementation.plugin in opens and implementation.plugin not in self._opened:
                continue
            try:
                await _run(implementation)
            except (Exception, SystemExit) as error:  # noqa: BLE001 -- the others must be closed, too
                log_failure(implementation.plugin, implementation.hook, error)
        self._opened.clear()

    async def _lock(self) -> None:
        if not self._turning.acquire(blocking=False):
            await self._io.run_blocking(self._turning.acquire)


async def _run(implementation: Implementation) -> None:
    result = implementation.call()
    if isawaitable(result):
        await result
