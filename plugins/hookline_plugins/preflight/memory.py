"""What was found out about messages, kept as long as they live.

A conversation grows at its end, so what was added up for the last turn is kept and only the new
messages are added: a thousand old messages cost a thousand look-ups and one comparison of tuples.
"""

import weakref
from typing import Final

from attrs import define, field

from hookline import Block, InputError, Message, ToolResultBlock
from hookline.values import SearchResultBlock
from hookline.wire import encode_message
from hookline_plugins.preflight import betas, cache, malformed, media, tools, turns
from hookline_plugins.preflight.digest import Digest, begun
from hookline_plugins.preflight.history import History

__all__ = ["Memory", "digested"]

_MOST_KEPT: Final = 64  # conversations that are going on at a time


@define(eq=False)
class _Kept:
    digests: tuple[Digest, ...]
    history: History


@define(eq=False)
class Memory:
    """The digests of living messages, and the histories of the conversations that are going on.

    Keeps no message alive. May be used from many threads: every access is one operation of a dict,
    and a history is taken out while somebody adds to it.
    """

    _digests: dict[int, Digest] = field(factory=dict, repr=False)
    _alive: dict[int, "weakref.ref[Message]"] = field(factory=dict, repr=False)
    _kept: dict[int, _Kept] = field(factory=dict, repr=False)

    def history(self, messages: tuple[Message, ...]) -> History:
        """Add up ``messages``, going on from where an earlier call stopped.

        While somebody adds to a history nobody else gets it. Who asks for the same conversation at
        that moment has another one made.
        """
        if len(messages) < 2:  # noqa: PLR2004 -- nothing to go on from: no use in keeping it
            history = History()
            for message in messages:
                history.add(self._alone(message))
            return history
        digests = self._all(messages)
        # The newest message is added to a copy: the next request may have another in its place.
        settled = digests[:-1]
        first = id(settled[0])  # whoever keeps a history keeps its digests, so the id is theirs
        kept = self._kept.pop(first, None)
        if kept is None or kept.digests != settled[: len(kept.digests)]:
            kept = _Kept((), History())
        for digest in settled[len(kept.digests) :]:
            kept.history.add(digest)
        history = kept.history.fork()
        while len(self._kept) >= _MOST_KEPT:
            self._kept.pop(next(iter(tuple(self._kept)), 0), None)
        self._kept[first] = _Kept(settled, kept.history)
        history.add(digests[-1])
        return history

    def _alone(self, message: Message) -> Digest:
        """Return the digest of a message that begins a conversation, and may well end it."""
        key = id(message)
        digest = self._digests.get(key)
        if digest is None:
            digest = digested(message)
            if not digest.plain:  # plain text is looked at again sooner than remembered
                self._keep(key, message, digest)
        return digest

    def _all(self, messages: tuple[Message, ...]) -> tuple[Digest, ...]:
        known, keys = self._digests, list(map(id, messages))
        for place in range(len(keys) - 1, -1, -1):  # what is new stands at the end as a rule
            if keys[place] in known:
                break
            self._learn(keys[place], messages[place])
        try:
            return tuple(map(known.__getitem__, keys))
        except KeyError:
            for key, message in zip(keys, messages, strict=True):
                if key not in known:
                    self._learn(key, message)
            return tuple(map(known.__getitem__, keys))

    def _learn(self, key: int, message: Message) -> None:
        self._keep(key, message, digested(message))

    def _keep(self, key: int, message: Message, digest: Digest) -> None:
        def forget(_: object) -> None:
            # Before the address can be anybody else's.
            self._digests.pop(key, None)
            self._alive.pop(key, None)

        self._alive[key] = weakref.ref(message, forget)
        self._digests[key] = digest


def digested(message: Message) -> Digest:
    """Look at one message with all the rules that need nothing else."""
    try:
        digest = begun(message, len(encode_message(message)))
    except InputError as error:
        if not error.position:
            raise
        digest = begun(message, 0)
        malformed.note_unwritable(error, digest)
    if digest.plain:
        return digest
    turns.look_at_message(message, digest)
    betas.look_at_message(message, digest)
    if not digest.empty:
        for index, block in enumerate(message.blocks):
            _look(block, f"content.{index}", message.role, digest)
    return digest


def _look(block: Block, place: str, role: str, digest: Digest, *, inner: bool = False) -> None:
    malformed.look(block, place, digest)
    turns.look(block, place, role, digest, inner=inner)
    media.look(block, place, digest, inner=inner)
    cache.look(block, place, digest)
    if not inner:
        tools.look(block, place, digest)
        betas.look(block, place, digest)
    content = block.content if isinstance(block, ToolResultBlock | SearchResultBlock) else None
    for index, item in enumerate(content if isinstance(content, tuple) else ()):
        _look(item, f"{place}.content.{index}", role, digest, inner=True)
