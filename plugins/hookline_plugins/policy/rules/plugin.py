"""The plugin: where rules judge, and what becomes of a verdict."""

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Any, Final

from attrs import field, frozen

from hookline import PolicyViolation, Reply, Request, StreamFilter, ToolUseBlock, hookimpl
from hookline.errors import ConfigError
from hookline.plugin import Principal, TurnState, Verdict, checks_options
from hookline.policy import RuleTable
from hookline.turn import Turn
from hookline_plugins.policy.rules.bench import Bench
from hookline_plugins.policy.rules.conditions import Condition, Setting
from hookline_plugins.policy.rules.findings import findings
from hookline_plugins.policy.rules.json_texts import input_texts
from hookline_plugins.policy.rules.judging import Broken, allowed, hashed_user
from hookline_plugins.policy.rules.keys import Forbid, Rule
from hookline_plugins.policy.rules.outgoing import Outgoing
from hookline_plugins.policy.rules.parts import Texts, texts_of_reply
from hookline_plugins.policy.rules.patterns import Patterns, longest, reach_of, word_pattern
from hookline_plugins.policy.rules.reading import read_rules
from hookline_plugins.policy.rules.scope import Applies, applies, in_scope
from hookline_plugins.policy.rules.streaming import ReplyFilter
from hookline_plugins.policy.rules.words import in_words

__all__ = ["Rules"]

_UPLOAD: Final = "upload"
_SAID: Final = "something that must not be said"


@frozen
class _Judged:
    """A rule ready to judge."""

    rule: Rule
    applies: Applies


