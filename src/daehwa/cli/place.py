"""Which store a command means, this machine's or an installation's on AWS, and which person there."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from daehwa.cli.named_files import refuse_without_data
from daehwa.cli.terminal import Refusal
from daehwa.data_folder import DataFolder
from daehwa.services.archives import AwsKey, AwsTable
from daehwa.services.known_people import KnownPeople
from daehwa.services.local import OWNER
from daehwa.settings import LoadedSettings, load_settings

_SHOWN = 10


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Which store is meant: this machine's by its data folder, or an installation's on AWS."""

    data_dir: Path | None = None
    config: Path | None = None
    aws: bool = False
    name: str | None = None
    region: str | None = None
    profile: str | None = None
    table: str | None = None

    @property
    def is_on_aws(self) -> bool:
        """Whether an installation is meant, or the table of one."""
        return self.aws or self.table is not None


def told_of_aws(command: str, place: Place, work: Callable[[], int]) -> int:
    """Do a command's work; what AWS has against it is told as `daehwa deploy` tells it."""
    if not place.is_on_aws:
        _refuse_what_is_of_aws(place)
        return work()
    from daehwa.cli.deploy import refuse_without_extra, run_on_aws  # noqa: PLC0415 - it brings what only AWS needs

    refuse_without_extra(f"daehwa {command} {'--aws' if place.table is None else '--table'}")
    return run_on_aws(work)


def _refuse_what_is_of_aws(place: Place) -> None:
    """Raise `Refusal` where an installation is named, and this machine's store is meant: it may be the wrong one."""
    for option in ("name", "region", "profile"):
        if getattr(place, option) is not None:
            raise Refusal(f"--{option} says which installation on AWS is meant. Give --aws as well, or leave it out.")


def settings_of(place: Place) -> LoadedSettings:
    """Return the settings that are meant."""
    return load_settings({"data_dir": place.data_dir}, config=place.config, needs_keys=False)


def folder_of(place: Place) -> DataFolder:
    """Return the data folder that is meant."""
    return DataFolder(settings_of(place).values.data_dir)


def prepared_folder(place: Place, *, is_new: bool = True) -> DataFolder:
    """Return the data folder that is meant, made where it is missing. Without `is_new` there has to be data in it: who
    asks for what is there and names the wrong folder is told so. Raise `Refusal`.
    """
    folder = folder_of(place)
    if not is_new:
        refuse_without_data(folder)
    os.umask(0o077)  # what is written from here on is the owner's alone
    folder.prepare()
    return folder


def aws_table(place: Place) -> AwsTable:
    """Find the table of the installation that is meant, and who may read it."""
    from daehwa.cli.deploying import open_cloud  # noqa: PLC0415 - what follows is of the extra
    from daehwa.deployment.configuration_file import Asked  # noqa: PLC0415 - as above
    from daehwa.deployment.stack_state import standing  # noqa: PLC0415 - as above

    flags: dict[str, Any] = {"name": place.name, "region": place.region}
    given = {name: value for name, value in flags.items() if value is not None}
    cloud, settings = open_cloud(Asked(flags=given, config=None, profile=place.profile))

    def read_key() -> AwsKey:
        return cloud.read_key()

    return AwsTable(
        name=place.table or standing(cloud, settings.name).table_name,
        region=cloud.region,
        endpoint=cloud.client("dynamodb").meta.endpoint_url,
        read_key=read_key,
    )


def person_of(named: str, people: KnownPeople, *, is_local: bool, option: str = "--owner") -> str:
    """Return who is meant by an id, a login or an e-mail address. Raise `Refusal`."""
    if named in people.emails or (is_local and named == OWNER):
        return named
    person = one_of(people.named(named), named, people, option)
    if person is None:
        raise Refusal(f"Nobody here is known as '{named}'. Give {option} {choices(people, is_local=is_local)}.")
    return person


def of_email(email: str, people: KnownPeople) -> str | None:
    """Return whose address it is. Raise `Refusal` where it is several people's."""
    return one_of(people.with_email(email), email, people, "--owner")


def one_of(found: list[str], named: str, people: KnownPeople, option: str = "") -> str | None:
    """Return the one who is found by this name, None where nobody is. Raise `Refusal` where several are."""
    if len(found) > 1:
        by_login = [person for person in found if people.has_login(person, named)]
        by_email = [person for person in found if person not in by_login]
        what = f"the address of {len(by_email)} people here: {' and '.join(by_email)}"
        why = " That happens when another identity provider is chosen."
        if by_login:
            what, why = f"the login of {' and '.join(by_login)} here, and the address of {' and '.join(by_email)}", ""
        by_id = f"{option} {found[-1]}".lstrip()
        raise Refusal(
            f"{named} is {what}, whoever came first at the beginning.{why} "
            f"Name the one that is meant by the id: {by_id}."
        )
    return found[0] if found else None


def choices(people: KnownPeople, *, is_local: bool) -> str:
    """Say who can be named."""
    names = [people.called(person) for person in list(people.emails)[:_SHOWN]]
    if is_local and not people:
        names.append(OWNER)
    if len(people.emails) > _SHOWN:
        names[-1] += " …"
    return " or ".join(names) or "EMAIL, once that person has signed in at the page"
