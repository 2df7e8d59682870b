"""Citations: where a request enables them, the reply quotes the start of each document."""

from collections.abc import Mapping
from typing import Any, Final

from hookline.simulator.measures.tokens import blocks_of

_QUOTED: Final = 80


def cite(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return text blocks that quote the documents and search results with citations enabled.

    Args:
        body: The request.

    Returns:
        One block for each; none where citations are off.

    """
    found: list[dict[str, Any]] = []
    documents = results = 0
    for message in body["messages"]:
        for block in blocks_of(message["content"]):
            enabled = (block.get("citations") or {}) if block["type"] != "text" else {}
            if block["type"] == "document":
                if enabled.get("enabled"):
                    found += _cited(_document(block, documents))
                documents += 1
            elif block["type"] == "search_result":
                if enabled.get("enabled"):
                    found += _cited(_search_result(block, results))
                results += 1
    return found


def _cited(citation: dict[str, Any] | None) -> list[dict[str, Any]]:
    if citation is None:
        return []
    text = f"\nIt begins: {citation['cited_text']}"
    return [{"type": "text", "text": text, "citations": [citation]}]


def _document(block: Mapping[str, Any], index: int) -> dict[str, Any] | None:
    source = block["source"]
    about = {"document_index": index, "document_title": block.get("title"), "file_id": None}
    match source["type"]:
        case "text":
            quoted = source["data"][:_QUOTED]
            return {
                "type": "char_location",
                "cited_text": quoted,
                **about,
                "start_char_index": 0,
                "end_char_index": len(quoted),
            }
        case "content":
            texts = [item["text"] for item in blocks_of(source["content"]) if "text" in item]
            return {
                "type": "content_block_location",
                "cited_text": texts[0] if texts else "",
                **about,
                "start_block_index": 0,
                "end_block_index": 1,
            }
        case "base64":
            return {
                "type": "page_location",
                "cited_text": "(the simulator does not read PDF)",
                **about,
                "start_page_number": 1,
                "end_page_number": 2,
            }
        case _:
            return None


def _search_result(block: Mapping[str, Any], index: int) -> dict[str, Any] | None:
    if not block["content"]:
        return None
    return {
        "type": "search_result_location",
        "cited_text": block["content"][0]["text"],
        "search_result_index": index,
        "source": block["source"],
        "title": block["title"],
        "start_block_index": 0,
        "end_block_index": 1,
    }
