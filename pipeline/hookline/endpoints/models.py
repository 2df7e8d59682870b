"""``line.models``: what models the API offers (facts 9.4).

Hookline's own facts about models, prices and prefill included, are in ``line.model_table``.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, TypeAlias, Unpack

from attrs import field, frozen

from hookline._io import drive
from hookline.endpoints.access import Access, CallOptions, identified
from hookline.endpoints.model_facts import facts_of
from hookline.endpoints.objects import APIObject
from hookline.endpoints.pages import AsyncItems, Items, Page, walk
from hookline.models import ModelFacts
from hookline.send_options.options import list_of
from hookline.values.frozen import checked, freeze

__all__ = ["AsyncModels", "ModelInfo", "Models"]

Learned: TypeAlias = Callable[[Sequence[ModelFacts]], tuple[ModelFacts, ...]]
"""Adds facts to a pipeline's table and returns those that are new."""

_PATH: Final = "/v1/models"


@frozen(eq=False, repr=False, field_transformer=checked)
class ModelInfo(APIObject):
    """A model as the API describes it; what a server leaves out is None.

    Attributes:
        id: what requests call it.
        display_name: what people call it.
        created_at: when it was released, RFC 3339.
        deprecated_at: when it was deprecated.
        retires_at: when it stops answering.
        lifecycle: ``"active"``, ``"deprecated"`` or ``"retired"``.
        line: its family.
        max_input_tokens: the context window.
        max_tokens: the most that ``max_tokens`` may be.
        capabilities: what it can do; leaves are ``{"supported": true}``.

    """

    type: ClassVar[str] = "model"
    id: str
    display_name: str | None = None
    created_at: str | None = None
    deprecated_at: str | None = None
    retires_at: str | None = None
    lifecycle: str | None = None
    line: str | None = None
    max_input_tokens: int | None = None
    max_tokens: int | None = None
    capabilities: Mapping[str, Any] | None = field(default=None, converter=freeze)


class AsyncModels:
    """The models endpoint of an ``AsyncPipeline``; see `Models`."""

    def __init__(self, access: Access, learned: Learned) -> None:
        self._access = access
        self._learned = learned

    async def list(
        self,
        *,
        limit: int | None = None,
        after_id: str | None = None,
        before_id: str | None = None,
        lifecycle: Sequence[str] = (),
        **options: Unpack[CallOptions],
    ) -> Page[ModelInfo]:
        """Return one page of the models; see `Models.list`."""
        query = [("limit", limit), ("after_id", after_id), ("before_id", before_id)]
        query += [("lifecycle[]", stage) for stage in list_of("lifecycle", lifecycle, "names")]
        return await self._access.page(ModelInfo, _PATH, options, query)

    def all(
        self,
        *,
        limit: int | None = None,
        lifecycle: Sequence[str] = (),
        **options: Unpack[CallOptions],
    ) -> AsyncItems[ModelInfo]:
        """Go through all models; see `Models.all`."""
        return walk(
            lambda cursor: self.list(limit=limit, after_id=cursor, lifecycle=lifecycle, **options)
        )

    async def get(self, model: str, **options: Unpack[CallOptions]) -> ModelInfo:
        """Return one model; see `Models.get`."""
        return await self._access.get(ModelInfo, identified(_PATH, model), options)

    async def learn(self, **options: Unpack[CallOptions]) -> tuple[ModelFacts, ...]:
        """Take facts about its models from the server; see `Models.learn`."""
        found = [facts_of(info) async for info in self.all(**options)]
        return self._learned([facts for facts in found if facts is not None])


class Models:
    """The models endpoint of a ``Pipeline``.

    Example:
        >>> with Pipeline(base_url="sim:") as line:
        ...     names = [model.id for model in line.models.all()]

    """

    def __init__(self, access: Access, learned: Learned) -> None:
        self._twin = AsyncModels(access, learned)

    def list(
        self,
        *,
        limit: int | None = None,
        after_id: str | None = None,
        before_id: str | None = None,
        lifecycle: Sequence[str] = (),
        **options: Unpack[CallOptions],
    ) -> Page[ModelInfo]:
        """Return one page of the models, newest first.

        Args:
            limit: the most items on the page, 1 to 1000; the API's default is 20.
            after_id: begin after this id.
            before_id: end before this id.
            lifecycle: only models in these stages: ``"active"``, ``"deprecated"``, ``"retired"``.
            **options: ``timeout`` (seconds) and ``betas``.

        Raises:
            APIError: the API answered with an error.
            TransportError: no answer came.

        """
        return drive(
            self._twin.list(
                limit=limit, after_id=after_id, before_id=before_id, lifecycle=lifecycle, **options
            )
        )

    def all(
        self,
        *,
        limit: int | None = None,
        lifecycle: Sequence[str] = (),
        **options: Unpack[CallOptions],
    ) -> Items[ModelInfo]:
        """Go through all models, page after page.

        Args:
            limit: the most items on a page.
            lifecycle: as for ``list``.
            **options: for each call, as for ``list``.

        """
        return Items(self._twin.all(limit=limit, lifecycle=lifecycle, **options))

    def get(self, model: str, **options: Unpack[CallOptions]) -> ModelInfo:
        """Return one model.

        Args:
            model: its id or an alias.
            **options: ``timeout`` (seconds) and ``betas``.

        Raises:
            APIError: the API answered with an error; status 404 for a model that it does not have.
            TransportError: no answer came.

        """
        return drive(self._twin.get(model, **options))

    def learn(self, **options: Unpack[CallOptions]) -> tuple[ModelFacts, ...]:
        """Take facts about its models from the server: context and modalities, where it tells them.

        They are added to ``model_table``, and hold for turns that begin from then on. What the table
        or the settings already say of a model stays.

        Args:
            **options: for each call, as for ``list``.

        Returns:
            The facts that are new.

        Raises:
            APIError: the server answered with an error; status 404 where it has no such list.
            TransportError: no answer came.

        Example:
            >>> with Pipeline(base_url="http://localhost:8080", model="ants-7b") as line:
            ...     line.models.learn()
            ...     line.model_table.require("ants-7b").context

        """
        return drive(self._twin.learn(**options))
