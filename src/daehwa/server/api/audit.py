"""The audit log, for admins: who did what, from where. It is only ever added to."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated

import msgspec
from msgspec import Meta

from daehwa.accounts.audit import AuditEvent, FactValue
from daehwa.server.administration import Administration
from daehwa.server.asgi import Request, Response, json_response
from daehwa.server.body import query_values
from daehwa.server.download import Download

NDJSON = "application/x-ndjson"
_PIECE_BYTES = 64 * 1024
_encode = msgspec.json.Encoder().encode


class AuditQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events."""

    before: (
        Annotated[int, Meta(description="Those whose `seq` is below; left out: the newest.", ge=1, le=2**63 - 1)] | None
    ) = None
    limit: Annotated[int, Meta(description="How many at most.", ge=1, le=200)] = 50


class ListedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was done. `actor` is who did it, null where nobody was signed in; `actor_name` what they were
    called then, "" once they are gone. `subject` is the id of what it was done to. `hash` chains it to the one before.
    """

    seq: int
    at: int
    actor: str | None
    actor_name: str
    action: str
    subject: str
    address: str | None
    details: dict[str, FactValue]
    hash: str


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """Events, newest first; `next` is the `before` of the next page, null at the end. `people` are what those are
    called today whom the events are about, by id.
    """

    events: tuple[ListedEvent, ...]
    next: int | None
    people: dict[str, str]


class AuditChecked(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the chain `holds`, of how many `events`, and at which it is broken."""

    holds: bool
    events: int
    broken_at: int | None


class AuditApi:
    """The operations on the audit log."""

    def __init__(self, office: Administration) -> None:
        self._office = office

    async def list_audit_events(self, request: Request) -> Response:
        """List what was done here, newest first."""
        asked = query_values(request, AuditQuery)
        events = await self._office.people.audit.page(before=asked.before, limit=asked.limit)
        named = {person for event in events for person in (event.actor, event.subject)}
        users = await self._office.people.accounts.list_users() if events else ()
        page = AuditPage(
            events=tuple(map(_listed, events)),
            next=events[-1].seq if events and events[-1].seq > 1 else None,
            people={user.id: user.called for user in users if user.id in named},
        )
        return json_response(page)

    async def export_audit_log(self, request: Request) -> Download:
        """Return the whole log, oldest first, one event a line, with all that its chain is made of."""
        await self._office.note(request, "audit.exported")
        return Download(_lines(self._office.people.audit.events()), name="daehwa-audit.ndjson", kind=NDJSON)

    async def check_audit_log(self, _request: Request) -> Response:
        """Walk along the whole log and say whether anything in it was changed by hand."""
        found = await self._office.people.audit.check()
        return json_response(AuditChecked(holds=found.ok, events=found.events, broken_at=found.broken_at))


async def _lines(events: AsyncIterator[AuditEvent]) -> AsyncGenerator[bytes, None]:
    """Yield events in pieces that are worth sending."""
    piece = bytearray()
    async for event in events:
        piece += _encode(event) + b"\n"
        if len(piece) >= _PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


def _listed(event: AuditEvent) -> ListedEvent:
    return ListedEvent(**{name: getattr(event, name) for name in ListedEvent.__struct_fields__})
