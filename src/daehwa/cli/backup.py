"""`daehwa backup`: a copy of the database, taken beside a running server."""

from pathlib import Path

from daehwa.cli.named_files import refuse_what_is_there, refuse_without_data
from daehwa.cli.terminal import Refusal, tell
from daehwa.data_folder import DataFolder
from daehwa.services.database import take_copy


def back_up(target: Path, folder: DataFolder) -> int:
    """Copy the database into a new file; return the exit code."""
    if target == Path("-"):
        raise Refusal("A copy of the database is a file, and no stream. Name the file (./- for one of that name).")
    refuse_what_is_there(target)
    refuse_without_data(folder)
    size = take_copy(folder.database, target)
    tell(
        f"The database is copied into {target}, {size / 1e6:,.1f} MB: everything but the settings file and the "
        "environment. `daehwa restore` puts it back. Keep it as carefully as the data folder."
    )
    return 0
