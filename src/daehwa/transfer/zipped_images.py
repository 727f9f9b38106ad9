"""The images in the ZIP of an export, found by what the conversations call them."""

import re
import zipfile
from bisect import bisect_left
from typing import Final

from daehwa.conversation.images import QUESTION_IMAGE_BYTES
from daehwa.transfer.exports import ZippedExport

_ASSET: Final = re.compile(r"file[-_][A-Za-z0-9_-]{1,100}")
"""What ChatGPT calls a file: `file-AbC`, and newer ones `file_0000abc`."""
_ENDS: Final = ("-", ".", "_")
"""What may follow that in the name of an entry: `file-AbC-photo.png`, `file_0000abc-sanitized.jpg`, `file-AbC.dat`."""


class ZippedImages:
    """Images by the names that conversations have for them, in whatever folder they lie. Nothing is unpacked before it
    is asked for, and what a name ends with is not believed.
    """

    def __init__(self, export: ZippedExport) -> None:
        self._export = export
        self._entries: list[tuple[str, zipfile.ZipInfo]] | None = None

    def read(self, name: str) -> bytes | None:
        """Return what is called so, up to the size that the images of a question may have; None where there is no such
        file, or a larger one, or it cannot be unpacked.
        """
        entry = self._entry(name) if _ASSET.fullmatch(name) else None
        return None if entry is None else self._export.small_file(entry, QUESTION_IMAGE_BYTES)

    def _entry(self, name: str) -> zipfile.ZipInfo | None:
        if self._entries is None:
            named = ((info.filename.rpartition("/")[2], info) for info in self._export.files)
            found = [(base, info) for base, info in named if _ASSET.match(base)]
            self._entries = sorted(found, key=lambda each: (each[0], each[1].filename))
        for end in _ENDS:
            at = bisect_left(self._entries, name + end, key=lambda each: each[0])
            if at < len(self._entries) and self._entries[at][0].startswith(name + end):
                return self._entries[at][1]
        return None
