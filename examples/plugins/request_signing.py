"""Signs what leaves, so that a server behind a proxy can tell that it came from here."""

import hashlib
import hmac
from typing import ClassVar

from attrs import field, frozen

from hookline import ConfigError, Request, Turn, hookimpl
from hookline.plugin import option
from hookline.values import Secret
from hookline.wire import encode_request


@frozen
class RequestSigning:
    """Notes the HMAC of each request that leaves, in ``metadata.user_id`` of those that have none.

    Attributes:
        key: the secret; nothing is signed without one.

    """

    contract = ">=1,<2"
    last = True  # what is signed is what leaves
    sample_options: ClassVar = {"key": Secret("any")}
    key: Secret | None = field(default=None, metadata=option(secret=True))

    @hookimpl
    def resolve_images(self, turn: Turn, request: Request) -> Request | None:
        """Sign the messages; the same request has the same signature."""
        if self.key is None or request.metadata or turn.surface == "upload":
            return None
        if not self.key.reveal():
            raise ConfigError("request-signing: the key is empty")
        body = encode_request(request.evolve(stream=None))
        signature = hmac.new(self.key.reveal().encode(), body, hashlib.sha256).hexdigest()
        return request.evolve(metadata={"user_id": signature})
