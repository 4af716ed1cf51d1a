"""Which addresses are public, also where one hides in another.

Tables: the special-purpose address registries of IANA (RFC 6890), as `ipaddress` knows them, and
what it leaves out or answers otherwise in some versions.
"""

from __future__ import annotations

import ipaddress
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")
_REFUSED: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "169.254.0.0/16",  # link-local; clouds hand out credentials here
        "168.63.129.16/32",  # a cloud's own services, at a public address
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "64:ff9b:1::/48",  # NAT64 within one network
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)


def unwrapped(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one, where a connection would end up at it."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is not None:
        return inner
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(address.packed[-4:])
    return address


def kind_if_not_public(address: Address) -> str | None:
    """What an address is when it is not a public unicast one: `loopback`, `private`, `link-local`,
    `multicast` or `reserved`; `None` when it is public."""
    found = unwrapped(address)
    if found.is_loopback:
        return "loopback"
    if found.is_link_local:
        return "link-local"
    if found.is_multicast:
        return "multicast"
    if found.is_private:
        return "private"
    refused = any(found in n for n in _REFUSED if n.version == found.version)
    return "reserved" if refused or not found.is_global else None
