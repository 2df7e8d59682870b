"""The cookbook: twelve complete plugins, each does what it says and conforms."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hookline import Image, InputError, Pipeline, PolicyViolation, Principal
from hookline._journey.plugin_files import plugins_in
from hookline.simulator import Rule
from hookline.testing import RecordingSimulator, check_plugin
from hookline.values import Secret

COOKBOOK = Path(__file__).parent.parent.parent / "examples" / "plugins"
FILES = sorted(COOKBOOK.glob("*.py"))
ADA, BEN = Principal(user="ada", team="bees"), Principal(user="ben")


def plugin(name: str) -> Any:
    """Return the class in a file of the cookbook."""
    (found,) = plugins_in(str(COOKBOOK / f"{name}.py"))
    return found.object


@pytest.fixture
def sim() -> RecordingSimulator:
    return RecordingSimulator()


def line(sim: Any, *plugins: Any, **options: Any) -> Pipeline:
    return Pipeline(base_url=sim, config={}, plugins=plugins, model="claude-haiku-4-5", **options)


def test_there_are_twelve() -> None:
    assert len(FILES) == 12


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_conforms(file: Path, tmp_path: Path) -> None:
    thing = plugin(file.stem)
    make = partial(thing, path=str(tmp_path / "kept")) if file.stem == "memory" else thing
    report = check_plugin(make)
    assert report.right, [(each.check, each.findings) for each in report.results if each.findings]


def test_profanity_is_masked_in_streams(sim: RecordingSimulator) -> None:
    sim.play(Rule(reply="Oh darn, heckler!", chunk=1))
    with line(sim, plugin("profanity_filter")()) as pipeline, pipeline.stream("Hi") as stream:
        assert "".join(stream.text) == "Oh ****, heckler!"


def test_cost_is_charged_by_team_and_feature(sim: RecordingSimulator) -> None:
    tagger = plugin("cost_tagger")()
    with line(sim, tagger) as pipeline:
        reply = pipeline.send("Hi", principal=ADA, context={"feature": "chat"})
    assert tagger.spent("bees", "chat") == reply.cost
    assert tagger.spent("bees") == 0


def test_a_prompt_is_filled_in_and_a_message_is_not(sim: RecordingSimulator) -> None:
    templates = plugin("prompt_templates")({"about": "Speak of $topic."})
    with line(sim, templates) as pipeline:
        pipeline.send("I have $topic", context={"prompt": "about", "topic": "ants"})
        with pytest.raises(InputError, match="there is no prompt 'abuot'; there are about"):
            pipeline.send("Hi", context={"prompt": "abuot"})
        with pytest.raises(InputError, match="cannot be filled in: 'topic'"):
            pipeline.send("Hi", context={"prompt": "about"})
    assert sim.requests[0]["system"] == "Speak of ants."
    assert sim.requests[0]["messages"][0]["content"] == "I have $topic"


def test_the_same_user_always_has_the_same_model(sim: RecordingSimulator) -> None:
    with line(sim, plugin("model_ab")("claude-haiku-5-5")) as pipeline:
        asked = {
            user: {pipeline.send("Hi", principal=Principal(user=user)).request.model for _ in "ab"}
            for user in map(str, range(20))
        }
    assert all(len(models) == 1 for models in asked.values())
    assert {model for (model,) in asked.values()} == {"claude-haiku-4-5", "claude-haiku-5-5"}


def test_memory_is_a_users_own_and_outlives_the_process(
    sim: RecordingSimulator, tmp_path: Path
) -> None:
    memory = partial(plugin("memory"), path=str(tmp_path / "kept"))
    with line(sim, memory()) as pipeline:
        pipeline.send("Remember: I keep ants.", principal=ADA)
    with line(sim, memory()) as pipeline:
        pipeline.send("Hello", principal=ADA)
        pipeline.send("Hello", principal=BEN)
    assert "I keep ants." in sim.requests[1]["system"]
    assert "system" not in sim.requests[2]


def test_assets_come_from_one_folder(sim: RecordingSimulator, tmp_path: Path) -> None:
    folder = tmp_path / "assets"
    folder.mkdir()
    ant = (COOKBOOK.parent / "ant.png").read_bytes()
    (folder / "ant.png").write_bytes(ant)
    (tmp_path / "other.png").write_bytes(ant)
    with line(sim, plugin("asset_images")(str(folder))) as pipeline:
        pipeline.send([Image("asset://ant.png"), "What is this?"])
        for name in ("../other.png", "gone.png", "/etc/hosts", "a\0b", "x" * 5000):
            with pytest.raises(InputError, match="there is no asset"):
                pipeline.send([Image(f"asset://{name}"), "What is this?"])
    assert sim.requests[0]["messages"][0]["content"][0]["source"]["type"] == "base64"


@pytest.mark.parametrize("said", [True, False])
def test_a_tool_waits_for_approval(said: bool) -> None:
    run: list[str] = []

    def delete(path: str) -> str:
        """Delete a file."""
        run.append(path)
        return "deleted"

    sim = RecordingSimulator(Rule(tool_use={"name": "delete", "input": {"path": "x"}}, times=1))
    approval = plugin("tool_approval")(approve=lambda _turn, call: said and call.name == "delete")
    with line(sim, approval) as pipeline:
        pipeline.send("Delete it", tools=[delete])
    assert run == ["x"] * said
    assert ("not approved" in str(sim.requests[1]["messages"][-1])) != said


def test_a_signature_follows_from_what_is_sent(sim: RecordingSimulator) -> None:
    with line(sim, plugin("request_signing")(Secret("k"))) as pipeline:
        for text in ("Hi", "Hi", "Ho"):
            pipeline.send(text)
    one, two, other = (each["metadata"]["user_id"] for each in sim.requests)
    assert one == two != other
    assert len(one) == 64


def test_what_the_caller_says_of_itself_is_not_signed_over(sim: RecordingSimulator) -> None:
    with line(sim, plugin("request_signing")(Secret("k"))) as pipeline:
        pipeline.send("Hi", metadata={"user_id": "of-the-caller"})
    assert sim.requests[0]["metadata"] == {"user_id": "of-the-caller"}


def test_personal_data_goes_and_comes_back(sim: RecordingSimulator) -> None:
    with line(sim, plugin("pii_demo")()) as pipeline:
        assert "ada@example.com" in pipeline.send("I am ada@example.com").text
        with pipeline.stream([{"type": "text", "text": "I am ada@example.com"}]) as stream:
            assert "ada@example.com" in "".join(stream.text)
    assert "ada@example.com" not in str(sim.requests)


def test_a_guard_refuses_what_it_objects_to() -> None:
    objects = Rule(when="Does this text ask", reply="Yes.")
    refusing = line(RecordingSimulator(objects), plugin("guard")())
    with refusing as pipeline, pytest.raises(PolicyViolation, match="objects"):
        pipeline.send("Something bad")
    objecting = line(RecordingSimulator(objects), plugin("guard")())
    with (
        objecting as pipeline,
        pytest.raises(PolicyViolation, match="objects"),
        pipeline.stream("Something bad") as stream,
    ):
        list(stream.text)
    agrees = RecordingSimulator(Rule(when="Does this text ask", reply="No."))
    with line(agrees, plugin("guard")()) as pipeline:
        assert "Something good" in pipeline.send("Something good").text
    assert len(agrees.requests) == 2


def test_a_glossary_holds_in_the_users_language(sim: RecordingSimulator) -> None:
    sim.play(Rule(reply="The colour of ants", chunk=1))
    with (
        line(sim, plugin("translation")()) as pipeline,
        pipeline.stream("Hi", context={"language": "Latin"}) as stream,
    ):
        assert "".join(stream.text) == "The color of ants"
    assert "Latin" in sim.requests[0]["system"]


def test_the_same_meaning_is_answered_once_for_each_user(sim: RecordingSimulator) -> None:
    with line(sim, plugin("semantic_cache")()) as pipeline:
        first = pipeline.send("Where do the ants live?", principal=ADA)
        again = pipeline.send("Please: where do ants live", principal=ADA)
        pipeline.send("Where do ants live?", principal=BEN)
        pipeline.send("Where do ants live?", principal=ADA, system="Be brief.")
    assert first.text == again.text
    assert len(sim.requests) == 3


def test_none_of_them_needs_more_than_hookline() -> None:
    for file in FILES:
        assert file.stem not in sys.modules
        text = file.read_text(encoding="utf-8")
        assert "hookline._" not in text
