"""The rules about images and documents, judged by their own bytes."""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

from attrs import frozen

from hookline.models import ModelFacts, Vision
from hookline.simulator.errors import invalid
from hookline.simulator.measures.tokens import blocks_of
from hookline.simulator.measures.vision import Picture, Undecodable, look, measure, sniff

MAX_IMAGE_BYTES: Final = 10_485_760
_MAX_EDGE: Final = 8000
_MANY: Final = 20
_MAX_EDGE_OF_MANY: Final = 2000
_SCREENS: Final = ("computer", "browser")
_PDF_PAGE: Final = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")


class Shelf(Protocol):
    """Where the bytes behind file ids and URLs come from."""

    def file(self, file_id: str) -> bytes:
        """Return a stored file, or raise the API's 404."""
        ...

    def url(self, url: str) -> bytes | None:
        """Return what a scenario put behind a URL, or None: nothing is ever fetched."""
        ...


@frozen
class _Placed:
    block: Mapping[str, Any]
    where: str
    screenshot: bool = False  # what the computer or browser toolset returned is never resized

    @property
    def source(self) -> Mapping[str, Any]:
        return self.block["source"]  # type: ignore[no-any-return] # the shape was checked

    @property
    def data_path(self) -> str:
        kind = self.source["type"]
        leaf = {"base64": ".data", "url": ".url", "file": ".file_id"}[kind]
        return f"{self.where}.image.source.{kind}{leaf}"


def check_media(
    body: Mapping[str, Any], facts: ModelFacts, shelf: Shelf
) -> dict[int, Picture | None]:
    """Check every image and document of a request.

    Args:
        body: A request of the right shape.
        facts: The model.
        shelf: Files and URLs.

    Returns:
        What each image holds, by the ``id()`` of its source; None for a URL that nobody mapped.

    Raises:
        ApiError: 400 (or 404 for a file) with the API's text.

    """
    placed = [item for m, message in enumerate(body["messages"]) for item in _media(m, message)]
    images = [item for item in placed if item.block["type"] == "image"]
    documents = [item for item in placed if item.block["type"] == "document"]
    if sum([_check_document(item, shelf) for item in documents]) > facts.max_pdf_pages:
        raise invalid(f"A maximum of {facts.max_pdf_pages} PDF pages may be provided.")
    if not images:
        return {}
    if facts.vision is None:
        raise invalid("messages: this model does not accept image content blocks")
    if len(images) > facts.max_images and facts.confirmed("context"):  # wording approximate
        raise invalid(
            f"messages: A maximum of {facts.max_images} images may be provided. Found {len(images)}."
        )
    found = {id(item.source): _bytes_of(item, shelf) for item in images}
    _check_edges(images, found)
    return {
        id(item.source): _picture(item, found[id(item.source)], facts.vision) for item in images
    }


def _media(position: int, message: Mapping[str, Any]) -> Iterator[_Placed]:
    yield from _media_in(message["content"], f"messages.{position}.content")


def _media_in(content: Any, where: str, *, screenshot: bool = False) -> Iterator[_Placed]:
    for place, block in enumerate(blocks_of(content)):
        here = f"{where}.{place}"
        match block["type"]:
            case "image":
                yield _Placed(block, here, screenshot)
            case "document":
                yield _Placed(block, here)
                if block["source"]["type"] == "content":
                    inner = block["source"]["content"]
                    yield from _media_in(inner, f"{here}.document.source.content.content")
            case "tool_result":
                if isinstance(block.get("content"), list):
                    inside = f"{here}.tool_result.content"
                    member = block.get("toolset_name") in _SCREENS
                    yield from _media_in(block["content"], inside, screenshot=member)


def _bytes_of(item: _Placed, shelf: Shelf) -> bytes | None:
    match item.source["type"]:
        case "url":
            return _check_url(item.source["url"], shelf)
        case "file":
            data = shelf.file(item.source["file_id"])
            _check_size(len(data), f"{item.where}.image.source.file")
            return data
        case _:
            return _decode(item)


def _check_size(size: int, where: str) -> None:
    if size > MAX_IMAGE_BYTES:
        raise invalid(
            f"{where}: image exceeds 10 MB maximum: {size} bytes > {MAX_IMAGE_BYTES} bytes"
        )


def _check_url(url: str, shelf: Shelf) -> bytes | None:
    if not url.lower().startswith("https://"):
        raise invalid("Only HTTPS URLs are supported.")
    return shelf.url(url)


def _decode(item: _Placed) -> bytes:
    text = item.source["data"]
    where = f"{item.where}.image.source.base64"
    if not text:
        raise invalid(f"{where}: image cannot be empty")
    _check_size(len(text), where)  # the API counts the characters of the base64 (facts 5.1)
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid(f"{where}.data: Invalid base64 data") from error  # wording approximate
    declared = item.source["media_type"]
    actual = sniff(data)
    if actual is None:
        raise invalid("Could not process image")
    if actual != declared:
        raise invalid(f"Image does not match the provided media type {declared}")
    return data


def _check_edges(images: list[_Placed], found: Mapping[int, bytes | None]) -> None:
    limit, suffix = _MAX_EDGE, f"max allowed size: {_MAX_EDGE} pixels"
    if len(images) > _MANY:
        limit = _MAX_EDGE_OF_MANY
        suffix = f"max allowed size for many-image requests: {_MAX_EDGE_OF_MANY} pixels"
    over = [item for item in images if _longest_edge(found[id(item.source)]) > limit]
    if over:
        raise invalid(
            f"{over[0].data_path}: At least one of the image dimensions exceed {suffix}",
            details={
                "error_code": "image_dimensions_too_large",
                "max_side_length_pixels": limit,
                "paths": [item.where for item in over],
            },
        )


def _longest_edge(data: bytes | None) -> int:
    if data is None:
        return 0
    try:
        return max(measure(data, sniff(data) or ""))
    except Undecodable as error:
        raise invalid("Could not process image") from error


def _picture(item: _Placed, data: bytes | None, vision: Vision) -> Picture | None:
    if data is None:
        return None
    try:
        picture = look(data, vision)
    except Undecodable as error:
        raise invalid("Could not process image") from error
    setting = (item.block.get("transformations") or {}).get("oversized_image", "downsize")
    strict = setting == "error" or item.screenshot
    fitted = vision.fit(picture.width, picture.height)
    if strict and fitted != (picture.width, picture.height):
        prefix = f"{item.where}: " if item.source["type"] == "base64" else ""
        size = f"{fitted[0]}x{fitted[1]}"
        raise invalid(
            f"{prefix}image dimensions {picture.width}x{picture.height} exceed the maximum image "
            f"size of a model named on this request and would be downsized to {size}; scale the "
            f'image to at most {size} or set the image\'s oversized_image setting to "downsize"'
        )
    return picture


def _check_document(item: _Placed, shelf: Shelf) -> int:
    """Check a document, and return how many pages it has."""
    source = item.source
    match source["type"]:
        case "url":
            _check_url(source["url"], shelf)
        case "file":
            shelf.file(source["file_id"])
        case "base64":
            where = f"{item.where}.document.source.base64"
            try:
                data = base64.b64decode(source["data"], validate=True)
            except (binascii.Error, ValueError) as error:
                raise invalid(f"{where}.data: Invalid base64 data") from error
            if not data.startswith(b"%PDF-"):
                raise invalid(f"{where}.data: The PDF specified was not valid.")  # approximate
            return len(_PDF_PAGE.findall(data))
    return 0
