"""The messages of a request, added up one by one: what the rules about the whole need to know."""

from collections.abc import Iterator
from copy import copy
from typing import Final

from attrs import define, field

from hookline_plugins.preflight import tools, turns
from hookline_plugins.preflight.digest import Call, Digest, Mark, Need
from hookline_plugins.preflight.rules import Problem

__all__ = ["History"]


@define(eq=False)
class _Run:
    """Messages of one role in a row, which the API takes as one turn (facts 2.3)."""

    role: str = ""
    last: int = 0
    uses: dict[str, Call] = field(factory=dict)
    answered: set[str] = field(factory=set)
    only_results: bool = True

    def fork(self) -> "_Run":
        """Return a copy that can be added to without changing this one."""
        return _Run(self.role, self.last, dict(self.uses), set(self.answered), self.only_results)


@define(eq=False)
class History:
    """All messages so far.

    Attributes:
        plain: whether all of them are nothing but text that breaks no rule.
        problems: rules broken by single messages, wherever the conversation goes on.
        if_new: rules broken only from API version 2026-10-21 on.
        mispaired: tool results that do not fit the calls before them.
        misplaced: system messages where they cannot stand.
        size: bytes of all messages.
        marks: cache breakpoints.
        images: how many.
        pages: of PDFs, all together.
        media: whether there are images or documents.
        large: images too large for a request with many.
        citing: the first document with (True) and without (False) citations.
        needs: what needs a beta header.
        echoes: results of server tools.
        system_at: positions of system messages with content.
        directive_at: the first system message without content, if any.
        first_speaker: the role of the first message that is no directive.
        last_spoken: the last message that is no directive.
        last_spoken_at: its position.
        last_assistant: the last assistant message, unless it continues an assistant's.
        last_assistant_at: its position.

    """

    plain: bool = True
    problems: list[Problem] = field(factory=list)
    if_new: list[Problem] = field(factory=list)
    mispaired: list[Problem] = field(factory=list)
    misplaced: list[Problem] = field(factory=list)
    size: int = 0
    marks: list[Mark] = field(factory=list)
    images: int = 0
    pages: int = 0
    media: bool = False
    large: list[str] = field(factory=list)
    citing: dict[bool, str] = field(factory=dict)
    needs: list[Need] = field(factory=list)
    echoes: list[tuple[str, str]] = field(factory=list)
    system_at: list[int] = field(factory=list)
    directive_at: int | None = None
    first_speaker: str = ""
    last_spoken: Digest | None = None
    last_spoken_at: int = 0
    last_assistant: Digest | None = None
    last_assistant_at: int = 0
    _last: Digest | None = None
    _count: int = 0
    _ids: set[str] = field(factory=set)
    _before: _Run = field(factory=_Run)
    _run: _Run = field(factory=_Run)
    _waiting: int | None = None  # a system message that must see an assistant's next

    def fork(self) -> "History":
        """Return a copy that can be added to without changing this one."""
        fork = copy(self)
        for name in _COLLECTIONS:
            value = getattr(self, name)
            if value:
                setattr(fork, name, value.copy())
            else:
                setattr(fork, name, type(value)())
        fork._before, fork._run = self._before.fork(), self._run.fork()  # noqa: SLF001 -- our own class
        return fork

    def add(self, digest: Digest) -> None:
        """Add the next message."""
        position = self._count
        last = self._last
        if last is not None and last.unless_last:
            at = f"messages.{position - 1}"
            self.problems += [problem.below(at) for problem in last.unless_last]
        self._count += 1
        self._last = digest
        self.size += digest.size
        if digest.role == "system":
            self._add_system(position, digest)
        else:
            self._add_speaker(position, digest, last)
        if not digest.plain:
            self.plain = False
            self._add_rest(f"messages.{position}", digest)
            if digest.uses or digest.results or self._before.uses or self._run.uses:
                self._pair(f"messages.{position}", digest)

    def unanswered(self) -> Iterator[Problem]:
        """Tell of calls at the end that have no result."""
        yield from _open(self._before, self._run)
        yield from _open(self._run, _Run())

    def _add_speaker(self, position: int, digest: Digest, last: Digest | None) -> None:
        role = digest.role
        if self._waiting is not None:
            if role != "assistant":
                text = "a system message must come last or before an assistant message"
                self.misplaced.append(turns.SYSTEM_PLACE.broken(f"messages.{self._waiting}", text))
            self._waiting = None
        if not self.first_speaker:
            self.first_speaker = role
        self.last_spoken, self.last_spoken_at = digest, position
        if role == "assistant":
            spread = last is not None and last.role == "assistant"
            self.last_assistant = None if spread else digest
            self.last_assistant_at = position
        run = self._run
        if run.role != role:
            if self._before.uses:
                self.mispaired += _open(self._before, run)
            self._before = run
            self._run = run = _Run(role)
        run.last = position
        if digest.plain:
            run.only_results = False

    def _add_system(self, position: int, digest: Digest) -> None:
        if digest.directive:
            self.directive_at = position if self.directive_at is None else self.directive_at
            self.system_at.append(position)
            return
        self.system_at.append(position)
        place, before = f"messages.{position}", self.last_spoken
        if not self.first_speaker:
            self.first_speaker = "system"
        if before is None:
            text = "the conversation cannot begin with a system message"
            remedy = "Use the top-level `system` for the initial system prompt"
            self.misplaced.append(turns.SYSTEM_PLACE.broken(place, text, remedy))
        elif before.role == "assistant" and not before.ends_in_server_result:
            text = "a system message cannot follow this assistant message"
            self.misplaced.append(turns.SYSTEM_PLACE.broken(place, text))
        elif self._waiting is None:
            self._waiting = position

    def _add_rest(self, at: str, digest: Digest) -> None:
        self.problems += [problem.below(at) for problem in digest.problems]
        self.if_new += [problem.below(at) for problem in digest.if_new]
        self.marks += [Mark(f"{at}.{mark.place}", mark.ttl) for mark in digest.marks]
        self.images += digest.images
        self.pages += digest.pages
        self.media = self.media or digest.media
        self.large += [f"{at}.{place}" for place in digest.large]
        for place, wanted in digest.citing:
            self.citing.setdefault(wanted, f"{at}.{place}")
        self.needs += [need._replace(place=f"{at}.{need.place}") for need in digest.needs]
        self.echoes += [(f"{at}.{place}", kind) for place, kind in digest.echoes]

    def _pair(self, at: str, digest: Digest) -> None:
        run, asked = self._run, self._before.uses
        for call in digest.uses:
            if call.id in self._ids:
                text = f"the id {call.id} is in use already"
                self.mispaired.append(tools.IDS.broken(f"{at}.{call.place}", text))
            self._ids.add(call.id)
            run.uses[call.id] = call
        for index, call in enumerate(digest.results):
            place = f"{at}.{call.place}"
            if call.id not in asked:
                text = f"no tool_use {call.id} in the turn before"
                self.mispaired.append(tools.PAIRS.broken(place, text))
            elif call.id in run.answered:
                text = f"a second result for the tool_use {call.id}"
                self.mispaired.append(tools.PAIRS.broken(place, text))
            elif asked[call.id].toolset != call.toolset:
                text = f"it is not the toolset_name of the tool_use {call.id}"
                self.mispaired.append(tools.TOOLSET.broken(f"{place}.toolset_name", text))
            if not run.only_results or index >= digest.leading:
                text = "a tool result after something else"
                self.mispaired.append(tools.RESULTS_FIRST.broken(place, text))
            run.answered.add(call.id)
        if digest.role != "system" and len(digest.kinds) > digest.leading:
            run.only_results = False


_COLLECTIONS: Final = (
    "problems",
    "if_new",
    "mispaired",
    "misplaced",
    "marks",
    "large",
    "citing",
    "needs",
    "echoes",
    "system_at",
    "_ids",
)


def _open(run: _Run, after: _Run) -> list[Problem]:
    missing = [name for name in run.uses if name not in after.answered]
    if not missing:
        return []
    text = f"no tool_result for {', '.join(missing)}"
    return [tools.PAIRS.broken(f"messages.{run.last}", text)]
