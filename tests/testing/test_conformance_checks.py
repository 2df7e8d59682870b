"""Further checks of the conformance suite: each finds what it is for, and leaves alone what is right."""

import os
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from attrs import field, frozen

from hookline import Image, InputError, Message, PolicyViolation, StreamFilter, hookimpl
from hookline.cli import main
from hookline.plugin import ConversationState, Layer, TurnState, close, option
from hookline.testing.conformance import CHECKS, Subject, check_plugin
from hookline.testing.conformance.trying import Trying
from hookline.values import Secret, TextBlock

MAIL = re.compile(r"[\w.+-]+@[\w.-]+\w")
PICTURE = (Path(__file__).parents[2] / "examples" / "ant.png").read_bytes()


def tried(make: Any, check: str, *samples: str) -> tuple[Trying, str]:
    """Run one check on a plugin; return it at work, and what it found."""
    (wanted,) = [each for each in CHECKS if each.name == check]
    trying = Trying(Subject("subject", make, samples))
    return trying, "\n".join(each.what for each in wanted.run(trying))


def findings(make: Any, check: str, *samples: str) -> str:
    return tried(make, check, *samples)[1]


# The same from every surface, in every colour, for everybody


class NotInStreams:
    @hookimpl
    def build_history(self, turn, request):
        return None if turn.stream else request.with_system("Be polite.")


class NotInCounts:
    @hookimpl
    def build_history(self, turn, request):
        return None if turn.surface == "count_tokens" else request.with_system("Be polite.")


class AsksWhereNothingIsAsked:
    @hookimpl
    async def send(self, request, call_next):
        await call_next(request.evolve(max_tokens=5))
        return await call_next(request)


class ByColour:
    @hookimpl
    def build_history(self, turn, request):
        return request.with_system(type(turn.io).__name__)


class TakesUsersForNames:
    @hookimpl
    def build_history(self, turn):
        assert turn.principal.user.isalnum()


class TakesContextForGranted:
    sample_context = {"topic": "ants"}  # noqa: RUF012 -- as authors write

    @hookimpl
    def build_history(self, turn, request):
        return request.with_system("About " + turn.context["topic"])


# What the caller has set, and what the model has said


class DropsFields:
    @hookimpl
    def build_history(self, request):
        return request.evolve(stop_sequences=None, metadata={"user_id": "of-the-plugin"})


class DropsThinking:
    @hookimpl
    def filter_stream(self):
        return StreamFilter.message(
            lambda response: response.evolve(
                content=[each for each in response.content if isinstance(each, TextBlock)]
            )
        )


class LosesUsage:
    @hookimpl
    async def send(self, request, call_next):
        response = await call_next(request)
        if response.events is not None:
            return response
        return response.evolve(usage=response.usage.evolve(output_tokens=0))


class MakesUpAnAnswer:
    @hookimpl
    async def send(self, turn, request, call_next):
        try:
            return await call_next(request)
        except Exception:
            if not turn.asks_model:
                raise
            from hookline.testing import make_reply

            return make_reply("Sorry.").response


class NotPutBack:
    layer = Layer.REDACT
    mirrored = True

    @hookimpl
    def send(self, request, call_next):
        return call_next(request.map_text(lambda text: MAIL.sub("[mail]", text)))

    @hookimpl
    def filter_stream(self):
        return StreamFilter.deltas(lambda text: text, look_behind=6)


class DoesNotSeeCapitals:
    samples = ("darn",)

    @hookimpl
    def filter_stream(self, turn):
        word = re.compile("darn", 0 if turn.stream else re.IGNORECASE)
        return StreamFilter.deltas(lambda text: word.sub("****", text), look_behind=4)


# What earlier turns leave


class Kept:
    """Keeps for each user what was said, as an attribute says."""

    samples = ("Remember: ants.",)

    def __init__(self):
        self.said = {}

    def keep(self, turn, text):
        self.said.setdefault(turn.principal.user, []).append(str(text))

    @hookimpl
    def build_history(self, turn, request):
        said = self.said.get(turn.principal.user)
        return request.with_system(" ".join(said)) if said else None


class RemembersStrings(Kept):
    @hookimpl
    def conclude(self, turn, outcome):
        content = turn.request.messages[-1].content if turn.request else None
        if outcome.reply is not None and turn.asks_model and isinstance(content, str):
            self.keep(turn, content)


class RemembersFailures(Kept):
    @hookimpl
    def conclude(self, turn, outcome):
        if turn.asks_model and turn.request:
            self.keep(turn, turn.request.messages[-1].text)


class RemembersCounts(Kept):
    @hookimpl
    def on_turn_start(self, turn, request):
        if turn.surface == "count_tokens":
            self.keep(turn, request.messages[-1].text)


