"""What a check looks at: one request, and all that its rules depend on."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

from attrs import fields, frozen

from hookline import Request
from hookline.models import ModelFacts
from hookline.profiles import Profile
from hookline_plugins.preflight.history import History

__all__ = ["Given"]

# What only `limits` and `turns` have rules about.
_ORDINARY: Final = frozenset(
    {"model", "max_tokens", "messages", "system", "stop_sequences", "metadata", "stream", "speed"}
)
_SPECIAL: Final[Any] = tuple(
    a for a in fields(Request) if a.init and a.name not in {*_ORDINARY, "extra", "betas"}
)
_special: Final = attrgetter(*(a.name for a in _SPECIAL))
_NOTHING_SPECIAL: Final = tuple(a.default for a in _SPECIAL)


@frozen(eq=False)
class Given:
    """One request about to leave.

    Attributes:
        request: the request.
        history: its messages, digested.
        facts: its model; None for one that the table does not know, or knows as a foreign one.
        version: the ``anthropic-version``, or "" where it is not known.
        betas: the names of beta headers.
        surface: the door that the turn came in by.
        limits: what its model's sizes are, a foreign one's too, where somebody told them.
        profile: what the server can do.
        going: how many characters of it will go by the ids of files, and are only shown as bytes here.

    """

    request: Request
    history: History
    facts: ModelFacts | None
    version: str
    betas: tuple[str, ...]
    surface: str
    limits: ModelFacts | None = None
    profile: Profile | None = None
    going: Callable[[], int] = int

    @property
    def thinking(self) -> str | None:
        """The ``thinking.type`` that is asked for."""
        kind = (self.request.thinking or {}).get("type")
        return kind if isinstance(kind, str) else None

    @property
    def thinks(self) -> bool:
        """Whether the model will think, by request or by its own default."""
        if self.facts is None:
            return self.thinking in ("adaptive", "enabled")
        return self.facts.thinks(self.thinking)

    @property
    def ordinary(self) -> bool:
        """Whether it is text and numbers: then only `limits` and `turns` can find anything."""
        return (
            self.history.plain
            and not isinstance(self.request.system, tuple)
            and _special(self.request) == _NOTHING_SPECIAL
        )

    @property
    def batch(self) -> bool:
        """Whether it is an item of a batch."""
        return self.surface == "batch"

    @property
    def counts(self) -> bool:
        """Whether its tokens are only counted: fields about the reply are not sent then."""
        return self.surface == "count_tokens"

    @property
    def has_toolset(self) -> bool:
        """Whether there are tools whose names are not in the request."""
        return any(getattr(tool, "name", None) is None for tool in self.request.tools or ())

    @property
    def has_toolsets(self) -> bool:
        """Whether MCP servers are used by toolsets, as in all but the first version of that beta."""
        mcp = [name for name in self.betas if name.startswith("mcp-client-")]
        return mcp != ["mcp-client-2025-04-04"]

    def has_beta(self, stem: str) -> bool:
        """Tell whether a beta header begins with ``stem``."""
        return any(name.startswith(stem) for name in self.betas)
