"""Items of people and of their sessions as values of the core, and back."""

import hashlib
from typing import Any, Final

import msgspec
from aiodynamo.expressions import Condition, F

from daehwa.accounts.people import Session, SignInAttempt, User
from daehwa.stores import dynamodb_table as names
from daehwa.stores.dynamodb_client import Item

_encoder = msgspec.json.Encoder()
_ATTRIBUTES: Final = {
    "issuer": names.ISSUER,
    "subject": names.SUBJECT,
    "email": names.EMAIL,
    "name": names.NAME,
    "role": names.ROLE,
    "groups": names.GROUPS,
    "claimed": names.CLAIMED,
    "created": names.CREATED,
    "last_seen": names.LAST_SEEN,
    "disabled": names.DISABLED,
    "leaving": names.LEAVING,
}


def user_attributes(user: User) -> dict[str, Any]:
    """Return what is kept of a person beside the keys; None where there is nothing."""
    attributes = {attribute: getattr(user, name) for name, attribute in _ATTRIBUTES.items()}
    lists = {names.GROUPS: list(user.groups) or None, names.CLAIMED: list(user.claimed) or None}
    return attributes | lists | {names.NAME: user.name or None}


def user_item(user: User) -> Item:
    """Return a person as an item."""
    item = {
        names.PARTITION_KEY: names.owner_partition(user.id),
        names.SORT_KEY: names.USER_SORT,
        names.LIST: names.USER_LIST,
        names.ORDER: f"{names.moment_order(user.created)}#{user.id}",
        **user_attributes(user),
    }
    return {name: value for name, value in item.items() if value is not None}


def user_of(item: Item) -> User:
    """Return an item as the person."""
    partition: str = item[names.PARTITION_KEY]
    values = {name: item[attribute] for name, attribute in _ATTRIBUTES.items() if attribute in item}
    lists = {name: tuple(values.get(name, ())) for name in ("groups", "claimed")}
    return User(id=partition.removeprefix(names.owner_partition("")), **{**values, **lists})


def is_as_before(user: User) -> Condition:
    """Return the condition that nobody changed a person's rights since they were read."""
    condition: Condition = F(names.ROLE).equals(user.role)
    rights = ((names.DISABLED, user.disabled), (names.LEAVING, user.leaving), (names.GROUPS, list(user.groups) or None))
    for attribute, value in rights:
        condition &= F(attribute).does_not_exist() if value is None else F(attribute).equals(value)
    return condition


def may_run_the_server() -> Condition:
    """Return the condition that somebody is an admin who can come in."""
    return F(names.ROLE).equals("admin") & F(names.DISABLED).does_not_exist()


def subject_place(issuer: str, subject: str) -> tuple[str, str]:
    """Return where it stands who an issuer's subject is."""
    digest = hashlib.sha256(_encoder.encode((issuer, subject))).hexdigest()
    return names.subject_partition(digest), names.ISSUER_SORT


def session_place(session: str) -> tuple[str, str]:
    """Return where a session is."""
    return names.session_partition(session), names.SESSION_SORT


def listed_session(session: Session) -> Item:
    """Return the item by which a person's sessions are found."""
    return {
        names.PARTITION_KEY: names.owner_partition(session.user),
        names.SORT_KEY: names.listed_session_sort(session.id),
        names.EXPIRES: _seconds(session.expires),
    }


def expiring_item(place: tuple[str, str], value: Session | SignInAttempt) -> Item:
    """Return a value as an item that DynamoDB takes away once it has expired."""
    return {
        names.PARTITION_KEY: place[0],
        names.SORT_KEY: place[1],
        names.VALUE: _encoder.encode(value),
        names.EXPIRES: _seconds(value.expires),
    }


def _seconds(milliseconds: int) -> int:
    return -(-milliseconds // 1000)
