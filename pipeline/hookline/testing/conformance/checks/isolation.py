"""A check that nobody is shown what somebody else said: in another pipeline, another thread, another task."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from attrs import define

from hookline._journey.plugin_set import Plugin
from hookline.errors import HooklineError, PluginError
from hookline.hookspecs import Layer, hookimpl
from hookline.simulator import Rule
from hookline.testing.conformance.report import Finding
from hookline.testing.conformance.samples import TEXTS, sentence
from hookline.testing.conformance.surfaces import Call
from hookline.testing.conformance.trying import Trying
from hookline.testing.recording import RecordingSimulator
from hookline.turn import CallNext, Turn
from hookline.values.messages import Request, Response
from hookline.values.principal import Principal

__all__ = ["isolation"]

_THREADS: Final = 8
_USERS: Final = 16
_OWN_STATE: Final = "keep state on the instance, or in TurnState and ConversationState; not on the class or the module"
_KEYED: Final = "key what is kept by turn.principal, or keep it in TurnState or ConversationState"


def isolation(trying: Trying) -> Iterator[Finding]:
    """Check that neither a second pipeline nor another user's turn shows what the first one saw."""
    yield from _pipelines(trying)
    if trying.subject.colour == "sync":
        yield from _threads(trying)
    for surface in ("send", "stream"):
        yield from asyncio.run(_tasks(trying, surface))


def _pipelines(trying: Trying) -> Iterator[Finding]:
    call = Call(message="Where do ants live?", line={"context": {}})
    fresh = trying.take(call)
    context = {"context": {**trying.subject.context, **_others(trying)}}
    trying.take(Call(message="My canary is called Tweety-4711.", surface="conversation"))
    trying.take(Call(message="My canary is called Tweety-4711.", line=context))
    again = trying.take(call)
    if "Tweety-4711" in f"{again.bodies}{again.text}":
        what = "a new pipeline with a new instance sent what another pipeline had seen"
        yield Finding(what, _OWN_STATE)
    elif trying.subject.deterministic and (fresh.bodies, fresh.text) != (again.bodies, again.text):
        what = "a new pipeline with a new instance behaves as if it knew an earlier one"
        yield Finding(what, _OWN_STATE)
    if trying.subject.deterministic:
        yield from _after_others(trying)


def _after_others(trying: Trying) -> Iterator[Finding]:
    """Look whether a request is another one after that of somebody else."""
    said = sentence("; ".join((*trying.subject.own_samples, *TEXTS[:-1])))
    ada = Call(message=said, options={"principal": Principal(user="ada")})
    ben = Call(message="Write to ben@example.org.", options={"principal": Principal(user="ben")})
    ends = []
    for row in ((ben,), (ada, ben)):
        simulator = RecordingSimulator()
        outcomes = trying.subject.row(row, simulator, trying.subject.colour)
        trying.calls += len(row)
        if any(each.error for each in outcomes) or len(simulator.requests) < len(row):
            return
        ends.append(simulator.requests[-1])
    if ends[0] != ends[1]:
        yield Finding(
            "what a user's request looks like depends on what another user has sent", _KEYED
        )


def _others(trying: Trying) -> dict[str, Any]:
    """Return another text for each of the context that is a text, so that it leaves its own trace."""
    known = trying.subject.context.items()
    return {name: "Tweety-4711" for name, value in known if isinstance(value, str)}


def _said(trying: Trying, number: int) -> tuple[tuple[str, ...], Principal]:
    """Return what a user says, with words of its own in every form that a sample has, and who it is."""
    name = f"canary-{number:04d}-end"
    own = [f"{sample} {name}." for sample in trying.subject.own_samples]
    texts = (f"My word is {name}, my address {name}@example.com.", *own, "What is my word?")
    return texts, Principal(user=f"user-{number}")


def _threads(trying: Trying) -> Iterator[Finding]:
    simulator = RecordingSimulator(Rule(when="weather", reply="Sunny."))
    broken: list[str] = []
    with trying.subject.line("sync", simulator) as line:

        def turn(number: int) -> str:
            texts, principal = _said(trying, number)
            answers = []
            for text in texts:
                try:
                    reply = line.send(text, principal=principal)
                except PluginError as error:
                    broken.append(str(error))
                except HooklineError:
                    continue
                else:
                    answers.append(reply.text + str(reply.request))
            return " ".join(answers)

        with ThreadPoolExecutor(_THREADS) as pool:
            seen = list(pool.map(turn, range(_USERS)))
    yield from _judged(trying, seen, simulator)
    alone = trying.take(Call(message=_said(trying, 0)[0][0]))
    if broken and alone.error is None:
        yield Finding(
            f"in eight threads it failed: {broken[0]}",
            "turns run side by side: a lock around what they share, a connection for each thread",
        )


@define
class _Pauses:
    """Lets other turns go first, before and after the request, so that they run side by side."""

    name = "conformance-pauses"
    layer = Layer.RECORD

    @hookimpl
    async def send(self, turn: Turn, request: Request, call_next: CallNext) -> Response:
        """Wait, send, wait."""
        await turn.io.sleep(0)
        response = await call_next(request)
        await turn.io.sleep(0)
        return response


async def _tasks(trying: Trying, surface: str) -> list[Finding]:
    """Take the turns of all users at once, each a step at a time."""
    simulator = RecordingSimulator(Rule(chunk=4))
    beside = [Plugin.of(_Pauses())]
    async with trying.subject.line("asyncio", simulator, beside=beside) as line:

        async def turn(number: int) -> str:
            texts, principal = _said(trying, number)
            answers = []
            for text in texts:
                call = Call(surface=surface, message=text, options={"principal": principal})
                outcome = await trying.subject.waited(line, call)
                request = outcome.reply.request if outcome.reply is not None else ""
                answers.append(f"{outcome.text}{outcome.shown}{request}")
            return " ".join(answers)

        seen = await asyncio.gather(*map(turn, range(_USERS)))
    return list(_judged(trying, seen, simulator))


def _judged(trying: Trying, seen: list[str], simulator: RecordingSimulator) -> Iterator[Finding]:
    """Look for the words of one user in what another was shown, or sent."""
    trying.calls += len(simulator.calls)
    for number, text in enumerate(seen):
        if _named(text) - {number}:
            yield Finding("a user was shown, or sent, what another user had said", _KEYED)
            return
    if any(len(_named(str(body))) > 1 for body in simulator.requests):
        yield Finding("one request held the words of two users", _KEYED)


def _named(text: str) -> set[int]:
    return {number for number in range(_USERS) if f"canary-{number:04d}-end" in text}
