"""Which proxy the environment names for an address; every HTTP library reads it in its own way."""

from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

__all__ = ["proxy_for"]


def proxy_for(url: str) -> str | None:
    """Return the URL of the proxy through which ``url`` is to be reached, credentials included.

    ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``, in either case, and what macOS
    and Windows have in their settings. ``NO_PROXY`` takes names, which stand for their subdomains
    too, addresses, networks (``10.0.0.0/8``) and ``*``.

    Args:
        url: absolute.

    Returns:
        A URL with a scheme, or None for a direct connection.

    """
    parts = urlsplit(url)
    named = getproxies()
    proxy = named.get(parts.scheme) or named.get("all")
    host = parts.hostname
    if not proxy or not host or proxy_bypass(host):
        return None
    if any(_covers(entry.strip(), host) for entry in named.get("no", "").split(",")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _covers(entry: str, host: str) -> bool:
    """Say whether an entry of ``NO_PROXY`` is a network that ``host`` is an address of."""
    try:
        return "/" in entry and ip_address(host) in ip_network(entry, strict=False)
    except ValueError:  # one of the two is a name
        return False
