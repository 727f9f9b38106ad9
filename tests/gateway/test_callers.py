"""Which models a key may ask: names, and patterns in which a star stands for any text."""

import time

import pytest
from gateway.bed import OWNER
from msgspec.structs import replace

from daehwa.accounts.errors import AccountDisabled, KeyUnknown, NotAllowed
from daehwa.accounts.keys import Caller, KeyLimits
from daehwa.accounts.memberships import Memberships
from daehwa.accounts.minting import mint_key
from daehwa.accounts.people import NewUser, Profile, User, UserChanges
from daehwa.conversation.ports import Model
from daehwa.gateway.callers import Callers, SignedIn, may_ask
from daehwa.stores.memory_accounts import MemoryAccounts
from daehwa.stores.memory_keys import MemoryKeys

MODEL = Model(id="openai/gpt-4o-mini", name="gpt-4o-mini", provider="openai")


def may(*allowed: str, asked: str | None = None) -> bool:
    key, _ = mint_key(OWNER.id, "k", limits=KeyLimits(models=allowed), now=1)
    return may_ask(Caller(user=OWNER, key=key), MODEL, asked)


@pytest.mark.parametrize(
    ("allowed", "is_allowed"),
    [
        *[("gpt-4o-mini", True), ("openai/gpt-4o-mini", True), ("gpt-4o", False), ("GPT-4o-mini", False)],
        *[("*", True), ("**", True), ("gpt-*", True), ("*mini", True), ("*4o*", True), ("gpt-*-*", True)],
        *[("openai/*", True), ("o*/g*i", True), ("gpt-*-mini*", True), ("gpt*4o*mini", True)],
        *[("*max", False), ("mini*", False), ("*o-o*", False), ("gpt-4o-mini*-mini", False), ("gpt.4o.mini", False)],
        *[("g?t-4o-mini", False), ("[a-z]*", False)],
    ],
)
def test_a_star_stands_for_any_text(allowed: str, *, is_allowed: bool) -> None:
    assert may(allowed) is is_allowed


def test_one_of_several_is_enough_and_an_alias_counts_as_it_was_asked() -> None:
    assert may("other", "gpt-4o-mini")
    assert may("fast", asked="fast")
    assert not may("fast", asked="slow")


@pytest.mark.parametrize("allowed", ["*" * 60 + "x", "*-" * 60 + "x", "*a*a*a*a*a*a*a*a*a*a*a*a*x"])
def test_no_pattern_holds_the_server_up(allowed: str) -> None:
    began = time.process_time()
    assert not may(allowed, asked="a" * 200)
    assert time.process_time() - began < 1


async def test_a_key_opens_what_the_settings_let_its_owner_be_now() -> None:
    accounts, keys = MemoryAccounts(), MemoryKeys()
    user = await accounts.sign_in(Profile(issuer="i", subject="1", email=None, name="Mina"), role="admin", now=1)
    key, text = mint_key(user.id, "k", now=1)
    await keys.add_key(key)
    now: list[User | None] = [user, replace(user, role="member"), None]
    callers = Callers(keys, accounts, signed_in=SignedIn(lambda _: now.pop(0), Memberships(None)))
    assert (await callers.caller_of(text)).user.role == "admin"
    assert (await callers.caller_of(text)).user.role == "member", "at once"
    with pytest.raises(NotAllowed, match="may not come in here any more"):
        await callers.caller_of(text)
    await accounts.add_user(NewUser(login="boss", role="admin"), now=1)
    await accounts.change_user(user.id, UserChanges(disabled=5))
    with pytest.raises(AccountDisabled):
        await callers.caller_of(text)
    await accounts.remove_user(user.id)
    with pytest.raises(KeyUnknown):
        await callers.caller_of(text)


async def test_keys_that_were_made_before_anybody_signed_in_are_the_owners_still() -> None:
    keys = MemoryKeys()
    key, text = mint_key(OWNER.id, "k", now=1)
    await keys.add_key(key)
    callers = Callers(keys, MemoryAccounts(), local=OWNER, signed_in=SignedIn(lambda user: user, Memberships(None)))
    assert (await callers.caller_of(text)).user == OWNER
