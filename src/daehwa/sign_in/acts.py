"""What is written into the audit log of signing in: who did what, from where. Never a password, a code or a token."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from daehwa.accounts.audit import FactValue, NewEvent
from daehwa.accounts.people import User
from daehwa.conversation.ids import now_ms
from daehwa.sign_in.visitors import Visitor

if TYPE_CHECKING:
    from daehwa.accounts.people_ports import AuditStore


class Acts:
    """Writes events down; where there is no log, nothing."""

    def __init__(self, audit: "AuditStore | None", clock: Callable[[], int] = now_ms) -> None:
        self._audit = audit
        self._clock = clock

    async def note(
        self, action: str, visitor: Visitor, *, actor: User | None = None, subject: str = "", **details: FactValue
    ) -> None:
        """Write down that something was done; by nobody yet, where there is no `actor`."""
        if self._audit is not None:
            await self._audit.append(self.event(action, visitor, actor=actor, subject=subject, **details))

    def event(
        self, action: str, visitor: Visitor, *, actor: User | None = None, subject: str = "", **details: FactValue
    ) -> NewEvent:
        """Return what would be written down."""
        return NewEvent(
            at=self._clock(),
            action=action,
            actor=None if actor is None else actor.id,
            actor_name="" if actor is None else actor.name or actor.login or actor.email or "",
            subject=subject or ("" if actor is None else actor.id),
            address=visitor.address,
            details=details,
        )