class ReplacesTheSystemPromptLater(RemembersFailures):
    @hookimpl
    def build_history(self, turn, request):
        said = self.said.get(turn.principal.user)
        return request.evolve(system=" ".join(said)) if said else None


class UsesUp:
    def __init__(self):
        self.left = ["ants"]

    @hookimpl
    def build_history(self, request):
        if not self.left:
            raise InputError("there is nothing left")
        return request.with_system(self.left.pop())


class AnswersAnything:
    """A cache whose key is the question alone."""

    layer = Layer.CACHE

    def __init__(self):
        self.kept = {}

    @hookimpl
    async def send(self, turn, request, call_next):
        key = (turn.principal, request.messages[-1].text)
        if turn.stream or not turn.asks_model:
            return await call_next(request)
        if key not in self.kept:
            self.kept[key] = await call_next(request)
        return self.kept[key]


# What differs, blocks or is left behind


class SharedByTurns:
    """Keeps what belongs to one turn where all turns see it."""

    @hookimpl
    async def send(self, turn, request, call_next):
        self.text = request.messages[-1].text
        response = await call_next(request)
        turn.trace.note("shared", "seen")
        if response.events is not None:
            return response
        return response.evolve(content=(TextBlock(self.text),))


LATEST: dict[str, Any] = {}


class KeepsContextOnTheModule:
    sample_context = {"language": "Latin"}  # noqa: RUF012 -- as authors write

    @hookimpl
    def build_history(self, turn, request):
        LATEST.update(turn.context)
        return request.with_system(f"Answer in {LATEST.get('language')}.")


class NumbersForAll:
    """Numbers what it hides, over the turns of everybody."""

    def __init__(self):
        self.found = {}

    @hookimpl
    def send(self, request, call_next):
        def numbered(found):
            return f"[{self.found.setdefault(found[0], len(self.found))}]"

        return call_next(request.map_text(lambda text: MAIL.sub(numbered, text)))


class Blocks:
    @hookimpl
    def build_history(self):
        Path(__file__).read_bytes()


class DoesNotBlock:
    @hookimpl
    async def build_history(self, turn):
        await turn.io.run_blocking(Path(__file__).read_bytes)


class ForgotToAwait:
    @hookimpl
    async def conclude(self, turn):
        turn.io.run_blocking(print)


class LeavesAThread:
    @hookimpl
    def open(self):
        self.over = threading.Event()
        threading.Thread(target=self.over.wait, args=(20,), name="of-a-plugin", daemon=True).start()


class KeepsTurns:
    def __init__(self):
        self.turns = []

    @hookimpl
    def on_turn_start(self, turn):
        self.turns.append(turn)


class ChangesTheProcess:
    @hookimpl
    def on_turn_start(self):
        os.environ["OF_A_PLUGIN"] = "1"


class KeepsOnTheClass:
    seen: list[Any] = []  # noqa: RUF012 -- to be found

    @hookimpl
    def on_turn_start(self, request):
        self.seen.append({"said": [request.messages[-1].text]})


# What is shown


@frozen
class PlainKey:
    signing_key: str = "k"
    keyword: str = "Remember:"

    @hookimpl
    def build_history(self):
        return None


class SaysWhatItHides:
    @hookimpl
    def send(self, turn, request, call_next):
        def masked(text):
            for found in MAIL.findall(text):
                turn.trace.note("mask", f"hides {found}")
            return MAIL.sub("[mail]", text)

        return call_next(request.map_text(masked))


# Images and tools


class Assets:
    """Resolves ``asset://NAME`` in one of the ways that tests want."""

    before = ("images",)
    samples: tuple[str, ...] = ("asset://ant.png",)

    def read(self, name):
        if name != "ant.png":
            raise InputError(f"there is no asset {name!r}")
        return PICTURE

    def resolved(self, block):
        if not isinstance(block, Image) or block.scheme != "asset":
            return block
        return block.evolve(source=self.read(str(block.source).partition("://")[2]))

    @hookimpl
    async def resolve_images(self, turn, request):
        async def each(block):
            return self.resolved(block)

        return await request.map_media(each, turn.io)


class AssetsInMessages(Assets):
    @hookimpl
    async def resolve_images(self, turn, request):
        return request.evolve(
            messages=[
                Message(each.role, [self.resolved(block) for block in each.content])
                if not isinstance(each.content, str)
                else each
                for each in request.messages
            ]
        )


class AssetsFromAnywhere(Assets):
    def read(self, name):
        path = Path("/") / name
        return path.read_bytes() if name.startswith("/") else super().read(name)


class AssetsThatBreak(Assets):
    def read(self, name):
        return {"ant.png": PICTURE}[name]


