"""The conformance suite finds what is wrong, says where, and leaves alone what is right."""

import asyncio
import itertools
import os
import random
import re
import time
from pathlib import Path
from typing import Any

import pytest
from attrs import field, frozen

from hookline import ConfigError, Message, PolicyViolation, StreamFilter, hookimpl
from hookline.cli import main
from hookline.plugin import Layer, option
from hookline.testing.conformance import CHECKS, Subject, check_plugin
from hookline.testing.conformance.trying import Trying
from hookline.values import Secret

MAIL = re.compile(r"[\w.+-]+@[\w.-]+\w")


def findings(make: Any, check: str) -> str:
    """Run one check on a plugin; return what it found."""
    (wanted,) = [each for each in CHECKS if each.name == check]
    trying = Trying(Subject("subject", make))
    return "\n".join(each.what for each in wanted.run(trying))


# --- deliberately wrong ones, each with the check that must find it and what that says


class SystemInAText:
    """What the documentation once showed: a system prompt is a string, is it not?"""

    @hookimpl
    def build_history(self, request):
        return request.evolve(
            system=f"{request.system}\nBe polite." if request.system else "Be polite."
        )


class OnlyStrings:
    @hookimpl
    def build_history(self, request):
        return request.evolve(
            messages=[
                Message(each.role, MAIL.sub("[mail]", each.content))
                if isinstance(each.content, str)
                else each
                for each in request.messages
            ]
        )


class NotInToolResults:
    @hookimpl
    def send(self, request, call_next):
        return call_next(
            request.map_text(lambda text: MAIL.sub("[mail]", text), where=["messages", "system"])
        )


class BlockedInStringsOnly:
    role = "enforcer"

    @hookimpl
    def check_request(self, request):
        for message in request.messages:
            if isinstance(message.content, str) and MAIL.search(message.content):
                raise PolicyViolation("no addresses")


class CrashesOnBlocks:
    @hookimpl
    def build_history(self, request):
        return request.evolve(
            messages=[Message(each.role, each.content.strip()) for each in request.messages]
        )


class ShortSighted:
    @hookimpl
    def filter_stream(self):
        return StreamFilter.deltas(lambda text: MAIL.sub("[mail]", text), look_behind=3)


class EventByEvent:
    @hookimpl
    def filter_stream(self):
        class Each(StreamFilter):
            sees = "observe"

            def feed(self, event):
                delta: Any = getattr(event, "delta", None)
                if getattr(delta, "type", "") != "text_delta":
                    return (event,)
                return (event.evolve(delta=delta.evolve(text=MAIL.sub("[mail]", delta.text))),)

        return Each()


class FirstBlockOnly:
    @hookimpl
    def post_process(self, reply):
        first = MAIL.sub("[mail]", next((each.text for each in texts_of(reply)), ""))
        return reply.with_text(first + "".join(each.text for each in texts_of(reply)[1:]))


def texts_of(reply):
    return [each for each in reply.response.content if each.type == "text"]


class BeforeThePrefill:
    @hookimpl
    def post_process(self, reply):
        return reply.with_text(f"Answer: {reply.text}")


class Mutates:
    @hookimpl
    def build_history(self, request):
        object.__setattr__(request, "system", "mutated")


class Random:
    @hookimpl
    def build_history(self, request):
        return request.with_system(f"Variant {random.random()}")  # noqa: S311 -- to be found


class AddsAtEveryStep:
    @hookimpl
    def resolve_images(self, request):
        return request.with_system("Once more.")


class ChangesTheBeginning:
    numbers = itertools.count()

    @hookimpl
    def send(self, request, call_next):
        first, *rest = request.messages
        marked = Message(first.role, f"{first.text} ({next(self.numbers)})")
        return call_next(request.evolve(messages=[marked, *rest]))


class SharedByTheClass:
    kept: dict[str, Any] = {}  # noqa: RUF012 -- to be found

    @hookimpl
    def send(self, turn, request, call_next):
        if not turn.asks_model:
            return call_next(request)
        seen = self.kept.setdefault("words", [])
        seen.append(request.messages[-1].text)
        return call_next(request.with_system(" ".join(seen)))


