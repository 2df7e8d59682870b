"""Python types to JSON Schema, and JSON values back to Python types.

Read ``types`` first (a type's schema), then ``structure`` (the way back); ``functions`` joins the two for
tools, ``output`` for ``output=``. ``check`` holds values to schemas that others wrote. ``subset`` knows which schemas the API compiles, ``fit`` whether a value fits one.
"""

from typing import TYPE_CHECKING

from hookline._faces import face

if TYPE_CHECKING:
    from hookline.schema.check import check_schema, check_value
    from hookline.schema.fit import misfits
    from hookline.schema.functions import accepts, describe, fitted_arguments
    from hookline.schema.output import GrowingOutput, Output
    from hookline.schema.structure import structured
    from hookline.schema.subset import check_subset, closed, inner_schemas, referred
    from hookline.schema.types import schema_of

__all__ = [
    "GrowingOutput",
    "Output",
    "accepts",
    "check_schema",
    "check_subset",
    "check_value",
    "closed",
    "describe",
    "fitted_arguments",
    "inner_schemas",
    "misfits",
    "referred",
    "schema_of",
    "structured",
]

__getattr__, __dir__ = face(
    __name__,
    {
        "hookline.schema.check": ("check_schema", "check_value"),
        "hookline.schema.fit": ("misfits",),
        "hookline.schema.functions": ("accepts", "describe", "fitted_arguments"),
        "hookline.schema.output": (
            "GrowingOutput",
            "Output",
        ),
        "hookline.schema.structure": ("structured",),
        "hookline.schema.subset": (
            "check_subset",
            "closed",
            "inner_schemas",
            "referred",
        ),
        "hookline.schema.types": ("schema_of",),
    },
)
