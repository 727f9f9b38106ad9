"""Who knocks, before it is known who that is: from where, with what browser, and what it carries."""

import ipaddress

import msgspec

from daehwa.accounts.unshown import Unshown

AGENT_CHARACTERS = 200


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request comes from, and what its browser calls itself: shown to the person in the list of sessions."""

    address: str | None = None
    agent: str | None = None

    @property
    def network(self) -> str:
        """Whose tries are counted together: an address, or with IPv6 the network that one customer has (/64)."""
        if self.address is None:
            return "nowhere"
        try:
            address = ipaddress.ip_address(self.address)
        except ValueError:
            return self.address
        if isinstance(address, ipaddress.IPv6Address):
            if address.ipv4_mapped is not None:
                return str(address.ipv4_mapped)
            return str(ipaddress.ip_network((address, 64), strict=False))
        return str(address)


NOWHERE = Visitor()


class Carried(Unshown, frozen=True, kw_only=True):
    """What the browser carries in its cookies: a session that a new one replaces, what says that its owner has signed
    in here before, a password that waits for its code, a challenge for a passkey.
    """

    session: str | None = None
    known: str | None = None
    waiting: str | None = None
    challenge: str | None = None
