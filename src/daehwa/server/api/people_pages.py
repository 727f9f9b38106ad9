"""Pages of the list of people: whom a search means, and the cursor by which the next page begins."""

import base64
import binascii
import unicodedata
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from daehwa.accounts.people import User
from daehwa.conversation.errors import InvalidRequest


class PeopleQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to list."""

    query: Annotated[str, Meta(description="Words to look for in names, logins and addresses.", max_length=500)] = ""
    after: Annotated[str | None, Meta(description="The cursor that came with the page before.")] = None
    limit: Annotated[int, Meta(description="How many at most.", ge=1, le=100)] = 50


class _Position(msgspec.Struct, frozen=True, array_like=True, order=True):
    """Where somebody stands in the list: what a cursor holds. It stays right when they are deleted meanwhile."""

    created: int
    id: Annotated[str, Meta(max_length=64)]


class Page(NamedTuple):
    """People of one page, how many there are in all, and the cursor of the next page."""

    people: Sequence[User]
    total: int
    after: str | None


def page_of(users: Sequence[User], asked: PeopleQuery) -> Page:
    """Return the page that is asked for of users in order. Raise `InvalidRequest`."""
    words = _folded(asked.query).split()
    found = [user for user in users if all(word in _named(user) for word in words)] if words else users
    begin = None if asked.after is None else _decoded(asked.after)
    left = found if begin is None else [user for user in found if _position(user) > begin]
    people = left[: asked.limit]
    after = _encoded(_position(people[-1])) if len(left) > len(people) else None
    return Page(people, len(found), after)


def _named(user: User) -> str:
    return _folded(f"{user.name} {user.login or ''} {user.email or ''}")


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _position(user: User) -> _Position:
    return _Position(user.created, user.id)


def _encoded(position: _Position) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def _decoded(text: str) -> _Position:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(raw, type=_Position)
    except (ValueError, binascii.Error):
        raise InvalidRequest("'after' is not a cursor of this list. Begin again without it.", param="after") from None
