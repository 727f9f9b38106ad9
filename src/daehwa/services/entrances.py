"""By which doors people come in on this machine: wired from the settings, and imported where there are any."""

from daehwa.accounts.people_ports import PeopleStores
from daehwa.settings import ConfiguredMail, LoadedSettings
from daehwa.sign_in.links import Provider
from daehwa.sign_in.local_accounts import LocalAccounts
from daehwa.sign_in.mail import SMTP_SECONDS, Mail, MailSettings


def build_local_accounts(
    loaded: LoadedSettings, people: PeopleStores, public_url: str, provider: Provider | None
) -> LocalAccounts:
    """Return this server's own accounts. Raise `SignInMisconfigured`."""
    mail = None if loaded.mail is None else build_mail(loaded.mail)
    return LocalAccounts(people, public_url, provider=provider, mail=mail)


def accounts_address(loaded: LoadedSettings, address: str) -> str:
    """Return the address under which browsers know this server where it has accounts: on this machine by its name, to
    which passkeys can be tied, and not by its number.
    """
    if loaded.values.public_url is not None:
        return loaded.values.public_url
    return address.replace("//127.0.0.1:", "//localhost:").replace("//[::1]:", "//localhost:")


def build_mail(configured: ConfiguredMail, *, seconds: float = SMTP_SECONDS) -> Mail:
    """Return what sends mail by the configured server, which may take so long for each step."""
    password = configured.password
    return Mail(
        MailSettings(
            host=configured.host,
            port=configured.port,
            sender=configured.sender,
            is_tls=configured.is_tls,
            user=configured.user,
            password=None if password is None else password.reveal,
        ),
        seconds=seconds,
    )
