"""What counts as personal data or a secret, what only looks like it, and what stands in its place."""

import time
from itertools import pairwise
from typing import Any

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from hookline import ConfigError
from hookline_plugins.policy.redact import Redact
from hookline_plugins.policy.redact.kinds import KINDS, ascii_digits
from hookline_plugins.policy.redact.national import COUNTRIES
from hookline_plugins.policy.redact.placeholders import Placeholders
from hookline_plugins.policy.redact.recognise import own_pattern, recogniser, words_pattern

ALL = recogniser(KINDS, ("DE", "US", "FR", "ES"))
EVERYWHERE = tuple(COUNTRIES)
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"

VALUES = [
    ("mail", "ada.lovelace+x@mail.example.org"),
    ("mail", "jürgen@müller.example"),
    ("card", "4111 1111 1111 1111"),
    ("card", "5500-0000-0000-0004"),
    ("card", "378282246310005"),
    ("iban", "DE89 3704 0044 0532 0130 00"),
    ("iban", "gb82WEST12345698765432"),
    ("phone", "+49 89 3216812"),
    ("phone", "(415) 555-2671"),
    ("national_id", "536-90-4399"),
    ("national_id", "36574261809"),
    ("national_id", "54362315K"),
    ("vendor_key", "sk-ant-api03-AbCdEfGhIjKlMnOpQrStUv_-12"),
    ("vendor_key", "AKIAIOSFODNN7EXAMPLE"),
    ("vendor_key", "ghp_" + "a1B2" * 9),
    ("vendor_key", "xoxb-1234567890-abcdef"),
    ("jwt", JWT),
    ("private_key", PEM),
    ("private_key", PEM[:60]),
]
INNOCENT = [
    "4111 1111 1111 1112",  # the checksum is wrong
    "DE88 3704 0044 0532 0130 00",
    "version 1.2.3.4.5.6.7",
    "2026-11-27T10:00:00Z",
    "a@b",
    "@mention and user@",
    "000-12-3456",
    "sk-short",
    "https://example.org/a/b?c=d",
    "3.14159265358979323846",
    "-----BEGIN PUBLIC KEY-----",
]


@pytest.mark.parametrize(("kind", "value"), VALUES, ids=lambda text: text[:24])
@pytest.mark.parametrize("around", ["{}", "see {} now", "<{}>", "x:{},y", "“{}”"])
def test_a_value_is_found_whole(kind: str, value: str, around: str) -> None:
    text = around.format(value)
    if value == PEM[:60]:
        text = value  # a key that is cut off runs to the end of the text
    (found,) = ALL(text)
    assert (found.kind, text[found.start : found.end]) == (kind, value)


@pytest.mark.parametrize("text", INNOCENT)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert ALL(text) == ()


def test_national_ids_and_national_phone_numbers_want_their_country() -> None:
    assert recogniser(KINDS)("536-90-4399 and (415) 555-2671") == ()


@given(st.text(st.sampled_from("a1@. -+=[]_:MAIL4DE"), max_size=60))
def test_finds_never_overlap_and_placeholders_lead_back(text: str) -> None:
    found = ALL(text)
    assert all(one.end <= two.start for one, two in pairwise(found))
    placeholders = Placeholders()
    written = placeholders.replaced(text, found, {name: KINDS[name].label for name in KINDS})
    assert placeholders.restored(written) == text


@pytest.mark.parametrize("zero", ["\u0660", "\u17e0", "\uff10"])  # Arabic, Khmer, full width
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("card", "4111 1111 1111 1111"),
        ("iban", "DE89 3704 0044 0532 0130 00"),
        ("national_id", "36574261809"),
        ("national_id", "54362315K"),
    ],
)
def test_a_checksum_is_read_in_the_digits_of_every_script(kind: str, value: str, zero: str) -> None:
    text = value.translate({ord("0") + digit: ord(zero) + digit for digit in range(10)})
    (found,) = recogniser([kind], EVERYWHERE)(text)
    assert text[found.start : found.end] == text


