"""People and their sign-ins in the table of the AWS home.

How this works and why. Who an issuer's subject is stands in an item of its own, made in one transaction with the user:
so the same person who signs in twice at once becomes one user. Sessions and attempts carry the time at which DynamoDB
may take them away; it does so days late, so whoever reads them looks at the time too.
"""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

import hashlib
from collections.abc import Collection
from typing import Any, Final

import msgspec
from aiodynamo.errors import ConditionalCheckFailed
from aiodynamo.expressions import F, HashKey
from aiodynamo.models import ReturnValues
from aiodynamo.operations import Put

from daehwa.accounts.people import Profile, Role, Session, SignInAttempt, User
from daehwa.conversation.errors import StoreError
from daehwa.conversation.ids import new_id
from daehwa.stores import dynamodb_table as names
from daehwa.stores.dynamodb_client import DynamoTable, changes
from daehwa.stores.records import storable
from daehwa.stores.unbuilt import LocalAccountsUnbuilt

_ATTEMPTS: Final = 5
_encoder = msgspec.json.Encoder()
_session_decoder = msgspec.json.Decoder(Session)
_attempt_decoder = msgspec.json.Decoder(SignInAttempt)


class DynamoAccounts(LocalAccountsUnbuilt):
    """An `AccountStore` in the table of the AWS home."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    async def sign_in(
        self,
        profile: Profile,
        *,
        role: Role | None,
        now: int,
        joins: Collection[str] = (),  # noqa: ARG002
        leaves: Collection[str] = (),  # noqa: ARG002
    ) -> User:
        profile = storable(profile)
        subject = names.subject_partition(_digest(profile))
        for _ in range(_ATTEMPTS):
            known = await self._table.get(subject, names.ISSUER_SORT)
            if known is not None:
                return await self._bring_up_to_date(known[names.USER], profile, role, now)
            user = User(
                id=new_id(),
                issuer=profile.issuer,
                subject=profile.subject,
                email=profile.email,
                name=profile.name,
                role=role or "member",
                created=now,
                last_seen=now,
            )
            place = {
                names.PARTITION_KEY: subject,
                names.SORT_KEY: names.ISSUER_SORT,
                names.USER: user.id,
            }
            is_new = F(names.PARTITION_KEY).does_not_exist()
            puts = [Put(self._table.name, item, is_new) for item in (place, _user_item(user))]
            if not await self._table.transact(puts):
                return user
        raise StoreError("Too many are signing in with this account at once. Try again in a moment.")

    async def _bring_up_to_date(self, user: str, profile: Profile, role: Role | None, now: int) -> User:
        given = {names.EMAIL: profile.email, names.NAME: profile.name or None, names.LAST_SEEN: now}
        if role is not None:
            given[names.ROLE] = role
        try:
            item = await self._table.update(
                names.owner_partition(user),
                names.USER_SORT,
                changes(given),
                condition=F(names.PARTITION_KEY).exists(),
                returns=ReturnValues.all_new,
            )
        except ConditionalCheckFailed as error:
            raise StoreError("This account is only half there. Ask whoever runs this server.") from error
        return _user_of(item)

    async def get_user(self, user: str) -> User | None:
        item = await self._table.get(names.owner_partition(user), names.USER_SORT)
        return None if item is None else _user_of(item)

    async def list_users(self) -> tuple[User, ...]:
        listed = await self._table.query_list(HashKey(names.LIST, names.USER_LIST))
        items = await self._table.get_many((item[names.PARTITION_KEY], item[names.SORT_KEY]) for item in listed)
        return tuple(sorted(map(_user_of, items), key=lambda user: (user.created, user.id)))

    async def save_session(self, session: Session) -> None:
        await self._table.put(_expiring_item(names.session_partition(session.id), names.SESSION_SORT, session))

    async def get_session(self, session: str, *, now: int) -> tuple[Session, User] | None:
        item = await self._table.get(names.session_partition(session), names.SESSION_SORT)
        if item is None:
            return None
        found = _session_decoder.decode(item[names.VALUE])
        user = await self.get_user(found.user) if found.expires > now else None
        return None if user is None else (found, user)

    async def delete_session(self, session: str) -> None:
        await self._table.delete(names.session_partition(session), names.SESSION_SORT)

    async def save_attempt(self, attempt: SignInAttempt) -> None:
        await self._table.put(_expiring_item(names.attempt_partition(attempt.id), names.ATTEMPT_SORT, attempt))

    async def take_attempt(self, attempt: str, *, now: int) -> SignInAttempt | None:
        item = await self._table.delete(names.attempt_partition(attempt), names.ATTEMPT_SORT)
        if item is None:
            return None
        taken = _attempt_decoder.decode(item[names.VALUE])
        return taken if taken.expires > now else None

    async def purge_expired(self, *, now: int) -> int:  # noqa: ARG002 - DynamoDB looks at its own clock
        return 0


def _digest(profile: Profile) -> str:
    return hashlib.sha256(_encoder.encode((profile.issuer, profile.subject))).hexdigest()


def _user_item(user: User) -> dict[str, Any]:
    item = {
        names.PARTITION_KEY: names.owner_partition(user.id),
        names.SORT_KEY: names.USER_SORT,
        names.ISSUER: user.issuer,
        names.SUBJECT: user.subject,
        names.EMAIL: user.email,
        names.NAME: user.name or None,
        names.ROLE: user.role,
        names.CREATED: user.created,
        names.LAST_SEEN: user.last_seen,
        names.LIST: names.USER_LIST,
        names.ORDER: f"{names.moment_order(user.created)}#{user.id}",
    }
    return {name: value for name, value in item.items() if value is not None}


def _user_of(item: dict[str, Any]) -> User:
    partition: str = item[names.PARTITION_KEY]
    return User(
        id=partition.removeprefix(names.owner_partition("")),
        issuer=item[names.ISSUER],
        subject=item[names.SUBJECT],
        email=item.get(names.EMAIL),
        name=item.get(names.NAME, ""),
        role=item[names.ROLE],
        created=item[names.CREATED],
        last_seen=item[names.LAST_SEEN],
    )


def _expiring_item(partition: str, sort: str, value: Session | SignInAttempt) -> dict[str, Any]:
    return {
        names.PARTITION_KEY: partition,
        names.SORT_KEY: sort,
        names.VALUE: _encoder.encode(value),
        names.EXPIRES: -(-value.expires // 1000),
    }
