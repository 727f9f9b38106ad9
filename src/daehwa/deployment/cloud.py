"""AWS as the person's credentials see it: clients for one region, and what goes wrong there, told as one paragraph."""

from typing import Any

import boto3
import botocore.exceptions
from botocore.config import Config

from daehwa import __version__
from daehwa.deployment.errors import DeploymentError
from daehwa.settings.surroundings import region_from_environment

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_NOT_ACCEPTED = {
    *("InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "AuthFailure"),
    *("InvalidSignatureException", "IncompleteSignature", "InvalidAccessKeyId"),
}
_REFUSED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "403", "Forbidden"}
_THROTTLED = {
    *("Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"),
    "LimitExceededException",
}
_SIGN_IN_AGAIN = (
    "Sign in again (`aws sso login`, or `aws login`), or take fresh credentials, and start this command again."
)
AWS_ERRORS = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError)
_TIMES = {"connect_timeout": 10, "read_timeout": 60}


class Cloud:
    """One account in one region."""

    def __init__(self, session: boto3.Session, region: str) -> None:
        self.region = region
        self._session = session
        self._clients: dict[tuple[str, str], Any] = {}

    def in_region(self, region: str) -> "Cloud":
        """Return the same account in another region."""
        return Cloud(self._session, region)

    def read_key(self) -> tuple[str, str, str | None]:
        """Return access key id, secret and session token, renewed where they would soon expire."""
        found = self._session.get_credentials()
        if found is None:
            raise botocore.exceptions.NoCredentialsError
        frozen = found.get_frozen_credentials()
        return frozen.access_key, frozen.secret_key, frozen.token

    def client(self, service: str, region: str | None = None) -> Any:
        """Return a service's client, the same each time."""
        place = (service, region or self.region)
        if place not in self._clients:
            config = Config(
                **_TIMES,
                retries={"mode": "standard", "total_max_attempts": 6},
                user_agent_extra=f"daehwa/{__version__}",
            )
            self._clients[place] = self._session.client(service, region_name=place[1], config=config)
        return self._clients[place]


def open_session(profile: str | None) -> boto3.Session:
    """Return a session with credentials. Raise `DeploymentError` where there are none."""
    try:
        session = boto3.Session(profile_name=profile)
        found = session.get_credentials()
    except AWS_ERRORS as error:
        raise DeploymentError(told(error)) from None
    if found is None:
        raise DeploymentError(told(botocore.exceptions.NoCredentialsError()))
    return session


def usual_region(profile: str | None) -> str | None:
    """Return the region of the profile or the environment; no credentials are needed. Raise `DeploymentError`."""
    try:
        found = boto3.Session(profile_name=profile).region_name
    except AWS_ERRORS as error:
        raise DeploymentError(told(error)) from None
    return found or region_from_environment()


def error_code(error: Exception) -> str:
    """Return AWS's own name of an error, or nothing."""
    if isinstance(error, botocore.exceptions.ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return ""


def told(error: Exception) -> str:
    """Say in one paragraph what AWS or the way to it did not let us do, and what helps."""
    if isinstance(error, botocore.exceptions.ClientError):
        return _answer_told(error)
    exceptions = botocore.exceptions
    if isinstance(error, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)):
        return (
            "There are no AWS credentials here. Run `aws configure` or `aws sso login`, or set AWS_PROFILE, or "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and start this command again."
        )
    if isinstance(error, exceptions.ProfileNotFound):
        return f"{error}. `aws configure list-profiles` names those that there are; choose one by --profile."
    if isinstance(error, (exceptions.TokenRetrievalError, exceptions.SSOError)):
        return f"The AWS sign-in on this machine has ended. {_SIGN_IN_AGAIN}"
    if isinstance(error, (exceptions.ConnectionError, exceptions.HTTPClientError)):
        return (
            f"AWS could not be reached ({error}). Check the internet connection and the proxy, and that the region's "
            "name is right."
        )
    return f"AWS could not be asked: {error}"


def _answer_told(error: botocore.exceptions.ClientError) -> str:
    code = error_code(error)
    said = str(error.response.get("Error", {}).get("Message", "")).strip()
    what = error.operation_name
    if code in _EXPIRED:
        return f"The AWS credentials have expired. {_SIGN_IN_AGAIN}"
    if code in _NOT_ACCEPTED:
        return f"AWS does not accept these credentials ({code}). Check AWS_PROFILE and the AWS_ variables. {said}"
    if code in _REFUSED:
        return (
            f"These credentials may not do {what}. Take credentials of an administrator of this account, or have the "
            f"permission added. AWS says: {said}"
        )
    if code in _THROTTLED:
        return f"AWS asks for patience ({what}: {code}). Wait a minute and start this command again."
    if code == "OptInRequired":
        return (
            f"This account has not enabled the region or the service for {what}. Enable it in the AWS console. {said}"
        )
    return f"AWS refused {what} ({code}): {said}"
