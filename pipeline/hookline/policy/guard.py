"""The enforcer that holds locks and bounds against calls and plugins, on exactly what leaves."""

from collections.abc import Iterator
from typing import Any, Final

from attrs import field, frozen

from hookline.config import Key
from hookline.errors import PolicyViolation
from hookline.hookspecs import hookimpl
from hookline.policy.policy import Policy
from hookline.turn import Turn
from hookline.values.brief import brief
from hookline.values.messages import Request

__all__ = ["Guard"]

_NAME: Final = "policy"


def _values(turn: Turn, request: Request) -> Iterator[tuple[str, Any]]:
    """Yield every setting that a call or a plugin may have changed on the way, as it leaves."""
    yield "model", request.model
    yield "max_tokens", request.max_tokens
    yield "timeout", turn.timeout
    yield "base_url", turn.destination.base_url
    yield "api_version", turn.destination.api_version


@frozen
class Guard:
    """Holds what a policy locks and bounds, against whatever leaves.

    Attributes:
        policy: the organisation's.

    """

    role = "enforcer"
    inline = True
    name = _NAME
    policy: Policy = field(repr=False)

    @hookimpl
    def check_request(self, turn: Turn, request: Request) -> None:
        """Refuse what is locked otherwise, or out of bounds."""
        lock, bounds = self.policy.lock, self.policy.bounds
        for name, value in _values(turn, request):
            key: Key = (name,)
            locked = lock.get(key)
            if locked is not None and not _same(name, locked.value, value):
                raise PolicyViolation(
                    f"{name} is locked by your organisation's policy ({locked.by})",
                    rule=f"lock.{name}",
                )
            bound = bounds.get(key)
            if bound is not None and not bound.holds(value):
                raise PolicyViolation(
                    f"{name} must be {bound.words} by your organisation's policy ({bound.by}), "
                    f"not {brief(value)}",
                    rule=f"bounds.{name}",
                )


def _same(name: str, locked: Any, value: Any) -> bool:
    if name == "base_url":
        return str(locked).rstrip("/").removesuffix("/v1") == str(value).rstrip("/")
    return bool(locked == value)
