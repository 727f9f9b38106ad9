"""How far inside an address lies: a guard against being sent inward by whoever may name addresses to us (SSRF)."""

import ipaddress
from typing import Literal, TypeAlias

Depth: TypeAlias = Literal[0, 1, 2]
"""0: the open internet. 1: somebody's own network. 2: this machine, its link, and what clouds tell their machines."""

_OWN = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")))
_CLOUD_SERVICES = frozenset(map(ipaddress.ip_address, ("100.100.100.200", "fd00:ec2::254", "fd20:ce::254")))
"""Where some clouds tell a machine its credentials, although the address looks like one of a network."""
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")


def depth_of(address: str) -> Depth:
    """Return how far inside a numeric address lies. What nobody should be asked at counts as this machine."""
    try:
        number = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return 2
    if isinstance(number, ipaddress.IPv6Address) and (inner := _inner(number)) is not None:
        number = inner
    if number in _CLOUD_SERVICES:
        return 2
    if any(number in network for network in _OWN):
        return 1
    return 0 if number.is_global and not number.is_multicast else 2


def _inner(number: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the older address that an address of IPv6 stands for."""
    if number.ipv4_mapped is not None:
        return number.ipv4_mapped
    if number.sixtofour is not None:
        return number.sixtofour
    if number in _TRANSLATED:
        return ipaddress.IPv4Address(int(number) & 0xFFFFFFFF)
    return None


class NoFurtherIn:
    """Lets a client go to one origin, wherever that lies, and to others no further inside than that one was found."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._depth: Depth = 0

    def allows(self, origin: str, address: str) -> bool:
        """Whether a connection that was just made may be used. It is asked about the address that was reached, so that
        a name which leads elsewhere the second time gains nothing.
        """
        depth = depth_of(address)
        if origin == self._origin:
            self._depth = depth
            return True
        return depth <= self._depth
