"""`daehwa usage`: what was used and what it cost, here or on AWS, for a person or for a program."""

import asyncio
import sys
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Literal, TypeAlias

import click
import msgspec

from daehwa.cli.place import Place, aws_table, person_of, prepared_folder, told_of_aws
from daehwa.cli.tables import counted, table
from daehwa.cli.terminal import Refusal, refuse_without_output, say_json, tell
from daehwa.conversation.budget import dollars

if TYPE_CHECKING:
    from daehwa.services.known_people import KnownPeople
    from daehwa.services.open_ledger import UsageReport

Form: TypeAlias = Literal["table", "csv", "json"]
_HEAD = ("day", "user", "key", "model", "kind", "calls", "input", "output", "cost")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which days, in UTC, both inclusive, and whose; None: the last 30, and everybody's."""

    since: str | None
    until: str | None
    user: str | None


def form_of(*, as_csv: bool, as_json: bool) -> Form:
    """Return how it is to be written. Raise `Refusal`."""
    if as_csv and as_json:
        raise Refusal("Give --csv or --json, not both.")
    return "csv" if as_csv else "json" if as_json else "table"


def tell_usage(asked: Asked, place: Place, form: Form) -> int:
    """Write to standard output what was used; return the exit code."""
    refuse_without_output()
    days = _day(asked.since, "--since"), _day(asked.until, "--until")

    async def run() -> int:
        from daehwa.services.open_ledger import OpenLedger  # noqa: PLC0415 - after what was typed has been checked

        if place.is_on_aws:
            opened = OpenLedger.on_aws(aws_table(place))
        else:
            opened = await OpenLedger.local(prepared_folder(place, is_new=False))
        try:
            _write(await opened.report(*days, lambda people: _whose(asked.user, people, place)), form)
        finally:
            await opened.aclose()
        return 0

    return told_of_aws("usage", place, lambda: asyncio.run(run()))


def _day(text: str | None, option: str) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"'{text}' is no day such as 2027-01-31.", param_hint=option) from None


def _whose(named: str | None, people: "KnownPeople", place: Place) -> str | None:
    return None if named is None else person_of(named, people, is_local=not place.is_on_aws, option="--user")


def _write(report: "UsageReport", form: Form) -> None:
    if form == "csv":
        from daehwa.services.open_ledger import csv_of  # noqa: PLC0415 - as above

        sys.stdout.buffer.write(csv_of(report).encode("utf-8-sig"))  # as the page's, for spreadsheets
        sys.stdout.buffer.flush()
        return
    if form == "json":
        say_json(report)
        return
    if report.rows:
        click.echo("\n".join(table([_HEAD, *_rows(report)])))
    tell(_summed(report))


def _rows(report: "UsageReport") -> Iterator[tuple[str, ...]]:
    for row in report.rows:
        yield (
            row.day,
            report.users.get(row.user, row.user),
            "" if row.key is None else report.keys.get(row.key, row.key),
            row.model,
            row.kind,
            f"{row.calls:,}",
            f"{row.input:,}",
            f"{row.output:,}",
            dollars(row.cost),
        )


def _summed(report: "UsageReport") -> str:
    calls, unpriced = (sum(getattr(row, name) for row in report.rows) for name in ("calls", "unpriced"))
    cost = dollars(sum(row.cost for row in report.rows))
    more = f" {unpriced:,} of them have no known price." if unpriced else ""
    return f"From {report.since} to {report.until} (UTC): {counted(calls, 'call')}, {cost}.{more}"
