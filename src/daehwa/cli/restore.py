"""`daehwa restore`: a copy of the database put in its place, and what was there kept beside it."""

from pathlib import Path

from daehwa.cli.place import Place, prepared_folder
from daehwa.cli.tables import day
from daehwa.cli.terminal import Refusal, tell
from daehwa.services.database import PutBack, put_back


def restore_copy(source: Path, place: Place) -> int:
    """Put a copy in the place of the database, while nobody else uses the folder; return the exit code."""
    if not source.is_file():
        raise Refusal(f"There is no file {source}. Name the copy of the database that is to be put back.")
    folder = prepared_folder(place)
    folder.hold()
    try:
        told = put_back(source, folder.database)
    finally:
        folder.release()
    tell(f"{source} is put back into {folder.path}: {_counted(told)}.")
    tell(
        "Everybody has to sign in again. What was taken from people since the copy was made is theirs again, such as "
        "keys that were revoked, accounts that were disabled or deleted, roles and passwords. Take that back again."
    )
    if told.kept is not None:
        tell(
            f"What was there is kept as {told.kept.name}, with its log. It holds all that it held: remove it once "
            "nothing of it is missed."
        )
    return 0


def _counted(told: PutBack) -> str:
    if told.newest is None:
        return "no conversations"
    number = "1 conversation" if told.conversations == 1 else f"{told.conversations:,} conversations"
    return f"{number}, the last used on {day(told.newest)} UTC"
