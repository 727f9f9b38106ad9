"""Secrets in SSM: the upstream's key, a sign-in provider's secret, and the key by which CloudFront knows itself.

A SecureString costs nothing, and CloudFormation cannot make one, so it is in no template, context or environment.
"""

import secrets
import urllib.error
import urllib.request
from datetime import datetime
from http.client import HTTPException
from typing import Any

import msgspec

from daehwa.deployment.cloud import AWS_ERRORS, Cloud, error_code
from daehwa.deployment.configuration import DeploymentSettings, origin_parameter
from daehwa.deployment.errors import DeploymentError
from daehwa.settings import OPENAI_URL, Secret

SHORTEST_KEY = 16
CHECK_SECONDS = 15
_UNAUTHORIZED, _FORBIDDEN = 401, 403


class _Listing(msgspec.Struct):
    data: list[Any]


_decode = msgspec.json.Decoder(_Listing).decode


def put_secret(cloud: Cloud, parameter: str, secret: Secret, *, is_new: bool = False) -> None:
    """Keep a secret; with `is_new` only where there is none yet."""
    cloud.client("ssm").put_parameter(
        Name=parameter, Value=secret.reveal(), Type="SecureString", Overwrite=not is_new, Description="Kept by daehwa"
    )


def secret_changed(cloud: Cloud, parameter: str) -> datetime | None:
    """Return when a secret was set, without reading it, or None where there is none."""
    filters = [{"Key": "Name", "Option": "Equals", "Values": [parameter]}]
    # By pages: where there are many parameters, the first ones may be empty and name a next one all the same.
    for page in cloud.client("ssm").get_paginator("describe_parameters").paginate(ParameterFilters=filters):
        for found in page["Parameters"]:
            changed: datetime = found["LastModifiedDate"]
            return changed
    return None


def origin_key(cloud: Cloud, name: str) -> Secret:
    """Return the key between CloudFront and API Gateway, made at random where there is none."""
    ssm, parameter = cloud.client("ssm"), origin_parameter(name)
    try:
        put_secret(cloud, parameter, Secret(secrets.token_hex(32)), is_new=True)
    except AWS_ERRORS as error:
        if error_code(error) != "ParameterAlreadyExists":
            raise
    return Secret(ssm.get_parameter(Name=parameter, WithDecryption=True)["Parameter"]["Value"])


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the key would go along, to where nobody meant it to."""

    def redirect_request(self, *_of: object) -> None:
        """Leave the answer as it is."""


def check_form(key: Secret, settings: DeploymentSettings) -> None:
    """Raise `DeploymentError` for what cannot be a key. Its text is never in the message."""
    text = key.reveal()
    if len(text) < SHORTEST_KEY or not text.isascii() or not text.isprintable() or " " in text:
        raise DeploymentError(
            f"That does not look like a key: it has {len(text)} characters, and a key has at least {SHORTEST_KEY}, all "
            "of them ASCII without spaces. Copy it again, whole."
        )
    if settings.base_url == OPENAI_URL and not text.startswith("sk-"):
        raise DeploymentError(
            "That does not look like a key of OpenAI's: those begin with 'sk-'. Make one at "
            "https://platform.openai.com/api-keys; for another upstream give its address by --base-url."
        )


def check_live(key: Secret, settings: DeploymentSettings) -> int:
    """Ask the upstream for its models by this key and return how many there are. Raise `DeploymentError`."""
    address = settings.base_url.rstrip("/") + "/models"
    request = urllib.request.Request(address, headers={"authorization": f"Bearer {key.reveal()}"})  # noqa: S310 - the person's upstream
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=CHECK_SECONDS) as answer:
            return len(_decode(answer.read()).data)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in {_UNAUTHORIZED, _FORBIDDEN}:
            raise DeploymentError(
                f"{address} does not accept this key ({error.code}). Nothing was stored. Give another, or leave the "
                "check out by --no-check."
            ) from None
        reason = f"answered {error.code}"
    except msgspec.DecodeError:
        reason = "did not answer with a list of models"
    except (OSError, HTTPException, ValueError) as error:
        reason = f"could not be asked ({error})"
    raise DeploymentError(
        f"The key could not be tried: {address} {reason}. Nothing was stored. Try again, or leave the check out by "
        "--no-check."
    )
