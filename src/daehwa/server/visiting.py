"""Where a request comes from: the other end of the connection, or what a proxy that the settings trust says of it.

On AWS the other end is the adapter, always. There CloudFront writes the viewer's address into a header of its own, over
whatever a viewer sends under that name, and nobody else gets past API Gateway, which wants CloudFront's key.
"""

import ipaddress
from collections.abc import Sequence
from typing import Final

from daehwa.server.asgi import Scope, header_of
from daehwa.server.options import ServerOptions
from daehwa.sign_in.visitors import AGENT_CHARACTERS, Visitor

VIEWER_HEADER: Final = "x-daehwa-viewer"
"""What CloudFront writes the viewer's address into, without a port."""


def visitor_of(scope: Scope, options: ServerOptions) -> Visitor:
    """Return who knocks."""
    agent = header_of(scope, b"user-agent")
    text = None if agent is None else "".join(filter(str.isprintable, agent))[:AGENT_CHARACTERS]
    return Visitor(address=address_of(scope, options), agent=text or None)


def address_of(scope: Scope, options: ServerOptions) -> str | None:
    """Return the address, None where nobody to be believed says it."""
    if options.home == "aws":
        found = _plain(header_of(scope, VIEWER_HEADER.encode()) or "")
        return None if found is None else str(found)
    return _address_by_proxies(scope, options.trusted_proxies)


def _address_by_proxies(scope: Scope, trusted: Sequence[str]) -> str | None:
    """Return the address. `trusted` are addresses and networks of proxies: anybody else's word about it is not heard. A
    proxy adds who asked it at the end, so the last one that no proxy of ours has is it.
    """
    client = scope.get("client")
    address = None if client is None else str(client[0])
    if not trusted or address is None or not _is_among(address, trusted):
        return address
    said = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    for each in reversed(",".join(said).split(",")):
        found = _plain(each)
        if found is None:
            return address  # from there on anybody may have written it
        address = str(found)
        if not _is_among(address, trusted):
            break
    return address


def _is_among(address: str, trusted: Sequence[str]) -> bool:
    found = _plain(address)
    return found is not None and any(found in ipaddress.ip_network(network, strict=False) for network in trusted)


def _plain(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
