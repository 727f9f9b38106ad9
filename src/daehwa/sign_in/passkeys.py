"""Passkeys (WebAuthn level 3) by py_webauthn: discoverable ones, and only where the person was verified.

So one passkey is a whole sign-in: the device, and the finger, face or PIN that opens it. The library is imported by the
first who needs it; without it there are no passkeys here, and passwords work as ever.
"""

import importlib.util
import logging
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from daehwa.accounts.credentials import Passkey
from daehwa.accounts.people import User
from daehwa.sign_in.errors import PasskeyRefused, PasskeysOff
from daehwa.sign_in.tokens import encoded

SITE_NAME = "daehwa"
MOST_PASSKEYS = 20
"""So many a person may have."""
NAME_CHARACTERS = 100
_TIMEOUT_MS = 5 * 60 * 1000
_KEY_TYPES = (-8, -7, -257)
"""EdDSA, ES256 and RS256, as COSE numbers them: what all authenticators of today have."""
_log = logging.getLogger("daehwa.sign_in")
# What malformed bytes bring up in the library and in those below it, beside its own errors.
_MALFORMED = (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError)


class RelyingParty:
    """The site that browsers tie passkeys to: the host name of the public address."""

    def __init__(self, public_url: str) -> None:
        self.origin = public_url
        self.id = urlsplit(public_url).hostname or ""
        # A browser takes no address for a name: on this machine the page has to be opened as `localhost`.
        self.is_possible = bool(self.id) and not self.id.replace(".", "").isdecimal() and ":" not in self.id

    def check(self) -> None:
        """Raise `PasskeysOff` where there can be none."""
        if not is_installed():
            raise PasskeysOff(
                "Passkeys need a package that is not installed on this server. Whoever runs it starts it by `uv run "
                "--extra accounts daehwa`, or types `pip install '.[accounts]'` in daehwa's folder first."
            )
        if not self.is_possible:
            raise PasskeysOff(
                "Browsers tie passkeys to a name, and this page was opened under a number. On this machine, start with "
                "public_url = http://localhost:8000 and open it there."
            )

    @property
    def has_passkeys(self) -> bool:
        """Whether there can be any."""
        return self.is_possible and is_installed()

    def options_to_make(self, user: User, known: Iterable[Passkey], challenge: bytes) -> dict[str, Any]:
        """Return what `navigator.credentials.create` is asked, as JSON."""
        from webauthn import generate_registration_options  # noqa: PLC0415 - see above
        from webauthn.helpers.cose import COSEAlgorithmIdentifier  # noqa: PLC0415 - as above
        from webauthn.helpers.options_to_json_dict import options_to_json_dict  # noqa: PLC0415 - as above
        from webauthn.helpers.structs import (  # noqa: PLC0415 - as above
            AuthenticatorSelectionCriteria,
            ResidentKeyRequirement,
            UserVerificationRequirement,
        )

        options = generate_registration_options(
            rp_id=self.id,
            rp_name=SITE_NAME,
            user_id=user.id.encode(),
            user_name=user.login or user.email or user.name or user.id,
            user_display_name=user.name or user.login or user.id,
            challenge=challenge,
            timeout=_TIMEOUT_MS,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=[_descriptor(passkey) for passkey in known],
            supported_pub_key_algs=[COSEAlgorithmIdentifier(kind) for kind in _KEY_TYPES],
        )
        return dict(options_to_json_dict(options))

    def options_to_use(self, challenge: bytes) -> dict[str, Any]:
        """Return what `navigator.credentials.get` is asked, as JSON. No account is named: the passkey says whose."""
        from webauthn import generate_authentication_options  # noqa: PLC0415 - see above
        from webauthn.helpers.options_to_json_dict import options_to_json_dict  # noqa: PLC0415 - as above
        from webauthn.helpers.structs import UserVerificationRequirement  # noqa: PLC0415 - as above

        options = generate_authentication_options(
            rp_id=self.id,
            challenge=challenge,
            timeout=_TIMEOUT_MS,
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return dict(options_to_json_dict(options))

    def made(self, credential: Mapping[str, Any], challenge: bytes) -> tuple[str, bytes, int, tuple[str, ...]]:
        """Return id, public key, counter and transports of a new passkey. Raise `PasskeyRefused`."""
        from webauthn import verify_registration_response  # noqa: PLC0415 - see above
        from webauthn.helpers.cose import COSEAlgorithmIdentifier  # noqa: PLC0415 - as above
        from webauthn.helpers.exceptions import WebAuthnException  # noqa: PLC0415 - as above

        try:
            verified = verify_registration_response(
                credential=dict(credential),
                expected_challenge=challenge,
                expected_rp_id=self.id,
                expected_origin=self.origin,
                require_user_verification=True,
                supported_pub_key_algs=[COSEAlgorithmIdentifier(kind) for kind in _KEY_TYPES],
            )
        except (WebAuthnException, *_MALFORMED) as error:
            raise _refused(error) from None
        return encoded(verified.credential_id), verified.credential_public_key, verified.sign_count, _ways(credential)

    def used(self, credential: Mapping[str, Any], challenge: bytes, passkey: Passkey) -> int:
        """Return the counter that an answer of this passkey brings. Raise `PasskeyRefused`, also where a counter does
        not go up: then there may be a copy of the passkey.
        """
        from webauthn import verify_authentication_response  # noqa: PLC0415 - see above
        from webauthn.helpers.exceptions import WebAuthnException  # noqa: PLC0415 - as above

        try:
            verified = verify_authentication_response(
                credential=dict(credential),
                expected_challenge=challenge,
                expected_rp_id=self.id,
                expected_origin=self.origin,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=passkey.sign_count,
                require_user_verification=True,
            )
        except (WebAuthnException, *_MALFORMED) as error:
            raise _refused(error) from None
        return verified.new_sign_count


def is_installed() -> bool:
    """Whether the library is here; it is not imported for that."""
    return importlib.util.find_spec("webauthn") is not None


def credential_id(credential: Mapping[str, Any]) -> str:
    """Return which passkey an answer says it comes from. Raise `PasskeyRefused`."""
    found = credential.get("id")
    if not isinstance(found, str) or not 1 <= len(found) <= 1400:  # noqa: PLR2004 - 1,023 bytes at most, as base64url
        raise _refused(ValueError("the credential has no id"))
    return found


def user_handle(credential: Mapping[str, Any]) -> str | None:
    """Return whose passkey it says to be, as base64url; None where it does not say."""
    response = credential.get("response")
    handle = response.get("userHandle") if isinstance(response, dict) else None
    return handle if isinstance(handle, str) else None


def _descriptor(passkey: Passkey) -> Any:
    from webauthn import base64url_to_bytes  # noqa: PLC0415 - see above
    from webauthn.helpers.structs import AuthenticatorTransport, PublicKeyCredentialDescriptor  # noqa: PLC0415 - as above

    ways = [AuthenticatorTransport(way) for way in passkey.transports]
    return PublicKeyCredentialDescriptor(id=base64url_to_bytes(passkey.id), transports=ways or None)


def _ways(credential: Mapping[str, Any]) -> tuple[str, ...]:
    from webauthn.helpers.structs import AuthenticatorTransport  # noqa: PLC0415 - see above

    response = credential.get("response")
    said = response.get("transports") if isinstance(response, dict) else None
    known = {way.value for way in AuthenticatorTransport}
    return tuple(sorted({way for way in said if isinstance(way, str)} & known)) if isinstance(said, list) else ()


def _refused(error: Exception) -> PasskeyRefused:
    _log.warning("a passkey was refused: %s", error)
    return PasskeyRefused()
