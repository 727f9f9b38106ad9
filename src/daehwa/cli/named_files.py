"""Files that are named in the terminal, and what is said where one cannot be used."""

from pathlib import Path

from daehwa.cli.terminal import Refusal
from daehwa.data_folder import DataFolder


def is_there(path: Path) -> bool:
    """Return whether anything has this name. Raise `Refusal` where nothing can have it."""
    try:
        path.stat()  # since Python 3.14 `exists` keeps to itself why it could not tell
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise Refusal(f"{path} cannot be the name of a file: {error.strerror}. Give another one.") from None
    return True


def refuse_what_is_there(target: Path) -> None:
    """Raise `Refusal` where a new file would take the place of another one."""
    if is_there(target):
        raise Refusal(f"{target} is there already, and is left as it is. Give another name.")


def refuse_without_data(folder: DataFolder) -> None:
    """Raise `Refusal` where there is no database to take anything from."""
    if not folder.database.is_file():
        raise Refusal(
            f"There is no data in {folder.path}. Name the folder that has some with --data-dir; `daehwa serve` begins "
            "a new one."
        )
