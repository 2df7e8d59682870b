"""What may not stand where it stood: documents in assistant messages, quotes in user messages (facts 1.5)."""

from typing import Final

from hookline import Block, Message, Request, TextBlock
from hookline.values import Citation, DocumentBlock, SearchResultBlock, ToolResultBlock
from hookline.wire import unstructure
from hookline_plugins.modernize.rules import Case, Found, Rule, Told

__all__ = ["CONTENT"]

_NEW_VERSION: Final = "2026-10-21"


def _assistant_documents(request: Request, case: Case) -> Found:
    """Move documents of an assistant message to the end of the user message before it."""
    if case.version and case.version != _NEW_VERSION:
        return None
    messages: list[Message] = []
    told: list[Told] = []
    for index, message in enumerate(request.messages):
        documents = _documents(message)
        if not documents or not messages:
            messages.append(message)
            continue
        to = _user_before(messages)
        if to is None:
            messages.append(message)
            continue
        told.append((f"messages.{index}", "a document moved into the user's message before it"))
        messages[to] = messages[to].evolve(content=(*messages[to].blocks, *documents))
        kept = tuple(block for block in message.blocks if block.type != DocumentBlock.type)
        if kept:  # an empty message would be refused
            messages.append(message.evolve(content=kept))
    return (request.evolve(messages=messages), tuple(told)) if told else None


def _documents(message: Message) -> tuple[Block, ...]:
    if message.role != "assistant" or isinstance(message.content, str):
        return ()
    return tuple(block for block in message.content if block.type == DocumentBlock.type)


def _user_before(messages: list[Message]) -> int | None:
    places = range(len(messages) - 1, -1, -1)
    return next((place for place in places if messages[place].role == "user"), None)


def _user_citations(request: Request, case: Case) -> Found:
    """Write the quotes that a user's text carries into the text."""
    if case.version and case.version != _NEW_VERSION:
        return None
    messages: list[Message] = []
    told: list[Told] = []
    for index, message in enumerate(request.messages):
        if message.role != "user" or isinstance(message.content, str):
            messages.append(message)
            continue
        blocks = tuple(map(_plain, message.content))
        same = all(one is other for one, other in zip(blocks, message.content, strict=True))
        messages.append(message if same else message.evolve(content=blocks))
        told += (
            (f"messages.{index}.content.{place}", "the quotes of a user's text written into it")
            for place, (one, other) in enumerate(zip(blocks, message.content, strict=True))
            if one is not other
        )
    return (request.evolve(messages=messages), tuple(told)) if told else None


def _plain(block: Block) -> Block:
    """Return a block without citations, which its text now names; the same one if it had none."""
    if isinstance(block, TextBlock):
        return _with_quotes(block) if block.citations else block
    if isinstance(block, SearchResultBlock | ToolResultBlock) and isinstance(block.content, tuple):
        inside = tuple(map(_plain, block.content))
        same = all(one is other for one, other in zip(inside, block.content, strict=True))
        return block if same else block.evolve(content=inside)
    return block


def _with_quotes(block: TextBlock) -> TextBlock:
    quotes = "\n".join(map(_quote, block.citations or ()))
    return block.evolve(text=f"{block.text}\n\nSources:\n{quotes}", citations=None)


def _quote(citation: Citation) -> str:
    said = unstructure(citation)
    names = ("document_title", "title", "url", "source")
    source = next((value for name in names if (value := said.get(name))), "")
    quoted = said.get("cited_text") or ""
    return f"- {source}: “{quoted}”" if source else f"- “{quoted}”"


CONTENT: Final[tuple[Rule, ...]] = (
    Rule(
        "assistant-documents",
        "a document in an assistant message is refused, facts 1.5",
        _assistant_documents,
    ),
    Rule("user-citations", "citations in a user message are refused, facts 1.5", _user_citations),
)
"""Where content may stand."""
