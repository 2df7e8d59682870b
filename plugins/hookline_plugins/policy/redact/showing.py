"""What may be shown of JSON: in traces, in the audit; every find masked, split ones too."""

from collections.abc import Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from hookline_plugins.policy.redact.rewriting import labelled
from hookline_plugins.policy.redact.seams import recut_texts

if TYPE_CHECKING:
    from hookline_plugins.policy.redact.recognise import Recognition

__all__ = ["shown"]

_MEDIA: Final = "base64"


def shown(value: Any, known: "Recognition") -> Any:
    """Return JSON with the name of its kind in the place of each find, keys included.

    Args:
        value: of any depth.
        known: what is to be found.

    """
    if isinstance(value, str):
        return labelled(value, known.find(value), known.labels)
    if isinstance(value, Mapping):
        media = value.get("type") == _MEDIA
        return {
            shown(key, known): item if media and key == "data" else shown(item, known)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [shown(item, known) for item in _whole(value, known)]
    return value


def _whole(items: Any, known: "Recognition") -> list[Any]:
    """Return a list in which no value is split over texts that follow each other."""
    done: list[Any] = []
    for text, run in groupby(items, _is_text):
        several = list(run)
        texts = recut_texts([each["text"] for each in several], known.find) if text else None
        done += [
            each if texts is None else {**each, "text": texts[place]}
            for place, each in enumerate(several)
        ]
    return done


def _is_text(item: Any) -> bool:
    return (
        isinstance(item, Mapping)
        and item.get("type") == "text"
        and isinstance(item.get("text"), str)
    )
