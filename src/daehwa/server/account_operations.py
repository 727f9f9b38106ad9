"""The rows of local accounts and of one's own account: there only where people sign in, so that no other start pays."""

from collections.abc import Iterator

from daehwa.accounts.errors import (
    AccountDisabled,
    HeldByAdmin,
    LastAdmin,
    LoginTaken,
    NotAllowed,
    SignInExpired,
)
from daehwa.conversation.archive_ports import KeptConversations
from daehwa.conversation.errors import InvalidRequest, StoreError, TooMuch
from daehwa.conversation.ports import ModelCatalogue
from daehwa.conversation.running import RunningTurns
from daehwa.server import local_auth
from daehwa.server.admin_operations import admin_operations
from daehwa.server.administration import Administration
from daehwa.server.api import account
from daehwa.server.api.account import AccountApi
from daehwa.server.api.belongings import ZIP, BelongingsApi, Goodbye
from daehwa.server.errors import BodyTooSlow, UnsupportedMediaType
from daehwa.server.local_auth import LocalAuthApi, Next, PasskeyOptions
from daehwa.server.routing import Operation
from daehwa.sign_in.errors import (
    AccountsOff,
    CodesOff,
    CodesOn,
    CredentialsRefused,
    LinkGone,
    MailOff,
    PasskeyRefused,
    PasskeysOff,
    PasswordRefused,
    TooManyAttempts,
)

_BODY = (InvalidRequest, TooMuch, UnsupportedMediaType, BodyTooSlow, StoreError)
_TRIED = (CredentialsRefused, AccountDisabled, TooManyAttempts, *_BODY)
_OWN = (AccountsOff, NotAllowed, *_BODY)
_PROVED = (CredentialsRefused, TooManyAttempts, *_OWN)


def account_operations(
    office: Administration, store: KeptConversations, running: RunningTurns, catalogue: ModelCatalogue
) -> Iterator[Operation]:
    """Yield the rows."""
    local, identity, options = office.local, office.identity, office.options
    if local is not None:
        yield from _doors(LocalAuthApi(local, identity, options))
    yield from _account(AccountApi(office.people, local, identity, options))
    yield from _belongings(BelongingsApi(office, store))
    yield from admin_operations(office, store, running, catalogue)


def _doors(api: LocalAuthApi) -> Iterator[Operation]:
    for path, handler, body, errors in (
        ("/auth/password", api.give_password, local_auth.PasswordGiven, _TRIED),
        ("/auth/code", api.give_code, local_auth.CodeGiven, (SignInExpired, *_TRIED)),
        ("/auth/passkey", api.give_passkey, local_auth.CredentialGiven, (SignInExpired, PasskeyRefused, *_TRIED)),
        (
            "/auth/link/accept",
            api.accept_link,
            local_auth.LinkAccepted,
            (LinkGone, LoginTaken, PasswordRefused, AccountDisabled, TooManyAttempts, *_BODY),
        ),
    ):
        yield Operation("POST", path, handler, body=body, answers=(Next,), errors=errors, is_open=True)
    given, off = local_auth.NothingGiven, (PasskeysOff, *_BODY)
    options = "/auth/passkey/options"
    yield Operation("POST", options, api.ask_passkey, body=given, answers=(PasskeyOptions,), errors=off, is_open=True)
    yield Operation(
        "POST",
        "/auth/link",
        api.look_at_link,
        body=local_auth.LinkGiven,
        answers=(local_auth.LinkSeen,),
        errors=(LinkGone, TooManyAttempts, *_BODY),
        is_open=True,
    )
    asked, none = local_auth.ResetAsked, (MailOff, TooManyAttempts, *_BODY)
    yield Operation("POST", "/auth/reset", api.ask_for_reset, body=asked, status=202, errors=none, is_open=True)


def _account(api: AccountApi) -> Iterator[Operation]:
    own, shown = "/api/account", (account.Account,)
    yield Operation("GET", own, api.get_account, answers=shown, errors=(StoreError,))
    yield Operation("PATCH", own, api.change_account, body=account.AccountChanges, answers=shown, errors=_OWN)
    yield from _credentials(api)
    ended = (account.SessionNotFound, StoreError)
    yield Operation("DELETE", f"{own}/sessions/{{session}}", api.end_session, status=204, errors=ended)
    others = f"{own}/sessions/end-others"
    yield Operation("POST", others, api.end_other_sessions, status=204, errors=(StoreError,))


def _belongings(api: BelongingsApi) -> Iterator[Operation]:
    taken, gone = "/api/account/export", "/api/account"
    yield Operation("GET", taken, api.export_account, text=ZIP, errors=(StoreError,))
    yield Operation(
        "DELETE",
        gone,
        api.delete_account,
        body=Goodbye,
        status=204,
        errors=(CredentialsRefused, HeldByAdmin, LastAdmin, TooManyAttempts, *_BODY),
    )


def _credentials(api: AccountApi) -> Iterator[Operation]:
    password, wrong = "/api/account/password", (PasswordRefused, SignInExpired, *_PROVED)
    yield Operation("POST", password, api.change_password, body=account.PasswordChange, status=204, errors=wrong)
    yield from _totp(api)
    yield from _passkeys(api)


def _totp(api: AccountApi) -> Iterator[Operation]:
    totp, proof = "/api/account/totp", account.PasswordProof
    begun, codes = (account.TotpBegun,), (account.RecoveryCodes,)
    yield Operation("POST", totp, api.begin_totp, body=proof, answers=begun, errors=(CodesOn, *_PROVED))
    yield Operation(
        "POST",
        f"{totp}/confirm",
        api.confirm_totp,
        body=account.TotpConfirmed,
        answers=codes,
        errors=(CodesOn, SignInExpired, *_PROVED),
    )
    renewed = f"{totp}/recovery-codes"
    yield Operation("POST", renewed, api.renew_recovery_codes, body=proof, answers=codes, errors=(CodesOff, *_PROVED))
    yield Operation("POST", f"{totp}/off", api.end_totp, body=proof, status=204, errors=_PROVED)


def _passkeys(api: AccountApi) -> Iterator[Operation]:
    passkeys = "/api/account/passkeys"
    yield Operation(
        "POST",
        f"{passkeys}/options",
        api.ask_new_passkey,
        body=account.PasswordProof,
        answers=(PasskeyOptions,),
        errors=(PasskeysOff, *_PROVED),
    )
    yield Operation(
        "POST",
        passkeys,
        api.add_passkey,
        body=account.NewPasskey,
        answers=(account.ShownPasskey,),
        status=201,
        errors=(PasskeysOff, PasskeyRefused, SignInExpired, *_OWN),
    )
    one, gone = f"{passkeys}/{{passkey}}", (account.PasskeyNotFound, AccountsOff, StoreError)
    yield Operation("DELETE", one, api.remove_passkey, status=204, errors=gone)
