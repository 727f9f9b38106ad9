"""People and their sign-ins in the table of the AWS home.

How this works and why. Who an issuer's subject is stands in an item of its own, made in one transaction with the user:
so the same person who signs in twice at once becomes one user. Whoever takes away an admin names, in the same
transaction, another one who stays: so of several who do that at once, one fails. Sessions and attempts carry the time
at which DynamoDB may take them away; it does so days late, so whoever reads them looks at the time too. Which sessions
somebody has stands in their own partition, so that ending all of them finds the newest too.
"""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Final

import msgspec
from aiodynamo.errors import ConditionalCheckFailed
from aiodynamo.expressions import F, HashKey, RangeKey
from aiodynamo.operations import ConditionCheck, Delete, Put, Update

from daehwa.accounts.errors import AccountDisabled, LastAdmin, LoginTaken, UserNotFound
from daehwa.accounts.people import (
    LOCAL_ISSUER,
    MOST_SESSIONS,
    SEEN_EVERY_MS,
    NewUser,
    Profile,
    Role,
    Session,
    SignInAttempt,
    User,
    UserChanges,
    folded_login,
)
from daehwa.accounts.people_changes import changed_person, loses_admin, moved
from daehwa.conversation.errors import StoreError
from daehwa.conversation.ids import new_id, now_ms
from daehwa.stores import dynamodb_table as names
from daehwa.stores.dynamodb_client import DynamoTable, Operation, changes, gathered
from daehwa.stores.dynamodb_people_items import (
    expiring_item,
    is_as_before,
    listed_session,
    may_run_the_server,
    session_place,
    subject_place,
    user_attributes,
    user_item,
    user_of,
)
from daehwa.stores.records import storable

_ATTEMPTS: Final = 20
_session_decoder = msgspec.json.Decoder(Session)
_attempt_decoder = msgspec.json.Decoder(SignInAttempt)


