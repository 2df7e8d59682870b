"""How images and documents go: as links, as their bytes, or by the ids of files.

`images` decides what goes as a link, when it resolves them; `uploads` what goes by id, in ``send``, where it is
known to whom. What both go by is said here: the setting ``strategy``, and what single ones say of themselves.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from attrs import evolve, frozen

from hookline import ConfigError, Request, Turn
from hookline.plugin import ConversationState, TurnState
from hookline.values import (
    Attachment,
    Base64Source,
    Block,
    ContentSource,
    DocumentBlock,
    FileSource,
    ImageBlock,
    Source,
    Strategy,
    TextSource,
    ToolResultBlock,
)
from hookline_plugins.images.walk import source_of, url_of

__all__ = [
    "CHOSEN",
    "STRATEGIES",
    "Uploaded",
    "by_id",
    "check_possible",
    "takes_ids",
    "url_to_fetch",
]

STRATEGIES: Final[tuple[Strategy, ...]] = ("auto", "url", "base64", "file")

Uploaded: TypeAlias = Base64Source | TextSource
"""What can be uploaded."""

_NO_FILES: Final = str, FileSource, ContentSource  # what there is nothing to upload of
_REUSED: Final = 1024 * 1024  # characters that are worth an upload once they come again
_TURNS: Final = 2  # replies after it make a turn the third that carries it
# Characters of a request, beyond which the largest leave it; and as many as it may have at all (facts 1.4).
_FULL: Final = 24 * 1024 * 1024
_MOST: Final = 32_000_000


@frozen(eq=False)
class Chosen:
    """What was chosen for a turn: the setting, and what single sources go by instead.

    A conversation keeps what an image said of itself, since its history holds the source alone. Of two that are the
    same, the one holds that was to be uploaded nowhere.
    """

    setting = TurnState[Strategy](lambda: "auto")
    _own = ConversationState[WeakKeyDictionary[Source, Strategy]](WeakKeyDictionary)

    def say(self, turn: Turn, source: Source, strategy: Strategy | None) -> None:
        """Keep what the block said of itself that now has this source; None if it said nothing."""
        own = self._own[turn]
        if strategy is not None and own.get(source) != "base64":
            own[source] = strategy

    def own(self, turn: Turn, block: Block) -> Strategy | None:
        """Return what a block has said of itself, now or when it was resolved."""
        if isinstance(block, Attachment):
            return block.strategy
        source = source_of(block)
        return None if source is None else self._own[turn].get(source)

    def of(self, turn: Turn, block: Block) -> Strategy:
        """Return what a block goes by, resolved or not."""
        return self.own(turn, block) or self.setting[turn]

    def of_source(self, turn: Turn, source: Source) -> Strategy:
        """Return what a source goes by."""
        return self._own[turn].get(source) or self.setting[turn]


CHOSEN: Final = Chosen()


def url_to_fetch(turn: Turn, block: Block, *, links: bool) -> str | None:
    """Return the URL of a block if it has to be fetched here.

    Args:
        turn: knows what was chosen.
        block: resolved or not.
        links: whether the server takes links.

    """
    url = url_of(block)
    if not url:
        return None
    strategy = CHOSEN.of(turn, block)
    if strategy == "auto":
        return None if links and url[:5].lower() != "http:" else url
    return None if strategy == "url" else url


def check_possible(turn: Turn, blocks: Iterable[Block]) -> None:
    """Refuse what is to go by id where the plugin that uploads takes no part.

    Raises:
        ConfigError: so it is.

    """
    if _uploads(turn):
        return
    for block in blocks:
        named = block.file_id if isinstance(block, Attachment) else source_of(block)
        if CHOSEN.of(turn, block) == "file" and not isinstance(named, _NO_FILES):
            raise ConfigError('strategy = "file" needs the plugin "uploads", which is off here')


def takes_ids(turn: Turn) -> bool:
    """Tell whether anything may go by id: not to be counted, and not in a batch, which may outlive the file."""
    return _uploads(turn) and turn.surface not in ("count_tokens", "batch")


def shown_but_going(turn: Turn, request: Request) -> int:
    """Return how many characters of a request go by id in the end, and are shown as bytes in a rehearsal."""
    if turn.asks_model or not takes_ids(turn):
        return 0
    found = _found(request)
    return sum(found[source].size for source in by_id(turn, request))


def must_go(turn: Turn, request: Request, sources: Iterable[Uploaded]) -> bool:
    """Tell whether these have to go by id: since they are to, or since they do not fit into the request."""
    if any(CHOSEN.of_source(turn, source) == "file" for source in sources):
        return True
    return sum(each.size for each in _found(request).values()) > _MOST


def _uploads(turn: Turn) -> bool:
    return any(each.partition(" ")[0] == "uploads" for each in turn.plugins)


def by_id(turn: Turn, request: Request) -> list[Uploaded]:
    """Return what of a request goes by id.

    That is all that is to go so. By ``"auto"``, where the server keeps files: what is large and comes for the
    third time, and the largest of a request that is too full.
    """
    found = _found(request)
    strategies = {source: CHOSEN.of_source(turn, source) for source in found}
    always = [source for source in found if strategies[source] == "file"]
    if not turn.profile.files:
        return always
    free = {source: each for source, each in found.items() if strategies[source] == "auto"}
    staying = sum(
        each.size for source, each in found.items() if strategies[source] in ("base64", "url")
    )
    return always + _worth_it(free, staying)


@frozen
class _Found:
    """What a request holds of one source.

    Attributes:
        replies: how many came after it was first sent.
        size: characters of it, as often as it stands there.

    """

    replies: int
    size: int


def _worth_it(found: dict[Uploaded, _Found], staying: int) -> list[Uploaded]:
    """Return what is worth an upload, of sources; so many characters of others stay in any case."""
    chosen = [
        source
        for source, each in found.items()
        if each.replies >= _TURNS and len(source.data) >= _REUSED
    ]
    taken = set(chosen)
    # The last is the largest, and of several the oldest: the same ones in every turn.
    others = [source for source in reversed(found) if source not in taken]
    others.sort(key=lambda source: found[source].size)
    excess = staying + sum(found[source].size for source in others) - _FULL
    while excess > 0 and others:
        chosen.append(others.pop())
        excess -= found[chosen[-1]].size
    return chosen


def _found(request: Request) -> dict[Uploaded, _Found]:
    found: dict[Uploaded, _Found] = {}
    for source, replies in _sources(request):
        before = found.get(source)
        size = len(source.data)
        found[source] = (
            _Found(replies, size) if before is None else evolve(before, size=before.size + size)
        )
    return found


def _sources(request: Request) -> Iterator[tuple[Uploaded, int]]:
    """Yield what stands in a request itself, each with the number of replies that came after it."""
    replies = sum(message.role == "assistant" for message in request.messages)
    for message in request.messages:
        replies -= message.role == "assistant"
        for source in _inside(message.content):
            yield source, replies


def _inside(content: Any) -> Iterator[Uploaded]:
    for block in content if isinstance(content, tuple) else ():
        source = getattr(block, "source", None)
        if isinstance(block, ImageBlock | DocumentBlock) and isinstance(source, Uploaded):
            yield source
        elif isinstance(block, ToolResultBlock):
            yield from _inside(block.content)
