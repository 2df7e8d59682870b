"""What servers say, as it may be shown: short, on one line, without the credentials that some echo."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

__all__ = ["LONGEST_NAME", "hide", "shown_text", "told_by", "without", "without_keys"]

_LONGEST_TEXT: Final = 2_000  # characters of what a server says
LONGEST_NAME: Final = 100
# Escape sequences, line breaks, marks that turn the direction of writing, invisible characters, halves of
# surrogate pairs: whatever makes a log or a terminal show something else than was said.
_UNSEEN: Final = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\xad\\u061c\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff"
    "\\ufff9-\\ufffb\\ud800-\\udfff]+"
)
_KEY: Final = re.compile(r"\b(sk-[a-z]+-|Bearer\s+)[\w.~+/=-]{4,}", re.IGNORECASE)


def shown_text(text: str, most: int = _LONGEST_TEXT) -> str:
    """Return what a server said as it may be shown: on one line, cut, without keys it has echoed.

    Args:
        text: from outside.
        most: characters.

    """
    cut = text[: 2 * most]
    one_line = cut if cut.isprintable() else _UNSEEN.sub(" ", cut)
    clean = without_keys(one_line)
    if len(clean) <= most and len(text) <= 2 * most:
        return clean
    return f"{clean[:most]}… ({len(text):,} characters)"


def without_keys(text: str) -> str:
    """Return a text without what has the shape of a key or of a bearer token."""
    return _KEY.sub(r"\1…", text)


def without(value: Any, secrets: Collection[str]) -> Any:
    """Return JSON with a constant in the place of some texts: credentials that a server has echoed."""
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, "…")
        return without_keys(value)
    if isinstance(value, Mapping):
        return {without(k, secrets): without(item, secrets) for k, item in value.items()}
    if isinstance(value, list | tuple):
        items = [without(item, secrets) for item in value]
        return items if isinstance(value, list) else tuple(items)
    return value


def hide(error: BaseException, secrets: Collection[str]) -> None:
    """Take credentials out of an error and of what caused it, which a library may have worded."""
    for each in told_by(error):
        each.args = without(each.args, secrets)
        shown = {k: v for k, v in vars(each).items() if isinstance(v, str | Mapping | list)}
        vars(each).update({name: without(value, secrets) for name, value in shown.items()})


def told_by(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what caused it, outermost first: libraries wrap what a socket said."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__
