"""A message in which some images are no good: which they are, and what happens to the rest."""

from typing import Any

import pytest

from hookline import InputError, Pipeline
from hookline.trace import Trace
from hookline.values import CacheControl, Image, ImageBlock, TextBlock, ToolResultBlock
from hookline_plugins.images.kept import KEPT, Kept
from hookline_plugins.images.render import render


@pytest.fixture
def twenty(made: Any) -> list[Any]:
    """Twenty images, of which the seventh and the twelfth are none."""
    images: list[Any] = [Image(made(size=(10 + n, 10))) for n in range(20)]
    images[6] = Image(b"secret words")
    images[11] = Image("/srv/secret/missing.png", cache_control=CacheControl())
    return images


def test_the_error_names_all_bad_ones_and_their_places(twenty: Any, resolve: Any) -> None:
    with pytest.raises(InputError) as caught:
        resolve("Look:", *twenty)
    said = str(caught.value)
    assert "plain text" in said
    assert "(image 7 of 20, messages.0.content.7)" in said
    assert "no such file" in said
    assert "(image 12 of 20, messages.0.content.12)" in said
    assert "image 8 of" not in said


def test_nothing_is_sent(twenty: Any, sim: Any) -> None:
    server = sim()
    with Pipeline(model="claude-haiku-4-5", base_url=server) as line, pytest.raises(InputError):
        line.send(twenty)
    assert server.calls == []


def test_many_bad_ones_are_not_all_described(resolve: Any) -> None:
    with pytest.raises(InputError, match="and 15 more") as caught:
        resolve(*[Image(f"none-{n}.png") for n in range(20)])
    assert len(str(caught.value)) < 1000


def test_they_are_left_out_where_that_is_wanted(twenty: Any, resolve: Any) -> None:
    trace = Trace()
    blocks = resolve("Look:", *twenty, on_error="skip", trace=trace)
    assert len(blocks) == 19
    assert all(isinstance(block, ImageBlock) for block in blocks[1:])
    notes = [text for name, text in trace.notes if name == "images"]
    assert notes[0].startswith("image 7 of 20, messages.0.content.7, was not sent: not an image")


def test_words_take_their_place_where_that_is_wanted(twenty: Any, resolve: Any) -> None:
    blocks = resolve("Look:", *twenty, on_error="describe")
    assert len(blocks) == 21
    assert isinstance(blocks[7], TextBlock)
    assert "could not be used: not an image" in blocks[7].text
    assert isinstance(blocks[12], TextBlock)
    assert blocks[12].text == "[This image could not be used.]"  # the path is nobody's business
    assert blocks[12].cache_control == CacheControl()


def test_a_message_is_never_left_empty(resolve: Any) -> None:
    [block] = resolve(Image(b"x"), on_error="skip")
    assert isinstance(block, TextBlock)
    assert "left out" in block.text


def test_inside_a_tool_result_too(resolve: Any, made: Any) -> None:
    result = ToolResultBlock("toolu_1", [TextBlock("see"), Image(b"x"), Image(made())])
    with pytest.raises(InputError, match=r"image 1 of 2, messages\.0\.content\.0\.content\.1"):
        resolve(result)
    [block] = resolve(result, on_error="skip")
    assert [type(each) for each in block.content] == [TextBlock, ImageBlock]


# --- images that were rendered before


def renders(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []

    def counted(*given: Any, **options: Any) -> Any:
        calls.append(given)
        return render(*given, **options)

    monkeypatch.setattr("hookline_plugins.images.prepare.render", counted)
    monkeypatch.setattr("hookline_plugins.images.one.KEPT", Kept(10**6))
    return calls


def test_the_same_bytes_are_rendered_once_in_a_process(
    made: Any, resolve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = renders(monkeypatch)
    file = made("JPEG", (2700, 50))
    first = resolve(Image(file))
    assert resolve(Image(file)) == first
    assert len(calls) == 1
    resolve(Image(file), model="claude-opus-4-6")  # in another size
    assert len(calls) == 2
    resolve(Image(file), metadata="keep")  # by other rules
    assert len(calls) == 3


def test_tenants_learn_nothing_of_each_other(
    made: Any, resolve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = renders(monkeypatch)
    file = made("JPEG", (2700, 50))
    for context in (
        {"tenant": "a"},
        {"tenant": "b"},
        {"tenant": "a", "user": "1"},
        {"tenant": "a"},
    ):
        resolve(Image(file), context=context)
    assert len(calls) == 3


def test_what_is_kept_is_bounded(made: Any, resolve: Any) -> None:
    from hookline_plugins.images.plan import Plan
    from hookline_plugins.images.prepare import Sent, look

    sent = [
        look(made(size=(10 + n, 10)), Plan(fit="best", side=8000, base64=10**6, pixels=10**6))
        for n in range(3)
    ]
    assert all(isinstance(each, Sent) for each in sent)
    sizes = [len(each.source.data) for each in sent]  # type: ignore[union-attr]  # as just seen
    kept = Kept(sum(sizes) - 1)
    for key, each in enumerate(sent[:2]):
        kept.put(key, each)  # type: ignore[arg-type]  # as just seen
    assert kept.get(0) is sent[0]
    kept.put(2, sent[2])  # type: ignore[arg-type]  # as just seen
    assert [kept.get(key) for key in range(3)] == [sent[0], None, sent[2]]
    kept.put(2, sent[2])  # type: ignore[arg-type]  # as just seen
    assert kept.get(0) is sent[0]
    assert kept._size == sizes[0] + sizes[2]
    Kept(10).put(1, sent[0])
    assert KEPT.most < 100 * 1024 * 1024