@pytest.mark.parametrize("country", COUNTRIES)
@given(data=st.data())
def test_no_text_breaks_a_check(country: str, data: st.DataObject) -> None:
    written = data.draw(st.sampled_from([each.pattern for each in COUNTRIES[country]]))
    text = ascii_digits(data.draw(st.from_regex(written, fullmatch=True)))
    assert all(span == (0, len(text)) for span in KINDS["national_id"].finder((country,))(text))


PIECES = st.sampled_from(
    [value for _, value in VALUES] + ["\u0663", "7", " ", "-", ".", "+49", "é", "@", "DE", "\ud800"]
)


@given(st.lists(st.one_of(PIECES, st.text(max_size=4)), max_size=8), st.data())
def test_a_hint_never_hides_a_find(pieces: list[str], data: st.DataObject) -> None:
    text = "".join(pieces)
    text = ascii_digits(text[data.draw(st.integers(0, len(text))) :])
    for name, kind in KINDS.items():
        found = [span for span in kind.finder(EVERYWHERE)(text) if span[0] < span[1]]
        hint = re2.compile(kind.hint(EVERYWHERE))
        assert not found or hint.search(text.encode("utf-8", "replace").decode()), name


def test_values_that_overlap_go_as_one() -> None:
    find = recogniser([], (), {"one": own_pattern("one", "abc"), "two": own_pattern("two", "cde")})
    (found,) = find("-abcde-")
    assert (found.kind, found.start, found.end) == ("one", 1, 6)


def test_words_are_found_in_any_case_and_spacing() -> None:
    find = recogniser(
        [], (), {"words": own_pattern("words", words_pattern(["project zephyr", "Ödön", "c++"]))}
    )
    texts = "PROJECT\n Zephyr", "ödön", "C++"
    assert all(len(find(f"about {text}.")) == 1 for text in texts)
    assert find("project zephyrs") == ()


@pytest.mark.parametrize("unit", ["a@", "eyJ", "-eyJa", "4 1", "DE12 ", "a.", "sk-", "-----BEGIN "])
def test_hostile_text_costs_linear_time(unit: str) -> None:
    kinds = [kind for kind in KINDS if kind != "phone"]

    def seconds(length: int) -> float:
        find = recogniser(kinds, ("US", "DE"))
        began = time.process_time()  # of this process, however busy the machine is
        find(unit * (length // len(unit)))
        return time.process_time() - began

    assert (
        min(seconds(40_000) for _ in range(2)) < 20 * min(seconds(10_000) for _ in range(3)) + 0.05
    )


def test_a_value_keeps_its_number_and_a_text_written_like_one_keeps_its_own() -> None:
    labels = {"mail": "MAIL"}
    placeholders = Placeholders()

    def say(text: str) -> str:
        return placeholders.replaced(text, ALL(text), labels)

    assert say("[MAIL_1] is not a@b.example") == "[MAIL_1] is not [MAIL_2]"
    assert say("c@d.example, a@b.example") == "[MAIL_3], [MAIL_2]"
    assert placeholders.restored("[MAIL_1] [MAIL_2] [MAIL_9]") == "[MAIL_1] a@b.example [MAIL_9]"
    assert say("[MAIL_2], [MAIL_4]") == "[MAIL_2], [MAIL_4]"
    assert say("e@f.example") == "[MAIL_5]"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kinds": ("mails",)}, "no kind 'mails'"),
        ({"countries": ("XX",)}, "no country 'XX'"),
        ({"patterns": {"bad": "(?=x)"}}, "'bad' cannot be used"),
        ({"patterns": {"all": "x*"}}, "matches the empty text"),
        ({"words": (" ",)}, "a word is blank"),
        ({"restore_for": ("ada",)}, "restore_for holds 'ada'"),
        ({"restore_for": ("tag:x",)}, "restore_for holds"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Redact(**options)
