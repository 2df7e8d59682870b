"""Throw-away certificates for a ``FaultServer`` on the loopback interface."""

import datetime as dt
import ssl
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hookline.errors import ConfigError

__all__ = ["Authority"]


class Authority:
    """A certificate authority that lives as long as its ``with`` block; needs ``trustme``.

    Attributes:
        ca_bundle: path of the authority's certificate; hand it to ``Pipeline(ca_bundle=…)``.

    Raises:
        ConfigError: ``trustme`` is not installed.

    Example:
        >>> with Authority() as authority, FaultServer(script, tls=authority.valid()) as server:
        ...     Pipeline(base_url=server.url, ca_bundle=authority.ca_bundle)

    """

    def __init__(self) -> None:
        try:
            import trustme  # noqa: PLC0415 -- only tests of TLS need it
        except ImportError as error:
            raise ConfigError(
                "trustme is needed to make test certificates: pip install trustme"
            ) from error
        self._new_authority = trustme.CA
        self._trusted = trustme.CA()
        self._directory = tempfile.TemporaryDirectory(prefix="hookline-ca-")
        self.ca_bundle = str(Path(self._directory.name) / "ca.pem")
        self._trusted.cert_pem.write_to_path(self.ca_bundle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._directory.cleanup()

    def valid(self) -> ssl.SSLContext:
        """Return a server's side with a certificate that is in order."""
        return _context(self._trusted.issue_cert("127.0.0.1", "localhost"))

    def expired(self) -> ssl.SSLContext:
        """Return one whose certificate ran out yesterday."""
        now = dt.datetime.now(dt.UTC)
        days = dt.timedelta(days=1)
        return _context(
            self._trusted.issue_cert("127.0.0.1", not_before=now - 2 * days, not_after=now - days)
        )

    def wrong_host(self) -> ssl.SSLContext:
        """Return one whose certificate is for another host."""
        return _context(self._trusted.issue_cert("elsewhere.example"))

    def self_signed(self) -> ssl.SSLContext:
        """Return one whose certificate nobody vouches for."""
        return _context(self._new_authority().issue_cert("127.0.0.1"))


def _context(certificate: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context
