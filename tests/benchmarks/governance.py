"""What governing costs a turn: sixty rules, redaction, a budget, the audit and telemetry, without any network.

Two turns: a short question, and one of a conversation of twelve messages that a system prompt and a
tool go along with. Each turn says something new; what stands before it stays, as in a real conversation.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from time import process_time
from typing import Any

from attrs import frozen

from benchmarks import interleaved, row
from hookline import PolicyViolation, Request, Response, Turn, hookimpl
from hookline._http.pinned import sync_fetch
from hookline._io import SyncIO, drive
from hookline._journey.engine import Engine
from hookline._journey.journey import journey
from hookline._journey.lifecycle import Lifecycle
from hookline._journey.plugin_set import Plugin, PluginSet
from hookline.models import load_models
from hookline.plugin import Principal
from hookline.values import Destination, Message, Tool
from hookline.values.usage import Usage

__all__ = ["report", "sixty_rules"]

_TURNS = 100
_MODEL = "claude-haiku-4-5"
_ANSWER = Response(
    "msg_1",
    _MODEL,
    ("The report says that the order arrived on Monday, and that the rest follows next week.",),
    "end_turn",
    None,
    Usage(40, 20),
)
_LONG = (
    "The customer asked about the second order of last week, which had not arrived by Monday. " * 4
)
_SYSTEM = "You answer questions about orders, politely and in the customer's language. " * 8


def sixty_rules() -> list[dict[str, Any]]:
    """Return rules as a bank might have them: words, patterns, models, bounds, scopes, conditions."""
    places: tuple[list[str] | None, ...] = (
        None,
        ["reply"],
        ["system", "messages"],
        ["tool_inputs", "tool_results"],
    )
    rules: list[dict[str, Any]] = []
    for number in range(24):
        forbid: dict[str, Any] = {"words": [f"project quartz{number}", f"codename{number}"]}
        rules.append({"id": f"words-{number}", "forbid": forbid})
    for number in range(8):
        forbid = {"pattern": rf"(?i)internal[- ]only[- ]{number}\d{{3}}"}
        rules.append({"id": f"pattern-{number}", "forbid": forbid})
    for rule, place in zip(rules, places * 8, strict=True):
        if place:
            rule["forbid"]["in"] = place
    for number in range(6):
        rules += [
            {
                "id": f"models-{number}",
                "models": {"allow": ["claude-haiku-*"]},
                "for": {"teams": [f"team-{number}"]},
            },
            {"id": f"input-{number}", "tool_input": {"tool": "shell*", "pattern": f"rm -{number}"}},
        ]
    for number in range(8):
        when = f"principal.team == 'risk' && request.max_tokens > {4000 + number}"
        rules.append({"id": f"when-{number}", "betas": {"deny": ["files-*"]}, "when": when})
    rules += [
        {"id": "max-tokens", "max_tokens": {"max": 8000}},
        {"id": "context", "context": {"max_tokens": 100_000, "max_messages": 500}},
        {"id": "attachments", "attachments": {"max_count": 20, "max_bytes": 5_000_000}},
        {"id": "tools", "tools": {"deny": ["shell"]}},
        {"id": "destinations", "destinations": {"allow": ["api.acme.example"]}},
        {"id": "disclaimer", "system": {"require": "Never give legal advice."}},
        {"id": "user", "user_id": "hash"},
        {"id": "geo", "inference_geo": {"deny": ["cn"]}},
    ]
    return rules


@frozen(eq=False)
class Bystander:
    """An enforcer that lets everything pass: what it costs is that there is one at all."""

    role = "enforcer"
    inline = True
    rewrites_text = False

    @hookimpl
    def check_request(self, request: Request) -> None:
        if request.max_tokens < 0:
            raise PolicyViolation("less than nothing")

    @hookimpl
    def check_reply(self) -> None: ...


async def _answer(*_given: Any) -> Response:
    return _ANSWER


def _plugins(folder: Path) -> dict[str, Any]:
    from hookline_plugins.otel import Otel
    from hookline_plugins.policy.audit import Audit
    from hookline_plugins.policy.budget import Budget, Limit
    from hookline_plugins.policy.redact import Redact
    from hookline_plugins.policy.rules import Rules

    return {
        "rules": lambda: Rules(rules=sixty_rules()),
        "redact": lambda: Redact(countries=("DE", "US"), words=("project zephyr",)),
        "budget": lambda: Budget(
            path=str(folder / "b.db"), limits=(Limit(by="team", per="day", usd=1e6),)
        ),
        "audit": lambda: Audit(path=str(folder / "a.jsonl"), fsync=False),
        "otel": Otel,
    }


def _turns(plugins: Sequence[tuple[str, Any]], request: Request) -> Callable[[], float]:
    io, models = SyncIO(sync_fetch()), load_models()
    taking_part = PluginSet([Plugin(name, each) for name, each in plugins])
    engine = Engine(taking_part, _answer, lifecycle=Lifecycle(taking_part, io))
    principal = Principal(user="ada", team="risk")
    destination = Destination(base_url="https://api.acme.example")
    numbers = count()

    def measure() -> float:
        began = process_time()
        for _ in range(_TURNS):
            turn = Turn(
                id="turn_1", io=io, models=models, principal=principal, destination=destination
            )
            said = Message("user", f"What came of order {next(numbers)}, and what comes next?")
            asked = request.evolve(messages=(*request.messages, said))
            items = journey(engine, turn, asked)
            drive(anext(items))
            drive(items.aclose())
        return (process_time() - began) / _TURNS

    return measure


def _requests() -> dict[str, Request]:
    messages = tuple(
        Message("user" if number % 2 == 0 else "assistant", f"{number}. {_LONG}")
        for number in range(12)
    )
    tool = Tool("look_up", {"type": "object", "properties": {"order": {"type": "string"}}}, _LONG)
    return {
        "a short question": Request(_MODEL, 1000, ()),
        "a turn of a conversation": Request(_MODEL, 1000, messages, system=_SYSTEM, tools=(tool,)),
    }


def report(rounds: int = 9) -> Iterator[str]:
    """Yield the report's lines."""
    for what, request in _requests().items():
        with tempfile.TemporaryDirectory() as folder:
            made = _plugins(Path(folder))
            subjects = {"none": _turns((), request), "one": _turns([("one", Bystander())], request)}
            subjects |= {name: _turns([(name, make())], request) for name, make in made.items()}
            everything = [(name, make()) for name, make in made.items()]
            subjects["all"] = _turns(everything, request)
            interleaved(subjects, 2)
            found = interleaved(subjects, rounds)
        floor = found.pop("none")
        for name, seconds in found.items():
            aim = "at most 1" if name == "all" else "none"
            yield from row(f"{what}: {name}", seconds - floor, "250 µs", 250e-6, aim)
