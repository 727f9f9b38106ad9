"""`daehwa announce`: one line that everybody sees at the top of the page."""

import asyncio
from datetime import datetime

import click
import msgspec

from daehwa.cli.place import Place, aws_table, prepared_folder, told_of_aws
from daehwa.cli.terminal import Refusal, tell
from daehwa.services.announcing import Announcement, Announcing


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed: the text in English and in Korean, until when; or that it is to be taken down."""

    english: str | None
    korean: str | None
    until: str | None
    take_down: bool


def tell_everybody(asked: Asked, place: Place) -> int:
    """Announce something, take it down, or say what is announced; return the exit code."""
    is_text = asked.english is not None or asked.korean is not None
    if asked.take_down and (is_text or asked.until is not None):
        raise Refusal("Give a text, or --take-down, not both.")
    if asked.until is not None and not is_text:
        raise Refusal("--until says when a text is over. Give the text as well.")
    wish = Announcement(en=asked.english or "", ko=asked.korean or "", until=_moment(asked.until))

    async def run() -> int:
        if place.is_on_aws:
            opened = Announcing.on_aws(aws_table(place))
        else:
            opened = await Announcing.local(prepared_folder(place, is_new=False))
        try:
            if not place.is_on_aws and not await opened.reaches_anybody():
                raise Refusal(
                    "Nobody signs in here, so there is nobody to be told. docs/accounts.md says how people do."
                )
            if is_text or asked.take_down:
                told = await opened.announce(wish if is_text else None)
            else:
                told = await opened.current()
        finally:
            await opened.aclose()
        _say(told, is_new=is_text)
        return 0

    return told_of_aws("announce", place, lambda: asyncio.run(run()))


def _moment(text: str | None) -> int | None:
    """Return a moment in ms since 1970; without an offset it is this machine's time."""
    try:
        return None if text is None else int(datetime.fromisoformat(text).astimezone().timestamp() * 1000)
    except (ValueError, OverflowError):
        raise click.BadParameter(f"'{text}' is no moment such as '2027-01-31 18:00'.", param_hint="--until") from None


def _say(told: Announcement | None, *, is_new: bool) -> None:
    if told is None:
        tell("Nothing is announced.")
        return
    ends = (
        ""
        if told.until is None
        else f" until {datetime.fromtimestamp(told.until / 1000).astimezone():%Y-%m-%d %H:%M %Z}"
    )
    tell(f"Everybody {'sees it now' if is_new else 'is told'} at the top of the page{ends}:")
    for text in filter(None, (told.en, told.ko)):
        click.echo(text)
