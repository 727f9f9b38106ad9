"""`daehwa backup`: a copy of the database, taken beside a running server."""

from pathlib import Path

from daehwa.cli.terminal import Refusal, tell
from daehwa.data_folder import DataFolder
from daehwa.services.database import take_copy


def back_up(target: Path, folder: DataFolder) -> int:
    """Copy the database into a new file; return the exit code."""
    if not folder.database.is_file():
        raise Refusal(f"There is no data in {folder.path}. Name the folder that has some with --data-dir.")
    if target.exists():
        raise Refusal(f"{target} is there already, and is left as it is. Give another name.")
    size = take_copy(folder.database, target)
    tell(
        f"The database is copied into {target}, {size / 1e6:,.1f} MB: everything but the settings file and the "
        "environment. `daehwa restore` puts it back. Keep it as carefully as the data folder."
    )
    return 0
