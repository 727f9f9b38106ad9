"""What can be chosen for the AWS home: every choice has a default, a flag of `daehwa deploy`, and a key in one file."""

from typing import Annotated, Literal

import msgspec

from daehwa.settings.values import described

INPUT_VARIABLE = "DAEHWA_DEPLOYMENT"
"""Names the file by which the deploy command tells the CDK app what to make."""

ORIGIN_KEY_PARAMETER = "OriginKey"
"""The template's parameter for the key that CloudFront shows to API Gateway."""

CALLBACK_PATH = "/auth/callback"
"""Where a sign-in provider sends people back to; it must know this address of ours."""

FIREWALL_REGION = "us-east-1"
"""CloudFront's firewalls stand there alone."""


def name_everywhere(name: str, region: str) -> str:
    """Return an installation's name where AWS has one name for all regions of an account."""
    return f"{name}-{region}"


def firewall_stack(name: str, region: str) -> str:
    """Return the name of the stack with an installation's firewall. All of them stand in one region."""
    return f"{name_everywhere(name, region)}-firewall"


def former_firewall_stack(name: str) -> str:
    """Return what that was called when a name was taken to be in one region alone."""
    return f"{name}-firewall"


def key_parameter(name: str) -> str:
    """Return the name of the upstream key's parameter."""
    return f"/{name}/openai-key"


def sign_in_parameter(name: str) -> str:
    """Return the name of the parameter with a foreign sign-in provider's client secret."""
    return f"/{name}/sign-in-secret"


def origin_parameter(name: str) -> str:
    """Return the name of the parameter with the key that CloudFront sends to API Gateway."""
    return f"/{name}/origin-key"


class DeploymentSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One installation on AWS. Kept in daehwa-aws.toml; no secret is ever in it."""

    name: Annotated[
        str,
        described(
            "2 to 24 of a to z, 0 to 9 and -, a letter first",
            "The stack's name; several installations in one region of an account differ by it.",
            pattern=r"^[a-z][a-z0-9-]{0,22}[a-z0-9]$",
        ),
    ] = "daehwa"
    region: Annotated[
        str | None,
        described("an AWS region such as ap-northeast-2", "Where it runs. Left out: the credentials' region."),
    ] = None
    admin_email: Annotated[
        str | None, described("an e-mail address", "The first admin, who is invited by e-mail at the first deployment.")
    ] = None
    base_url: Annotated[str, described("an https:// address", "The upstream that speaks OpenAI's wire protocol.")] = (
        "https://api.openai.com/v1"
    )
    models: Annotated[
        tuple[str, ...],
        described("model names, separated by commas", "The models offered. Left out: what the upstream lists."),
    ] = ()
    default_model: Annotated[str | None, described("a model's name", "The model chosen for a new conversation.")] = None
    titles: Annotated[bool, described("true or false", "Whether models are asked to name conversations.")] = True
    domain: Annotated[
        str | None, described("a host name", "The page's own host name; needs `certificate`. Left out: CloudFront's.")
    ] = None
    certificate: Annotated[
        str | None,
        described("the ARN of a certificate in us-east-1", "The certificate of `domain` in AWS Certificate Manager."),
    ] = None
    memory: Annotated[
        int,
        described(
            "a whole number from 256 to 3008", "The function's memory in MiB; its CPU grows with it.", ge=256, le=3008
        ),
    ] = 448
    turn_seconds: Annotated[
        int,
        described(
            "a whole number from 30 to 900", "The longest an answer may take: the function's time-out.", ge=30, le=900
        ),
    ] = 900
    python: Annotated[
        Literal["3.14", "3.13", "3.12"], described('"3.14", "3.13" or "3.12"', "The function's runtime.")
    ] = "3.14"
    snap_start: Annotated[
        bool,
        described("true or false", "Whether Lambda keeps a started copy: quicker first starts for about $2 a month."),
    ] = False
    waf: Annotated[
        bool, described("true or false", "Whether a web firewall stands before it, from about $7 a month.")
    ] = False
    log_days: Annotated[
        Literal[1, 3, 5, 7, 14, 30, 60, 90, 180, 365],
        described("1, 3, 5, 7, 14, 30, 60, 90, 180 or 365", "How many days logs are kept."),
    ] = 30
    monthly_budget: Annotated[
        Annotated[int, msgspec.Meta(ge=1)] | None,
        described(
            "whole US dollars",
            "At what AWS spending in a month an e-mail warns `alarm_email`, else the admin. Left out: no such alarm.",
        ),
    ] = None
    alarm_email: Annotated[
        str | None,
        described(
            "an e-mail address",
            "Who is told by alarms, once a link that SNS mails is opened. Left out: nobody; the dashboard shows them.",
        ),
    ] = None
    budgets: Annotated[
        tuple[str, ...],
        described(
            "budgets such as user day 2, separated by commas",
            "What may be spent on models: whose (all, user, key, user:ann@example.com or group:research), for which "
            "time (day, month or total), and the dollars.",
        ),
    ] = ()
    groups: Annotated[
        tuple[str, ...],
        described(
            "groups such as research ann@example.com @lab.example.com, separated by commas",
            "Who shares the budget of a group: its name, then e-mail addresses and @domains.",
        ),
    ] = ()
    prices: Annotated[
        tuple[str, ...],
        described(
            "prices such as gpt-7* input 2.50 output 10, separated by commas",
            "What models cost whose prices the package does not know: dollars per million tokens.",
        ),
    ] = ()
    routes: Annotated[
        tuple[str, ...],
        described(
            "routes such as fast gpt-5-mini gpt-5-nano, separated by commas",
            "Aliases: a name, then the models that answer for it, in order; model=3 gives one a weight.",
        ),
    ] = ()
    issuer: Annotated[
        str | None,
        described(
            "an https:// address", "Another OpenID Connect provider; needs `client_id`. Left out: a Cognito user pool."
        ),
    ] = None
    client_id: Annotated[str | None, described("a text", "The client's id at `issuer`.")] = None
    allowed_emails: Annotated[
        tuple[Annotated[str, msgspec.Meta(pattern=r"^(\*|[^\s@*]*@[^\s@*]+)$")], ...],
        described(
            "e-mail addresses and @domains, separated by commas",
            "Who may sign in through `issuer`, beside the admin. With Cognito: those who were invited.",
        ),
    ] = ()
    require_second_factor: Annotated[
        bool,
        described(
            "true or false",
            "With Cognito: whether each person must set up an authenticator app (TOTP) at the next sign-in. Without it "
            "Cognito's page asks nobody to.",
        ),
    ] = False
    requests_per_second: Annotated[
        int, described("a whole number from 1 to 10000", "How many requests a second are let through.", ge=1, le=10_000)
    ] = 50


class Outputs(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """What the stack tells of itself when it stands, by the names of its CloudFormation outputs.

    Identifiers unless said otherwise. `web_address` ends without a slash; `api_address` is API Gateway's own, which
    must refuse us.
    """

    web_address: str
    api_address: str
    distribution_id: str
    page_bucket: str
    table_name: str
    function_name: str
    key_parameter: str
    dashboard_address: str
    user_pool_id: str = ""
