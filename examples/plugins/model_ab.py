"""Asks one of two models, always the same one for the same user."""

import hashlib
from typing import ClassVar

from attrs import field, frozen

from hookline import Request, Turn, hookimpl
from hookline.plugin import option


@frozen
class ModelAB:
    """Sends a share of the users to another model.

    Attributes:
        model: the other model; nobody is sent there if it is empty.
        share: of the users, from 0 to 1.

    """

    name = "model-ab"
    contract = ">=1,<2"
    sample_options: ClassVar = {"model": "claude-sonnet-4-5"}
    model: str = field(default="", metadata=option(harmless=True))
    share: float = field(default=0.5, metadata=option(harmless=True, least=0, most=1))

    @hookimpl
    def build_history(self, turn: Turn, request: Request) -> Request | None:
        """Choose by the user, so that a conversation stays with its model and its prompt cache."""
        if not self.model or self._place(turn.principal.user or "") >= self.share:
            return None
        turn.trace.note(self.name, f"asks {self.model} instead of {request.model}")
        return request.evolve(model=self.model)

    def _place(self, user: str) -> float:
        digest = hashlib.sha256(user.encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2**64
