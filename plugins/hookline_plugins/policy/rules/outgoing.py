"""What a request holds that rules ask about: models, tools, hosts, attachments; each worked out once."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlsplit

from attrs import evolve, frozen

from hookline import Request
from hookline.models import ModelNames, ModelTable, load_models
from hookline.plugin import estimate
from hookline.turn import Turn
from hookline.values import (
    EMPTY,
    Attachment,
    Base64Source,
    Block,
    ContentSource,
    DocumentBlock,
    ImageBlock,
    TextSource,
    Tool,
    URLSource,
)
from hookline_plugins.policy.rules.parts import Texts, texts_of_request

__all__ = ["Medium", "Outgoing", "host_of", "names_of"]

T = TypeVar("T")

_IN_HALF: Final = 0.75  # bytes for each character of base64


@frozen
class Medium:
    """An image or a document.

    Attributes:
        kind: ``image`` or ``document``.
        media_type: as far as it is told.
        size: in bytes; None where only who fetches it will know.
        host: that it comes from, or empty.

    """

    kind: str
    media_type: str
    size: float | None
    host: str = ""


def host_of(url: str) -> str:
    """Return the host of an address as it is looked up: in lower case, without a last dot."""
    try:
        host = urlsplit(url.strip()).hostname or ""
    except ValueError:  # no address at all
        return ""
    host = host.rstrip(".")
    try:
        return host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError:
        return host


def names_of(name: str, models: ModelTable) -> ModelNames:
    """Return the names of a model, as a policy has to take them.

    Settings and plugins may tell of further models. What they say makes nothing allowed, and nobody slips
    out of what is denied by it.

    Args:
        name: the model, as it was asked for.
        models: what is known in this pipeline.

    """
    known, told = load_models().names_of(name), models.names_of(name)
    if known == told:
        return known
    return evolve(known, perhaps=(*known.perhaps, *told.perhaps))


class _once(Generic[T]):  # noqa: N801 -- stands where @property does
    """A fact that is worked out when it is first asked for; ``cached_property`` takes a lock for that."""

    def __init__(self, work: Callable[[Any], T]) -> None:
        self._work = work
        self._name = work.__name__

    def __get__(self, outgoing: "Outgoing", _owner: type) -> T:
        found = outgoing.__dict__[self._name] = self._work(outgoing)
        return found


class Outgoing:
    """A request that is about to leave.

    Args:
        turn: the journey.
        request: what leaves.

    """

    def __init__(self, turn: Turn, request: Request) -> None:
        self.turn = turn
        self.request = request

    @_once
    def texts(self) -> Texts:
        """All its texts, by part."""
        return texts_of_request(self.turn, self.request)

    @_once
    def models(self) -> tuple[str, ...]:
        """Every model that may answer, or be asked by a tool."""
        request = self.request
        found = [request.model]
        if request.fallbacks:
            found += _models(request.fallbacks, bare=True)
        for tool in request.tools or ():
            found += _models(getattr(tool, "data", None) or tool.extra)
        return tuple(dict.fromkeys(found))

    @_once
    def model_names(self) -> tuple[ModelNames, ...]:
        """Every name of each of them."""
        return tuple(names_of(name, self.turn.models) for name in self.models)

    @_once
    def tools(self) -> tuple[str, ...]:
        """Names of the caller's tools, those added in mid-conversation included."""
        found = [tool.name for tool in self.request.tools or () if isinstance(tool, Tool)]
        for block in self._blocks:
            if block.type == "tool_addition":
                found += _named(block.extra)
            elif block.type == "tool_use":
                found.append(block.name)  # type: ignore[attr-defined]  # as its type says
        return tuple(dict.fromkeys(found))

    @_once
    def server_tools(self) -> tuple[tuple[str, ...], ...]:
        """Names that each tool of the API goes by: its type and its name."""
        return tuple(
            tuple(filter(None, (tool.type, tool.name)))  # type: ignore[attr-defined]  # all but Tool have them
            for tool in self.request.tools or ()
            if not isinstance(tool, Tool)
        )

    @_once
    def mcp_hosts(self) -> tuple[str, ...]:
        """Host of every MCP server."""
        return tuple(
            host_of(str(server.get("url", ""))) if isinstance(server, Mapping) else ""
            for server in self.request.mcp_servers or ()
        )

    @_once
    def betas(self) -> tuple[str, ...]:
        """Beta names of the request, and of the pipeline."""
        named = [
            part
            for name in (*self.request.betas, *self.turn.betas)
            for part in name.replace(",", " ").split()
        ]
        return tuple(dict.fromkeys(named))

    @_once
    def efforts(self) -> tuple[str, ...]:
        """Efforts that the model is to make: in the beginning, and from some message on."""
        request = self.request
        given = [request.output_config, *(message.output_config for message in request.messages)]
        efforts = [str(each["effort"]) for each in given if each and each.get("effort")]
        if not (request.output_config or EMPTY).get("effort"):
            facts = self.turn.models.get(request.model)
            if facts is not None and facts.effort_default:
                efforts.insert(0, facts.effort_default)
        return tuple(efforts)

    @_once
    def tokens(self) -> float:
        """About how many tokens the input has."""
        return estimate(self.request)

    @_once
    def media(self) -> tuple[Medium, ...]:
        """Images and documents, wherever they lie."""
        return tuple(filter(None, map(_medium, self._blocks)))

    @_once
    def image_hosts(self) -> tuple[str, ...]:
        """Hosts that images and documents come from, those included that were fetched on the way."""
        found = [medium.host for medium in self.media if medium.host]
        for change in self.turn.trace.changes:
            if change.stage == "resolve_images" and change.step == self.turn.step:
                media = map(_medium, _every_block(change.before))
                found += [medium.host for medium in media if medium is not None and medium.host]
        return tuple(dict.fromkeys(found))

    @_once
    def _blocks(self) -> tuple[Block, ...]:
        return tuple(_every_block(self.request))


