"""Asking the policy about a request that is not sent: only rules, locks and bounds take part."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NoReturn

from attrs import field, frozen

from hookline._io import SyncIO, drive
from hookline._journey.contract import SURFACES
from hookline._journey.discovery import installed
from hookline._journey.engine import Engine
from hookline._journey.journey import rehearse
from hookline._journey.made import made
from hookline._journey.plugin_set import Plugin, PluginSet
from hookline.cli.replay.recorded import principal_of, read_bytes, read_request, request_of
from hookline.config import Settings, nearest
from hookline.errors import ConfigError, InputError, PolicyViolation
from hookline.models import load_models
from hookline.policy import Guard, Policy, load_policy, policy_settings, read_policy_file
from hookline.trace import Trace, Verdict
from hookline.turn import Turn
from hookline.values.destination import Destination
from hookline.values.messages import Request
from hookline.values.principal import Principal

__all__ = ["Case", "Judge", "Judgement", "cases"]

_RULES: Final = "rules"
_CASE: Final = frozenset(
    {"name", "request", "file", "principal", "context", "surface", "expect", "rule"}
)


@frozen
class Judgement:
    """What the policy says of one request.

    Attributes:
        refusal: by which rule it is refused, or None.
        verdicts: what rules in shadow would have said.

    """

    refusal: PolicyViolation | None
    verdicts: tuple[Verdict, ...] = ()

    @property
    def decision(self) -> Literal["allow", "refuse"]:
        """``allow`` or ``refuse``."""
        return "allow" if self.refusal is None else "refuse"

    @property
    def rule(self) -> str:
        """The rule that refuses, or empty."""
        return self.refusal.rule if self.refusal is not None else ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        refusal = self.refusal
        return {
            "decision": self.decision,
            "rule": self.rule or None,
            "reason": str(refusal) if refusal is not None else None,
            "evidence": (refusal.evidence or None) if refusal is not None else None,
            "shadow": [each.to_dict() for each in self.verdicts],
        }


class Judge:
    """A policy that is asked, and nothing else: no other plugin runs, nothing is fetched or sent.

    Args:
        files: policy files; none stands for those that hold here.
        config: a settings file, for the address that requests would go to.

    Raises:
        ConfigError: there is no policy, or it cannot be understood.

    """

    def __init__(self, files: Sequence[str] = (), config: str | None = None) -> None:
        self.policy: Final[Policy] = _only(files) if files else load_policy()
        if not self.policy.files:
            raise ConfigError(
                "there is no policy here; name one with --policy FILE, or set HOOKLINE_POLICY"
            )
        self.settings: Final[Settings] = policy_settings(self.policy, config)
        self.rules: Final[Any] = self._rules()
        plugins = [Plugin(_RULES, self.rules)] if self.rules is not None else []
        guard = [Plugin(Guard.name, Guard(self.policy))]
        from hookline._http.pinned import sync_fetch  # noqa: PLC0415 -- the HTTP library comes last

        self._io = SyncIO(sync_fetch(None))
        self._engine = Engine(PluginSet([*plugins, *guard]), _sends_nothing)

    def _rules(self) -> Any:
        """Return the plugin that knows what rules mean, or None where the policy has none."""
        if not self.policy.rules:
            return None
        found = next((each for each in installed() if each.name == _RULES), None)
        if found is None:
            raise ConfigError(f"the plugin {_RULES!r}, which understands rules, is not installed")
        return made(found, self.settings, self.policy).object

    def judge(
        self,
        request: Request,
        principal: Principal,
        *,
        surface: str = "send",
        context: Mapping[str, Any] | None = None,
    ) -> Judgement:
        """Judge a request as it would leave.

        Args:
            request: the request.
            principal: on whose behalf.
            surface: the door it would come in by.
            context: the caller's facts.

        """
        settings = self.settings
        trace = Trace()
        turn = Turn(
            id="policy",
            io=self._io,
            models=load_models(),
            surface=surface,
            principal=principal,
            context=context or {},
            destination=Destination(base_url=settings.base_url),
            headers=settings.headers,
            timeout=settings.timeout,
            trace=trace,
        )
        refusal: PolicyViolation | None = None
        try:
            drive(rehearse(self._engine, turn, request))
        except PolicyViolation as error:
            refusal = error
        shadows = tuple(each for each in trace.verdicts if each.decision != "refused")
        return Judgement(refusal, shadows)


def _only(files: Sequence[str]) -> Policy:
    """Read these files and no other: a draft is tried by itself."""
    return Policy.of(file for path in files for file in read_policy_file(path))


async def _sends_nothing(*_given: Any) -> NoReturn:
    raise RuntimeError("a rehearsal does not send")


@frozen
class Case:
    """A request and what is to become of it.

    Attributes:
        name: for the table of results.
        request: the request.
        principal: on whose behalf.
        expect: ``allow`` or ``refuse``.
        rule: that is to refuse it; empty for any.
        surface: the door.
        context: the caller's facts.

    """

    name: str
    request: Request
    principal: Principal
    expect: str
    rule: str = ""
    surface: str = "send"
    context: Mapping[str, Any] = field(factory=dict)


def cases(path: str) -> list[Case]:
    """Read the cases of a TOML file.

    Raises:
        InputError: it cannot be read or understood.

    """
    try:
        table = tomllib.loads(read_bytes(path).decode("utf-8-sig"))
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error
    found = table.get("case")
    if not isinstance(found, list) or not found or set(table) != {"case"}:
        raise InputError(f"{path}: cases are written as [[case]]")
    return [_case(path, number, each) for number, each in enumerate(found, 1)]


def _case(path: str, number: int, given: Mapping[str, Any]) -> Case:
    where = f"{path}: case {given.get('name', number)!r}"
    unknown = set(given) - _CASE
    if unknown:
        raise InputError(f"{where}: a case has no {', '.join(sorted(unknown))}")
    if given.get("expect") not in ("allow", "refuse"):
        raise InputError(f'{where}: expect must be "allow" or "refuse"')
    surface, context = given.get("surface", "send"), given.get("context", {})
    if surface not in SURFACES:
        raise InputError(f"{where}: there is no surface {surface!r}; {nearest(surface, SURFACES)}")
    if not isinstance(context, Mapping):
        raise InputError(f"{where}: context is a table of the caller's facts")
    if ("request" in given) == ("file" in given):
        raise InputError(f"{where}: a case has a request or a file, and one of them")
    if "file" in given:
        file = Path(path).parent / str(given["file"])
        request = read_request(read_bytes(str(file)), str(file))
    else:
        request = request_of(given["request"], where)
    return Case(
        name=str(given.get("name", number)),
        request=request,
        principal=principal_of(given.get("principal"), where),
        expect=given["expect"],
        rule=str(given.get("rule", "")),
        surface=surface,
        context=context,
    )
