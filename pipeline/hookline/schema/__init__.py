"""Python types to JSON Schema, and JSON values back to Python types.

Read ``definition`` first (a type's schema), then ``structure`` (the way back); ``output`` joins the two for
``output=``. ``subset`` knows which schemas the API compiles, ``fit`` whether a value fits one.
"""

from typing import TYPE_CHECKING

from hookline._faces import face

if TYPE_CHECKING:
    from hookline.schema.definition import describe, schema_of
    from hookline.schema.fit import misfits
    from hookline.schema.output import GrowingOutput, Output
    from hookline.schema.structure import fitted_arguments, structured
    from hookline.schema.subset import check_subset, closed, inner_schemas, referred

__all__ = [
    "GrowingOutput",
    "Output",
    "check_subset",
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
        "hookline.schema.definition": (
            "describe",
            "schema_of",
        ),
        "hookline.schema.fit": ("misfits",),
        "hookline.schema.output": (
            "GrowingOutput",
            "Output",
        ),
        "hookline.schema.structure": (
            "fitted_arguments",
            "structured",
        ),
        "hookline.schema.subset": (
            "check_subset",
            "closed",
            "inner_schemas",
            "referred",
        ),
    },
)
