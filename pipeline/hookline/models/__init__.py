"""What is known about each model: limits, prices, behaviour, retirement; and what a call costs.

A table is immutable: ``with_models`` returns a new one, which is how plugins and tests add their own models. The
simulator, the preflight checks and the cost of a reply all look here, so they cannot disagree. Read ``facts`` first;
``table`` finds them by a name, ``names`` reads the names that clouds and gateways have for a model, ``prices`` reckons.
"""

from hookline._vision import Vision
from hookline.models.facts import (
    EFFORTS,
    FastMode,
    ModelFacts,
    Prices,
    Sampling,
    Status,
    ThinkingDefault,
)
from hookline.models.names import ModelNames
from hookline.models.prices import cost, price
from hookline.models.table import ModelTable, load_models

__all__ = [
    "EFFORTS",
    "FastMode",
    "ModelFacts",
    "ModelNames",
    "ModelTable",
    "Prices",
    "Sampling",
    "Status",
    "ThinkingDefault",
    "Vision",
    "cost",
    "load_models",
    "price",
]
