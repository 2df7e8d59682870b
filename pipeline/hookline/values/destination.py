"""Where requests go, and as whom."""

import hashlib
from functools import cached_property

from attrs import field, frozen

from hookline.values.base_url import checked_base_url
from hookline.values.secret import Secret, as_secret

__all__ = ["Destination"]


@frozen(kw_only=True, cache_hash=True)  # each request looks its upstream up by it
class Destination:
    """A base URL of the API with the credentials that belong to it, and to no other.

    Attributes:
        base_url: an http(s) address, whose ``/v1`` is dropped; ``"sim:"`` for the simulator.
        api_key: for ``x-api-key``.
        auth_token: for ``Authorization: Bearer``; the key wins where both are given.
        api_version: the ``anthropic-version``.
        server: the profile of what answers there (``hookline.profiles``); empty to guess by the host.

    Raises:
        ConfigError: the base URL is none.

    """

    base_url: str = field(converter=checked_base_url)
    api_key: Secret | None = field(default=None, converter=as_secret)
    auth_token: Secret | None = field(default=None, converter=as_secret)
    api_version: str = "2023-06-01"
    server: str = ""

    def apart(self) -> "Destination":
        """Return an equal destination that nobody else holds, of exactly this class."""
        return Destination(
            base_url=self.base_url,
            api_key=self.api_key,
            auth_token=self.auth_token,
            api_version=self.api_version,
            server=self.server,
        )

    @cached_property
    def account(self) -> str:
        """A name for whoever is asking, from which the credential cannot be found out.

        What is kept for one account (answers in a cache) must not be found by another.
        """
        credential = self.api_key or self.auth_token
        if credential is None:
            return ""
        return hashlib.blake2b(credential.reveal().encode(), digest_size=16).hexdigest()