class OneUserAnswersAnother:
    """A cache that does not ask whose answer it gives."""

    layer = Layer.CACHE

    def __init__(self):
        self.kept = {}

    @hookimpl
    async def send(self, turn, request, call_next):
        key = len(request.messages[-1].text)
        if turn.stream or not turn.asks_model:
            return await call_next(request)
        if key not in self.kept:
            self.kept[key] = await call_next(request)
        return self.kept[key]


class NeedsText:
    rewrites_text = False

    @hookimpl
    def post_process(self, reply):
        assert reply.response.content[0].text


class SwallowsCancellation:
    @hookimpl
    async def send(self, request, call_next):
        try:
            return await call_next(request)
        except asyncio.CancelledError:
            return await call_next(request)


class HoldsOn:
    def __init__(self):
        self.held = False

    @hookimpl
    async def send(self, turn, request, call_next):
        while self.held and turn.asks_model:
            await turn.io.sleep(0.01)
        self.held = True
        response = await call_next(request)
        self.held = False  # and where that raised?
        return response


class OnlyThoseTwo:
    @hookimpl
    def on_turn_start(self, turn):
        assert turn.surface in ("send", "stream", "explain")

    @hookimpl
    def build_history(self, turn):
        if turn.surface == "count_tokens":
            raise KeyError("messages")


@frozen
class Untyped:
    words: tuple[str, ...] = ("a",)
    pattern: str = "x"

    @hookimpl
    def build_history(self):
        return None

    def __attrs_post_init__(self):
        object.__setattr__(self, "pattern", self.pattern + "!")


@frozen
class Chatty:
    token: Secret = field(default=Secret("t"), metadata=option(secret=True))

    @hookimpl
    def on_turn_start(self):
        print("a turn begins")  # noqa: T201 -- to be found

    @hookimpl
    def send(self, turn, request, call_next):
        turn.trace.note("Chatty", f"sent with {turn.destination.api_key.reveal()}")
        return call_next(request)


class Slow:
    @hookimpl
    def build_history(self):
        import time

        time.sleep(0.06)


class DropsTheSystemPrompt:
    @hookimpl
    def build_history(self, request):
        return request.evolve(system="Today is Monday.")


class DropsTheBreakpoint:
    @hookimpl
    def build_history(self, request):
        system = request.system or ""
        if not isinstance(system, str):
            system = "\n".join(block.text for block in system)
        return request.evolve(system=f"{system}\nToday is Monday.")


class KeepsStreams:
    """A cache that keeps what can be read only once."""

    def __init__(self):
        self.kept = {}

    @hookimpl
    async def send(self, turn, request, call_next):
        key = (turn.principal, request)
        if key not in self.kept:
            self.kept[key] = await call_next(request)
        return self.kept[key]


class KeepsForEverybody:
    def __init__(self):
        self.kept = {}

    @hookimpl
    async def send(self, turn, request, call_next):
        if not turn.asks_model or turn.stream:
            return await call_next(request)
        if request not in self.kept:
            self.kept[request] = await call_next(request)
        return self.kept[request]


class RaisingObserver:
    role = "observer"

    @hookimpl
    def on_turn_end(self):
        raise ValueError("the disk is full")


class ObserverOfReplies:
    role = "observer"

    @hookimpl
    def on_turn_end(self, reply):
        self.tokens = reply.usage.output_tokens


class ForgotItsRole:
    @hookimpl
    async def on_attempt(self, attempt):
        raise KeyError(attempt.status)


class NeedsOptions:
    @hookimpl
    def open(self):
        raise ConfigError("folder is empty; give it one")


class Misspelt:
    @hookimpl
    def build_histroy(self):
        return None


