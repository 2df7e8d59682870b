"""The kinds of personal data and secrets that are known, and how each is told from what only looks like it.

Every pattern here runs in time linear in the text: repetitions are bounded, or start where nothing like
them can stand before.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import phonenumbers
from attrs import frozen
from stdnum import iban, luhn

from hookline_plugins.policy.redact.national import COUNTRIES

__all__ = ["KINDS", "Finder", "Kind", "Span", "ascii_digits"]

Span = tuple[int, int]
Finder = Callable[[str], Iterable[Span]]
"""Says where in a text something is."""

_MAIL: Final = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_][\w-]{1,62}(?![\w-])"
)
_CARD: Final = re.compile(r"(?<![\d-])[2-6]\d{3}(?:[ -]?\d){8,15}(?![\d-])")
_IBAN: Final = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]){11,30}")
_JWT: Final = re.compile(
    r"(?<![\w-])eyJ[A-Za-z0-9_-]{5,}\.eyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){0,3}"
)
_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,4}PRIVATE KEY(?: BLOCK)?-----.*?"
    r"(?:-----END (?:[A-Z0-9]{1,12} ){0,4}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
# How the keys of common vendors begin, and what follows.
_VENDORS: Final = (
    r"sk-ant-[\w-]{20,}",  # Anthropic
    r"sk-(?:proj-|svcacct-|or-v1-)?[\w-]{32,}",  # OpenAI, OpenRouter
    r"(?:AKIA|ASIA)[0-9A-Z]{16}",  # AWS
    r"gh[pousr]_[A-Za-z0-9]{36,}",  # GitHub
    r"github_pat_\w{22,}",
    r"glpat-[\w-]{20,}",  # GitLab
    r"xox[abeoprs]-[\w-]{10,}",  # Slack
    r"[rs]k_(?:live|test)_[A-Za-z0-9]{16,}",  # Stripe
    r"AIza[\w-]{35}",  # Google
    r"GOCSPX-[\w-]{28}",
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-[\w-]{50,}",
    r"hf_[A-Za-z0-9]{30,}",  # Hugging Face
    r"SG\.[\w-]{16,}\.[\w-]{16,}",  # SendGrid
    r"(?:AC|SK)[0-9a-f]{32}",  # Twilio
    r"dop_v1_[0-9a-f]{64}",  # DigitalOcean
    r"shpat_[0-9a-fA-F]{32}",  # Shopify
)
_KEY: Final = re.compile(rf"(?<![\w-])(?:{'|'.join(_VENDORS)})(?![\w-])")
_OTHER_DIGIT: Final = re.compile(r"[^\D0-9]")
# Seven digits that belong together are the least that makes a phone number; most texts have none.
_DIGITS: Final = re.compile(r"\d(?:[^\w,;:\n]{0,3}\d){6}")


@frozen
class Kind:
    """A kind of data.

    Attributes:
        label: what its placeholders are called.
        finder: makes what finds it, for some countries.
        hint: a pattern (RE2) of which a text holds a match wherever it holds such a thing. All hints are
            looked for in one pass, and nearly every text holds none; finders are asked about the rest.

    Finder and hint read a text whose digits are ASCII's; see `ascii_digits`.

    """

    label: str
    finder: Callable[[tuple[str, ...]], Finder]
    hint: Callable[[tuple[str, ...]], str]


def ascii_digits(text: str) -> str:
    """Return a text with the digits of every script as ASCII's, each in its place.

    Checksums are made of those alone, and a model reads a number in whichever script it is written.
    """
    if text.isascii():
        return text
    return _OTHER_DIGIT.sub(lambda match: str(unicodedata.decimal(match[0])), text)


def _always(hint: str) -> Callable[[tuple[str, ...]], str]:
    return lambda _countries: hint


def _matching(
    pattern: re.Pattern[str], check: Callable[[str], bool] | None = None
) -> Callable[[tuple[str, ...]], Finder]:
    """Return what makes the finder of a pattern whose matches a check confirms."""

    def find(text: str) -> Iterator[Span]:
        for match in pattern.finditer(text):
            if check is None or check(match[0]):
                yield match.span()

    return lambda _countries: find


def _is_card(text: str) -> bool:
    return bool(luhn.is_valid(text.replace(" ", "").replace("-", "")))


def _ibans(text: str) -> Iterator[Span]:
    for match in _IBAN.finditer(text):
        # What follows in capitals may have been taken along: the longest valid beginning counts.
        start, end = match.span()
        for cut in range(end, start + 14, -1):
            if text[cut - 1] != " " and iban.is_valid(text[start:cut], check_country=False):
                yield start, cut
                break


def _phones(countries: tuple[str, ...]) -> Finder:
    regions = countries or (None,)  # None: only numbers with their country's code

    def find(text: str) -> Iterator[Span]:
        if not _DIGITS.search(text):
            return
        for region in regions:
            for match in phonenumbers.PhoneNumberMatcher(text, region):
                yield match.start, match.end

    return find


def _national_hint(countries: tuple[str, ...]) -> str:
    written = [each.written for code in countries for each in COUNTRIES[code]]
    return "|".join(written)


def _national(countries: tuple[str, ...]) -> Finder:
    checks = [(each, each.check_of(code)) for code in countries for each in COUNTRIES[code]]

    def find(text: str) -> Iterator[Span]:
        for each, valid in checks:
            yield from (m.span() for m in each.pattern.finditer(text) if valid(m[0]))

    return find


_BEGINNINGS: Final = (
    r"sk-|AKIA|ASIA|gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|[rs]k_(?:live|test)_|AIza|GOCSPX-|npm_|"
    r"pypi-|hf_|SG\.|AC[0-9a-f]|SK[0-9a-f]|dop_v1_|shpat_"
)

KINDS: Final[Mapping[str, Kind]] = {
    "private_key": Kind("PRIVATE_KEY", _matching(_PRIVATE_KEY), _always("-----BEGIN ")),
    "jwt": Kind("JWT", _matching(_JWT), _always("eyJ")),
    "vendor_key": Kind("KEY", _matching(_KEY), _always(_BEGINNINGS)),
    "mail": Kind("MAIL", _matching(_MAIL), _always("@")),
    "iban": Kind("IBAN", lambda _countries: _ibans, _always(r"[A-Za-z]{2}\d{2}")),
    "card": Kind("CARD", _matching(_CARD, _is_card), _always(r"[2-6]\d{3}(?:[ -]?\d){8}")),
    "national_id": Kind("NATIONAL_ID", _national, _national_hint),
    "phone": Kind("PHONE", _phones, _always(r"\d(?:[^\w,;:\n]{0,3}\d){6}")),
}
"""The kinds by name; of two that claim the same stretch, the earlier one has it."""
