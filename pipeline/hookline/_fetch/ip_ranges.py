"""Which IP addresses belong to the public internet.

The standard library's ``is_global`` is no guard: it calls multicast, 6to4, NAT64 and the wire server
of Azure global. So the ranges stand here, as a table to read against the IANA special-purpose
registries, and an IPv6 address that carries an IPv4 address is judged by what it carries.

The table refuses every registered special range, also the few that IANA marks as reachable (AS112,
AMT, anycast services): nobody keeps pictures there.
"""

from ipaddress import (
    AddressValueError,
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)
from typing import Final

__all__ = ["is_public"]

# IANA IPv4 special-purpose registry, multicast, and what clouds put on top of it.
_REFUSED_V4: Final = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # "this network": 0.0.0.0 reaches loopback on Linux
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata sits at 100.100.100.200
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's wire server, in the middle of public space
        "169.254.0.0/16",  # link-local; the metadata services of AWS, Google, Azure
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata at 192.0.0.192
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays, withdrawn
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and the broadcast address
    )
)

# Of IPv6 only global unicast was ever handed out, so everything outside it is refused unseen:
# loopback, unspecified, unique local, link-local, site-local, multicast, segment routing (5f00::/16).
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_REFUSED_V6: Final = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments: Teredo, benchmarking, ORCHID, drone ids
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, withdrawn: a relay would carry it to the IPv4 address inside
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)

# Prefixes whose last 32 bits are the IPv4 address that is really reached. The local NAT64 prefix
# 64:ff9b:1::/48 is not among them: where it leads is known to nobody but that network.
_CARRIES_V4: Final = (
    IPv6Network("::ffff:0:0/96"),  # IPv4-mapped
    IPv6Network("64:ff9b::/96"),  # NAT64, what an IPv6-only network's resolver answers
)
_ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})  # upper half of an ISATAP interface id


def is_public(address: str | IPv4Address | IPv6Address) -> bool:
    """Say whether an address is one of the public internet.

    Args:
        address: a parsed address, or its strict text form (``"93.184.215.14"``, ``"2606:4700::1"``).

    Returns:
        False for every special-purpose range, for an IPv6 address with a zone, for one that carries
        an IPv4 address which is not public, and for text that is no address.

    Example:
        >>> is_public("93.184.215.14"), is_public("::ffff:169.254.169.254")
        (True, False)

    """
    if isinstance(address, str):
        try:
            address = ip_address(address)
        except (AddressValueError, ValueError):
            return False
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    if address.scope_id is not None:
        return False
    if any(address in network for network in _CARRIES_V4):
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    if address not in _GLOBAL_UNICAST or any(address in network for network in _REFUSED_V6):
        return False
    return (int(address) >> 32) & 0xFFFF_FFFF not in _ISATAP
