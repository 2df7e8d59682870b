"""Which proxy the environment names for an address; every HTTP library reads it in its own way."""

from ipaddress import ip_address, ip_network
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from attrs import field, frozen

from hookline.errors import ConfigError
from hookline.values.secret import HiddenText

__all__ = ["Proxy", "proxy_for"]


@frozen
class Proxy:
    """A proxy, and as whom to speak to it.

    Attributes:
        scheme: ``"http"``, ``"https"``, ``"socks5"`` and so on.
        url: with the scheme, and without user and password.
        credentials: user and password, or None.

    """

    scheme: str
    url: str
    credentials: tuple[str, str] | None = field(default=None, repr=False)


def proxy_for(url: str) -> Proxy | None:
    """Return the proxy through which ``url`` is to be reached.

    ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``, in either case, and what macOS
    and Windows have in their settings. ``NO_PROXY`` takes names, which stand for their subdomains
    too, addresses, networks (``10.0.0.0/8``) and ``*``.

    Args:
        url: absolute.

    Returns:
        What the environment names, or None for a direct connection.

    Raises:
        ConfigError: what it names is no address.

    """
    parts = urlsplit(url)
    named = getproxies()
    name = parts.scheme if named.get(parts.scheme) else "all"
    host = parts.hostname
    if not named.get(name) or not host or proxy_bypass(host):
        return None
    if any(_covers(entry.strip(), host) for entry in named.get("no", "").split(",")):
        return None
    proxy = _parsed(named[name])
    if proxy is None:
        raise ConfigError(f"the environment's {name}_proxy is no address of a proxy")
    return proxy


def _parsed(text: str) -> Proxy | None:
    """Return what a variable of the environment says, or None if that is no address."""
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port
    except ValueError:  # it may quote the password
        return None
    if not parts.hostname or port == 0:
        return None
    user, password = parts.username, parts.password or ""
    return Proxy(
        parts.scheme,
        f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
        None if user is None else (HiddenText(unquote(user)), HiddenText(unquote(password))),
    )


def _covers(entry: str, host: str) -> bool:
    """Say whether an entry of ``NO_PROXY`` is a network that ``host`` is an address of."""
    try:
        return "/" in entry and ip_address(host) in ip_network(entry, strict=False)
    except ValueError:  # one of the two is a name
        return False
