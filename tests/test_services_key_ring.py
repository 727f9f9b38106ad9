"""The keys as the terminal makes them, where something fails on the way."""

import pytest

from daehwa.accounts.audit import AuditEvent, NewEvent
from daehwa.accounts.people import Profile
from daehwa.conversation.errors import StoreError
from daehwa.services.key_ring import KeyRing
from daehwa.stores.memory_accounts import MemoryAccounts
from daehwa.stores.memory_keys import MemoryKeys
from daehwa.stores.memory_ledger import MemoryLedger
from daehwa.stores.memory_people import MemoryAudit


class FullAudit(MemoryAudit):
    """An audit log that takes no more."""

    async def append(self, new: NewEvent) -> AuditEvent:
        raise StoreError(f"There is no room for {new.action}.")


async def test_a_key_that_the_audit_log_does_not_take_opens_nothing() -> None:
    keys, accounts = MemoryKeys(), MemoryAccounts()
    ann = Profile(issuer="https://issuer.example", subject="1", email="ann@example.com", name="")
    user = await accounts.sign_in(ann, role=None, now=1)
    ring = KeyRing(keys, MemoryLedger(), accounts, FullAudit())
    with pytest.raises(StoreError, match=r"no room for key\.made"):
        await ring.make(user.id, {"name": "laptop"})
    (key,) = await ring.listed(None, old_too=True)
    assert key.revoked is not None
