"""The names that clouds and gateways have for Anthropic's models, read by one rule.

A model's name may be spelled as a platform spells it:

- behind the platform and a region, each with a slash: ``anthropic/``, ``vertex_ai/``, ``bedrock/us-east-1/``;
- as an ARN of Bedrock's (a foundation model or an inference profile of Amazon's own, no custom one), behind
  ``anthropic.``, with a region before that: ``us.anthropic.``; behind ``publishers/anthropic/models/``, ``databricks-``;
- with dots in its version, which may come before the family: ``claude-opus-4.5``, ``claude-4.5-opus``;
- with its day behind an ``@``, or without one: then the newest snapshot of the version is meant;
- with Bedrock's own version and context behind it: ``-v1:0``, ``-v1:0:200k``.

What else stands in a name (``-fast``, ``:online``, another platform) makes it another model, of which nothing is
known. ``read`` is this rule. ``mentioned`` is the opposite: every Claude that a name may have in mind, for those who
have to refuse it.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from attrs import frozen

__all__ = ["ClaudeName", "ModelNames", "bare", "mentioned", "read", "tails"]

# As LiteLLM, the gateways themselves and the clouds write them, November 2026.
_PLATFORMS: Final = (
    *("aihubmix", "anthropic", "azure_ai", "bedrock", "bedrock_mantle", "databricks", "deepinfra"),
    *("github_copilot", "gmi", "gradient_ai", "heroku", "openrouter", "perplexity", "replicate"),
    *("snowflake", "vercel_ai_gateway", "vertex_ai"),
    *("claude_platform", "converse", "invoke"),  # a second word, behind bedrock/
)
_REGION: Final = r"[a-z]{2}(?:-[a-z]+)+-[0-9]"
_WAY: Final = rf"(?:(?:{'|'.join(_PLATFORMS)}|{_REGION})/)*"
_VERTEX: Final = r"(?:projects/[\w.:-]+/locations/[\w-]+/)?publishers/anthropic/models/"
_ARN: Final = (
    r"arn:aws(?:-[a-z-]+)?:bedrock:[a-z0-9-]*:[0-9]*:(?:foundation-model|inference-profile)/"
)
_BEDROCK: Final = rf"(?:{_ARN})?(?:(?:[a-z]{{2}}|apac|global|us-gov)\.)?anthropic\."
_WRAPPED: Final = re.compile(
    rf"{_WAY}(?:{_VERTEX}|{_BEDROCK}|(?:databricks|anthropic)-)?(claude-[a-z0-9.@:-]+)", re.ASCII
)

_VERSION: Final = r"[0-9]{1,2}(?:[.-][0-9]{1,2})?"
_NAME: Final = re.compile(
    rf"claude-(?:([a-z]+)-({_VERSION})|({_VERSION})-([a-z]+))"
    r"(?:-v[0-9])?(?:[-@]([0-9]{8}|default|latest))?(?:-v[0-9]+(?::[0-9]+)?(?::[0-9]+k)?)?"
)
# Bedrock's names of 2023, where the version is one of Claude and not of Bedrock.
_OLDEST: Final = (
    (re.compile(r"claude-(?:v2:1|2\.1)(?::[0-9]+k)?"), ("", (2, 1))),
    (re.compile(r"claude-(?:v2(?::0)?|2\.0)(?::[0-9]+k)?"), ("", (2,))),
    (re.compile(r"claude-instant-(?:v1(?::[0-9])?|1|1\.2)(?::[0-9]+k)?"), ("instant", (1, 2))),
)
_MENTIONED: Final = re.compile(  # at each place where one begins, also within another
    r"(?=claude[^a-z0-9]*(?:"
    rf"([a-z]{{2,}})[^a-z0-9]*({_VERSION})|({_VERSION})[^a-z0-9]*([a-z]{{2,}})"
    r")(?![0-9]))"
)
_FAMILY_FIRST: Final = 4  # from this version on, the API names the family first
_DOTTED: Final = 2  # up to this one, it writes a dot
_MOST_KEPT: Final = 1000
_LONGEST: Final = 1000


@frozen
class ClaudeName:
    """What a name says of a Claude.

    Attributes:
        family: ``opus``, ``sonnet`` …; empty before there were any.
        version: ``(4, 5)``; a zero at its end is left out.
        day: of the snapshot, ``20251101``; empty for the newest.

    """

    family: str
    version: tuple[int, ...]
    day: str = ""

    @property
    def id(self) -> str:
        """The name as the API spells it, or would."""
        major = self.version[0]
        if major <= _DOTTED:  # with a zero that is a zero
            words = (self.family, ".".join(map(str, (*self.version, 0)[:2])))
        else:
            number = "-".join(map(str, self.version))
            first = major >= _FAMILY_FIRST
            words = (self.family, number) if first else (number, self.family)
        return "-".join(("claude", *filter(None, (*words, self.day))))


@frozen(kw_only=True)
class ModelNames:
    """A model by all its names.

    Attributes:
        asked: as somebody spelled it.
        id: the one name that stands for it: its id; of a Claude that is not in the table how the API
            would spell it; else ``asked``.
        in_full: whether it was asked by a name that says which snapshot: an alias may mean another one
            tomorrow. What nobody knows is taken at its word.
        sure: all names that surely mean it: these two, and its aliases. What is allowed is allowed by them.
        perhaps: those, and the names of all models that it may have in mind, however it is spelled
            (``x/Claude-Opus-4.5-fast``). What is denied is denied by them.

    """

    asked: str
    id: str
    in_full: bool
    sure: tuple[str, ...]
    perhaps: tuple[str, ...]


def bare(name: str) -> str:
    """Return a name without what a platform puts before it; empty where it is no such name."""
    if "claude-" not in name or len(name) > _LONGEST:
        return ""
    found = _WRAPPED.fullmatch(name)
    return found[1] if found else ""


@lru_cache(maxsize=_MOST_KEPT)
def read(name: str) -> ClaudeName | None:
    """Read a name by the rule.

    Args:
        name: as a platform, or the API, spells it.

    Returns:
        What it says; None where it is no name of a Claude, or not surely one.

    Example:
        >>> read("us.anthropic.claude-opus-4-5-20251101-v1:0").id
        'claude-opus-4-5-20251101'

    """
    spelled = bare(name)
    for pattern, (family, version) in _OLDEST:
        if pattern.fullmatch(spelled):
            return ClaudeName(family, version)
    found = _NAME.fullmatch(spelled)
    if found is None:
        return None
    family, version_behind, version_before, family_behind, day = found.groups()
    numbers = _numbers(version_behind or version_before)
    return ClaudeName(family or family_behind, numbers, day if (day or "").isdigit() else "")


def mentioned(name: str) -> Iterator[ClaudeName]:
    """Yield every Claude that a name may have in mind, whatever stands around it."""
    for found in _MENTIONED.finditer(_plain(name)):
        family, version_behind, version_before, family_behind = found.groups()
        yield ClaudeName(family or family_behind, _numbers(version_behind or version_before))
    for pattern, (family, version) in _OLDEST:
        if pattern.search(_plain(name)):
            yield ClaudeName(family, version)


def tails(name: str) -> Iterator[str]:
    """Yield what a name may be meant to be by whoever adds words before: its ends, in small letters."""
    plain = _plain(name)
    yield plain
    for found in re.finditer(r"/|(?=claude)", plain):
        yield plain[found.end() :]


def _plain(name: str) -> str:
    if len(name) > _LONGEST:  # no model is called so; what is read stays little
        name = name[: _LONGEST // 2] + name[-_LONGEST // 2 :]
    small = unicodedata.normalize("NFKC", name).casefold().strip()
    return re.sub(r"[\s_]+", "-", small)


def _numbers(version: str) -> tuple[int, ...]:
    numbers = [int(each) for each in re.split(r"[.-]", version)]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
