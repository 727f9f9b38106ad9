"""Links that are mailed: an admin who had changed somebody's address could have read the mail, which is told."""

import asyncio
from pathlib import Path

from server.front_door import a_front_door


class Letters:
    """A `Mailer` that keeps what it is to send: to whom, and the link."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    async def send_reset(self, to: str, link: str, *, site: str, hours: str) -> bool:  # noqa: ARG002 - the protocol's
        await self.sent.put((to, link))
        return True


async def test_an_account_tells_when_a_mail_to_an_address_of_an_admin_s_set_its_password(tmp_path: Path) -> None:
    letters = Letters()
    async with a_front_door(tmp_path, mail=letters) as door:
        boss = await door.admin()
        mina = await door.member("mina@example.com", email="mina@example.com")
        path = f"/api/people/{(await mina.call('GET', '/api/me'))[1]['user']['id']}"

        async def mailed() -> tuple[str, str]:
            """What is sent to Mina, since somebody asks for it, as anybody can."""
            assert (await door.browser().call("POST", "/auth/reset", {"login": "mina@example.com"}))[0] == 202
            return await asyncio.wait_for(letters.sent.get(), 5)

        assert (await mina.accept((await mailed())[1], password="a wholly new password"))[0] == 200
        assert (await mina.call("GET", "/api/account"))[1]["admin_links"] == [], "her own mail"

        assert (await boss.call("PATCH", path, {"email": "boss@example.com"}))[0] == 200
        to, link = await mailed()
        assert to == "boss@example.com"
        assert (await boss.call("PATCH", path, {"email": "mina@example.com"}))[0] == 200
        reader = door.browser()
        assert (await reader.accept(link, password="what an admin has made up"))[0] == 200
        assert (await reader.call("GET", "/api/account"))[1]["admin_links"] == [door.clock.now]
