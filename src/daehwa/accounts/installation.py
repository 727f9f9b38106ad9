"""What admins decide in the page for the whole installation, and everybody sees."""

import msgspec


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """`admins_may_read`: whether admins can read conversations of others. `retention_days`: after how many days without
    a new turn a conversation is deleted for good; None: never.
    """

    admins_may_read: bool = False
    retention_days: int | None = None


class InstallationChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What to change; UNSET leaves as is."""

    admins_may_read: bool | msgspec.UnsetType = msgspec.UNSET
    retention_days: int | msgspec.UnsetType | None = msgspec.UNSET

    def of(self, installation: Installation) -> Installation:
        """Return an installation with these changes."""
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        return msgspec.structs.replace(
            installation, **{name: value for name, value in given.items() if value is not msgspec.UNSET}
        )
