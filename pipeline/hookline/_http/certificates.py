"""Whom we trust: the certificate authorities of TLS connections that are ours, whatever the library."""

import os
import ssl
import sys
from pathlib import Path
from typing import Final

__all__ = ["Certificates", "tls_context"]

_HASHED: Final = "[0-9a-f]" * 8 + ".[0-9]"  # how OpenSSL finds an authority in a directory


class Certificates:
    """The TLS settings of our connections, made when the first connection needs them.

    Args:
        ca_bundle: a PEM file of authorities to trust instead of the usual ones.

    """

    def __init__(self, ca_bundle: str | None = None) -> None:
        self._ca_bundle = ca_bundle
        self._made: ssl.SSLContext | None = None

    def context(self, *, needed: bool = True) -> ssl.SSLContext:
        """Return the settings.

        Args:
            needed: False for an ``http:`` address. Loading the authorities takes some 20 ms; a
                context without them trusts nobody, so a mistake fails closed.

        """
        if not needed:
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self._made is None:
            self._made = tls_context(self._ca_bundle)
        return self._made


def tls_context(ca_bundle: str | None = None) -> ssl.SSLContext:
    """Return TLS settings that trust the right authorities.

    Args:
        ca_bundle: a PEM file of authorities to trust instead of all others. Without it, those of
            ``SSL_CERT_FILE`` or ``SSL_CERT_DIR``; without these the system's; where the system has
            none, as in a slim container, those of certifi.

    """
    cafile = ca_bundle or os.environ.get("SSL_CERT_FILE")
    capath = None if cafile else os.environ.get("SSL_CERT_DIR")
    if cafile or capath:
        return ssl.create_default_context(cafile=cafile, capath=capath)
    import httpcore2  # noqa: PLC0415 -- the HTTP library comes last

    context = httpcore2.default_ssl_context()
    if not _has_authorities(context):
        import certifi  # noqa: PLC0415 -- only where the system has nothing; a part of httpx

        context.load_verify_locations(certifi.where())
    return context


def _has_authorities(context: ssl.SSLContext) -> bool:
    if sys.platform in ("win32", "darwin"):  # which are asked at every handshake
        return True
    if context.cert_store_stats()["x509"]:
        return True
    directory = (
        ssl.get_default_verify_paths().openssl_capath
    )  # read one by one, when they are needed
    return any(Path(directory).glob(_HASHED))
