"""``line.models``: what models the API offers (facts 9.4).

Hookline's own facts about models, prices and prefill included, are in ``line.model_table``.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Unpack

from attrs import field, frozen

from hookline._io import drive
from hookline.endpoints.access import Access, CallOptions, identified
from hookline.endpoints.objects import APIObject
from hookline.endpoints.pages import AsyncItems, Items, Page, walk
from hookline.send_options.options import list_of
from hookline.values.frozen import checked, freeze

__all__ = ["AsyncModels", "ModelInfo", "Models"]

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

    def __init__(self, access: Access) -> None:
        self._access = access

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


class Models:
    """The models endpoint of a ``Pipeline``.

    Example:
        >>> with Pipeline(base_url="sim:") as line:
        ...     names = [model.id for model in line.models.all()]

    """

    def __init__(self, access: Access) -> None:
        self._twin = AsyncModels(access)

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
