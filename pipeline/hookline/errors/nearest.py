"""The hint of an error about a name that there is not."""

from collections.abc import Collection

__all__ = ["nearest"]


def nearest(name: str, known: Collection[str], otherwise: str = "there are") -> str:
    """Return which name was probably meant, or else all that there are.

    Args:
        name: the one that there is not.
        known: those that there are.
        otherwise: what stands before the list of them.

    Example:
        >>> nearest("sned", ["send", "stream"])
        "did you mean 'send'?"
        >>> nearest("x", ["send", "stream"])
        'there are send, stream'

    """
    from difflib import get_close_matches  # noqa: PLC0415 -- only for the text of an error

    near = get_close_matches(name, known, 1)
    return f"did you mean {near[0]!r}?" if near else f"{otherwise} {', '.join(known) or 'none'}"
