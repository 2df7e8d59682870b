"""Computer use: what the model sees and does on a screen (facts 10.5).

The model looks at a picture that is no larger than it can see, and its coordinates are those of that
picture; here they are turned into those of the screen.
"""

import io
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, Protocol, TypeAlias

from attrs import field, frozen

from hookline import ConfigError, Image, InputError, MissingExtra, Turn
from hookline.values import ServerTool, ToolSpec, thaw
from hookline_plugins.tools.known import type_for
from hookline_plugins.tools.running import Job, called

__all__ = ["Computer", "Screen"]

Kind: TypeAlias = Literal["auto", "toolset", "computer_20251124", "computer_20250124"]

_TOOLSET: Final = "computer_toolset_20260801"
_FIRST_WITH_TOOLSET: Final = "claude-opus-4-8"
_STANDARD_EDGE: Final = 1568  # facts 5.2, where a model's eyes are not known
_LONGEST_WAIT: Final = 300.0  # seconds
_MOST_REPEATS: Final = 100
_SCROLLS: Final[Mapping[str, tuple[int, int]]] = {
    "up": (0, -1),
    "down": (0, 1),
    "left": (-1, 0),
    "right": (1, 0),
}
_CLICKS: Final[Mapping[str, tuple[str, int]]] = {
    "left_click": ("left", 1),
    "right_click": ("right", 1),
    "middle_click": ("middle", 1),
    "double_click": ("left", 2),
    "triple_click": ("left", 3),
}


class Screen(Protocol):
    """A screen that can be looked at and worked on; every method may be ``def`` or ``async def``.

    Coordinates are pixels of the screen, from its upper left corner. ``mouse_down``, ``mouse_up``,
    ``hold_key`` and ``position`` may be there besides.

    Attributes:
        size: width and height.

    """

    size: tuple[int, int]

    def screenshot(self) -> Any:
        """Return the whole screen as a PNG."""
        ...

    def click(self, x: int, y: int, button: str, count: int) -> Any:
        """Click ``count`` times with the button ``"left"``, ``"middle"`` or ``"right"``."""
        ...

    def move(self, x: int, y: int) -> Any:
        """Move the pointer."""
        ...

    def drag(self, x0: int, y0: int, x1: int, y1: int) -> Any:
        """Press the left button at one place and let it go at another."""
        ...

    def type(self, text: str) -> Any:
        """Type a text."""
        ...

    def key(self, keys: str) -> Any:
        """Press keys together: ``"ctrl+s"``, ``"Return"``."""
        ...

    def scroll(self, x: int, y: int, dx: int, dy: int) -> Any:
        """Scroll by steps, to the right and down where they are positive."""
        ...

    def wait(self, seconds: float) -> Any:
        """Wait."""
        ...

    def zoom(self, region: tuple[int, int, int, int]) -> Any:
        """Return a part of the screen as a PNG: left, top, right and bottom."""
        ...


