"""A plugin that notes the requests that leave."""

from hookline import hookimpl
from hookline.values import DocumentBlock, ImageBlock, Request

__all__ = ["Spy"]


class Spy:
    """Notes what leaves, as the last check sees it."""

    name = "spy"

    def __init__(self) -> None:
        self.seen: list[Request] = []

    @hookimpl
    def check_request(self, request: Request) -> None:
        self.seen.append(request)

    @property
    def kinds(self) -> list[str]:
        return [
            block.source.type
            for message in self.seen[-1].messages
            for block in message.blocks
            if isinstance(block, ImageBlock | DocumentBlock)
        ]
