"""Mail with a link in it, by the standard library's SMTP client in a thread: never past this machine unencrypted."""

import asyncio
import contextlib
import logging
import smtplib
import ssl
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from daehwa.accounts.unshown import Unshown

SMTP_SECONDS = 20.0
"""How long the server may take for each step."""
MOST_AT_ONCE = 4
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_log = logging.getLogger("daehwa.sign_in")

_TEXT = """\
Somebody, probably you, asked for a new password at
{site}

Open this link within {hours} to choose one. It works once.

{link}

If it was not you, do nothing: your password stays as it is.
"""


class MailSettings(Unshown, frozen=True, kw_only=True):
    """A mail server. `is_tls`: encrypted from the first byte, else by STARTTLS, without which nothing is sent except on
    this machine.
    """

    host: str
    port: int
    sender: str
    is_tls: bool = False
    user: str | None = None
    password: Callable[[], str] | None = None


class Mail:
    """Sends mail."""

    def __init__(self, settings: MailSettings, *, seconds: float = SMTP_SECONDS) -> None:
        self._settings = settings
        self._seconds = seconds
        self._places = asyncio.Semaphore(MOST_AT_ONCE)

    async def send_reset(self, to: str, link: str, *, site: str, hours: str) -> bool:
        """Send a link for a new password; whether the mail server took it. Why it did not is in the log."""
        message = EmailMessage()
        message["From"] = self._settings.sender
        message["To"] = to
        message["Subject"] = "A new password"
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=self._settings.sender.rpartition("@")[2] or "localhost")
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(_TEXT.format(site=site, link=link, hours=hours))
        async with self._places:
            try:
                await asyncio.to_thread(self._send, message)
            except (OSError, smtplib.SMTPException) as error:  # ssl.SSLError is an OSError
                _log.warning("mail: %s did not take it: %s", self._settings.host, type(error).__name__)
                return False
        return True

    async def fault(self) -> str | None:
        """Greet the server as for a mail, but send none; return what is wrong, None where it answers as it must."""
        try:
            await asyncio.to_thread(self._greet)
        except smtplib.SMTPNotSupportedError:
            return f"{self._settings.host} offers no STARTTLS, and nothing is sent to another machine unencrypted."
        except (OSError, smtplib.SMTPException) as error:
            place = f"{self._settings.host}:{self._settings.port}"
            return (
                f"The mail server at {place} does not answer as it must ({type(error).__name__}). Look at [smtp] url."
            )
        return None

    def _greet(self) -> None:
        with self._greeted():
            pass

    def _send(self, message: EmailMessage) -> None:
        settings = self._settings
        with self._greeted() as server:
            if settings.user is not None and settings.password is not None:
                server.login(settings.user, settings.password())
            server.send_message(message)

    @contextlib.contextmanager
    def _greeted(self) -> Iterator[smtplib.SMTP]:
        settings, context = self._settings, ssl.create_default_context()
        if settings.is_tls:
            with smtplib.SMTP_SSL(settings.host, settings.port, timeout=self._seconds, context=context) as server:
                server.ehlo_or_helo_if_needed()
                yield server
            return
        with smtplib.SMTP(settings.host, settings.port, timeout=self._seconds) as server:
            server.ehlo_or_helo_if_needed()
            if settings.host not in _LOOPBACK or server.has_extn("starttls"):
                server.starttls(context=context)
                server.ehlo()
            yield server
