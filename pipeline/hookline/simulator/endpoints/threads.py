"""Threads (beta): conversations that the server keeps, so that a request sends only the new turn.

The official SDK's tool runner uses them by itself. A continued request is made whole here, and then
checked and answered like any other; positions in error texts are those of the whole conversation.
"""

from collections.abc import Mapping
from typing import Any, Final

from attrs import define

from hookline.simulator.errors import ApiError, invalid, not_found
from hookline.simulator.rules import betas as beta

# What a continued request takes over, and must not change where it names it.
_KEPT: Final = ("model", "system", "tools")


@define
class _Thread:
    body: Mapping[str, Any]
    continued: bool = False


class Threads:
    """The store of threads, by the id of the latest message. The caller holds the lock."""

    def __init__(self) -> None:
        self._threads: dict[str, _Thread] = {}

    def whole(self, body: Any, betas: frozenset[str]) -> Any:
        """Put what the server keeps before what a request continues it with.

        Args:
            body: Any JSON value; its shape is checked later.
            betas: The request's beta headers.

        Returns:
            The whole request; ``body`` itself where it continues nothing.

        Raises:
            ApiError: 404 or 400 with the API's error code; the texts are approximate.

        """
        name = _continued(body, betas)
        if name is None:
            return body
        thread = self._threads.get(name)
        if thread is None:
            raise not_found(
                f"No thread was found for {name}.", details={"error_code": "thread_not_found"}
            )
        if thread.continued:
            raise _refused(f"{name} has already been continued.", "thread_already_continued")
        kept = {key: thread.body[key] for key in _KEPT if key in thread.body}
        changed = [key for key in _KEPT if key in body and body[key] != kept.get(key)]
        if changed:
            raise _refused(
                f"These fields differ from the thread's: {', '.join(changed)}.",
                "thread_fingerprint_mismatch",
            )
        new = body.get("messages")
        if not isinstance(new, list):
            return {**kept, **body}
        return {**kept, **body, "messages": [*thread.body["messages"], *new]}

    def keep(self, body: Mapping[str, Any], message: Mapping[str, Any]) -> None:
        """Keep a conversation and its latest reply where the request asks for it.

        Args:
            body: The whole request.
            message: The reply.

        """
        thread = body.get("thread")
        if not thread:
            return
        earlier = self._threads.get(thread.get("previous_message_id", ""))
        if earlier is not None:
            earlier.continued = True
        reply = {"role": "assistant", "content": message["content"]}
        self._threads[message["id"]] = _Thread({**body, "messages": [*body["messages"], reply]})


def _continued(body: Any, betas: frozenset[str]) -> str | None:
    """Return the id that a request continues from, if it does."""
    thread = body.get("thread") if isinstance(body, dict) else None
    if not isinstance(thread, dict) or betas.isdisjoint(beta.THREADS):
        return None
    name = thread.get("previous_message_id")
    return name if thread.get("type") == "continue" and isinstance(name, str) else None


def _refused(text: str, code: str) -> ApiError:
    return invalid(
        f'{text} Send the whole conversation with thread: {{"type": "create"}}.',
        details={"error_code": code},
    )
