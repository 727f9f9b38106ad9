"""The folder of the 2023 demo's page, as it is configured."""

from daehwa.settings.places import absolute_path
from daehwa.settings.values import Settings, SettingsError


def check_classic(settings: Settings, place: str) -> None:
    """Raise `SettingsError` where `classic_folder` is not a folder."""
    if settings.classic_folder is None:
        return
    folder = absolute_path(settings.classic_folder, place)
    if not folder.is_dir():
        fault = "is a file" if folder.is_file() else "is not there"
        raise SettingsError(
            f"{place}: classic_folder is {folder}, which {fault}. Give the path of the folder in which the "
            "page lies, absolute or as seen from where daehwa is started."
        )


def unused_classic(settings: Settings, *, has_sign_in: bool) -> str | None:
    """Return a sentence where `classic_folder` is set, and the dialect that its page speaks is off."""
    if settings.classic_folder is None or settings.classic or (settings.classic is None and not has_sign_in):
        return None
    reason = "people sign in; classic = true turns it on" if settings.classic is None else "classic is false"
    return f"classic_folder does nothing here, since {reason}."
