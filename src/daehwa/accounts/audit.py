"""The audit log: who did what, from where, each event chained to the one before it. Never what anybody wrote.

How this works and why. An event's hash covers the hash before it, so nothing can be changed, taken out or put in
between without the chain breaking there. What says who a person was must go when the person asks for that, and yet the
chain must hold: so the event's hash covers two digests only, of who did it (name, address) and of the details, each
with a random salt. Erasing a person takes away what the digests were made of and their salts. What is left says that
something was done, when, and by which number; the number is nobody's any more. Who did something to others and then
goes takes no details of that along. The chain is a guard against changes made by hand, not against one who computes it
anew from some event on: whoever wants that too exports the log, or notes its last hash, elsewhere.
"""

import hashlib
import os
from collections.abc import Collection
from typing import Final, TypeAlias

import msgspec

FactValue: TypeAlias = str | int | bool | None

DELETED: Final = "person.deleted"
"""Written once of each person, when nothing that is theirs is left."""
LONGEST_FACT = 200
"""How many letters of a fact are kept."""
PERSONAL_DETAILS = ("login", "email")
"""The only details that may say who a person is; they are erased with the person."""
TERMINAL: Final = "terminal"
"""Who did what was done by the program in the terminal, where nobody is signed in."""
FIRST_PREVIOUS = "0" * 64
"""What the first event names as the hash before it."""
_SALT_BYTES = 16
_encoder = msgspec.json.Encoder(order="sorted")


class NewEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was done, to be written down. `actor` is a user's id, None where nobody is signed in.

    `action` is `noun.verb` in past tense ("person.disabled"). `subject` is the id of what it was done to; where that is
    a person, their id, so that it can be erased with them. `details` are short facts and never a secret, a word of a
    conversation, or what somebody typed where a login is asked for that nobody has. Who a person is stands in "login"
    and "email" alone; what a key was called, where its owner is the subject.
    """

    at: int
    action: str
    actor: str | None = None
    actor_name: str = ""
    subject: str = ""
    address: str | None = None
    details: dict[str, FactValue] = {}


class AuditEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it stands in the log. `seq` counts from 1 without a gap.

    `who` is the SHA-256 (hex) of name, address and `who_salt`, `what` that of the details and `what_salt`: a salt is
    empty, and with it what it guards, once that was erased. `hash` covers the digests and all else, the hash of the
    event before (`previous`) included.
    """

    seq: int
    at: int
    actor: str | None
    actor_name: str
    action: str
    subject: str
    address: str | None
    details: dict[str, FactValue]
    who_salt: str
    who: str
    what_salt: str
    what: str
    previous: str
    hash: str


class AuditCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the chain holds: how many events there are, and the first number at which it does not."""

    ok: bool
    events: int
    broken_at: int | None = None


def chained(new: NewEvent, *, seq: int, previous: str) -> AuditEvent:
    """Return an event as the next one of the chain; `previous` is the hash of the one before."""
    event = AuditEvent(
        seq=seq,
        at=new.at,
        actor=new.actor,
        actor_name=new.actor_name[:LONGEST_FACT],
        action=new.action,
        subject=new.subject,
        address=new.address,
        details={name: _short(value) for name, value in new.details.items()},
        who_salt=os.urandom(_SALT_BYTES).hex(),
        who="",
        what_salt=os.urandom(_SALT_BYTES).hex(),
        what="",
        previous=previous,
        hash="",
    )
    event = msgspec.structs.replace(event, who=_who(event), what=_what(event))
    return msgspec.structs.replace(event, hash=_hash(event))


def is_same_act(event: AuditEvent, new: NewEvent) -> bool:
    """Whether an event says what a new one would say: the same was done to the same."""
    return (event.action, event.subject) == (new.action, new.subject)


def erased(event: AuditEvent, user: str, words: Collection[str]) -> AuditEvent:
    """Return an event without what says who this person was; the chain holds as before. `words` are their login and
    e-mail address, folded: the details that are named so are looked at.
    """
    if event.action == DELETED and event.subject == user:
        return event  # written when all else was erased, so it names nobody
    is_named = any(str(event.details.get(name, "")).casefold() in words for name in PERSONAL_DETAILS)
    is_subject = event.subject == user or is_named
    if event.actor == user or (event.actor is None and is_subject):
        event = msgspec.structs.replace(event, actor_name="", address=None, who_salt="")
    if is_subject:
        event = msgspec.structs.replace(event, details={}, what_salt="")
    return event


class ChainWalk:
    """Looks at a log event by event, oldest first, and says whether the chain holds."""

    def __init__(self) -> None:
        self._events = 0
        self._previous = FIRST_PREVIOUS
        self._broken_at: int | None = None

    def see(self, event: AuditEvent) -> None:
        """Look at the next event."""
        self._events += 1
        fits = event.seq == self._events and event.previous == self._previous and event.hash == _hash(event)
        if self._broken_at is None and not (fits and _facts_fit(event)):
            self._broken_at = self._events
        self._previous = event.hash

    @property
    def result(self) -> AuditCheck:
        """What was seen so far."""
        return AuditCheck(ok=self._broken_at is None, events=self._events, broken_at=self._broken_at)


def _short(value: FactValue) -> FactValue:
    return value[:LONGEST_FACT] if isinstance(value, str) else value


def _facts_fit(event: AuditEvent) -> bool:
    who_fits = event.who == _who(event) if event.who_salt else not event.actor_name and event.address is None
    what_fits = event.what == _what(event) if event.what_salt else not event.details
    return who_fits and what_fits


def _who(event: AuditEvent) -> str:
    return _digest((event.who_salt, event.actor_name, event.address))


def _what(event: AuditEvent) -> str:
    return _digest((event.what_salt, event.details))


def _hash(event: AuditEvent) -> str:
    return _digest(
        {
            "seq": event.seq,
            "at": event.at,
            "actor": event.actor,
            "action": event.action,
            "subject": event.subject,
            "who": event.who,
            "what": event.what,
            "previous": event.previous,
        }
    )


def _digest(value: object) -> str:
    """Return the SHA-256 of a value's canonical JSON: sorted keys, no spaces, UTF-8."""
    return hashlib.sha256(_encoder.encode(value)).hexdigest()