@frozen(eq=False)
class Computer:
    """Runs the calls of the computer toolset, and of the older computer tools, on a screen.

    Attributes:
        screen: the screen.
        kind: which tool the model is offered; ``"auto"`` goes by the model.

    """

    serial = "Not executed: an earlier computer action in this turn failed."
    screen: Any
    kind: Kind = "auto"
    _scales: dict[str, float] = field(factory=dict, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        missing = [
            name
            for name in ("size", *(n for n in vars(Screen) if not n.startswith("_")))
            if not hasattr(self.screen, name)
        ]
        if missing:
            raise ConfigError(
                f"tools: computer takes a Screen, and {self.screen!r} has no {', '.join(missing)}"
            )

    def __str__(self) -> str:
        return f"computer ({type(self.screen).__name__})"

    async def tools(self, turn: Turn, model: str) -> Iterable[tuple[str, ToolSpec | None]]:
        """Return the toolset or tool of the model."""
        kind = self._kind(turn, model)
        scale = self._scales[model] = self._scale(turn, model)
        if kind == "toolset":
            return (("computer", ServerTool(type=_TOOLSET)),)
        width, height = (round(side * scale) for side in self.screen.size)
        size = {"display_width_px": width, "display_height_px": height}
        zoom = {"enable_zoom": True} if kind == "computer_20251124" else {}
        return (("computer", ServerTool(type=kind, name="computer", extra={**size, **zoom})),)

    def betas(self, turn: Turn, model: str) -> tuple[str, ...]:
        """Return the beta header that the older tools need."""
        dated = self._kind(turn, model).partition("_")[2]
        return (f"computer-use-{dated[:4]}-{dated[4:6]}-{dated[6:]}",) if dated else ()

    async def run(self, job: Job) -> Any:
        """Carry one action out.

        Raises:
            InputError: an action or a coordinate that makes no sense.

        """
        given = thaw(job.call.input)
        name = job.call.name if job.call.toolset_name else given.get("action", "")
        request = job.turn.request
        scale = self._scales.get(request.model if request else "", 1.0)
        action = _ACTIONS.get(name)
        if action is None:
            raise InputError(f"actions are {', '.join(_ACTIONS)}, not {name!r}")
        try:
            method, arguments = action(_Given(given, name, scale, self.screen.size))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{name}: {error!r} is missing or of no use") from error
        function = getattr(self.screen, method, None)
        if function is None:
            raise InputError(f"this screen knows no {name}")
        result: Any = None
        for _ in range(min(int(given.get("repeat", 1)), _MOST_REPEATS)):
            result = await called(job, function, *arguments)
        if method in ("screenshot", "zoom"):
            shrunk = await job.turn.io.run_blocking(
                _shrunk, result, scale if method != "zoom" else 1.0
            )
            return Image(shrunk)
        return f"done: {result}" if result is not None else "done"

    def _kind(self, turn: Turn, model: str) -> str:
        if self.kind != "auto":
            return self.kind
        first, facts = turn.models.get(_FIRST_WITH_TOOLSET), turn.models.get(model)
        if facts is None or first is None or facts.released is None or first.released is None:
            return "computer_20251124"
        return "toolset" if facts.released >= first.released else type_for(turn, model, "computer")

    def _scale(self, turn: Turn, model: str) -> float:
        width, height = map(int, self.screen.size)
        facts = turn.models.get(model)
        if facts is not None and facts.vision is not None:
            return min(1.0, facts.vision.fit(width, height)[0] / width)
        return min(1.0, _STANDARD_EDGE / max(width, height))


@frozen
class _Given:
    """What the model wrote for one action, its coordinates turned into the screen's."""

    given: Mapping[str, Any]
    action: str
    scale: float
    size: tuple[int, int]

    def at(self, key: str = "coordinate") -> tuple[int, int]:
        x, y = self.given[key]
        found = round(x / self.scale), round(y / self.scale)
        if not all(0 <= place < side for place, side in zip(found, self.size, strict=True)):
            raise InputError(f"{self.action}: {x}, {y} is not on the screen")
        return found

    def seconds(self) -> float:
        return max(0.0, min(float(self.given["duration"]), _LONGEST_WAIT))

    def scrolled(self) -> tuple[int, int, int, int]:
        dx, dy = _SCROLLS[self.given["scroll_direction"]]
        steps = min(int(self.given.get("scroll_amount", 1)), _MOST_REPEATS)
        return (*self.at(), dx * steps, dy * steps)

    def region(self) -> tuple[int, int, int, int]:
        x0, y0, x1, y1 = (round(side / self.scale) for side in self.given["region"])
        if not (0 <= x0 < x1 <= self.size[0] and 0 <= y0 < y1 <= self.size[1]):
            raise InputError(f"zoom: {list(self.given['region'])} is no part of the screen")
        return x0, y0, x1, y1


_Act: TypeAlias = Callable[[_Given], tuple[str, tuple[Any, ...]]]
_ACTIONS: Final[Mapping[str, _Act]] = {
    "screenshot": lambda _given: ("screenshot", ()),
    "zoom": lambda given: ("zoom", (given.region(),)),
    **{
        name: lambda given, how=how: ("click", (*given.at(), *how))  # type: ignore[misc]  # bound now
        for name, how in _CLICKS.items()
    },
    "left_click_drag": lambda given: ("drag", (*given.at("start_coordinate"), *given.at())),
    "mouse_move": lambda given: ("move", given.at()),
    "left_mouse_down": lambda _given: ("mouse_down", ()),
    "left_mouse_up": lambda _given: ("mouse_up", ()),
    "cursor_position": lambda _given: ("position", ()),
    "scroll": lambda given: ("scroll", given.scrolled()),
    "type": lambda given: ("type", (str(given.given["text"]),)),
    "key": lambda given: ("key", (str(given.given["text"]),)),
    "hold_key": lambda given: ("hold_key", (str(given.given["text"]), given.seconds())),
    "wait": lambda given: ("wait", (given.seconds(),)),
}


def _shrunk(png: bytes, scale: float) -> bytes:
    """Return a screenshot in the size in which the model sees it."""
    if scale >= 1:
        return png
    try:
        from PIL import Image as Pictures  # noqa: PLC0415 -- an extra
    except ImportError as error:
        raise MissingExtra(
            "computer", "pillow", "screenshots that are larger than a model sees"
        ) from error
    with Pictures.open(io.BytesIO(png)) as picture:
        size = (round(picture.width * scale), round(picture.height * scale))
        smaller = picture.resize(size, Pictures.Resampling.LANCZOS)
    out = io.BytesIO()
    smaller.save(out, "PNG")
    return out.getvalue()
