"""Stream filters: rules on what the model says that hold for streams and whole replies alike.

Read ``stream_filter`` first, which is what plugins use. ``running_text`` decides how much of a text must
be held back for a rule, ``json_strings`` finds the texts in the JSON of a tool's input, and ``asking`` lets
one code serve functions that are ``def`` and such that are ``async def``.
"""

from hookline.filters.stream_filter import DeltaKind, Sees, StreamFilter

__all__ = ["DeltaKind", "Sees", "StreamFilter"]
