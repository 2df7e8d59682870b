"""How long a server asks to wait: ``retry-after-ms`` and ``retry-after``, in all their forms."""

import datetime as dt
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ["retry_after"]

_NUMBER: Final = re.compile(r"\d{1,12}(\.\d{1,6})?", re.ASCII)  # no "inf", no 400 digits


def retry_after(headers: Mapping[str, str], *, now: dt.datetime | None = None) -> float | None:
    """Return the seconds that a response asks to wait.

    Args:
        headers: names in lower case.
        now: the current time, aware; None is the clock's.

    Returns:
        Seconds above 0, or None where nothing sensible is asked: no header, nonsense, zero, a date
        in the past. Never raises.

    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds:
        return milliseconds / 1000
    value = headers.get("retry-after", "").strip()
    seconds = _number(value)
    if seconds is not None:
        return seconds or None
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    waiting = (moment - (now or dt.datetime.now(dt.UTC))).total_seconds()
    return waiting if waiting > 0 else None


def _number(text: str) -> float | None:
    text = text.strip()
    return float(text) if _NUMBER.fullmatch(text) else None