WRONG = [
    (NeedsOptions, "contract", "it cannot begin: ConfigError: folder is empty"),
    (Misspelt, "contract", "did you mean 'build_history'"),
    (OnlyThoseTwo, "surfaces", "count_tokens in sync failed"),
    (RaisingObserver, "surfaces", "send in sync, .* on_turn_end failed: .* the disk is full"),
    (ForgotItsRole, "surfaces", "stream in asyncio, .* on_attempt failed: KeyError"),
    (ObserverOfReplies, "failures", r"\(400\) \(send, sync\) on_turn_end failed: AttributeError"),
    (DropsTheSystemPrompt, "what stands", "system prompt, a string, is gone"),
    (DropsTheSystemPrompt, "what stands", "system prompt, blocks, is gone"),
    (DropsTheBreakpoint, "what stands", "cache breakpoint of the caller's is gone"),
    (KeepsStreams, "again", "stream after stream of the same in one pipeline failed"),
    (KeepsStreams, "again", "send after stream, stream of the same in one pipeline"),
    (KeepsForEverybody, "again", "the answer to another user's request"),
    (SystemInAText, "forms", "left differently from a system prompt that is a string"),
    (OnlyStrings, "forms", "left differently from a message that is a string"),
    (OnlyStrings, "places", "lets it pass in the second text block"),
    (CrashesOnBlocks, "forms", "in a text block of a message it failed"),
    (NotInToolResults, "places", "changes 'ada@example.com' .* lets it pass in a tool result"),
    (BlockedInStringsOnly, "places", "refuses 'ada@example.com' .* in a text block"),
    (ShortSighted, "streams", r"cut at \d+, became"),
    (EventByEvent, "streams", r"cut at \d+, became .*a\[mail\]"),
    (FirstBlockOnly, "blocks of replies", "does in its second text block"),
    (BeforeThePrefill, "prefills", "no longer begins with its prefill"),
    (Mutates, "purity", "changed the frozen request in place"),
    (Random, "determinism", "different outcomes"),
    (AddsAtEveryStep, "steps", "the system prompt differs between the requests of one tool step"),
    (ChangesTheBeginning, "steps", "an earlier message is sent differently"),
    (SharedByTheClass, "isolation", "a new pipeline with a new instance"),
    (OneUserAnswersAnother, "isolation", "what another user had said"),
    (NeedsText, "failures", r"at an empty reply \(send, sync\) it failed itself"),
    (SwallowsCancellation, "cancellation", "went on as if nothing had been said"),
    (HoldsOn, "cancellation", "the next turn hangs"),
    (Untyped, "options", "option 'pattern' is 'x!', and 'x!!' after a settings file"),
    (Chatty, "secrets", "the API key was shown"),
    (Chatty, "secrets", "it prints to stdout"),
    (Slow, "cost", "a call takes .* ms more"),
]


@pytest.mark.parametrize(
    ("make", "check", "said"), WRONG, ids=[f"{make.__name__}-{check}" for make, check, _ in WRONG]
)
def test_what_is_wrong_is_found(make: Any, check: str, said: str) -> None:
    assert re.search(said, findings(make, check))


# --- right ones


@frozen
class Redact:
    """Takes addresses out on the way out, everywhere, and on the way back, in streams too."""

    mask: str = "[mail]"

    @hookimpl
    def send(self, request, call_next):
        return call_next(request.map_text(self._masked))

    @hookimpl
    def filter_stream(self):
        return StreamFilter.deltas(self._masked, look_behind=64)

    def _masked(self, text):
        return MAIL.sub(self.mask, text)


class UsersWords:
    """Works on what the person wrote, and says so."""

    edits = ("messages",)
    samples = ("abracadabra",)

    @hookimpl
    def build_history(self, request):
        return request.map_text(
            lambda text: text.replace("abracadabra", "please"), where=self.edits
        )


class Async:
    """Awaits asyncio, which is allowed, and works where there is a loop."""

    @hookimpl
    async def send(self, request, call_next):
        await asyncio.sleep(0)
        return await call_next(request)


@pytest.mark.parametrize("make", [Redact, UsersWords])
def test_what_is_right_passes_everything(make: Any) -> None:
    report = check_plugin(make)
    assert report.right, [each for each in report.results if each.findings]
    verdicts = {each.check: each.verdict for each in report.results}
    assert verdicts["places"] == verdicts["forms"] == "right"
    assert report.badge.startswith("![hookline conformance: ")
    assert report.badge.endswith("-brightgreen)")


def test_one_that_needs_an_event_loop_is_told_apart_from_a_failure() -> None:
    (surfaces,) = [each for each in CHECKS if each.name == "surfaces"]

    class AsyncioOnly:
        @hookimpl
        async def build_history(self, request):
            await asyncio.sleep(0.0001)

    trying = Trying(Subject("subject", AsyncioOnly))
    found = [each.what for each in surfaces.run(trying)]
    assert trying.note == "it needs an event loop: AsyncPipeline only"
    assert all("in trio" in each for each in found)  # asyncio's sleep means nothing there


