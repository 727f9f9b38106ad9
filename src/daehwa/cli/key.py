"""`daehwa key create`, `list` and `revoke`: keys by which programs ask in a person's name, here or on AWS."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from daehwa.cli.options import place_options
from daehwa.cli.place import Place, aws_table, choices, person_of, prepared_folder, settings_of, told_of_aws
from daehwa.cli.tables import counted, day, table
from daehwa.cli.terminal import Refusal, refuse_without_output, say_json, tell
from daehwa.conversation.budget import dollars
from daehwa.services.local import OWNER

if TYPE_CHECKING:
    from daehwa.conversation.budget import BudgetKind
    from daehwa.services.key_ring import Key, KeyRing, MadeKey
    from daehwa.services.known_people import KnownPeople

_SPAN = re.compile(r"(\d{1,5})([hdw])")
_DAY_MS = 86_400_000
_HOURS = {"h": 1, "d": 24, "w": 24 * 7}
_DOLLARS = re.compile(r"\$?(\d{1,7}(?:\.\d{1,6})?)")
_PERIODS: tuple["BudgetKind", ...] = ("day", "month", "total")
_HEAD = ("key", "name", "whose", "models", "limits", "this month", "last used", "state")


def _as_micro(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    """Read an amount of dollars as micro-dollars."""
    if text is None:
        return None
    found = _DOLLARS.fullmatch(text)
    if found is None:
        raise click.BadParameter(f"'{text}' is no amount of dollars. Write it as 2.50, with six decimals at most.")
    return int(Decimal(found[1]) * 1_000_000)


def _as_time(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    """Read a span of time from now, or a day at whose end it is over, as milliseconds since 1970."""
    if text is None:
        return None
    if (span := _SPAN.fullmatch(text)) is not None:
        return _ms(datetime.now(UTC) + timedelta(hours=int(span[1]) * _HOURS[span[2]]))
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"'{text}' is neither a span such as 90d, 12h or 4w nor a day such as 2027-01-31."
        ) from None
    return _ms(datetime(day.year, day.month, day.day, tzinfo=UTC)) + _DAY_MS


@click.group(name="key", context_settings={"max_content_width": 100})
def key() -> None:
    """Make, list and revoke API keys, by which programs ask here in a person's name.

    On this machine a server may be running meanwhile: what is done here holds for it at once.
    """


_user = click.option("--user", metavar="USER", help="Whose key, where people sign in: a login, e-mail address or id.")
_json = click.option("--json", "as_json", is_flag=True, help="JSON, for programs.")


@key.command(name="create")
@click.argument("label", metavar="NAME")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="MODEL",
    help="A model it may ask, or a pattern with *. Can be repeated. [every]",
)
@click.option("--day", callback=_as_micro, metavar="DOLLARS", help="What it may spend a day.")
@click.option("--month", callback=_as_micro, metavar="DOLLARS", help="What it may spend a month.")
@click.option("--total", callback=_as_micro, metavar="DOLLARS", help="What it may spend in all.")
@click.option(
    "--requests-per-minute",
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help="How many requests it may make a minute.",
)
@click.option(
    "--tokens-per-minute",
    type=click.IntRange(1, 1_000_000_000),
    metavar="N",
    help="How many tokens it may use a minute.",
)
@click.option(
    "--expires",
    callback=_as_time,
    metavar="WHEN",
    help="After 90d, 12h or 4w, or at the end of 2027-01-31 (UTC). [never]",
)
@_user
@_json
@place_options
def create(label: str, *, user: str | None, as_json: bool, **given: Any) -> int:
    """Make a key called NAME; its text, told this one time, is all of standard output."""
    place, limits = _separated(given)
    return create_key(label, place, user=user, limits=limits, as_json=as_json)


@key.command(name="list")
@click.option("--all", "old_too", is_flag=True, help="Those too that were revoked or have expired.")
@_user
@_json
@place_options
def list_(*, old_too: bool, user: str | None, as_json: bool, **place: Any) -> int:
    """List keys, and what each has cost this month.

    Beside a key's own limits stand those that the settings give each key. Of an installation on AWS the page has them.
    """
    return list_keys(Place(**place), user=user, old_too=old_too, as_json=as_json)


@key.command()
@click.argument("named", metavar="KEY")
@_user
@_json
@place_options
def revoke(named: str, *, user: str | None, as_json: bool, **place: Any) -> int:
    """Revoke a key at once and for good. KEY is the beginning of its text (dh_…), its id or its name."""
    return revoke_key(named, Place(**place), user=user, as_json=as_json)


def _separated(given: Mapping[str, Any]) -> tuple[Place, dict[str, Any]]:
    where = {name: value for name, value in given.items() if name in Place.__struct_fields__}
    return Place(**where), {name: value for name, value in given.items() if name not in where}


def create_key(name: str, place: Place, *, user: str | None, limits: Mapping[str, Any], as_json: bool) -> int:
    """Make a key, and print its text alone to standard output; one whose text cannot be told is revoked."""
    refuse_without_output()

    async def make(ring: "KeyRing") -> int:
        people = await ring.people()
        whose = _whose(user, people, place)
        given = {key: value for key, value in limits.items() if value is not None}
        made = await ring.make(whose, {"name": name, **given})
        try:
            return told(made, people.called(whose), has_people=bool(people))
        except OSError:
            await ring.revoke(made.key.id)
            tell(f"The key “{made.key.name}” is revoked again: its text could not be written.")
            raise

    def told(made: "MadeKey", whose: str, *, has_people: bool) -> int:
        if as_json:
            say_json(made)
            return 0
        owner = f" of {whose}" if has_people else ""
        tell(f"The key “{made.key.name}”{owner}, {made.key.prefix}…. Its text is told this one time and kept nowhere:")
        click.echo(made.secret)
        return 0

    return _with_ring("key create", place, make)


def list_keys(place: Place, *, user: str | None, old_too: bool, as_json: bool) -> int:
    """Print keys as a table, or as JSON."""
    refuse_without_output()

    async def show(ring: "KeyRing") -> int:
        people = await ring.people()
        whose = None if user is None else person_of(user, people, is_local=not place.is_on_aws, option="--user")
        keys = await ring.listed(whose, old_too=old_too)
        if as_json:
            say_json({"keys": keys, "each": ring.each})
        elif keys:
            click.echo("\n".join(table([_HEAD, *(_row(key, people, ring.each) for key in keys)])))
        else:
            whose_keys = "" if whose is None else f" of {people.called(whose)}"
            others = "" if old_too else "; --all lists those too that were revoked or have expired"
            tell(f"There are no keys{whose_keys}{others}. `daehwa key create NAME` makes one.")
        return 0

    return _with_ring("key list", place, show, is_new=False)


def revoke_key(named: str, place: Place, *, user: str | None, as_json: bool) -> int:
    """Revoke the one key that is named."""

    async def revoke(ring: "KeyRing") -> int:
        people = await ring.people()
        whose = None if user is None else person_of(user, people, is_local=not place.is_on_aws, option="--user")
        found = await ring.found(named, whose)
        if not found:
            raise Refusal(f"There is no key '{named}'. `daehwa key list` says which there are.")
        if len(found) > 1:
            raise Refusal(f"'{named}' may be {' or '.join(key.prefix for key in found)}. Name one by that.")
        if (since := found[0].revoked) is not None:
            raise Refusal(f"The key “{found[0].name}”, {found[0].prefix}…, was revoked already, {day(since)} (UTC).")
        key = await ring.revoke(found[0].id)
        if as_json:
            say_json(key)
        else:
            tell(f"The key “{key.name}”, {key.prefix}…, is revoked: it opens nothing from now on.")
        return 0

    return _with_ring("key revoke", place, revoke, is_new=False)


def _with_ring(command: str, place: Place, work: "Callable[[KeyRing], Awaitable[int]]", *, is_new: bool = True) -> int:
    async def run() -> int:
        from daehwa.services.key_ring import KeyRing  # noqa: PLC0415 - after what was typed has been checked

        if place.is_on_aws:
            ring = KeyRing.on_aws(aws_table(place))
        else:
            ring = await KeyRing.local(prepared_folder(place, is_new=is_new), settings_of(place).money)
        try:
            return await work(ring)
        finally:
            await ring.aclose()

    return told_of_aws(command, place, lambda: asyncio.run(run()))


def _whose(user: str | None, people: "KnownPeople", place: Place) -> str:
    is_local = not place.is_on_aws
    if user is not None:
        return person_of(user, people, is_local=is_local, option="--user")
    if is_local and (OWNER in people.emails or not people):
        return OWNER
    if len(people.emails) == 1:
        return next(iter(people.emails))
    raise Refusal(f"Say whose key it is to be: --user {choices(people, is_local=is_local)}.")


def _row(key: "Key", people: "KnownPeople", each: "Mapping[BudgetKind, int]") -> tuple[str, ...]:
    return (
        key.prefix,
        key.name,
        people.called(key.user),
        ", ".join(key.models) or "every",
        ", ".join((*_limits(key), *_limits_of_each(each))) or "none",
        dollars(key.spent.month),
        "never" if key.last_used is None else day(key.last_used),
        _state(key),
    )


def _limits(key: "Key") -> Iterator[str]:
    for period in _PERIODS:
        if (limit := getattr(key, period)) is not None:
            yield _money(limit, period)
    if key.requests_per_minute is not None:
        yield f"{counted(key.requests_per_minute, 'request')} a minute"
    if key.tokens_per_minute is not None:
        yield f"{counted(key.tokens_per_minute, 'token')} a minute"


def _limits_of_each(each: "Mapping[BudgetKind, int]") -> Iterator[str]:
    for period in _PERIODS:
        if (limit := each.get(period)) is not None:
            yield f"{_money(limit, period)} (each key)"


def _money(limit: int, period: "BudgetKind") -> str:
    return f"{dollars(limit)} {'in all' if period == 'total' else f'a {period}'}"


def _state(key: "Key") -> str:
    if key.revoked is not None:
        return f"revoked {day(key.revoked)}"
    if key.expires is None:
        return "live"
    is_over = key.expires <= datetime.now(UTC).timestamp() * 1000
    return f"{'expired' if is_over else 'live until'} {day(key.expires)}"


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
