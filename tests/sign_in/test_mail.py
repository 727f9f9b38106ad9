"""Mail, against a real SMTP server on this machine."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult
from server.front_door import a_front_door

from daehwa.accounts.people import NewUser
from daehwa.sign_in.mail import Mail, MailSettings


class Box:
    """Keeps what is handed over."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.was_encrypted: list[bool] = []
        self.users: list[str] = []
        self.came = asyncio.Event()

    async def handle_DATA(self, _server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.mails.append(message_from_bytes(envelope.content))
        self.was_encrypted.append(session.ssl is not None)
        self.came.set()
        return "250 OK"

    def check(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        self.users.append(f"{data.login.decode()}:{data.password.decode()}")
        return AuthResult(success=data.password == b"secret", handled=False)  # so that a refusal is answered


@pytest.fixture
def box() -> Box:
    return Box()


@contextlib.asynccontextmanager
async def an_smtp_server(box: Box, **more: Any) -> AsyncIterator[int]:
    """Serve on this loop, since mail is sent in a thread; yield the port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(box, loop=loop, **more), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.fixture
async def plain(box: Box) -> AsyncIterator[int]:
    async with an_smtp_server(box) as port:
        yield port


@pytest.fixture
async def encrypted(box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    demands: dict[str, Any] = {"authenticator": box.check, "auth_required": True, "require_starttls": True}
    async with an_smtp_server(box, tls_context=context, **demands) as port:
        yield port


def settings(port: int, **more: Any) -> MailSettings:
    return MailSettings(host="localhost", port=port, sender="daehwa@example.com", **more)


async def test_a_mail_says_what_to_do_and_goes_encrypted(encrypted: int, box: Box) -> None:
    mail = Mail(settings(encrypted, user="daehwa", password=lambda: "secret"))
    link = "https://chat.example/#/link/abc"
    assert await mail.send_reset("mina@example.com", link, site="https://chat.example", hours="an hour")
    assert box.was_encrypted == [True]
    assert box.users == ["daehwa:secret"]
    (found,) = box.mails
    assert (found["to"], found["from"], found["auto-submitted"]) == (
        *("mina@example.com", "daehwa@example.com", "auto-generated"),
    )
    assert link in found.get_payload()


async def test_what_cannot_be_sent_is_no_more_than_a_line_in_the_log(
    encrypted: int, box: Box, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = Mail(settings(encrypted, user="daehwa", password=lambda: "wrong"))
    assert not await wrong.send_reset("mina@example.com", "https://x/#/link/token", site="x", hours="an hour")
    monkeypatch.delenv("SSL_CERT_FILE")
    strange = Mail(settings(encrypted, user="daehwa", password=lambda: "secret"))
    assert not await strange.send_reset("mina@example.com", "https://x/#/link/token", site="x", hours="an hour")
    nowhere = Mail(settings(1))
    assert not await nowhere.send_reset("mina@example.com", "https://x/#/link/token", site="x", hours="an hour")
    ours = [record.getMessage() for record in caplog.records if record.name == "daehwa.sign_in"]
    assert len(ours) == 3
    assert not any("token" in line for line in ours)
    assert box.mails == []


async def test_a_new_password_comes_by_mail(plain: int, box: Box, tmp_path: Path) -> None:
    async with a_front_door(tmp_path, mail=Mail(settings(plain))) as door:
        assert (await door.browser().call("GET", "/auth/doors"))[1]["mail"] is True
        mina = await door.member("mina@example.com", email="mina@example.com")
        await door.people.accounts.add_user(NewUser(login="nomail"), now=door.clock.now)
        answers = [
            await door.browser().heard("POST", "/auth/reset", {"login": login})
            for login in ("mina@example.com", "nobody@example.com", "nomail")
        ]
        assert {status for status, _, _ in answers} == {202}
        assert len({str(body) for _, body, _ in answers}) == 1
        await asyncio.wait_for(box.came.wait(), 30)
        text = str(box.mails[0].get_payload())
        link = next(line for line in text.splitlines() if "/#/link/" in line)
        browser = door.browser()
        assert await browser.accept(link, password="a wholly new password") == (200, {"next": "done"})
        assert not await mina.is_in()
        assert "link.made" in await door.acts()
    assert [mail["to"] for mail in box.mails] == ["mina@example.com"]


async def test_nobody_s_box_is_filled(plain: int, box: Box, tmp_path: Path) -> None:
    async with a_front_door(tmp_path, mail=Mail(settings(plain))) as door:
        await door.member("mina@example.com", email="mina@example.com")
        statuses = [
            (await door.browser().call("POST", "/auth/reset", {"login": "mina@example.com"}))[0] for _ in range(12)
        ]
        assert statuses == [*[202] * 10, 429, 429]
    assert len(box.mails) <= 3


async def test_a_server_can_be_greeted_without_a_mail(plain: int, encrypted: int, box: Box) -> None:
    for port in (plain, encrypted):
        assert await Mail(settings(port)).fault() is None
    assert box.mails == []
    told = await Mail(settings(plain, is_tls=True)).fault()
    assert told is not None
    assert told.startswith(f"The mail server at localhost:{plain} does not answer as it must (")


async def test_a_server_elsewhere_that_does_not_encrypt_is_a_fault(box: Box) -> None:
    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: SMTP(box, loop=loop), "127.0.0.2", 0) as server:
        port = server.sockets[0].getsockname()[1]
        elsewhere = MailSettings(host="127.0.0.2", port=port, sender="daehwa@example.com")
        told = await Mail(elsewhere).fault()
    assert told == "127.0.0.2 offers no STARTTLS, and nothing is sent to another machine unencrypted."
