"""Every model of the table by every way to give a prefill by whole and streamed, on the simulator."""

from collections.abc import Callable
from typing import Any, Final

import attrs
import pytest

from hookline import InputError
from hookline.models import ModelFacts, load_models
from hookline.simulator import Rule

MODELS: Final = [facts for facts in load_models() if not facts.retired]
ANT: Final = "What is latin for Ant? (A) Apoidea, (B) Rhopalocera, (C) Formicidae"
PREFILL: Final = "The answer is ("
TRAILING: Final = [{"role": "user", "content": ANT}, {"role": "assistant", "content": PREFILL}]
SEARCH: Final = {"type": "web_search_20250305", "name": "web_search"}
LOOKED: Final = [
    {"type": "text", "text": "Let me look."},
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "ant"}},
    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
]  # fmt: skip


@attrs.frozen
class Ant:
    """An ant."""

    name: str


@attrs.frozen
class Case:
    """A way to give a prefill, what the model says, and what must come of it.

    Attributes:
        options: of the call.
        text: the whole text that must come of it.
        mode: how it must be done, by whether the model continues; an error where it is one.
        words: the prefill.
        message: what is sent as the new message.
        says: what a model says that was told, and one that continues.

    """

    options: dict[str, Any]
    text: str = "The answer is (C)"
    mode: tuple[str, str] = ("native", "instructed")
    words: str = PREFILL
    message: Any = ANT
    says: tuple[str, str] = ("C)", "The answer is (C)")


CASES: Final = {
    "auto": Case({"prefill": PREFILL}),
    "one token": Case({"prefill": PREFILL, "max_tokens": 1}, text="The answer is (C"),
    "trailing text": Case({"messages": TRAILING}, message=None),
    "trailing block": Case(
        {
            "messages": [
                TRAILING[0],
                {"role": "assistant", "content": [{"type": "text", "text": PREFILL}]},
            ]
        },
        message=None,
    ),
    "native": Case({"prefill": PREFILL, "prefill_mode": "native"}, mode=("native", "error")),
    "error": Case({"prefill": PREFILL, "prefill_mode": "error"}, mode=("native", "error")),
    "instructed": Case(
        {"prefill": PREFILL, "prefill_mode": "instructed"},
        mode=("instructed", "instructed"),
        says=("The answer is (C)", "The answer is (C)"),
    ),
    "continued": Case({"prefill": PREFILL}, says=("C)", "C)")),
    "quoted": Case({"prefill": PREFILL}, says=("C)", '"The answer is (C)"')),
    "fenced": Case({"prefill": PREFILL}, says=("C)", "```\nThe answer is (C)\n```")),
    "preamble": Case({"prefill": PREFILL}, says=("C)", "Sure!\n\nThe answer is (C)")),
    "short": Case({"prefill": "("}, words="(", text="(C)", says=("C)", "(C)")),
    "structured": Case(
        {"prefill": "{", "output": Ant},
        words="{",
        text='{"name": "Formica"}',
        mode=("structured", "structured"),
        says=('{"name": "Formica"}', '{"name": "Formica"}'),
    ),
    "system": Case({"prefill": PREFILL, "system": "Be brief."}),
    "long": Case(
        {"prefill": "ant " * 200 + "(", "max_tokens": 1},
        words="ant " * 200 + "(",
        text="ant " * 200 + "(C",
        says=("C)", "ant " * 200 + "(C)"),
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("facts", MODELS, ids=lambda facts: facts.id)
def test_the_text_begins_with_the_prefill_exactly_once(
    blocking: Any, sim: Any, streamed: bool, facts: ModelFacts, name: str
) -> None:
    case: Case = CASES[name]
    mode = case.mode[not facts.prefill]
    server = sim(Rule(reply=case.says[mode in {"instructed", "structured"}], chunk=3))
    line = {"base_url": server, "model": facts.id}

    def outcome() -> Any:
        return blocking.outcome(streamed, case.message, line=line, **case.options)

    if mode == "error":
        with pytest.raises(InputError, match="does not continue an assistant message"):
            outcome()
        assert server.calls == []
        return
    reply = outcome()
    assert reply.text == case.text
    assert reply.completion == case.text[len(case.words) :]
    assert reply.prefill_mode == mode
    assert reply.messages[-1].role == "assistant"
    assert reply.messages[-1].text == case.text
    assert "reply_so_far" not in str(reply.messages)
    native = server.bodies[0]["messages"][-1]["role"] == "assistant"
    assert native == (mode == "native")
    if case.options.get("max_tokens") == 1:
        assert reply.stop_reason == "max_tokens"


@pytest.mark.parametrize("facts", MODELS, ids=lambda facts: facts.id)
def test_a_paused_turn_that_is_continued_is_no_prefill(
    blocking: Any, sim: Any, streamed: bool, facts: ModelFacts
) -> None:
    server = sim(Rule(reply="Ants."))
    history = [{"role": "user", "content": ANT}, {"role": "assistant", "content": LOOKED}]
    line = {"base_url": server, "model": facts.id}
    reply = blocking.outcome(streamed, None, line=line, messages=history, tools=[SEARCH])
    assert (reply.text, reply.prefill, reply.prefill_mode) == ("Ants.", None, None)
    assert server.bodies[0]["messages"][-1]["content"] == LOOKED


@pytest.mark.parametrize("facts", MODELS, ids=lambda facts: facts.id)
def test_a_prefill_belongs_to_the_first_step(
    blocking: Any, sim: Any, streamed: bool, facts: ModelFacts
) -> None:
    def look() -> str:
        """Look."""
        return "an ant"

    begins = "" if facts.prefill else "Let me see:"
    server = sim(
        Rule(call=1, tool_use={"name": "look", "input": {}}, reply=f"{begins} I look."),
        Rule(reply=" An ant."),
    )
    options = {"prefill": "Let me see:", "tools": [look]}
    line = {"base_url": server, "model": facts.id}
    reply = blocking.outcome(streamed, ANT, line=line, **options)
    assert reply.text == "Let me see: I look. An ant."
    assert reply.completion == " I look. An ant."
    assert [message.role for message in reply.messages] == ["user", "assistant"] * 2
    assert reply.messages[1].text == "Let me see: I look."
    assert "reply_so_far" not in str(server.bodies[1])


REFUSED: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "white space": lambda: {"prefill": "The answer is "},
    "no such mode": lambda: {"prefill": "So", "prefill_mode": "natve"},
    "no text": lambda: {"prefill": 42},
    "no output": lambda: {"prefill": "{", "prefill_mode": "structured"},
    "another beginning": lambda: {"prefill": "[", "output": Ant},
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("facts", MODELS, ids=lambda facts: facts.id)
def test_bad_input_is_refused_before_anything_is_sent(
    blocking: Any, sim: Any, streamed: bool, facts: ModelFacts, name: str
) -> None:
    server = sim(Rule(reply="The answer is C"))
    line = {"base_url": server, "model": facts.id}
    if name == "white space" and not facts.prefill:  # refused only where the server would
        reply = blocking.outcome(streamed, ANT, line=line, **REFUSED[name]())
        assert reply.text == "The answer is C"
        return
    with pytest.raises(InputError):
        blocking.outcome(streamed, ANT, line=line, **REFUSED[name]())
    assert server.calls == []
