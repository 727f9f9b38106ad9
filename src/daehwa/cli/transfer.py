"""`daehwa export` and `daehwa import`: all conversations into a file, and from it into a store, here or on AWS."""

import asyncio
import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple

from daehwa import __version__
from daehwa.cli.named_files import is_there, refuse_what_is_there, refuse_without_data
from daehwa.cli.place import Place, aws_table, choices, folder_of, of_email, person_of, prepared_folder, told_of_aws
from daehwa.cli.terminal import FAULT, Refusal, refuse_without_output, tell
from daehwa.conversation.errors import StoreError
from daehwa.conversation.export_file import Head, read_head
from daehwa.conversation.ids import now_ms
from daehwa.services.archives import OpenArchive
from daehwa.services.known_people import KnownPeople
from daehwa.services.local import OWNER
from daehwa.transfer.brought_images import ReadImage, no_image
from daehwa.transfer.converting import converted
from daehwa.transfer.exports import (
    Element,
    Fault,
    Rewound,
    ZippedExport,
    begins_json,
    begins_ours,
    begins_zip,
    json_elements,
    not_an_export,
)
from daehwa.transfer.moving import Moved, bring_conversations, export_conversations, import_conversations
from daehwa.transfer.texts import KINDS
from daehwa.transfer.zipped_images import ZippedImages

PIPE = Path("-")
_SHOWN = 10
_EVERY = 100
_HEAD_BYTES = 64 * 1024
"""So much of a file is looked at to see what it is."""


def export_to_file(target: Path, place: Place, *, owner: str | None) -> int:
    """Write conversations to a file that appears when it is whole; return the exit code: 1 where one was left out."""
    if target == PIPE:
        refuse_without_output()
    else:
        refuse_what_is_there(target)
    if not place.is_on_aws:
        refuse_without_data(folder_of(place))
    return told_of_aws("export", place, lambda: _exported(target, place, owner))


def import_from_file(source: Path, place: Place, *, owner: str | None) -> int:
    """Store the conversations of a file; return the exit code: 1 where something was left out."""
    if source == PIPE and sys.stdin is None:
        raise Refusal("Standard input is closed. Give the name of a file.")
    if source != PIPE and (not is_there(source) or source.is_dir()):
        raise Refusal(
            f"There is no file {source}. Give one that `daehwa export` wrote, or an export of ChatGPT, Claude, Open "
            "WebUI or LibreChat."
        )
    return told_of_aws("import", place, lambda: _imported(source, place, owner))


def _exported(target: Path, place: Place, owner: str | None) -> int:
    moved = asyncio.run(_export(target, place, owner))
    where = "" if target == PIPE else f" into {target}"
    images = f" and {moved.images:,} {'image' if moved.images == 1 else 'images'}" if moved.images else ""
    tell(f"{_counted(moved)}{images} exported{where}.")
    _tell_left_out(moved)
    return FAULT if moved.skipped else 0


def _imported(source: Path, place: Place, owner: str | None) -> int:
    moved = asyncio.run(_import(source, place, owner))
    back = f" {moved.restored} brought back that had been deleted," if moved.restored else ""
    tell(
        f"{_counted(moved)} read: {moved.added} added,{back} {moved.changed} brought up to date, "
        f"{moved.same} there already."
    )
    if moved.images:
        tell(f"Brought along: images ({moved.images:,}).")
    if moved.empty:
        tell(f"Empty, and passed over: {moved.empty:,}.")
    for kind, count in moved.lost.most_common():
        tell(f"Not brought along: {KINDS[kind]} ({count:,}).")
    _tell_left_out(moved)
    if not moved.is_whole:
        tell("The file does not hold what its last line says, or has none: part of it is missing. Export it again.")
    return 0 if moved.is_whole and not moved.skipped else FAULT


def _tell_left_out(moved: Moved) -> None:
    for skipped in moved.skipped[:_SHOWN]:
        where = "" if skipped.where is None else f", {skipped.where}"
        tell(f"Left out{where}: {skipped.reason}")
    if len(moved.skipped) > _SHOWN:
        tell(f"Left out: {len(moved.skipped) - _SHOWN:,} more.")


async def _export(target: Path, place: Place, owner: str | None) -> Moved:
    opened = await _open(place)
    try:
        people = await opened.people()
        chosen = None if owner is None else person_of(owner, people, is_local=not place.is_on_aws)
        owners = people.emails.items() if chosen is None else [(chosen, people.emails.get(chosen))]
        head = Head.of(__version__, {person: email for person, email in owners if email})
        with _new_file(target) as out:
            return await export_conversations(opened.archive, out, head=head, owner=chosen, progress=_Progress())
    finally:
        await opened.aclose()


