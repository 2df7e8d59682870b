"""Whether a plugin that cannot be imported may be an enforcer, by what its source says.

A broken plugin is left out, and a broken rule must not be: so one that cannot be asked counts as an
enforcer unless its package never speaks of one.
"""

import sys
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Final

__all__ = ["may_enforce"]

_WORD: Final = b"enforcer"
_MOST_FILES: Final = 500


def may_enforce(entry_point: EntryPoint) -> bool:
    """Say whether a plugin may be an enforcer.

    Args:
        entry_point: of the plugin.

    """
    module = sys.modules.get(entry_point.module)
    role = getattr(getattr(module, entry_point.attr, None), "role", None)
    if isinstance(role, str):  # it was imported, and is put together wrongly
        return role == "enforcer"
    try:
        spec = find_spec(entry_point.module.partition(".")[0])
    except (ImportError, ValueError):
        return True
    if spec is None or spec.origin is None:
        return True
    origin = Path(spec.origin)
    files = [origin]
    if spec.submodule_search_locations is not None:
        files = list(islice(origin.parent.rglob("*.py"), _MOST_FILES + 1))
    if len(files) > _MOST_FILES:
        return True
    try:
        return any(_WORD in file.read_bytes() for file in files)
    except OSError:
        return True
