"""Paths as options take them; apart from the stores, which load SQLite."""

import os

__all__ = ["file_path"]


def file_path(path: str | os.PathLike[str]) -> str:
    """Return a path as text; what options called ``path`` are converted with."""
    return os.fspath(path)
