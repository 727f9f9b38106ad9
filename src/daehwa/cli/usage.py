"""`daehwa usage`: what was used and what it cost, here or on AWS, for a person or for a program."""

import asyncio
import sys
from collections.abc import Iterable, Iterator
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
    from daehwa.services.open_ledger import UsageReport, UsageRow

Form: TypeAlias = Literal["table", "csv", "json"]
_NUMBERS = ("calls", "input", "output", "cost")
_HEAD = ("day", "user", "key", "model", "kind", *_NUMBERS)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which days, in UTC, both inclusive, and whose; None: the last 30, and everybody's. `by`: what is summed up."""

    since: str | None
    until: str | None
    user: str | None
    by: str | None = None


def form_of(*, as_csv: bool, as_json: bool, by: str | None = None) -> Form:
    """Return how it is to be written. Raise `Refusal`."""
    if by is not None and (as_csv or as_json):
        raise Refusal(
            "--by is for the table: the rows of --csv and --json name day, user, key, model, kind and groups."
        )
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
            _write(await opened.report(*days, lambda people: _whose(asked.user, people, place)), form, asked.by)
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


def _write(report: "UsageReport", form: Form, by: str | None) -> None:
    if form == "csv":
        from daehwa.services.open_ledger import csv_of  # noqa: PLC0415 - as above

        sys.stdout.buffer.write(csv_of(report).encode("utf-8-sig"))  # as the page's, for spreadsheets
        sys.stdout.buffer.flush()
        return
    if form == "json":
        say_json(report)
        return
    if report.rows:
        rows = [_HEAD, *_rows(report)] if by is None else [(by, *_NUMBERS), *_sums(report, by)]
        click.echo("\n".join(table(rows)))
    tell(_summed(report))


def _rows(report: "UsageReport") -> Iterator[tuple[str, ...]]:
    for row in report.rows:
        yield (
            row.day,
            report.users.get(row.user, row.user),
            "" if row.key is None else report.keys.get(row.key, row.key),
            row.model,
            row.kind,
            *_told((row.calls, row.input, row.output, row.cost)),
        )


def _sums(report: "UsageReport", by: str) -> Iterator[tuple[str, ...]]:
    """Yield what each of these comes to: days in their order, all else the dearest first."""
    sums: dict[str, list[int]] = {}
    for row in report.rows:
        for name in _names(report, row, by):
            numbers = sums.setdefault(name, [0] * len(_NUMBERS))
            for at, field in enumerate(_NUMBERS):
                numbers[at] += getattr(row, field)
    order = sorted(sums.items()) if by == "day" else sorted(sums.items(), key=lambda each: (-each[1][-1], each[0]))
    for name, numbers in order:
        yield name, *_told(numbers)


def _names(report: "UsageReport", row: "UsageRow", by: str) -> Iterable[str]:
    """Return what a row is called: by group as often as there are groups, where there are none once."""
    if by == "group":
        return [report.groups.get(group, group) for group in row.groups] or ["(in no group)"]
    if by == "user":
        return [report.users.get(row.user, row.user)]
    if by == "key":
        return ["(no key)" if row.key is None else report.keys.get(row.key, row.key)]
    return [getattr(row, by)]


def _told(numbers: Iterable[int]) -> tuple[str, ...]:
    *counts, cost = numbers
    return (*(f"{number:,}" for number in counts), dollars(cost))


def _summed(report: "UsageReport") -> str:
    calls, unpriced = (sum(getattr(row, name) for row in report.rows) for name in ("calls", "unpriced"))
    cost = dollars(sum(row.cost for row in report.rows))
    more = f" {unpriced:,} of them have no known price." if unpriced else ""
    return f"From {report.since} to {report.until} (UTC): {counted(calls, 'call')}, {cost}.{more}"
