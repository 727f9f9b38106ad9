"""`daehwa user list`, `invite`, `reset`, `disable`, `enable`, `role` and `sign-out`: this machine's accounts."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from daehwa.cli.options import config_option, data_dir_option
from daehwa.cli.place import Place, one_of, prepared_folder
from daehwa.cli.tables import day, table
from daehwa.cli.terminal import Refusal, refuse_without_output, say_json, tell
from daehwa.data_folder import DataFolder
from daehwa.services.known_people import KnownPeople, folded_login
from daehwa.settings import load_settings
from daehwa.settings.surroundings import is_loopback

if TYPE_CHECKING:
    from daehwa.services.people import KnownPerson, MadeLink, People, Role, User

_HEAD = ("login", "name", "e-mail", "role", "groups", "door", "code", "passkeys", "sessions", "last seen", "state")
_ROLES = click.Choice(["admin", "member", "guest"])


@click.group(name="user", context_settings={"max_content_width": 100})
def user() -> None:
    """List and invite people, reset passwords, and let people in or not, where there are accounts (--accounts).

    A server may be running meanwhile: what is done here holds for it at once. On AWS, the identity provider has people.
    """


_json = click.option("--json", "as_json", is_flag=True, help="JSON, for programs.")


def _folder_options(command: Callable[..., int]) -> Callable[..., int]:
    return data_dir_option(config_option(command))


@user.command(name="list")
@_json
@_folder_options
def list_(*, as_json: bool, **place: Path | None) -> int:
    """List everybody, with what they sign in with."""
    refuse_without_output()

    async def show(people: "People") -> int:
        known = await people.shown()
        if as_json:
            say_json({"people": known})
        elif known:
            click.echo("\n".join(table([_HEAD, *map(_row, known)])))
        else:
            tell("Nobody has an account here yet. `daehwa serve --accounts` prints a link for the first admin.")
        return 0

    return _with_people(place, show)


@user.command()
@click.argument("email", required=False)
@click.option("--role", type=_ROLES, default="member", show_default=True, help="As what.")
@click.option("--group", "groups", multiple=True, metavar="GROUP", help="A group to be in, by name. Can be repeated.")
@_json
@_folder_options
def invite(email: str | None, *, role: "Role", groups: tuple[str, ...], as_json: bool, **place: Path | None) -> int:
    """Make a link by which one person makes an account, within a week. It is all of standard output.

    With EMAIL, the account has this address: a new password can be mailed to it. Nothing is sent now.
    """
    refuse_without_output()

    async def make(people: "People") -> int:
        known = await people.group_ids()
        for group in groups:
            if folded_login(group) not in known:
                raise Refusal(f"There is no group '{group}'. {_named(sorted(known))}")
        ids = tuple(known[folded_login(group)] for group in groups)
        made = await people.invite(email=email, role=role, groups=ids, public_url=_public_url(place))
        return _told(made, f"A link for a new {role}. It works once, until", as_json=as_json)

    return _with_people(place, make, is_new=True)


@user.command()
@click.argument("named", metavar="USER")
@click.option(
    "--second-factor", is_flag=True, help="Remove the authenticator app, all passkeys and the old password as well."
)
@_json
@_folder_options
def reset(named: str, *, second_factor: bool, as_json: bool, **place: Path | None) -> int:
    """Make a link by which USER (a login, e-mail address or id) sets a new password, within a day.

    The old password stays good until then.
    """
    refuse_without_output()

    async def make(people: "People") -> int:
        whose = _whose(named, await people.all())
        made = await people.reset(whose, public_url=_public_url(place), second_factor=second_factor)
        return _told(made, f"A link for a new password of {_called(whose)}. It works once, until", as_json=as_json)

    return _with_people(place, make)


@user.command()
@click.argument("named", metavar="USER")
@_folder_options
def disable(named: str, **place: Path | None) -> int:
    """Let USER in no more: all sessions end at once."""
    return _changed(named, place, lambda people, whose: people.disable(whose), "is let in no more")


@user.command()
@click.argument("named", metavar="USER")
@_folder_options
def enable(named: str, **place: Path | None) -> int:
    """Let USER in again."""
    return _changed(named, place, lambda people, whose: people.enable(whose), "is let in again")


@user.command(name="role")
@click.argument("named", metavar="USER")
@click.argument("role_given", metavar="ROLE", type=_ROLES)
@_folder_options
def role_(named: str, role_given: "Role", **place: Path | None) -> int:
    """Make USER an admin, a member or a guest; all sessions end."""

    def change(people: "People", whose: "User") -> Awaitable[None]:
        from daehwa.services.sign_in import is_admin_by_settings  # noqa: PLC0415 - for this alone

        loaded = load_settings({"data_dir": place["data_dir"]}, config=place["config"], needs_keys=False)
        if (role_given == "admin" and whose.login is None) or is_admin_by_settings(loaded.sign_in, whose):
            raise Refusal(
                f"{_called(whose)} signs in through the identity provider, and who is an admin among those is said by "
                "the settings: admin_emails or group_roles of [sign_in]."
            )
        return people.set_role(whose, role_given)

    return _changed(named, place, change, f"is {'an' if role_given == 'admin' else 'a'} {role_given} now")


@user.command(name="sign-out")
@click.argument("named", metavar="USER")
@_folder_options
def sign_out(named: str, **place: Path | None) -> int:
    """End all sessions of USER."""
    return _changed(named, place, lambda people, whose: people.sign_out(whose), "is signed out everywhere")


def _changed(
    named: str,
    place: dict[str, Path | None],
    change: "Callable[[People, User], Awaitable[object]]",
    result: str,
) -> int:
    async def run(people: "People") -> int:
        whose = _whose(named, await people.all())
        await change(people, whose)
        tell(f"{_called(whose)} {result}.")
        return 0

    return _with_people(place, run)


def _with_people(
    place: dict[str, Path | None], work: "Callable[[People], Awaitable[int]]", *, is_new: bool = False
) -> int:
    async def run() -> int:
        from daehwa.services.people import People  # noqa: PLC0415 - after what was typed has been checked

        folder = prepared_folder(Place(data_dir=place["data_dir"], config=place["config"]), is_new=is_new)
        people = await People.open(folder)
        try:
            return await work(people)
        finally:
            await people.aclose()

    return asyncio.run(run())


def _public_url(place: dict[str, Path | None]) -> str:
    """Return where links lead: the address of the settings, else that of the server that runs on this folder."""
    loaded = load_settings({"data_dir": place["data_dir"]}, config=place["config"], needs_keys=False)
    if loaded.values.public_url is not None:
        return loaded.values.public_url
    folder = DataFolder(loaded.values.data_dir)
    address = folder.address() if folder.is_held() else None
    if address is None:
        raise Refusal(
            "No server runs on this data folder, and public_url is not set, so nobody knows where a link would lead. "
            "Start it (`daehwa serve --accounts`), or set public_url."
        )
    return address.replace("//127.0.0.1:", "//localhost:")  # by its name, as `serve` says it


def _told(made: "MadeLink", what: str, *, as_json: bool) -> int:
    if as_json:
        told: dict[str, Any] = {"link": made.url, "expires": made.link.expires}
        say_json(told)
        return 0
    tell(f"{what} {day(made.link.expires)} (UTC). Give it to nobody else:")
    click.echo(made.url)
    if is_loopback(urlsplit(made.url).hostname or ""):
        tell(
            "It opens on this machine alone. For others, set public_url to an address that they reach: "
            "docs/accounts.md."
        )
    return 0


def _whose(named: str, known: "tuple[User, ...]") -> "User":
    by_id, people = {each.id: each for each in known}, KnownPeople.of(known)
    person = named if named in by_id else one_of(people.named(named), named, people)
    if person is None:
        raise Refusal(f"Nobody here is known as '{named}'. {_named([_called(each) for each in known])}")
    return by_id[person]


def _named(names: list[str]) -> str:
    return f"There are: {', '.join(names[:10])}{' …' if len(names) > 10 else ''}." if names else "There are none yet."  # noqa: PLR2004 - a line's worth


def _called(person: "User") -> str:
    return person.login or person.email or person.name or person.id


def _row(person: "KnownPerson") -> tuple[str, ...]:
    return (
        person.login or "",
        person.name,
        person.email or "",
        person.role,
        ", ".join(person.groups),
        person.door,
        "yes" if person.totp else "no",
        str(person.passkeys),
        str(person.sessions),
        day(person.last_seen) if person.last_seen else "never",
        "" if person.disabled is None else f"disabled {day(person.disabled)}",
    )
