"""What a part of a request says, as a short hash: moving a cache breakpoint does not change it."""

import hashlib
from typing import Any

from hookline.simulator import json


def fingerprint(*values: Any) -> str:
    """Return the hash of JSON values, every ``cache_control`` in them left out."""
    digest = hashlib.sha256()
    for value in values:
        digest.update(json.dumps(_without_markers(value)))
    return digest.hexdigest()[:16]


def _without_markers(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_markers(item) for key, item in value.items() if key != "cache_control"
        }
    if isinstance(value, list):
        return [_without_markers(item) for item in value]
    return value