async def _import(source: Path, place: Place, owner: str | None) -> Moved:
    with _reading(source) as file:
        given = _recognised(file, is_pipe=source == PIPE)  # before anything is made: it may be no export at all
        opened = await _open(place)
        try:
            people = await opened.people()
            is_local = not place.is_on_aws
            chosen = None if owner is None else person_of(owner, people, is_local=is_local)
            if not isinstance(given, _OfAnother):
                head, lines = given
                return await import_conversations(
                    opened.archive,
                    lines,
                    owner=_owners(head, people, chosen, is_local=is_local),
                    progress=_Progress(),
                    called=people.called,
                )
            to = chosen or _only_owner(people, is_local=is_local)
            return await bring_conversations(
                opened.archive,
                given.elements,
                read=partial(converted, owner=to, now=now_ms(), images=given.images),
                progress=_Progress(),
                called=people.called,
            )
        finally:
            await opened.aclose()


class _OfAnother(NamedTuple):
    """What stands in an export of another product, and the images that lie beside it."""

    elements: Iterable[Element | Fault]
    images: ReadImage = no_image


def _recognised(file: BinaryIO, *, is_pipe: bool) -> tuple[Head, IO[bytes]] | _OfAnother:
    """Return an export of ours, or what stands in one of another product. Raise `NotAnExport`, `Refusal`."""
    start = file.read(_HEAD_BYTES)
    if begins_zip(start):
        if is_pipe:
            raise Refusal("A ZIP cannot be read from a pipe: its contents stand at its end. Give the name of the file.")
        archive = ZippedExport(file)
        if archive.ours is None:
            return _OfAnother(archive.elements(), ZippedImages(archive).read)
        lines = archive.open_ours()
        return read_head(lines), lines
    whole = io.BufferedReader(Rewound(start, file), _HEAD_BYTES)
    if begins_ours(start):
        return read_head(whole), whole
    if not begins_json(start):
        raise not_an_export(start)
    return _OfAnother(_some(json_elements(whole), start))


def _some(elements: Iterator[Element | Fault], start: bytes) -> Iterator[Element | Fault]:
    """Yield elements; raise `NotAnExport` where there is none."""
    is_any = False
    for element in elements:
        is_any = True
        yield element
    if not is_any:
        raise not_an_export(start)


def _only_owner(people: KnownPeople, *, is_local: bool) -> str:
    """Return whose everything is here. Raise `Refusal` where people sign in."""
    if is_local and not people:
        return OWNER
    raise Refusal(
        f"People sign in here. Say whose the conversations are to be: --owner {choices(people, is_local=is_local)}."
    )


def _owners(head: Head, people: KnownPeople, chosen: str | None, *, is_local: bool) -> Callable[[str], str]:
    """Return who is to own what was somebody's: the one chosen, the same person, or one of the same e-mail address."""

    def is_known(was: str, email: str) -> bool:
        if was != OWNER:
            return was in people.emails
        # That id is nobody's name: each home's own user has it, and the first admin who signs in there.
        return is_local and people.emails.get(OWNER, "") == email and (OWNER in people.emails or not people)

    def to(was: str) -> str:
        email = head.people.get(was, "")
        if chosen is not None or is_known(was, email):
            return chosen or was
        same = of_email(email, people) if email else None
        if same is None:
            who = f"{email or repr(was)}, who is not known here"
            if was == OWNER and not email:
                who = "a home where nobody signs in, and here people do"
            raise Refusal(
                f"The file holds conversations of {who}. Say whose they are to be: --owner "
                f"{choices(people, is_local=is_local)}. None of theirs was stored; the import can be run again."
            )
        return same

    return to


async def _open(place: Place) -> OpenArchive:
    if place.is_on_aws:
        return OpenArchive.on_aws(aws_table(place))
    return await OpenArchive.local(prepared_folder(place))


@contextlib.contextmanager
def _new_file(target: Path) -> Iterator[BinaryIO]:
    """Give a file for its owner alone that gets its name when it is whole and on the disk."""
    if target == PIPE:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        descriptor, name = tempfile.mkstemp(prefix=f"{target.name}.", suffix=".part", dir=target.parent)
    except OSError as error:
        raise Refusal(f"{target} cannot be written: {error.strerror}. Give another name or make room.") from None
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.rename(target)
    except OSError as error:  # nothing is wrong with the name
        raise StoreError(f"{target} cannot be written: {error.strerror}. Make room, then try again.") from error
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def _reading(source: Path) -> Iterator[BinaryIO]:
    if source == PIPE:
        yield sys.stdin.buffer
        return
    try:
        file = source.open("rb")
    except OSError as error:
        raise Refusal(f"{source} cannot be read: {error.strerror}. Give another file.") from None
    with file:
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
