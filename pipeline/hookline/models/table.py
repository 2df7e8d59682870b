"""The table of models: looked up by id, by alias, and by the names that clouds and gateways have for them.

The facts are data (``models.toml``), read on first use.
"""

import functools
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from attrs import field, frozen

from hookline._vision import Vision
from hookline.errors import InputError
from hookline.models.facts import ModelFacts, Prices
from hookline.models.names import ClaudeName, ModelNames, bare, mentioned, read, tails
from hookline.models.prices import price

if TYPE_CHECKING:
    from hookline.values.usage import Usage

__all__ = ["ModelTable", "load_models"]

_Versions: TypeAlias = dict[tuple[str, tuple[int, ...]], dict[str, ModelFacts]]

_MOST_KEPT: Final = 1000  # names

# Cache prices follow the input price where the table names none (facts 9.1).
_CACHE_RATES: Final = {
    "cache_write_5m": Decimal("1.25"),
    "cache_write_1h": Decimal(2),
    "cache_read": Decimal("0.1"),
}


@frozen
class ModelTable:
    """An immutable lookup of models, by every name that they go by.

    ``get`` knows a model by its id, by its aliases, and as clouds and gateways spell it
    (``us.anthropic.claude-opus-4-5-20251101-v1:0``). Whoever asks
    what Anthropic's own API takes asks ``exact``.

    Args:
        models: The facts; a later one replaces an earlier one with the same id.

    """

    models: tuple[ModelFacts, ...]
    _index: Mapping[str, ModelFacts] = field(init=False, repr=False, eq=False)
    _known: dict[str, ModelNames] = field(init=False, repr=False, eq=False, factory=dict)
    _versions: "_Versions | None" = field(init=False, repr=False, eq=False, default=None)

    def __attrs_post_init__(self) -> None:
        by_id = {facts.id: facts for facts in self.models}
        object.__setattr__(self, "models", tuple(by_id.values()))
        names = {alias: facts for facts in by_id.values() for alias in facts.aliases}
        object.__setattr__(self, "_index", names | by_id)

    def get(self, name: str) -> ModelFacts | None:
        """Return the facts of the model ``name``, or None.

        Args:
            name: an id, an alias, or the name of a cloud or a gateway for it.

        Example:
            >>> load_models().get("anthropic/claude-opus-4.5").id
            'claude-opus-4-5-20251101'

        """
        found = self._index.get(name)
        return found if found is not None else self._spelled(name)

    def exact(self, name: str) -> ModelFacts | None:
        """Return the facts of the model with this id or alias, as the API spells it, or None."""
        return self._index.get(name)

    def names_of(self, name: str) -> ModelNames:
        """Return the names that a model goes by: what rules, limits and conditions ask about.

        Args:
            name: any of them.

        Example:
            >>> load_models().names_of("us.anthropic.claude-opus-4-5-20251101-v1:0").id
            'claude-opus-4-5-20251101'

        """
        known = self._known.get(name)
        if known is None:
            known = self._named(name)
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            self._known[known.asked] = known
        return known

    def _named(self, name: str) -> ModelNames:
        facts, said = self.get(name), read(name) if bare(name) else None
        spelled = name if said is None else said.id
        full = spelled if facts is None else facts.id
        sure = tuple(dict.fromkeys((name, full, *(facts.aliases if facts is not None else ()))))
        claude = facts is not None and facts.line is not None
        ends = [] if claude and self.exact(name) is not None else list(tails(name))
        perhaps = [*sure, *ends]
        if not claude:  # also of a model that somebody told of, by a name that holds another's
            for each in mentioned(name):
                perhaps.append(each.id)
                for snapshot in self._snapshots(each).values():
                    perhaps += (snapshot.id, *snapshot.aliases)
            undated = (each.id for each in self.models if each.line and not read(each.id))
            perhaps += (each for each in undated if each in ends[0])
        return ModelNames(
            asked=name,
            id=full,
            in_full=facts is None or full in (name, bare(name), spelled),
            sure=sure,
            perhaps=tuple(dict.fromkeys(perhaps)),
        )

    def _spelled(self, name: str) -> ModelFacts | None:
        """Return the facts of a model by a name that is not the API's own."""
        spelled = bare(name)
        if not spelled:
            return None
        found = self._index.get(spelled)
        if found is not None:
            return found
        said = read(name)
        if said is None:
            return None
        snapshots = self._snapshots(said)
        if (
            said.day
        ):  # from 4.6 on an id has no day, since a version has one snapshot only (facts 9.1)
            return snapshots.get(said.day) or snapshots.get("")
        return snapshots[max(snapshots)] if snapshots else None

    def _snapshots(self, said: ClaudeName) -> Mapping[str, ModelFacts]:
        """Return all that there is of a version, by day."""
        versions = self._versions
        if versions is None:  # most programs use the API's own names
            versions = {}
            for facts in self.models:
                own = read(facts.id)
                if own is not None and own.id == facts.id:  # not what somebody told by another name
                    versions.setdefault((own.family, own.version), {})[own.day] = facts
            object.__setattr__(self, "_versions", versions)
        return versions.get((said.family, said.version), {})

    def require(self, name: str) -> ModelFacts:
        """Return the facts of the model ``name``.

        Args:
            name: An id, an alias, or the name of a cloud or a gateway for it.

        Returns:
            The facts, those of retired models included.

        Raises:
            InputError: No such model; the text names the nearest known ids.

        """
        facts = self.get(name)
        if facts is None:
            import difflib  # noqa: PLC0415 - only for the error text, and slow to import

            near = difflib.get_close_matches(name, self._index, n=3, cutoff=0.5)
            hint = f" Did you mean {', '.join(near)}?" if near else ""
            raise InputError(
                f"The model {name!r} is not in the table.{hint} "
                "Add it with ModelTable.with_models or the register_models hook."
            )
        return facts

    def is_claude(self, name: str) -> bool:
        """Tell whether a name is that of a Claude: one of the table, or one that is made like theirs."""
        facts = self.get(name)
        return "claude-" in name.lower() if facts is None else facts.line is not None

    def with_models(self, *models: ModelFacts) -> "ModelTable":
        """Return a table that also holds ``models``; a known id is replaced."""
        return ModelTable((*self.models, *models))

    def price(self, answers: "Iterable[tuple[str | None, Usage | None]]") -> Decimal | None:
        """Return what answers cost together, in US dollars.

        Args:
            answers: who answered, and the usage; without a usage nothing was paid.

        Returns:
            The sum, exact; None if the price of one of them is not known.

        """
        total = Decimal(0)
        for model, usage in answers:
            if usage is None:
                continue
            facts = self.get(model or "")
            paid = price(usage, facts) if facts is not None else None
            if paid is None:
                return None
            total += paid
        return total

    def __iter__(self) -> Iterator[ModelFacts]:
        return iter(self.models)

    def __len__(self) -> int:
        return len(self.models)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None


@functools.cache
def load_models() -> ModelTable:
    """Return the table that ships with Hookline; it is read once and immutable."""
    import tomllib  # noqa: PLC0415 - read on first use, so that importing Hookline stays cheap
    from importlib.resources import files  # noqa: PLC0415 - as above

    text = files("hookline").joinpath("models.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text, parse_float=Decimal)  # 0.1 USD is a tenth, not nearly a tenth
    visions = {name: Vision(name=name, **values) for name, values in data["vision"].items()}
    return ModelTable(tuple(_facts(entry, visions) for entry in _entries(data)))


def _entries(data: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    return data["model"]  # type: ignore[no-any-return] # our own file; a test reads all of it


def _facts(entry: dict[str, Any], visions: Mapping[str, Vision]) -> ModelFacts:
    prices = entry.pop("prices", None)
    vision = entry.pop("vision", None)
    return ModelFacts(
        **entry,
        prices=None if prices is None else _prices(prices),
        vision=None if vision is None else visions[vision],
    )


def _prices(entry: dict[str, Any]) -> Prices:
    long = entry.pop("long", None)
    usual = {name: entry["input"] * rate for name, rate in _CACHE_RATES.items()}
    return Prices(**usual | entry, long=None if long is None else _prices(long))