class DynamoAccounts:
    """An `AccountStore` in the table of the AWS home."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    async def sign_in(
        self,
        profile: Profile,
        *,
        role: Role | None,
        now: int,
        joins: Collection[str] = (),
        leaves: Collection[str] = (),
    ) -> User:
        profile = storable(profile)
        for _ in range(_ATTEMPTS):
            place = await self._table.get(*subject_place(profile.issuer, profile.subject))
            known = User(id=new_id(), created=now) if place is None else await self._known(place[names.USER])
            arrived = msgspec.structs.replace(
                known,
                issuer=profile.issuer,
                subject=profile.subject,
                email=profile.email,
                name=profile.name,
                role=role or known.role,
                groups=moved(known.groups, joins, leaves),
                claimed=profile.claimed,
                last_seen=now,
            )
            if await (self._add(arrived) if place is None else self._replace(known, arrived)):
                return arrived
        raise _too_many()

    async def _known(self, user: str) -> User:
        """Return somebody who signs in again."""
        known = await self.get_user(user)
        if known is None:
            raise StoreError("This account is only half there. Ask whoever runs this server.")
        if known.disabled is not None:
            raise AccountDisabled
        return known

    async def add_user(self, new: NewUser, *, now: int) -> User:
        new = storable(new)
        user = User(
            id=new_id(),
            issuer=LOCAL_ISSUER,
            subject=folded_login(new.login),
            email=new.email,
            name=new.name,
            role=new.role,
            groups=new.groups,
            created=now,
        )
        if not await self._add(user):
            raise LoginTaken
        return user

    async def find_user(self, login: str) -> User | None:
        # Nobody signs in by a login of this home's own, so there is nothing to be told by how long this takes.
        login = folded_login(storable(login))
        named = await self.find_by_subject(LOCAL_ISSUER, login)
        if named is not None:
            return named
        local = [user for user in await self.list_users() if user.login is not None]
        found = [user for user in local if folded_login(user.email or "") == login]
        return found[0] if len(found) == 1 else None

    async def get_user(self, user: str) -> User | None:
        item = await self._table.get(*_place(user))
        return None if item is None else user_of(item)

    async def find_by_subject(self, issuer: str, subject: str) -> User | None:
        place = await self._table.get(*subject_place(issuer, storable(subject)))
        return None if place is None else await self.get_user(place[names.USER])

    async def list_users(self) -> tuple[User, ...]:
        listed = await self._table.query_list(HashKey(names.LIST, names.USER_LIST))
        items = await self._table.get_many((item[names.PARTITION_KEY], item[names.SORT_KEY]) for item in listed)
        return tuple(sorted(map(user_of, items), key=lambda user: (user.created, user.id)))

    async def change_user(self, user: str, changes: UserChanges) -> User:
        for _ in range(_ATTEMPTS):
            known = await self.get_user(user)
            if known is None:
                raise UserNotFound
            changed = storable(changed_person(known, changes))
            if await self._replace(known, changed, guarded=True):
                if changed.disabled is not None:
                    await self.delete_sessions(user)
                return changed
        raise _too_many()

    async def note_seen(self, user: str, *, now: int) -> None:
        with suppress(ConditionalCheckFailed):
            is_there = F(names.PARTITION_KEY).exists()
            await self._table.update(*_place(user), F(names.LAST_SEEN).set(now), condition=is_there)

    async def empty_user(self, user: str) -> None:
        known = await self.get_user(user)
        await self.delete_sessions(user)
        partition = names.owner_partition(user)
        items = await self._table.query(HashKey(names.PARTITION_KEY, partition), fields=(names.SORT_KEY, names.DIGEST))
        sorts = [item[names.SORT_KEY] for item in items if item[names.SORT_KEY] != names.USER_SORT]
        places = [
            (names.passkey_partition(item[names.DIGEST]), names.PASSKEY_SORT) for item in items if names.DIGEST in item
        ]
        await self._table.write_many(deletes=places)  # first: only the passkeys themselves say where these are
        await self._table.write_many(deletes=[(partition, sort) for sort in sorts])
        if known is not None:
            partition, sort = subject_place(known.issuer, known.subject)
            place = {names.PARTITION_KEY: partition, names.SORT_KEY: sort}
            # It is somebody else's where an earlier deletion broke off here, and they have come anew meanwhile.
            await self._table.transact([Delete(self._table.name, place, F(names.USER).equals(user))])

    async def remove_user(self, user: str) -> None:
        if await self.get_user(user) is not None:
            # First: who is removed and not noted would not be looked for once more.
            note = {names.PARTITION_KEY: names.REMOVED, names.SORT_KEY: user, names.LEAVING: now_ms()}
            await self._table.put(note)
        await self._table.delete(*_place(user))

    async def list_removed(self, *, before: int) -> tuple[str, ...]:
        items = await self._table.query(HashKey(names.PARTITION_KEY, names.REMOVED))
        return tuple(item[names.SORT_KEY] for item in items if item[names.LEAVING] < before)

    async def drop_removed(self, user: str) -> None:
        await self._table.delete(names.REMOVED, user)

    # ------------------------------------------------------------ sessions and begun sign-ins

    async def save_session(self, session: Session) -> None:
        session = storable(session)
        await self._table.put(listed_session(session))  # first, so that there is none that is not found
        keeping = self._table.put(expiring_item(session_place(session.id), session))
        # Side by side, and as they were a moment ago: nobody waits longer for a session, and half a read unit is all.
        known, _ = await gathered((self._sessions_of(session.user, as_of_now=False), keeping))
        others = sorted((each for each in known or () if each[1] != session.id), reverse=True)
        await self._end_sessions(session.user, [each for _, each in others[MOST_SESSIONS - 1 :]])

    async def get_session(self, session: str, *, now: int) -> tuple[Session, User] | None:
        item = await self._table.get(*session_place(session))
        if item is None:
            return None
        found = _session_decoder.decode(item[names.VALUE])
        user = await self.get_user(found.user) if found.expires > now else None
        return None if user is None or user.disabled is not None else (found, user)

    async def list_sessions(self, user: str, *, now: int) -> tuple[Session, ...]:
        items = await self._table.get_many(session_place(session) for _, session in await self._sessions_of(user))
        found = [_session_decoder.decode(item[names.VALUE]) for item in items]
        live = (session for session in found if session.expires > now)
        return tuple(sorted(live, key=lambda session: (session.created, session.id), reverse=True))

    async def touch_session(self, session: Session, *, now: int, address: str | None) -> None:
        if now - session.last_seen < SEEN_EVERY_MS:
            return
        touched = storable(msgspec.structs.replace(session, last_seen=now, address=address))
        await self._table.put(listed_session(touched))  # one from before there was this is found from now on
        with suppress(ConditionalCheckFailed):
            is_there = F(names.PARTITION_KEY).exists()
            await self._table.put(expiring_item(session_place(session.id), touched), condition=is_there)
            return
        await self._table.delete(names.owner_partition(session.user), names.listed_session_sort(session.id))

    async def delete_session(self, session: str) -> None:
        item = await self._table.delete(*session_place(session))
        if item is not None:
            user = _session_decoder.decode(item[names.VALUE]).user
            await self._table.delete(names.owner_partition(user), names.listed_session_sort(session))

    async def delete_sessions(self, user: str, *, but: str | None = None) -> int:
        known = await self._sessions_of(user)
        return await self._end_sessions(user, [session for _, session in known if session != but])

    async def _end_sessions(self, user: str, ending: Sequence[str]) -> int:
        ended = await gathered(self._table.delete(*session_place(session)) for session in ending)
        partition = names.owner_partition(user)
        await self._table.write_many(deletes=[(partition, names.listed_session_sort(session)) for session in ending])
        return sum(session is not None for session in ended)

    async def _sessions_of(self, user: str, *, as_of_now: bool = True) -> list[tuple[int, str]]:
        """Return when each of somebody's sessions expires, and its id."""
        beginning = names.listed_session_sort("")
        mine = HashKey(names.PARTITION_KEY, names.owner_partition(user))
        items = await self._table.query(
            mine & RangeKey(names.SORT_KEY).begins_with(beginning),
            fields=(names.SORT_KEY, names.EXPIRES),
            as_of_now=as_of_now,
        )
        return [(int(item[names.EXPIRES]), item[names.SORT_KEY].removeprefix(beginning)) for item in items]

    async def save_attempt(self, attempt: SignInAttempt) -> None:
        await self._table.put(expiring_item((names.attempt_partition(attempt.id), names.ATTEMPT_SORT), attempt))

    async def take_attempt(self, attempt: str, *, now: int) -> SignInAttempt | None:
        item = await self._table.delete(names.attempt_partition(attempt), names.ATTEMPT_SORT)
        if item is None:
            return None
        taken = _attempt_decoder.decode(item[names.VALUE])
        return taken if taken.expires > now else None

    async def purge_expired(self, *, now: int) -> int:  # noqa: ARG002 - DynamoDB looks at its own clock
        return 0

    # ------------------------------------------------------------ writing people

    async def _add(self, user: User) -> bool:
        """Keep a new person; False where their issuer's subject is somebody already."""
        partition, sort = subject_place(user.issuer, user.subject)
        place = {names.PARTITION_KEY: partition, names.SORT_KEY: sort, names.USER: user.id}
        is_new = F(names.PARTITION_KEY).does_not_exist()
        return not await self._table.transact(
            [Put(self._table.name, item, is_new) for item in (place, user_item(user))]
        )

    async def _replace(self, known: User, changed: User, *, guarded: bool = False) -> bool:
        """Keep a changed person; False where somebody else changed them meanwhile. `guarded`: raise `LastAdmin`."""
        before, after = user_attributes(known), user_attributes(changed)
        given = {name: value for name, value in after.items() if value != before[name]}
        if not given:
            return True
        if guarded and loses_admin(known, changed):
            key = {names.PARTITION_KEY: names.owner_partition(known.id), names.SORT_KEY: names.USER_SORT}
            update = Update(self._table.name, key, changes(given), is_as_before(known))
            return not await self._table.transact([update, await self._other_admin(known.id)])
        with suppress(ConditionalCheckFailed):
            await self._table.update(*_place(known.id), changes(given), condition=is_as_before(known))
            return True
        return False

    async def _other_admin(self, user: str) -> Operation:
        """Return the check that another admin is one still. Raise `LastAdmin`."""
        others = (other for other in await self.list_users() if other.id != user and other.is_enabled_admin)
        other = next(others, None)
        if other is None:
            raise LastAdmin
        key = {names.PARTITION_KEY: names.owner_partition(other.id), names.SORT_KEY: names.USER_SORT}
        return ConditionCheck(self._table.name, key, may_run_the_server())


def _place(user: str) -> tuple[str, str]:
    return names.owner_partition(user), names.USER_SORT


def _too_many() -> StoreError:
    return StoreError("Too many are changing this account at once. Try again in a moment.")
