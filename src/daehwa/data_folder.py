"""The folder on this machine that holds everything: made private, checked, and held by one server at a time."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from daehwa.conversation.errors import StoreError

DATABASE = "daehwa.sqlite3"
LOCK = "daehwa.lock"


class DataFolderError(StoreError):
    """The folder cannot be used; the message says what to do."""

    type = "data_folder"


class DataFolder:
    """A folder that exists, is writable and for its owner alone. `hold` makes this process its one server."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = path / DATABASE
        self._lock: IO[str] | None = None

    def prepare(self) -> None:
        """Make the folder where it is missing, for its owner alone, and see that it can be written."""
        try:
            is_new = not self.path.exists()
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if is_new:
                self.path.chmod(0o700)
            os.close(os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o600))
            if self.database.exists():
                self.database.chmod(0o600)
        except OSError as error:
            raise DataFolderError(
                f"The data folder {self.path} cannot be used: {error.strerror}. Give a folder that you may write to, "
                "with --data-dir or the setting data_dir."
            ) from None

    def hold(self) -> None:
        """Hold the folder until `release`, or this process's end. Raise `DataFolderError` where another one does."""
        lock = (self.path / LOCK).open("a+", encoding="ascii")
        if not _try_lock(lock):
            lock.close()
            holder = self.holder()
            who = "another daehwa" if holder is None else f"another daehwa (process {holder})"
            raise DataFolderError(
                f"The data folder {self.path} is in use by {who}. Use the page of that one, end it, or give this one a "
                "folder of its own with --data-dir."
            )
        lock.seek(0)
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    @contextlib.contextmanager
    def held_to_migrate(self) -> Iterator[None]:
        """Hold the folder while its file is changed, if this process does not hold it anyway.

        Raise `DataFolderError` while another one does: it may be of the version before, and knows only the file before.
        """
        if self._lock is not None:
            yield
            return
        try:
            self.hold()
        except DataFolderError:
            holder = self.holder()
            who = "an older daehwa" if holder is None else f"an older daehwa (process {holder})"
            raise DataFolderError(
                f"The data folder {self.path} is in use by {who}, and this version would change its file. End that "
                "one, start it again with this version, then try again."
            ) from None
        try:
            yield
        finally:
            self.release()

    def holder(self) -> int | None:
        """Return the process that last held the folder, as it noted itself."""
        with contextlib.suppress(OSError, ValueError):
            return int((self.path / LOCK).read_text("ascii"))
        return None

    def is_held(self) -> bool:
        """Whether a server holds the folder at this moment."""
        with contextlib.suppress(OSError), (self.path / LOCK).open("r+", encoding="ascii") as lock:
            return not _try_lock(lock)
        return False

    def release(self) -> None:
        """Let go. More than once is fine."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()


def _try_lock(file: IO[str]) -> bool:
    """Lock a file until it is closed; the system lets go of it when the process ends, in whatever way."""
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 - Windows only

            file.seek(1 << 20)  # far behind the number, which others may then still read
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415 - not on Windows

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
