"""Repeats of a prefill in an answer: found however they are dressed, and wherever the pieces end."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookline_plugins.prefill.overrun import Stops
from hookline_plugins.prefill.repeats import Cut, Repeat

WORDS = "The answer is ("

# What a model that was told to continue may answer; what its own words are; what was taken out.
DRESSED = [
    ("C) Formicidae", "C) Formicidae", None),
    ("The answer is (C)", "C)", "repeat"),
    ("\n\nThe answer is (C)", "C)", "repeat"),
    ("The  answer\nis (C)", "C)", "repeat"),
    ('"The answer is ("C) Formicidae', "C) Formicidae", "quoted"),
    ('"The answer is (C) Formicidae"', "C) Formicidae", "quoted"),
    ("\u201cThe answer is (C)\u201d", "C)", "quoted"),
    ("`The answer is (`C)", "C)", "quoted"),
    ("```\nThe answer is (C)\n```", "C)", "fenced"),
    ("```text\nThe answer is (C)\n```\n", "C)", "fenced"),
    ("Sure, here it is:\n\nThe answer is (C)", "C)", "preamble"),
    ("Certainly!\n```\nThe answer is (C)\n```", "C)", "preamble"),
    ("Here it is: The answer is (C)", "C)", "preamble"),
    ("\n\nSure!\nThe answer is (C)", "C)", "preamble"),
    ("Sure: look\nNow:\nThe answer is (C)", "Sure: look\nNow:\nThe answer is (C)", None),
    ("```\nThe answer is (C)\n```\nI hope that helps.", "C)\nI hope that helps.", "fenced"),
    ("```\nThe answer is (`C`) ``", "`C`) ``", "fenced"),
    ("```\nThe answer is (C```", "C```", "fenced"),  # in mid-line
    ('"The answer is (', "", "quoted"),
    ("The answer is not known.", "The answer is not known.", None),
    ("C, since\nThe answer is (x) would be silly", "C, since\nThe answer is (x) would be silly", None),
    ("", "", None),
    ("The answer", "The answer", None),
    ("``", "``", None),
]  # fmt: skip


def through(repeat: Repeat, pieces: list[str]) -> str:
    return "".join(repeat.feed(piece) for piece in pieces) + repeat.end()


@pytest.mark.parametrize(("answer", "own", "taken"), DRESSED)
def test_a_repeat_is_known_however_it_is_dressed(answer: str, own: str, taken: Any) -> None:
    for pieces in ([answer], list(answer)):
        repeat = Repeat(WORDS, loose=True)
        assert through(repeat, pieces).rstrip("\n") == own
        assert repeat.taken == taken


@given(st.sampled_from(DRESSED), st.lists(st.integers(0, 60), max_size=6))
def test_where_the_pieces_end_makes_no_difference(case: Any, cuts: list[int]) -> None:
    answer, _, _ = case
    places = [0, *sorted(min(cut, len(answer)) for cut in cuts), len(answer)]
    pieces = [answer[a:b] for a, b in pairwise(places)]
    whole, split = Repeat(WORDS, loose=True), Repeat(WORDS, loose=True)
    assert through(split, pieces) == through(whole, [answer])
    assert split.taken == whole.taken


SCRAPS = st.lists(
    st.sampled_from(
        ["The answer", " is", " (", "(", "C)", "\n", " ", "```", "`", '"', ":", "!", ".", "Sure", "\n```\n"]
    ),
    max_size=14,
).map("".join)  # fmt: skip


@settings(max_examples=400)
@given(SCRAPS, st.sampled_from([WORDS, "The answer is ", "(", '{"a": "', "Sure:\n"]))
def test_however_it_arrives_the_outcome_is_the_same(answer: str, words: str) -> None:
    whole, split = Repeat(words, loose=True), Repeat(words, loose=True)
    assert through(split, list(answer)) == through(whole, [answer])
    assert (split.taken, split.short) == (whole.taken, whole.short)


@pytest.mark.parametrize("said", ["there", "Hello there", "Hello  there", "\nHello there"])
def test_white_space_at_the_end_of_the_words_stands_once(said: str) -> None:
    repeat = Repeat("Hello ", loose=True)
    assert "Hello " + through(repeat, list(said)) == "Hello there"


@given(st.text(min_size=1), st.text())
def test_an_exact_repeat_leaves_what_follows_it(words: str, rest: str) -> None:
    assert through(Repeat(words), [words + rest]) == rest


@given(st.text(alphabet="ab \n`\"'(", min_size=1), st.text(alphabet="ab \n`\"'(:"))
def test_what_is_taken_out_is_the_words_and_their_dress(words: str, answer: str) -> None:
    repeat = Repeat(words, loose=True)
    own = through(repeat, list(answer))
    if repeat.taken is None:
        assert own == answer
    else:
        assert own in answer


def test_a_repeat_that_was_cut_is_one_where_repeats_are_known() -> None:
    assert through(Repeat(WORDS, known=True), ["The ", "answer"]) == ""
    assert through(Repeat(WORDS), ["The ", "answer"]) == "The answer"


def test_a_streamed_continuation_is_not_held_to_its_end() -> None:
    repeat = Repeat(WORDS, loose=True)
    assert repeat.feed("C) Formicidae,\n") == "C) Formicidae,\n"
    assert repeat.feed("of course") == "of course"


@pytest.mark.parametrize(
    ("text", "limit", "left", "over"),
    [
        ("C) Formicidae", 1, "C", True),
        ("C", 1, "C", True),
        ("", 1, "", False),
        ("Formicidae", 1, "Formicidae", True),
        ("one two three", 2, "one two", True),
        ("one two", 3, "one two", False),
        ("12 ants", 1, "12", True),
    ],
)
def test_a_text_is_cut_after_so_many_tokens(text: str, limit: int, left: str, over: bool) -> None:
    for pieces in ([text], list(text)):
        cut = Cut(limit)
        assert "".join(cut.feed(piece) for piece in pieces) == left
        assert cut.over is over


@given(
    st.text("ab\u00e9c", max_size=30),
    st.lists(st.text("ab\u00e9c", min_size=1, max_size=4), max_size=3),
    st.lists(st.integers(0, 30), max_size=6),
)
def test_a_stop_sequence_ends_a_text_however_it_arrives(
    text: str, sequences: list[str], places: list[int]
) -> None:
    stops = Stops(tuple(sequences))
    cuts = [0, *sorted(place for place in places if place <= len(text)), len(text)]
    pieces = [text[begin:end] for begin, end in pairwise(cuts)]
    said = "".join(map(stops.feed, pieces)) + stops.end()

    # As the API does: letter by letter, until one of them is complete.
    end = next((n for n in range(len(text) + 1) if text[:n].endswith(tuple(sequences))), None)
    if end is None:
        assert (said, stops.found) == (text, None)
    else:
        assert stops.found in sequences
        assert said + str(stops.found) == text[:end]