def _every_block(request: Request) -> Iterator[Block]:
    waiting: list[Any] = [request.system, *(message.content for message in request.messages)]
    while waiting:
        content = waiting.pop()
        if isinstance(content, str) or content is None:
            continue
        for block in content:
            yield block
            inner = getattr(block, "content", None)
            if isinstance(inner, tuple) and inner and isinstance(inner[0], Block):
                waiting.append(inner)
            source = getattr(block, "source", None)
            if isinstance(source, ContentSource):
                waiting.append(source.content)


def _medium(block: Block) -> Medium | None:
    if isinstance(block, Attachment):
        return _unresolved(block)
    if not isinstance(block, ImageBlock | DocumentBlock):
        return None
    source = block.source
    if isinstance(source, Base64Source):
        return Medium(block.type, source.media_type, len(source.data) * _IN_HALF)
    if isinstance(source, URLSource):
        return Medium(block.type, "", None, host_of(source.url) or "?")
    if isinstance(source, TextSource):
        return Medium(block.type, source.media_type, len(source.data.encode()))
    return Medium(
        block.type, "", 0
    )  # an upload, which was judged then; or blocks, judged one by one


def _unresolved(block: Attachment) -> Medium:
    source = block.source
    size = len(source) if isinstance(source, bytes) else 0 if block.kind == "file_id" else None
    host = (host_of(str(source)) or "?") if block.kind == "url" else ""
    return Medium(block.type, block.media_type or "", size, host)


def _models(value: Any, *, bare: bool = False) -> Iterator[str]:
    """Yield what stands under ``model`` in JSON, and plain texts where these are models too."""
    if isinstance(value, str):
        if bare:
            yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if name == "model" and isinstance(inner, str):
                yield inner
            elif not isinstance(inner, str):
                yield from _models(inner, bare=False)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _models(inner, bare=bare)


def _named(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name == "name" and isinstance(inner, str):
                yield inner
            else:
                yield from _named(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _named(inner)
