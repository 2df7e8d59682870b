"""How far work has come that takes a while before anything is sent: a bar on stderr, if that is a terminal."""

import sys
import threading
from typing import TYPE_CHECKING, Final, Self

from hookline.cli.output import console, printable

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from hookline.turn import Progress

__all__ = ["ProgressBar"]

_DELAY: Final = 0.4  # seconds; what is done by then needs no bar


class ProgressBar:
    """Takes ``Progress``, and shows it once it has lasted for a moment; nothing where stderr is no terminal.

    It is a context, and gone at its end: what is said then must not meet a bar that still moves.
    """

    def __init__(self) -> None:
        self._visible = sys.stderr is not None and sys.stderr.isatty()
        self._lock = threading.RLock()
        self._timer: threading.Timer | None = None
        self._shown: tuple[Bar, TaskID] | None = None
        self._last: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(self, progress: "Progress") -> None:
        """Move the bar on; at the end, take it away."""
        if not self._visible:
            return
        with self._lock:
            self._last = progress
            if progress.done >= progress.total:
                self.close()
            elif self._shown is not None:
                self._move()
            elif self._timer is None:
                self._timer = threading.Timer(_DELAY, self._show)
                self._timer.daemon = True
                self._timer.start()

    def close(self) -> None:
        """Take the bar away."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._shown is not None:
                self._shown[0].stop()
                self._shown = None

    def _show(self) -> None:
        from rich.progress import (  # noqa: PLC0415 -- most commands are done before
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )

        with self._lock:
            if self._timer is None:  # it was over before
                return
            text = TextColumn("{task.description}", markup=False)
            bar = Progress(
                text,
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=console(stderr=True),
                transient=True,
            )
            self._shown = bar, bar.add_task("", total=None)
            self._move()
            bar.start()

    def _move(self) -> None:
        if self._shown is None or self._last is None:
            return
        bar, task = self._shown
        last = self._last
        bar.update(task, description=printable(last.what), completed=last.done, total=last.total)
