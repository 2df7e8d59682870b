"""The endpoints beside messages, as typed clients: models, files, batches, counts of tokens.

Read ``access`` first, through which all of them ask; ``objects`` and ``pages`` are what they answer.
``batch_items`` takes the items of a batch through the journey that every message takes.
"""

from typing import TYPE_CHECKING

from hookline._faces import face

if TYPE_CHECKING:
    from hookline.endpoints.access import CallOptions
    from hookline.endpoints.batch_objects import Batch, BatchItem, BatchResult, RequestCounts
    from hookline.endpoints.batches import AsyncBatches, Batches
    from hookline.endpoints.files import AsyncFiles, File, Files
    from hookline.endpoints.models import AsyncModels, ModelInfo, Models
    from hookline.endpoints.objects import APIObject, Deleted
    from hookline.endpoints.pages import AsyncItems, Items, Page
    from hookline.endpoints.token_counts import TokenCount

__all__ = [
    "APIObject",
    "AsyncBatches",
    "AsyncFiles",
    "AsyncItems",
    "AsyncModels",
    "Batch",
    "BatchItem",
    "BatchResult",
    "Batches",
    "CallOptions",
    "Deleted",
    "File",
    "Files",
    "Items",
    "ModelInfo",
    "Models",
    "Page",
    "RequestCounts",
    "TokenCount",
]

__getattr__, __dir__ = face(
    __name__,
    {
        "hookline.endpoints.access": ("CallOptions",),
        "hookline.endpoints.batch_objects": (
            "Batch",
            "BatchItem",
            "BatchResult",
            "RequestCounts",
        ),
        "hookline.endpoints.batches": (
            "AsyncBatches",
            "Batches",
        ),
        "hookline.endpoints.files": (
            "AsyncFiles",
            "File",
            "Files",
        ),
        "hookline.endpoints.models": (
            "AsyncModels",
            "ModelInfo",
            "Models",
        ),
        "hookline.endpoints.objects": (
            "APIObject",
            "Deleted",
        ),
        "hookline.endpoints.pages": (
            "AsyncItems",
            "Items",
            "Page",
        ),
        "hookline.endpoints.token_counts": ("TokenCount",),
    },
)