def _list(rules: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(rules)


@checks_options
@frozen
class Rules:
    """Holds every turn to the organisation's rules: what leaves, what is run, what is delivered.

    Attributes:
        rules: ``[[rule]]`` tables, as a policy file has them; see the reference of rules for their keys.
        environment: in which this runs, for rules that are for some environments.

    """

    role = "enforcer"
    inline = True
    rewrites_text = False
    asked = TurnState(list[Request])
    told = TurnState(set[str])

    rules: tuple[Any, ...] = field(default=(), converter=_list)
    environment: str = ""
    _judged: tuple[_Judged, ...] = field(init=False, repr=False)
    _bench: Bench = field(init=False, repr=False)
    _hosts: Bench = field(init=False, repr=False)
    _bringing: tuple[_Judged, ...] = field(init=False, repr=False)
    _forbidding: tuple[_Judged, ...] = field(init=False, repr=False)
    _patterns: Patterns = field(init=False, repr=False)
    _inputs: tuple[_Judged, ...] = field(init=False, repr=False)
    _input_patterns: Patterns = field(init=False, repr=False)
    _reach: int | None = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        tables = list(self.rules)
        rules = read_rules(tables)
        judged = []
        for rule, table in zip(rules, tables, strict=True):
            with_place = table.where if isinstance(table, RuleTable) else None
            condition = _placed(with_place, ("when",), Condition, rule.when) if rule.when else None
            judged.append(_Judged(rule, applies(rule, condition, self.environment)))
            if rule.forbid is not None:
                _placed(with_place, ("forbid",), Patterns, [(_pattern(rule.forbid), None)])
            if rule.tool_input is not None:
                _placed(with_place, ("tool_input",), Patterns, [(rule.tool_input.pattern, None)])
        forbidding = [each for each in judged if each.rule.forbid is not None]
        inputs = [each for each in judged if each.rule.tool_input is not None]
        known: dict[str, Any] = {
            "_judged": tuple(judged),
            "_bench": Bench(rules),
            "_hosts": Bench(rules, ("image_hosts",)),
            "_bringing": tuple(each for each in judged if _brings(each.rule)),
            "_forbidding": tuple(forbidding),
            "_patterns": Patterns(
                [_wanted(each.rule.forbid) for each in forbidding if each.rule.forbid]
            ),
            "_inputs": tuple(inputs),
            "_input_patterns": Patterns(
                [(each.rule.tool_input.pattern, None) for each in inputs if each.rule.tool_input]
            ),
            "_reach": _reach([each.rule.forbid for each in forbidding if each.rule.forbid]),
        }
        for name, value in known.items():
            object.__setattr__(self, name, value)

    @hookimpl
    def build_history(self, turn: Turn, request: Request) -> Request | None:
        """Bring in what rules require: a text in the system prompt, a digest for a user id."""
        changed = request
        setting = Setting(turn, request)
        for each in self._bringing:
            rule = each.rule
            if turn.surface == _UPLOAD or not each.applies(turn, request.model, setting):
                continue
            if rule.system is not None and rule.system.require not in _system_text(changed):
                changed = changed.with_system(rule.system.require)
            user_id = (changed.metadata or {}).get("user_id")
            if rule.user_id == "hash" and isinstance(user_id, str):
                metadata = {**(changed.metadata or {}), "user_id": hashed_user(user_id)}
                changed = changed.evolve(metadata=metadata)
        return None if changed is request else changed

    @hookimpl
    def inject_prefill(self, turn: Turn, request: Request) -> None:
        """Refuse images of hosts that are not allowed before anybody fetches them."""
        if self._hosts:
            broken = self._broken(self._hosts, Outgoing(turn, request))
            self._refuse(turn, request, broken, "inject_prefill")

    @hookimpl
    def check_request(self, turn: Turn, request: Request) -> None:
        """Judge exactly what leaves."""
        self.asked[turn][:] = [request]
        out = Outgoing(turn, request)
        broken = self._broken(self._bench, out)
        if self._patterns:
            broken += self._said(out.texts)
        if broken:
            self._refuse(turn, request, broken, "check_request")

    @hookimpl
    def check_tool(self, turn: Turn, call: ToolUseBlock) -> None:
        """Judge exactly the call that is run."""
        broken = [
            (each, Broken(f"the tool {call.name} is not allowed", f"tool {call.name}"))
            for each in self._judged
            if each.rule.tools is not None and not allowed(each.rule.tools, call.name)
        ]
        broken += self._calls([call])
        if self._patterns:
            broken += self._said({"tool_inputs": [call.name, *input_texts(call.input)]})
        if broken:
            self._refuse(turn, self._request(turn), broken, "check_tool")

    @hookimpl
    def filter_stream(self, turn: Turn) -> StreamFilter | None:
        """Judge what a stream says before it is delivered; a whole reply is judged at its end."""
        if not turn.stream or not self._patterns.wants("reply"):
            return None

        def judge(pieces: list[str]) -> None:
            broken = self._said({"reply": pieces})
            if broken:
                self._refuse(turn, self._request(turn), broken, "filter_stream")

        return ReplyFilter(judge, self._reach)

    @hookimpl
    def check_reply(self, turn: Turn, reply: Reply) -> None:
        """Judge exactly what the caller gets."""
        broken = self._calls(reply.tool_uses)
        if self._patterns.wants("reply"):
            broken += self._said(texts_of_reply(reply))
        if broken:
            self._refuse(turn, self._request(turn) or reply.request, broken, "check_reply")

    def findings(self) -> list[tuple[str, str]]:
        """Return what looks wrong with the rules: the id of each, and what."""
        return findings(tuple(each.rule for each in self._judged))

    def explained(
        self, principal: Principal, model: str | None = None
    ) -> list[tuple[str, str, str]]:
        """Return the rules that are for somebody, in words: id, what it says, and what limits it.

        Args:
            principal: whom.
            model: that is asked; None for any.

        """
        return [
            (each.rule.id, *in_words(each.rule))
            for each in self._judged
            if each.rule.for_ is None
            or in_scope(each.rule.for_, principal, model, None, self.environment)
        ]

    def _request(self, turn: Turn) -> Request | None:
        """Return what was judged last in a turn, or what its step began with."""
        asked = self.asked[turn]
        return asked[0] if asked else turn.request

    def _broken(self, bench: Bench, out: Outgoing) -> list[tuple[_Judged, Broken]]:
        broken = bench.broken(out, upload=out.turn.surface == _UPLOAD)
        return [(self._judged[place], found) for place, found in broken]

    def _said(self, texts: Texts) -> list[tuple[_Judged, Broken]]:
        return [
            (self._forbidding[hit.number], Broken(f"{_part(hit.part)} holds {_SAID}", hit.evidence))
            for hit in self._patterns.search(texts)
        ]

    def _calls(self, calls: Iterable[ToolUseBlock]) -> list[tuple[_Judged, Broken]]:
        """Return what tools are called with and must not be."""
        if not self._input_patterns:
            return []
        return [
            (each, Broken(f"the tool {call.name} must not be called with this", hit.evidence))
            for call in calls
            for hit in self._input_patterns.search({"tool_inputs": list(input_texts(call.input))})
            for each in (self._inputs[hit.number],)
            if each.rule.tool_input and fnmatchcase(call.name, each.rule.tool_input.tool)
        ]

    def _refuse(
        self,
        turn: Turn,
        request: Request | None,
        broken: Iterable[tuple[_Judged, Broken]],
        hook: str,
    ) -> None:
        """Record what shadows would refuse, and refuse by the first rule that is none."""
        first: PolicyViolation | None = None
        model = request.model if request is not None else ""
        setting = Setting(turn, request or Request("", 0))
        for each, found in broken:
            rule = each.rule
            if not each.applies(turn, model, setting):
                continue
            reason = rule.reason or found.what
            if rule.shadow:
                self._record(
                    turn, Verdict("rules", hook, "would refuse", reason, rule.id, found.evidence)
                )
            elif first is None:
                first = PolicyViolation(reason, rule=rule.id, evidence=found.evidence)
        if first is not None:
            raise first

    def _record(self, turn: Turn, verdict: Verdict) -> None:
        """Put a shadow's verdict into the trace, once for each attempt or step."""
        key = f"{verdict.rule} {verdict.hook} {turn.step} {turn.attempt}"
        if key not in self.told[turn]:
            self.told[turn].add(key)
            turn.trace.verdicts.append(verdict)


def _placed(
    where: Callable[[tuple[str, ...]], str] | None, key: tuple[str, ...], make: Any, given: Any
) -> Any:
    """Make something of a rule; what is wrong with it is told with its place."""
    try:
        return make(given)
    except ConfigError as error:
        if where is None or type(error) is not ConfigError:
            raise
        raise ConfigError(f"{where(key)}: {error}") from error


def _brings(rule: Rule) -> bool:
    """Say whether a rule changes requests, and not only judges them."""
    return not rule.shadow and (rule.system is not None or rule.user_id == "hash")


def _pattern(forbid: Forbid) -> str:
    return word_pattern(forbid.words) if forbid.pattern is None else forbid.pattern


def _wanted(forbid: Forbid) -> tuple[str, frozenset[str] | None]:
    return _pattern(forbid), None if forbid.in_ is None else frozenset(forbid.in_)


def _reach(forbids: Iterable[Forbid]) -> int | None:
    """Return how far the patterns reach that are for replies; None where one has no limit."""
    reach = 0
    for forbid in forbids:
        if forbid.in_ is not None and "reply" not in forbid.in_:
            continue
        most = reach_of(forbid.words) if forbid.pattern is None else longest(forbid.pattern)
        if most is None:
            return None
        reach = max(reach, most)
    return reach


def _system_text(request: Request) -> str:
    system = request.system
    if isinstance(system, tuple):
        return "\n".join(getattr(block, "text", "") for block in system)
    return system or ""


def _part(name: str) -> str:
    return "the reply" if name == "reply" else f"{name.replace('_', ' ')} of the request"
