"""What admins decide in the page for the whole installation, and everybody sees."""

import unicodedata
from datetime import UTC, datetime

import msgspec

from daehwa.accounts.audit import FactValue
from daehwa.conversation.errors import InvalidRequest

ANNOUNCEMENT_CHARACTERS = 200
"""How long an announcement may be, in each language."""
_LATEST = 4_102_444_800_000  # the year 2100
_UNWRITTEN = {"Cc", "Cs"}


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence of an admin's that everybody sees at the top of the page, as plain text: in English, in Korean, or in
    both; where one is empty, the other is shown. `until`: when it is over, in ms since 1970; None: never.
    """

    en: str = ""
    ko: str = ""
    until: int | None = None

    def is_over(self, now: int) -> bool:
        """Whether nobody is to see it any more."""
        return self.until is not None and self.until <= now


def checked_announcement(wish: Announcement, now: int) -> Announcement:
    """Return an announcement as it is kept: each text one line. Raise `InvalidRequest`."""
    texts = {name: " ".join(getattr(wish, name).split()) for name in ("en", "ko")}
    if not any(texts.values()):
        raise InvalidRequest("An announcement has a text. To take it down, send null.", param="announcement")
    for name, text in texts.items():
        if len(text) > ANNOUNCEMENT_CHARACTERS or any(unicodedata.category(letter) in _UNWRITTEN for letter in text):
            raise InvalidRequest(
                f"An announcement is one line of at most {ANNOUNCEMENT_CHARACTERS} characters.",
                param=f"announcement.{name}",
            )
    if wish.until is not None and not now < wish.until < _LATEST:
        raise InvalidRequest("It ends at a time to come, before the year 2100.", param="announcement.until")
    return Announcement(**texts, until=wish.until)


def announcement_facts(told: Announcement | None) -> dict[str, FactValue]:
    """Return what the audit log says of an announcement: its text was there for everybody to read. None: taken down."""
    if told is None:
        return {"announcement": False}
    ends = None if told.until is None else f"{datetime.fromtimestamp(told.until / 1000, UTC):%Y-%m-%d %H:%M} UTC"
    return {"announcement": told.en or told.ko, **({} if ends is None else {"until": ends})}


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """`admins_may_read`: whether admins can read conversations of others. `retention_days`: after how many days without
    a new turn a conversation is deleted for good; None: never. `announcement`: what everybody is told; None: nothing.
    """

    admins_may_read: bool = False
    retention_days: int | None = None
    announcement: Announcement | None = None


class InstallationChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What to change; UNSET leaves as is."""

    admins_may_read: bool | msgspec.UnsetType = msgspec.UNSET
    retention_days: int | msgspec.UnsetType | None = msgspec.UNSET
    announcement: Announcement | msgspec.UnsetType | None = msgspec.UNSET

    def of(self, installation: Installation) -> Installation:
        """Return an installation with these changes."""
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        return msgspec.structs.replace(
            installation, **{name: value for name, value in given.items() if value is not msgspec.UNSET}
        )