class Registers:
    tool: Any

    @hookimpl
    def register_tools(self, register):
        register(self.tool)


class Tools(Registers):
    def tool(self, city: str, days: int = 3) -> str:
        """Tell the weather."""
        return f"sunny in {city} for {days} days"


class ToolThatBreaks(Registers):
    def tool(self, city: str, days: int = 3) -> str:
        """Tell the weather."""
        return f"{city[0]} for {10 / days} days"


class ToolThatSpeaks(Registers):
    def tool(self, city: str, days: int = 3) -> str:
        """Tell the weather."""
        if days < 1:
            raise ValueError("days must be 1 or more")
        return "sunny"


class ToolWithoutWords(Registers):
    def tool(self, city: str) -> str:
        return city


class ToolByChance(Registers):
    def tool(self, city: str) -> str:
        """Tell the weather."""
        return f"{city} {time.perf_counter_ns()}"


class DeclaredInputs(Registers):
    sample_inputs = {"tool": [{"city": "Oslo"}]}  # noqa: RUF012 -- as authors write

    def tool(self, city: str) -> str:
        """Tell the weather."""
        return {"Oslo": "snow"}[city]


WRONG = [
    (UsesUp, "again", "send after send of the same in one pipeline was refused: InputError"),
    (NotInStreams, "alike", "stream differs from send in system"),
    (NotInCounts, "alike", "count_tokens differs from send in system"),
    (AsksWhereNothingIsAsked, "alike", "a count of tokens sends 2 requests"),
    (ByColour, "alike", "send in asyncio differs from sync: system"),
    (TakesUsersForNames, "alike", r"for the user 'o\\'brien"),
    (TakesContextForGranted, "alike", r"with the context {} it failed"),
    (TakesContextForGranted, "alike", r"with the context {'topic': 7} it failed"),
    (DropsFields, "what stands", r"stop_sequences is \['END'\], and None"),
    (DropsFields, "what stands", r"metadata is {'user_id': 'of-the-caller'}, and {'user_id': 'of-"),
    (DropsThinking, "parts of replies", r"with thinking \(send\) has the blocks \[\]"),
    (DropsThinking, "parts of replies", r"calls a tool \(stream\) has the blocks \[\]"),
    (LosesUsage, "parts of replies", "has used 0 output tokens"),
    (
        MakesUpAnAnswer,
        "failures",
        r"529\), each time \(send, sync\), the caller was given 'Sorry.'",
    ),
    (NotPutBack, "way back", r"'Please note: ada@example.com.* came back as .*\[mail\]"),
    (DoesNotSeeCapitals, "streams", "'DARN, Darn!', cut at 1, became"),
    (RemembersStrings, "later turns", "is remembered from a string, and not from blocks"),
    (RemembersFailures, "later turns", r"a turn that failed \(400\) is sent in a later turn"),
    (RemembersFailures, "later turns", "a turn that the model refused is sent in a later turn"),
    (RemembersFailures, "later turns", "a stream that broke is sent in a later turn"),
    (RemembersCounts, "later turns", "a count of tokens is sent in a later turn"),
    (ReplacesTheSystemPromptLater, "later turns", "after 'Remember: ants.', the caller's system"),
    (AnswersAnything, "again", "another system prompt: the answer was that to an earlier request"),
    (AnswersAnything, "again", "a history: the answer was that to an earlier request"),
    (AnswersAnything, "again", "whose first answer was refused is answered the same"),
    (AnswersAnything, "again", "whose first answer was cut off is answered the same"),
    (SharedByTurns, "isolation", "what another user had said"),
    (KeepsContextOnTheModule, "isolation", "sent what another pipeline had seen"),
    (NumbersForAll, "isolation", "depends on what another user has sent"),
    (Blocks, "event loop", r"build_history opens a file \(.*test_conformance_checks.py\)"),
    (ForgotToAwait, "leftovers", "run_blocking' was never awaited"),
    (LeavesAThread, "leftovers", "thread of-a-plugin"),
    (KeepsTurns, "leftovers", r"\d+ of \d+ turns are kept after their end"),
    (ChangesTheProcess, "leftovers", "os.environ was changed"),
    (KeepsOnTheClass, "leftovers", "KeepsOnTheClass.seen holds what a user said"),
    (PlainKey, "secrets", "option 'signing_key' is named like a secret"),
    (
        SaysWhatItHides,
        "what it hides",
        "it takes 'ada@example.com' out of the request, and says it",
    ),
    (AssetsInMessages, "images", "asset://ant.png in a tool result"),
    (AssetsFromAnywhere, "images", "sent a file that lies outside"),
    (
        AssetsThatBreak,
        "images",
        "'no-such-thing-4711.png', which is not there, ended in PluginError",
    ),
    (ToolThatBreaks, "tools", r"which its schema allows, broke \(sync\): IndexError"),
    (ToolThatBreaks, "tools", r"which its schema allows, broke \(sync\): ZeroDivisionError"),
    (ToolWithoutWords, "tools", "the tool 'tool' has no description"),
    (ToolByChance, "tools", "answered .* in sync and .* in asyncio"),
]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_A_PLUGIN", "0")  # so that it is put back


