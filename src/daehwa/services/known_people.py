"""Who is known at a home, and by what they can be named in the terminal."""

from collections.abc import Iterable
from typing import Self

import msgspec

from daehwa.accounts.people import User, folded_login

__all__ = ["KnownPeople", "folded_login"]


class KnownPeople(msgspec.Struct, frozen=True):
    """The e-mail addresses and the logins of who is known, by id; empty where a person has none."""

    emails: dict[str, str]
    logins: dict[str, str]

    @classmethod
    def of(cls, users: Iterable[User]) -> Self:
        """Take from each what they can be named by."""
        known = tuple(users)
        return cls({user.id: user.email or "" for user in known}, {user.id: user.login or "" for user in known})

    def __bool__(self) -> bool:
        return bool(self.emails)

    def called(self, person: str) -> str:
        """Return what this person is called: the id says nothing to anybody."""
        return self.emails.get(person) or self.logins.get(person) or person

    def named(self, name: str) -> list[str]:
        """Return the ids of whom a login or an e-mail address may mean, in any case of letters, and however a keyboard
        has put them together. An empty name means nobody: that is what a script writes that has lost one.
        """
        if not (folded := folded_login(name)):
            return []
        return [
            person for person in self.emails if self.has_login(person, name) or folded == self._folded_email(person)
        ]

    def with_email(self, email: str) -> list[str]:
        """Return the ids of whose address it is, in any case of letters: another provider may write it otherwise."""
        folded = folded_login(email)
        return [person for person, theirs in self.emails.items() if theirs and self._folded_email(person) == folded]

    def has_login(self, person: str, name: str) -> bool:
        """Whether a name is this person's login."""
        return folded_login(name) == self.logins[person]

    def _folded_email(self, person: str) -> str:
        return folded_login(self.emails[person])
