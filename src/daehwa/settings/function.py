"""What the function on AWS is told by its environment: the settings it must have, and what Lambda itself says."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from daehwa.settings.values import ConfiguredSignIn, Secret, Settings, SettingsError

Service: TypeAlias = Literal["dynamodb", "ssm"]

HOME_VARIABLE = "DAEHWA_HOME"
_NEEDED = ("table", "key_parameter", "public_url")
_ON_AWS_ONLY = ("table", "key_parameter", "base_url", "models")


class AwsSurroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What Lambda says of itself. Credentials are the keys, or with SnapStart an address that gives them.

    `endpoints` are those of AWS's own variables AWS_ENDPOINT_URL_<SERVICE>, for doubles of its services.
    `has_proxy`: the environment names one, so what reads it is worth its import.
    """

    region: str
    access_key: str | None = None
    secret_key: Secret | None = None
    session_token: Secret | None = None
    credentials_address: str | None = None
    credentials_token: Secret | None = None
    endpoints: Mapping[Service, str] = {}
    port: int = 8080
    has_proxy: bool = False


def aws_surroundings(env: Mapping[str, str]) -> AwsSurroundings:
    """Read what Lambda says. Raise `SettingsError`."""
    region = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION")
    if not region:
        raise SettingsError("AWS_REGION is not set. Lambda sets it; elsewhere set it to the region of the table.")
    port = env.get("AWS_LWA_PORT") or "8080"
    if not port.isdecimal():
        raise SettingsError(f'AWS_LWA_PORT is "{port}", which is not allowed. It is the port that the adapter asks.')
    services: tuple[Service, ...] = ("dynamodb", "ssm")
    found = {name: env.get(f"AWS_ENDPOINT_URL_{name.upper()}") or env.get("AWS_ENDPOINT_URL") for name in services}
    return AwsSurroundings(
        region=region,
        access_key=env.get("AWS_ACCESS_KEY_ID") or None,
        secret_key=_secret(env, "AWS_SECRET_ACCESS_KEY"),
        session_token=_secret(env, "AWS_SESSION_TOKEN"),
        credentials_address=env.get("AWS_CONTAINER_CREDENTIALS_FULL_URI") or None,
        credentials_token=_secret(env, "AWS_CONTAINER_AUTHORIZATION_TOKEN"),
        endpoints={name: address for name, address in found.items() if address},
        port=int(port),
        has_proxy=any(name.lower().endswith("_proxy") and text for name, text in env.items()),
    )


def _secret(env: Mapping[str, str], variable: str) -> Secret | None:
    return Secret(env[variable]) if env.get(variable) else None


def check_home(settings: Settings, sources: Mapping[str, str], sign_in: ConfiguredSignIn | None) -> None:
    """Raise `SettingsError` where a setting is missing in this home, or belongs to the other one."""
    if settings.home == "local":
        for name in _ON_AWS_ONLY:
            if getattr(settings, name):
                raise SettingsError(
                    f"{sources[name]}: {name} is for the home on AWS alone. Here, OPENAI_BASE_URL or a table "
                    "[[providers]] names an upstream and its models; take this setting out."
                )
        if sign_in is not None and sign_in.secret_parameter is not None:
            raise SettingsError(
                "secret_parameter of [sign_in] is for the home on AWS alone. Here, client_secret_env names the "
                "environment variable that holds the client's secret; take this setting out."
            )
        return
    if sources["home"] != HOME_VARIABLE:
        raise SettingsError(
            f'{sources["home"]}: home = "aws" is what the function on AWS is told by its environment. Take it out; '
            "`daehwa deploy` makes that home."
        )
    for name in _NEEDED:
        if not getattr(settings, name):
            raise SettingsError(f"DAEHWA_{name.upper()} is not set, and the home on AWS needs it. Deploy again.")
    if sign_in is None:
        raise SettingsError(
            "DAEHWA_SIGN_IN_ISSUER is not set, and on AWS everybody has to sign in: whoever knows the address could "
            "read everything. Deploy again."
        )
    if sign_in.secret is not None:
        raise SettingsError(
            "DAEHWA_SIGN_IN_CLIENT_SECRET_ENV is for the home on one machine: whoever may look at the function would "
            "read the secret. Deploy again; DAEHWA_SIGN_IN_SECRET_PARAMETER says where it is kept."
        )
