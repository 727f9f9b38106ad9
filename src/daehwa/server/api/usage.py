"""What was used and what it cost, by day, user, key, model, kind and groups: as JSON, and as CSV for spreadsheets."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from daehwa.accounts.ledger import UsageQuery, UsageRow
from daehwa.accounts.ports import KeyStore, LedgerStore
from daehwa.conversation.errors import InvalidRequest
from daehwa.server.asgi import Request, Response, json_response
from daehwa.server.body import query_values
from daehwa.server.books import Books, whose

MOST_DAYS = 400
"""How many days one answer may be about."""
USUAL_DAYS = 30
CSV = "text/csv; charset=utf-8"
_FIRST_DAY, _LAST_DAY = date(1970, 1, 1), date(2099, 12, 31)
# Where the decimal point is a comma, spreadsheets take a semicolon for the end of a cell.
_BEGINS_A_FORMULA = re.compile(r"(^|[;\t])(?=\s*[=+\-@\t\r])")
_COLUMNS = ("day", "user", "key", "model", "kind", "calls", "input", "cached", "output", "reasoning")
_MORE_COLUMNS = ("cost", "reserved", "estimated", "unpriced", "failed", "groups")


class UsageOf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which days, in UTC, both inclusive, at most 400; and whose."""

    since: Annotated[date | None, Meta(description="The first day; left out: 29 days before the last.")] = None
    until: Annotated[date | None, Meta(description="The last day; left out: today.")] = None
    everybody: Annotated[bool, Meta(description="Everybody's, for admins; else one's own.")] = False


class UsageReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was used from one day to another, and what the users, keys and groups of the rows are called, by id. Groups
    are told of everybody's alone: those that somebody was in at the time of the call, by whatever became of it later.
    """

    since: date
    until: date
    rows: tuple[UsageRow, ...]
    users: dict[str, str]
    keys: dict[str, str]
    groups: dict[str, str] = {}


class UsageApi:
    """The operations on usage."""

    def __init__(self, books: Books) -> None:
        self._books = books

    async def get_usage(self, request: Request) -> Response:
        """Return what was used and what it cost, by day, user, key, model and kind, and of everybody's by groups, too.

        A call of somebody in several groups is in one row, which names them all.
        """
        return json_response(await self._report(request))

    async def get_usage_csv(self, request: Request) -> Response:
        """Return the same as CSV (RFC 4180): money in dollars with six decimals, users, keys and groups by name.

        Several groups have "; " between them. A text that a spreadsheet would take for a formula has an apostrophe
        before it. It begins with a byte order mark (U+FEFF): a spreadsheet takes it for UTF-8 by that alone.
        """
        report = await self._report(request)
        name = f"daehwa-usage-{report.since}-{report.until}.csv"
        headers = [
            (b"content-type", CSV.encode()),
            (b"content-disposition", f'attachment; filename="{name}"'.encode()),
            (b"cache-control", b"no-store"),
        ]
        return Response(200, csv_of(report).encode("utf-8-sig"), headers)

    async def _report(self, request: Request) -> UsageReport:
        asked = query_values(request, UsageOf)
        user = whose(request.user, everybody=asked.everybody)
        days = days_of(asked.since, asked.until, now=self._books.clock())
        names = await self._books.names_of(request.user, everybody=asked.everybody)
        groups = await self._books.group_names() if asked.everybody else None
        return await usage_report(self._books.ledger, self._books.keys, names, days, user=user, groups=groups)


def days_of(since: date | None, until: date | None, *, now: int) -> tuple[date, date]:
    """Return the first and the last day that are asked for. Raise `InvalidRequest`."""
    until = until or datetime.fromtimestamp(now / 1000, UTC).date()
    since = since or max(_FIRST_DAY, max(_FIRST_DAY, until) - timedelta(days=USUAL_DAYS - 1))
    if not _FIRST_DAY <= since <= until <= _LAST_DAY:
        raise InvalidRequest("The first day is not after the last, and both are from 1970 to 2099.", param="since")
    if (until - since).days >= MOST_DAYS:
        raise InvalidRequest(f"At most {MOST_DAYS} days can be asked for at once.", param="since")
    return since, until


async def usage_report(
    ledger: LedgerStore,
    keys: KeyStore,
    names: Mapping[str, str],
    days: tuple[date, date],
    *,
    user: str | None,
    groups: Mapping[str, str] | None,
) -> UsageReport:
    """Return what a user, or everybody, has used on these days; `names` are what people are called, `groups` what
    groups are, None where none are to be told.
    """
    since, until = days
    times = {"since": _ms(since), "until": _ms(until + timedelta(days=1))}
    rows = await ledger.usage(UsageQuery(**times, user=user, by_group=groups is not None))
    made = await keys.list_keys(user) if any(row.key is not None for row in rows) else ()
    return UsageReport(
        since=since,
        until=until,
        rows=rows,
        users=_of_rows(names, (row.user for row in rows)),
        keys=_of_rows({key.id: key.name for key in made}, (row.key for row in rows)),
        groups=_of_rows(groups or {}, (group for row in rows for group in row.groups)),
    )


def csv_of(report: UsageReport) -> str:
    """Return a report as CSV."""
    import csv  # noqa: PLC0415 - each start pays for imports, and this is asked for seldom
    import io  # noqa: PLC0415 - as above

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow((*_COLUMNS, *_MORE_COLUMNS))
    for row in report.rows:
        values = {name: getattr(row, name) for name in (*_COLUMNS, *_MORE_COLUMNS)}
        values["user"] = report.users.get(row.user, row.user)
        values["key"] = "" if row.key is None else report.keys.get(row.key, row.key)
        values["groups"] = "; ".join(report.groups.get(group, group) for group in row.groups)
        values["cost"], values["reserved"] = dollars(row.cost), dollars(row.reserved)
        writer.writerow(_safe(value) for value in values.values())
    return text.getvalue()


def dollars(micro: int) -> str:
    """Return micro-dollars as dollars with six decimals, without a float in between."""
    return f"{micro // 1_000_000}.{micro % 1_000_000:06d}"


def _safe(value: str | int) -> str | int:
    return _BEGINS_A_FORMULA.sub(r"\1'", value) if isinstance(value, str) else value


def _of_rows(names: Mapping[str, str], ids: Iterable[str | None]) -> dict[str, str]:
    return {each: names[each] for each in dict.fromkeys(ids) if each is not None and each in names}


def _ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
