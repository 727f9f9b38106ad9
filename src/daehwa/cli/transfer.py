"""`daehwa export` and `daehwa import`: all conversations into a file, and from it into a store, here or on AWS."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from daehwa import __version__
from daehwa.cli.terminal import FAULT, Refusal, tell
from daehwa.data_folder import DataFolder
from daehwa.services.archives import AwsKey, OpenArchive
from daehwa.services.local import OWNER
from daehwa.settings import load_settings
from daehwa.transfer.file import Head, read_head
from daehwa.transfer.moving import Moved, export_conversations, import_conversations

PIPE = Path("-")
_SHOWN = 10
_EVERY = 100


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Which store is meant: this machine's by its data folder, or an installation's on AWS."""

    data_dir: Path | None = None
    config: Path | None = None
    aws: bool = False
    name: str | None = None
    region: str | None = None
    profile: str | None = None
    table: str | None = None

    @property
    def is_on_aws(self) -> bool:
        """Whether an installation is meant, or the table of one."""
        return self.aws or self.table is not None


def export_to_file(target: Path, place: Place, *, owner: str | None) -> int:
    """Write conversations to a file that appears when it is whole; return the exit code."""
    if target != PIPE and target.exists():
        raise Refusal(f"{target} is there already, and is left as it is. Give another name.")
    moved = asyncio.run(_export(target, place, owner))
    where = "" if target == PIPE else f" into {target}"
    tell(f"{_counted(moved)} exported{where}.")
    return 0


def import_from_file(source: Path, place: Place, *, owner: str | None) -> int:
    """Store the conversations of a file; return the exit code: 1 where something was left out."""
    if source != PIPE and not source.is_file():
        raise Refusal(f"There is no file {source}. Give one that `daehwa export` wrote.")
    moved = asyncio.run(_import(source, place, owner))
    tell(
        f"{_counted(moved)} read: {moved.added} added, {moved.changed} brought up to date, {moved.same} there already."
    )
    for skipped in moved.skipped[:_SHOWN]:
        tell(f"Left out, line {skipped.line}: {skipped.reason}")
    if len(moved.skipped) > _SHOWN:
        tell(f"Left out: {len(moved.skipped) - _SHOWN} further lines.")
    if not moved.is_whole:
        tell("The file does not hold what its last line says, or has none: part of it is missing. Export it again.")
    return 0 if moved.is_whole and not moved.skipped else FAULT


async def _export(target: Path, place: Place, owner: str | None) -> Moved:
    opened = await _open(place)
    try:
        people = await opened.people()
        chosen = None if owner is None else _found(owner, people, is_local=not place.is_on_aws)
        head = Head.of(__version__, {person: email for person, email in people.items() if email})
        with _new_file(target) as out:
            return await export_conversations(opened.archive, out, head=head, owner=chosen, progress=_Progress())
    finally:
        await opened.aclose()


async def _import(source: Path, place: Place, owner: str | None) -> Moved:
    opened = await _open(place)
    try:
        people = await opened.people()
        is_local = not place.is_on_aws
        chosen = None if owner is None else _found(owner, people, is_local=is_local)
        with _reading(source) as file:
            head = read_head(file)
            to = _owners(head, people, chosen, is_local=is_local)
            return await import_conversations(opened.archive, file, owner=to, progress=_Progress())
    finally:
        await opened.aclose()


def _owners(head: Head, people: dict[str, str], chosen: str | None, *, is_local: bool) -> Callable[[str], str]:
    """Return who is to own what was somebody's: the one chosen, the same person, or one of the same e-mail address."""
    known = set(people) | ({OWNER} if is_local else set())
    by_email = {email: person for person, email in people.items() if email}

    def to(was: str) -> str:
        if chosen is not None or was in known:
            return chosen or was
        email = head.people.get(was, "")
        same = by_email.get(email)
        if same is None:
            who = email or f"'{was}'"
            raise Refusal(
                f"The file holds conversations of {who}, who is not known here. Say whose they are to be: --owner "
                f"{_choices(people, is_local=is_local)}. None of theirs was stored; the import can be run again."
            )
        return same

    return to


def _found(owner: str, people: dict[str, str], *, is_local: bool) -> str:
    if is_local and owner == OWNER:
        return owner
    for person, email in people.items():
        if owner in {person, email}:
            return person
    raise Refusal(f"Nobody here is known as '{owner}'. Give --owner {_choices(people, is_local=is_local)}.")


def _choices(people: dict[str, str], *, is_local: bool) -> str:
    emails = [email or person for person, email in list(people.items())[:_SHOWN]]
    if is_local:
        emails.append(OWNER)
    return " or ".join(emails) or "EMAIL, once that person has signed in at the page"


async def _open(place: Place) -> OpenArchive:
    if place.is_on_aws:
        return _open_on_aws(place)
    os.umask(0o077)  # what is written from here on is the owner's alone
    folder = DataFolder(load_settings({"data_dir": place.data_dir}, config=place.config).values.data_dir)
    folder.prepare()
    return await OpenArchive.local(folder)


def _open_on_aws(place: Place) -> OpenArchive:
    from daehwa.cli.deploy import refuse_without_extra  # noqa: PLC0415 - what follows is of the extra

    refuse_without_extra()
    from daehwa.cli.deploying import open_cloud  # noqa: PLC0415 - as above
    from daehwa.deployment.configuration_file import Asked  # noqa: PLC0415 - as above
    from daehwa.deployment.stack_state import standing  # noqa: PLC0415 - as above

    flags: dict[str, Any] = {"name": place.name, "region": place.region}
    given = {name: value for name, value in flags.items() if value is not None}
    cloud, settings = open_cloud(Asked(flags=given, config=None, profile=place.profile))

    def read_key() -> AwsKey:
        return cloud.read_key()

    return OpenArchive.on_aws(
        table=place.table or standing(cloud, settings.name).table_name,
        region=cloud.region,
        endpoint=cloud.client("dynamodb").meta.endpoint_url,
        read_key=read_key,
    )


@contextlib.contextmanager
def _new_file(target: Path) -> Iterator[BinaryIO]:
    """Give a file for its owner alone that gets its name when it is whole and on the disk."""
    if target == PIPE:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    part = target.with_name(target.name + ".part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.rename(target)
    except OSError as error:
        raise Refusal(f"{target} cannot be written: {error.strerror}. Give another name or make room.") from None
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def _reading(source: Path) -> Iterator[BinaryIO]:
    if source == PIPE:
        yield sys.stdin.buffer
        return
    with source.open("rb") as file:
        yield file


class _Progress:
    """Says how far it has come: on a terminal in a line that is written over, elsewhere now and then."""

    def __init__(self) -> None:
        self._told = 0

    def __call__(self, moved: Moved) -> None:
        if sys.stderr.isatty():
            print(f"\r  {_counted(moved)} …", end="\r", file=sys.stderr, flush=True)  # noqa: T201 - see above
        elif moved.conversations - self._told >= _EVERY:
            self._told = moved.conversations
            tell(f"  {_counted(moved)} …")


def _counted(moved: Moved) -> str:
    conversations = "conversation" if moved.conversations == 1 else "conversations"
    return f"{moved.conversations:,} {conversations} with {moved.messages:,} messages"
