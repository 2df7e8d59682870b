"""Rules that are judged together: of each key the fact once, and equal facts not again."""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, Final, TypeAlias

from hookline_plugins.policy.rules.judging import CHECKS, Broken, Key
from hookline_plugins.policy.rules.keys import Rule
from hookline_plugins.policy.rules.outgoing import Outgoing

__all__ = ["Bench"]

_MOST_KEPT: Final = 256  # facts of a key
_Verdicts: TypeAlias = tuple[tuple[int, Broken], ...]


class Bench:
    """Rules of one kind, judged together: of each key the fact once, and equal facts not again.

    Args:
        rules: they, in their order.
        keys: that judge; the others are left out.

    """

    def __init__(self, rules: Sequence[Rule], keys: Iterable[str] = CHECKS) -> None:
        self._tables: list[tuple[Key, list[tuple[int, Any]], dict[Any, _Verdicts]]] = []
        for name in keys:
            asking = [(place, getattr(rule, name)) for place, rule in enumerate(rules)]
            asking = [(place, wanted) for place, wanted in asking if wanted is not None]
            if asking:
                self._tables.append((CHECKS[name], asking, {}))

    def __bool__(self) -> bool:
        return bool(self._tables)

    def broken(self, out: Outgoing, *, upload: bool) -> list[tuple[int, Broken]]:
        """Return the places of the rules that are broken, in order, and what each says first.

        Whomever they are for: that costs more to find out, and is seldom asked.

        Args:
            out: what is about to leave.
            upload: whether that is a file.

        """
        found: dict[int, Broken] = {}
        for key, asking, kept in self._tables:
            if upload and not key.uploads:
                continue
            fact = key.fact(out)
            verdicts = kept.get(fact) if key.kept else None
            if verdicts is None:
                verdicts = _verdicts(key, asking, fact)
                if key.kept:
                    if len(kept) >= _MOST_KEPT:
                        kept.clear()
                    kept[fact] = verdicts
            for place, broken in verdicts:
                found.setdefault(place, broken)
        return sorted(found.items(), key=itemgetter(0)) if found else []


def _verdicts(key: Key, asking: Iterable[tuple[int, Any]], fact: Any) -> _Verdicts:
    judged = [(place, key.check(wanted, fact)) for place, wanted in asking]
    return tuple([(place, broken) for place, broken in judged if broken is not None])
