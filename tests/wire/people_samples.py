"""What the server says of people, to themselves and to admins, for the samples of the page's decoders."""

from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from server.front_door import PASSWORD, Browser, FrontDoor, a_front_door
from server.serving import Site
from sign_in.authenticator import Authenticator

from daehwa.sign_in.one_time_codes import code_at


class Records(Protocol):
    """Asks, and keeps the answer as a sample of a schema."""

    async def call(self, name: str, kind: str, method: str, path: str, body: object = None, **headers: str) -> Any:
        """Return the answer."""


class RecorderOf(Protocol):
    """Makes what records a site."""

    def __call__(self, site: Site) -> Records:
        """Return it."""


async def record_people(folder: Path, recorder_of: RecorderOf) -> None:
    """Record a site with accounts: its doors, one's own account, and what admins see."""
    async with a_front_door(folder) as door:
        records = recorder_of(door.site)
        await _record_doors(records, door)
        boss = await door.admin()
        await _record_account(records, door, boss)
        await _record_administration(records, door, boss)


def _as(browser: Browser) -> dict[str, str]:
    cookies = "; ".join(f"{name}={text}" for name, text in browser.cookies.items())
    return {**browser.headers, "cookie": cookies}


async def _record_doors(records: Records, door: FrontDoor) -> None:
    await records.call("doors", "Doors", "GET", "/auth/doors")
    made = await door.local.first_admin_link()
    assert made is not None
    token = urlsplit(made.url).fragment.rpartition("/")[2]
    ours = door.browser().headers
    await records.call("link-seen", "LinkSeen", "POST", "/auth/link", {"token": token}, **ours)
    await records.call("link-gone", "ErrorAnswer", "POST", "/auth/link", {"token": "x"}, **ours)
    await records.call("passkey-options", "PasskeyOptions", "POST", "/auth/passkey/options", {}, **ours)
    mina = await door.member()
    given = {"login": "mina", "password": PASSWORD}
    await records.call("password-given", "Next", "POST", "/auth/password", given, **mina.headers)
    await records.call("signed-out", "SignedOut", "POST", "/auth/sign-out", **_as(mina))


async def _record_account(records: Records, door: FrontDoor, boss: Browser) -> None:
    proof = {"password": PASSWORD}
    begun = await records.call("totp-begun", "TotpBegun", "POST", "/api/account/totp", proof, **_as(boss))
    assert begun["secret"]
    user = (await boss.call("GET", "/api/account"))[1]["user"]["id"]
    totp = (await door.people.credentials.get_credentials(user)).totp
    assert totp is not None
    code = {"code": code_at(totp.secret, door.clock.now // 1000 // 30)}
    await records.call("totp-confirmed", "RecoveryCodes", "POST", "/api/account/totp/confirm", code, **_as(boss))
    _, options = await boss.call("POST", "/api/account/passkeys/options", proof)
    passkey = {"name": "Phone", "credential": Authenticator(door.local.public_url).make(options["publicKey"])}
    await records.call("passkey-added", "ShownPasskey", "POST", "/api/account/passkeys", passkey, **_as(boss))
    account = await records.call("account", "Account", "GET", "/api/account", **_as(boss))
    assert account["sessions"]
    assert account["passkeys"]
    await records.call("me-admin", "Me", "GET", "/api/me", **_as(boss))
    await records.call("preferences", "Preferences", "GET", "/api/preferences", **_as(boss))
    told = {"instructions": "Answer briefly."}
    changed = await records.call("preferences-changed", "Preferences", "PATCH", "/api/preferences", told, **_as(boss))
    assert changed == told


async def _record_administration(records: Records, door: FrontDoor, boss: Browser) -> None:
    wish = {"name": "Lab", "models": ["gpt-*"], "month": 5_000_000, "instructions": "Be brief."}
    group = await records.call("group-made", "ListedGroup", "POST", "/api/groups", wish, **_as(boss))
    await records.call("groups", "GroupList", "GET", "/api/groups", **_as(boss))
    people = (await records.call("people", "PeopleList", "GET", "/api/people", **_as(boss)))["people"]
    mina = f"/api/people/{next(each['id'] for each in people if each['login'] == 'mina')}"
    changes = {"disabled": True, "groups": [group["id"]]}
    await records.call("person-changed", "ListedPerson", "PATCH", mina, changes, **_as(boss))
    invitation = {"email": "new@example.com", "groups": [group["id"]]}
    await records.call("invited", "MadeInvitation", "POST", "/api/invitations", invitation, **_as(boss))
    await records.call("reset-made", "MadeReset", "POST", f"{mina}/reset", {}, **_as(boss))
    await records.call("invitations", "InvitationList", "GET", "/api/invitations", **_as(boss))
    await records.call("providers", "ProviderList", "GET", "/api/providers", **_as(boss))
    days = {"retention_days": 90}
    await records.call("installation-changed", "Installation", "PATCH", "/api/installation", days, **_as(boss))
    await records.call("installation", "Installation", "GET", "/api/installation", **_as(boss))
    log = await records.call("audit", "AuditPage", "GET", "/api/audit?limit=4", **_as(boss))
    assert log["next"] is not None
    await records.call("audit-checked", "AuditChecked", "GET", "/api/audit/check", **_as(boss))
    assert door.people is not None