@pytest.mark.parametrize(
    ("make", "check", "said"), WRONG, ids=[f"{make.__name__}-{check}" for make, check, _ in WRONG]
)
def test_what_is_wrong_is_found(make: Any, check: str, said: str) -> None:
    assert re.search(said, findings(make, check))


# --- right ones


class TurnsApart:
    """Keeps what belongs to one turn, and to one conversation, where it belongs."""

    text: TurnState[list[str]] = TurnState(list)
    past: ConversationState[list[str]] = ConversationState(list)

    @hookimpl
    async def send(self, turn, request, call_next):
        self.text[turn].append(request.messages[-1].text)
        return await call_next(request)


@frozen
class Keyed:
    """Has a secret, and a text that is none."""

    key: Secret | None = field(default=None, metadata=option(secret=True))
    keyword: str = "Remember:"

    @hookimpl
    def build_history(self):
        return None


class Refuses:
    """Sends nothing of what it refuses, so that nothing can go wrong with it on the way."""

    role = "enforcer"
    samples = ("project zephyr",)

    @hookimpl
    def check_request(self, request):
        if "zephyr" in request.messages[-1].text:
            raise PolicyViolation("no project")


class AsksTwice:
    @hookimpl
    async def send(self, turn, request, call_next):
        if turn.stream:
            await close((await call_next(request)).events)
        return await call_next(request)


RIGHT = [
    (AsksTwice, "streams"),
    (Refuses, "later turns"),
    (TurnsApart, "isolation"),
    (TurnsApart, "leftovers"),
    (DoesNotBlock, "event loop"),
    (Keyed, "secrets"),
    (Assets, "images"),
    (Tools, "tools"),
    (ToolThatSpeaks, "tools"),
    (DeclaredInputs, "tools"),
]


@pytest.mark.parametrize(
    ("make", "check"), RIGHT, ids=[f"{make.__name__}-{check}" for make, check in RIGHT]
)
def test_what_is_right_is_left_alone(make: Any, check: str) -> None:
    trying, found = tried(make, check)
    assert found == ""
    assert trying.tried
    assert trying.calls or check == "secrets"


# --- what a class declares, and what the caller adds


@frozen
class Configured:
    """Does nothing before it is configured."""

    sample_options = {"word": "ants"}  # noqa: RUF012 -- as authors write
    word: str = ""

    @hookimpl
    def build_history(self, request):
        return request.evolve(system=self.word) if self.word else None


def test_a_plugin_is_tried_with_its_sample_options() -> None:
    assert Subject("subject", Configured).object.word == "ants"
    assert "the caller's system prompt" in findings(Configured, "what stands")


def test_options_that_somebody_has_set_stay() -> None:
    assert Subject("subject", lambda: Configured("bees")).object.word == "bees"


def test_a_sample_option_that_there_is_not_is_a_finding() -> None:
    class Wrong(Configured):
        sample_options = {"wrod": "ants"}  # noqa: RUF012 -- as above

    report = check_plugin(Wrong)
    (contract,) = report.results
    assert contract.findings[0].what == "sample_options: there is no option 'wrod'"


def test_the_caller_gives_samples(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    class Undeclared(Assets):
        samples = ()

    trying, _ = tried(Undeclared, "images")
    assert not trying.tried
    assert trying.note.startswith("a source of its own scheme is a sample")
    assert findings(Undeclared, "images", "asset://gone.png").startswith("asset://gone.png in a")


ORDER = """
from hookline import hookimpl

class Listed:
    @hookimpl
    def build_history(self, request):
        return request.with_system(", ".join({words}))
"""


def test_another_process_has_other_hashes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = "{'ants', 'bees', 'wasps', 'moths'}"
    (tmp_path / "listed.py").write_text(ORDER.format(words=words))
    assert main(["check-plugin", "listed.py", "--json"]) == 1
    assert "two processes sent different requests" in capfd.readouterr().out
    (tmp_path / "listed.py").write_text(ORDER.format(words=f"sorted({words})"))
    assert main(["check-plugin", "listed.py", "--sample", "ants"]) == 0
    assert re.search(r"^other processes +right +\d+ ", capfd.readouterr().out, re.MULTILINE)


def test_what_a_test_makes_is_not_tried_elsewhere() -> None:
    trying, _ = tried(Configured, "other processes")
    assert not trying.tried