# --- the command


GOOD = """
from hookline import hookimpl

class Polite:
    @hookimpl
    def build_history(self, request):
        return request.with_system("Be polite.")
"""
BODY = """
import os, time
from hookline import hookimpl

class Bad:
    @hookimpl
    def build_history(self, request):
        {body}
"""


def test_streams_that_nothing_was_changed_in_are_told_apart() -> None:
    class Quiet:
        @hookimpl
        def filter_stream(self):
            return StreamFilter.deltas(
                lambda text: text.replace("internal only", "[…]"), look_behind=1
            )

    class Declared(Quiet):
        samples = ("internal only",)

    (check,) = [each for each in CHECKS if each.name == "streams"]
    trying = Trying(Subject("quiet", Quiet))
    assert list(check.run(trying)) == []
    assert trying.note.startswith("no reply was changed")
    assert "became" in findings(Declared, "streams")


FORGETFUL = """
from hookline import hookimpl


class Forgetful:
    @hookimpl
    def build_history(self, request):
        return request.evolve(system=f"{request.system}. Be kind.")
"""


def test_the_command_shows_some_of_many_findings_and_each_remedy_once(
    tmp_path: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "forgetful.py").write_text(FORGETFUL)
    assert main(["check-plugin", "forgetful.py"]) == 1
    out = capfd.readouterr().out
    assert len(re.findall("^forms: .* left differently", out, re.MULTILINE)) == 3
    assert re.search(r"^forms: and \d+ more like these; --json has all", out, re.MULTILINE)
    assert out.count("→ content is a string or a tuple of blocks") == 1


def test_the_command_says_what_is_right(tmp_path: Any, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good.py").write_text(GOOD)
    assert main(["check-plugin", "good.py"]) == 0
    out = capfd.readouterr().out
    assert re.search(r"^surfaces +right +24 ", out, re.MULTILINE)
    assert "hookline conformance: 20 of 20 checks" in out


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (BODY.format(body="time.sleep(600)"), 1, "surfaces: it was not done after 6 seconds"),
        (BODY.format(body="os._exit(7)"), 1, "surfaces: it ended the process (exit code 7)"),
        (GOOD.replace("def build_history", "def build_histroy"), 1, "did you mean 'build_history'"),
        ("import os; os._exit(3)", 2, "while it was imported, it ended the process"),
        ("raise RuntimeError('broken')", 2, "cannot be imported (RuntimeError: broken)"),
        ("x = 1", 2, "there is no plugin in"),
    ],
    ids=["hangs", "exits", "misspelt", "dies", "broken", "empty"],
)
def test_one_that_hangs_or_ends_the_process_costs_one_line(
    tmp_path: Any, capfd: pytest.CaptureFixture[str], text: str, code: int, said: str
) -> None:
    (tmp_path / "bad.py").write_text(text)
    assert main(["check-plugin", "bad.py", "--timeout", "6"]) == code
    out, err = capfd.readouterr()
    assert said in (out if code == 1 else err)


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs sessions")
@pytest.mark.parametrize("hangs", [True, False])
def test_what_a_plugin_starts_does_not_outlive_the_check(
    tmp_path: Any, capfd: pytest.CaptureFixture[str], hangs: bool
) -> None:
    (tmp_path / "starts.py").write_text(
        "import pathlib, subprocess, sys, time\n"
        "from hookline import hookimpl\n"
        "command = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        "started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "pathlib.Path('pid').write_text(str(started.pid))\n"
        + ("time.sleep(600)\n" if hangs else "raise RuntimeError('broken')\n")
    )
    assert main(["check-plugin", "starts.py", "--timeout", "6"]) == 2
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 10
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(pid)


def alive(pid: int) -> bool:
    """Say whether a process runs; one that has ended, and that nobody has asked after, does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def test_a_name_that_is_not_there_is_unreadable(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["check-plugin", "histroy"]) == 2
    assert "did you mean 'history'" in capfd.readouterr().err
