"""The plugin ``modernize``: requests written for older models, kept valid on the models of today.

The rules are data: ``rules`` says what one is; ``prompts``, ``betas``, ``content`` and ``for_model`` hold them, ``successors``
the models; ``modern`` applies them. ``command`` does to files what the plugin does to turns; ``files`` and
``scripts`` find the requests in them.
"""

import datetime as dt
from collections.abc import Callable
from typing import Final

from attrs import field, frozen

from hookline import CallNext, ConfigError, InputError, Request, Response, Turn, hookimpl
from hookline.models import ModelFacts
from hookline.plugin import checks_options, option
from hookline_plugins.modernize.modern import (
    REMEMBERED,
    Wanted,
    asked_in_words,
    modernized,
    modernized_json,
)
from hookline_plugins.modernize.rules import Change
from hookline_plugins.modernize.successors import is_gone, known_as

__all__ = ["Change", "Modernize", "OutdatedRequest", "Wanted", "modernized", "modernized_json"]

_SIMULATOR: Final = "sim:"


class OutdatedRequest(InputError):
    """A request that is not valid for its model, and shall not, or cannot, be changed."""


@checks_options
@frozen(eq=False, kw_only=True)
class Modernize:
    """Keeps requests written for older models valid.

    Retired models become their successors; sampling parameters are dropped, a low temperature becomes low
    effort; thinking with a budget becomes adaptive; a tool that cannot be forced is asked for in words; documents and
    quotes move to where they may stand; betas that became part of the API, old versions of tools, ``output_format`` and
    prompts of the Text Completions API become what they are today. Each change is one line in the trace,
    with the fact that forces it.

    Attributes:
        model: the model that takes the place of retired and deprecated ones; empty for the successor
            of each that is retired.
        strict: refuse a request that needs a change, and say why.
        allow_price: take a successor whose price differs by more than half.

    """

    name = "modernize"
    after = ("history",)
    before = ("output", "heal", "prefill")
    model: str = field(default="", metadata=option(harmless=True))
    strict: bool = field(default=False, metadata=option(harmless=True))
    allow_price: bool = False
    _today: Callable[[], dt.date] = field(init=False, default=dt.date.today, repr=False)

    @hookimpl
    def build_history(self, turn: Turn, request: Request) -> Request | None:
        """Make the request valid.

        Raises:
            OutdatedRequest: it would be changed and ``strict`` is set, or its model is gone and the price
                of the successor is another one.

        """
        wanted = self._wanted(turn, request)
        if wanted is None:
            return None
        modern, changes = modernized(request, wanted, REMEMBERED)
        self._tell(turn, changes)
        undone = next((change for change in changes if not change.done), None)
        if undone is not None:
            raise OutdatedRequest(
                f"{undone}. Set [plugins.modernize] allow_price = true, or model to one of your choice"
            )
        return modern

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        """Ask in words for what the model at hand cannot be forced to.

        Raises:
            OutdatedRequest: ``strict`` is set.

        """
        wanted = self._wanted(turn, request)
        if wanted is not None:
            request, changes = asked_in_words(request, wanted)
            self._tell(turn, changes)
        return await call_next(request)

    def _wanted(self, turn: Turn, request: Request) -> Wanted | None:
        """Return what the request shall be valid for; None where the server has rules of its own."""
        profile = turn.profile
        if not profile.claude:
            return None
        today = None if turn.upstream.startswith(_SIMULATOR) else self._today()
        return Wanted(
            models=turn.models,
            model=self._model(turn, request, today),
            name=self.model,
            allow_price=self.allow_price,
            version=turn.api_version,
            today=today,
        )

    def _model(self, turn: Turn, request: Request, today: dt.date | None) -> ModelFacts | None:
        """Return the model to take instead of the request's own, if it is to be another."""
        if not self.model:
            return self._stays(turn, request)
        chosen = turn.models.get(self.model)
        if chosen is None or is_gone(chosen, today):
            raise ConfigError(
                f"modernize: model = {self.model!r} is no model that answers; `hookline models` lists them"
            )
        old = known_as(request.model, turn.models)
        outdated = old is not None and (old.status != "active" or is_gone(old, today))
        return chosen if outdated else self._stays(turn, request)

    def _stays(self, turn: Turn, request: Request) -> ModelFacts | None:
        """Return the model where it lives on although the API has retired it: at Bedrock, say."""
        return None if turn.profile.all_rules else turn.models.get(request.model)

    def _tell(self, turn: Turn, changes: tuple[Change, ...]) -> None:
        if changes and self.strict:
            told = "; ".join(map(str, changes))
            raise OutdatedRequest(f"this request is not valid for its model: {told}")
        for change in changes:
            turn.trace.note("modernize", str(change))
