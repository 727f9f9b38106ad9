"""AWS's limits that neither CDK nor the linters check, each with a sentence that says what to change."""

import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from daehwa.deployment.configuration import DeploymentSettings
from daehwa.deployment.costs import PRICES
from daehwa.deployment.errors import DeploymentError
from daehwa.settings import Settings, SettingsError
from daehwa.settings.money import PRICES_VARIABLE, configured_money
from daehwa.settings.routes import ROUTES_VARIABLE, configured_routes
from daehwa.settings.source import SettingsFile

ORIGIN_READ_SECONDS = 120
"""The longest that CloudFront waits for an origin's first and next byte (CDK lets 180 through)."""
ORIGIN_KEEP_ALIVE_SECONDS = 120
INTEGRATION_SECONDS = 900
"""The longest that API Gateway streams one answer."""
FUNCTION_SECONDS = 900
FUNCTION_MEMORY = (128, 10_240)
ENVIRONMENT_BYTES = 4096
ROLE_POLICY_CHARACTERS = 10_240
API_KEY_CHARACTERS = (20, 128)
EDGE_FUNCTION_BYTES = 10_240
DOMAIN_PREFIX_CHARACTERS = 63
CODE_BYTES_PACKED = 50 * 1024 * 1024
CODE_BYTES = 250 * 1024 * 1024
START_SCRIPT = "run.sh"

ADAPTER_LAYER = 30
"""The layer's number in every region: Lambda Web Adapter 1.1.0. Number 29 was withdrawn."""
_ADAPTER_ACCOUNT = "753240598075"
# Where release 1.1.0 was published (its pipeline's list): ordinary regions alone, without China and GovCloud.
ADAPTER_REGIONS = frozenset(
    {
        *("af-south-1",),
        *("ap-east-1", "ap-east-2", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1"),
        *("ap-south-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5"),
        *("ap-southeast-6", "ap-southeast-7"),
        *("ca-central-1", "ca-west-1"),
        *("eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1"),
        *("eu-west-2", "eu-west-3"),
        *("il-central-1",),
        *("mx-central-1",),
        *("sa-east-1",),
        *("us-east-1", "us-east-2", "us-west-1", "us-west-2"),
    }
)
_WITHOUT_SNAP_START = frozenset({"ap-southeast-6", "ap-east-2"})
_COGNITO_RESERVED = ("aws", "amazon", "cognito")
_UNKNOWN_TEXT = 128  # characters of a value that AWS alone knows: an ARN, an id, a host name


class NotDeployable(DeploymentError):  # noqa: N818 - errors state the fact
    """What was asked for cannot stand on AWS as it is."""


class BeyondLimit(DeploymentError):  # noqa: N818 - errors state the fact
    """A figure is beyond what AWS takes."""


def adapter_layer(region: str) -> str:
    """Return the ARN of Lambda Web Adapter in a region. Raise `NotDeployable` where it is not published."""
    if region not in ADAPTER_REGIONS:
        raise NotDeployable(
            f"Lambda Web Adapter, which daehwa needs, is not published in the region '{region}'. Choose one of: "
            f"{', '.join(sorted(ADAPTER_REGIONS))}."
        )
    return f"arn:aws:lambda:{region}:{_ADAPTER_ACCOUNT}:layer:LambdaAdapterLayerArm64:{ADAPTER_LAYER}"


def check_settings(settings: DeploymentSettings) -> None:
    """Raise `NotDeployable` for settings that do not go together, whoever the admin will be."""
    if settings.region is None:
        raise NotDeployable("No region is chosen. Give one by --region, such as --region ap-northeast-2.")
    adapter_layer(settings.region)
    faults = {
        "A domain needs its certificate, and a certificate its domain: give both --domain and --certificate.": (
            (settings.domain is None) != (settings.certificate is None)
        ),
        "CloudFront takes certificates of AWS Certificate Manager in us-east-1 alone. Request it there, and give its "
        "ARN: arn:aws:acm:us-east-1:….": (
            settings.certificate is not None and not settings.certificate.startswith("arn:aws:acm:us-east-1:")
        ),
        "The upstream's address must begin with https://, since the key and all conversations go there. Correct "
        "--base-url.": (not settings.base_url.startswith("https://")),
        "A sign-in provider's address must begin with https://. Correct --issuer.": (
            settings.issuer is not None and not settings.issuer.startswith("https://")
        ),
        "Another sign-in provider needs its address and our client id there: give both --issuer and --client-id.": (
            (settings.issuer is None) != (settings.client_id is None)
        ),
        f"The name '{settings.name}' has a word that Cognito keeps for itself ({', '.join(_COGNITO_RESERVED)}). "
        "Choose another by --name.": (
            settings.issuer is None and any(word in settings.name for word in _COGNITO_RESERVED)
        ),
        f"Lambda has no SnapStart in {settings.region}. Leave --snap-start out, or choose another region.": (
            settings.snap_start and settings.region in _WITHOUT_SNAP_START
        ),
    }
    for sentence, is_so in faults.items():
        if is_so:
            raise NotDeployable(sentence)
    _check_texts(settings)


def _check_texts(settings: DeploymentSettings) -> None:
    """Raise `NotDeployable` for budgets, groups, prices and routes that the function could not read."""
    texts = Settings(budgets=settings.budgets, groups=settings.groups, data_dir=Path())
    flags = {"budgets": "--budgets", "groups": "--groups"}
    try:
        configured_money(texts, flags, SettingsFile(), {PRICES_VARIABLE: ",".join(settings.prices)})
        configured_routes(SettingsFile(), {ROUTES_VARIABLE: ",".join(settings.routes)})
    except SettingsError as error:
        said = str(error).replace(PRICES_VARIABLE, "--prices").replace(ROUTES_VARIABLE, "--routes")
        raise NotDeployable(said) from None


def mail_for_budget(settings: DeploymentSettings) -> str | None:
    """Return whom the budget warns."""
    return settings.alarm_email or settings.admin_email


def check_mail(settings: DeploymentSettings) -> None:
    """Raise `NotDeployable` where a warning has nobody to go to: the admin will do, once their address is known."""
    if settings.monthly_budget is not None and mail_for_budget(settings) is None:
        raise NotDeployable("A monthly budget warns by e-mail: give --admin-email or --alarm-email as well.")


def check_code(code: Path) -> None:
    """Raise `NotDeployable` or `BeyondLimit` for a function's folder or zip that Lambda would not take or start."""
    if code.is_dir():
        sizes = {path.relative_to(code).as_posix(): path.stat().st_size for path in code.rglob("*") if path.is_file()}
        packed = 0
    elif zipfile.is_zipfile(code):
        with zipfile.ZipFile(code) as archive:
            sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
        packed = code.stat().st_size
    else:
        raise NotDeployable(f"There is no built function at {code}. `daehwa deploy` builds it.")
    if START_SCRIPT not in sizes:
        raise NotDeployable(f"{code} has no {START_SCRIPT}, which starts the function. Build it by `daehwa deploy`.")
    _at_most(sum(sizes.values()), CODE_BYTES, "The function's files", "bytes", "Leave packages out of it.")
    _at_most(packed, CODE_BYTES_PACKED, "The function's zip", "bytes", "Leave packages out of it.")


def check_template(template: Mapping[str, Any]) -> None:
    """Raise `BeyondLimit` for a CloudFormation template with a figure that AWS would refuse while it deploys."""
    for name, parameter in template.get("Parameters", {}).items():
        if parameter.get("NoEcho"):
            shortest, longest = int(parameter.get("MinLength", 0)), int(parameter.get("MaxLength", 10**9))
            _at_least(shortest, API_KEY_CHARACTERS[0], f"{name}'s shortest length", "characters", "Raise MinLength.")
            _at_most(longest, API_KEY_CHARACTERS[1], f"{name}'s longest length", "characters", "Lower MaxLength.")
    alarms = 0
    for name, resource in template["Resources"].items():
        check = _CHECKS.get(resource["Type"])
        if check is not None:
            check(name, resource.get("Properties", {}))
        alarms += _alarm_metrics(resource)
    _at_most(alarms, PRICES.free_alarms, "The alarms' metrics", "of them", "More would cost $0.10 a month each.")


def _function(name: str, properties: Mapping[str, Any]) -> None:
    _at_most(properties["Timeout"], FUNCTION_SECONDS, f"{name}'s time-out", "seconds", "Lower turn_seconds.")
    _at_least(properties["MemorySize"], FUNCTION_MEMORY[0], f"{name}'s memory", "MiB", "Raise memory.")
    _at_most(properties["MemorySize"], FUNCTION_MEMORY[1], f"{name}'s memory", "MiB", "Lower memory.")
    variables = properties.get("Environment", {}).get("Variables", {})
    size = sum(len(key.encode()) + _length(value) for key, value in variables.items())
    _at_most(size, ENVIRONMENT_BYTES, f"{name}'s environment", "bytes", "Offer fewer models or allow fewer e-mails.")
    for layer in properties.get("Layers", ()):
        if "LambdaAdapterLayer" in str(layer) and not str(layer).endswith(f":{ADAPTER_LAYER}"):
            raise BeyondLimit(f"{name} has the layer {layer}; the one that was tried has the number {ADAPTER_LAYER}.")


def _method(name: str, properties: Mapping[str, Any]) -> None:
    integration = properties["Integration"]
    if integration["Type"] == "AWS_PROXY" and integration.get("ResponseTransferMode") != "STREAM":
        raise BeyondLimit(f"{name} does not stream, and the adapter answers in the streaming form alone: 502. Set it.")
    seconds = integration.get("TimeoutInMillis", 29_000) / 1000
    _at_most(seconds, INTEGRATION_SECONDS, f"{name}'s time-out", "seconds", "Lower turn_seconds.")


def _distribution(name: str, properties: Mapping[str, Any]) -> None:
    for origin in properties["DistributionConfig"]["Origins"]:
        custom = origin.get("CustomOriginConfig", {})
        read, keep = custom.get("OriginReadTimeout", 30), custom.get("OriginKeepaliveTimeout", 5)
        _at_most(read, ORIGIN_READ_SECONDS, f"{name}'s read time-out", "seconds", "Lower it.")
        _at_most(keep, ORIGIN_KEEP_ALIVE_SECONDS, f"{name}'s keep-alive time-out", "seconds", "Lower it.")


def _role(name: str, properties: Mapping[str, Any]) -> None:
    size = sum(_length(policy["PolicyDocument"]) for policy in properties.get("Policies", ()))
    _at_most(size, ROLE_POLICY_CHARACTERS, f"{name}'s policies", "characters", "Grant fewer things.")


def _edge_function(name: str, properties: Mapping[str, Any]) -> None:
    size = _length(properties["FunctionCode"])
    _at_most(size, EDGE_FUNCTION_BYTES, f"{name}'s code", "bytes", "Shorten it.")


def _sign_in_domain(name: str, properties: Mapping[str, Any]) -> None:
    length = _length(properties["Domain"])
    _at_most(length, DOMAIN_PREFIX_CHARACTERS, f"{name}'s prefix", "characters", "Choose a shorter name.")


_CHECKS = {
    "AWS::Lambda::Function": _function,
    "AWS::ApiGateway::Method": _method,
    "AWS::CloudFront::Distribution": _distribution,
    "AWS::CloudFront::Function": _edge_function,
    "AWS::Cognito::UserPoolDomain": _sign_in_domain,
    "AWS::IAM::Role": _role,
}


def _alarm_metrics(resource: Mapping[str, Any]) -> int:
    """Count what CloudWatch bills: an alarm on a sum of metrics is billed for each of them."""
    if resource["Type"] != "AWS::CloudWatch::Alarm":
        return 0
    queries = resource["Properties"].get("Metrics", [{"MetricStat": {}}])
    return sum("MetricStat" in query for query in queries)


def _length(value: object) -> int:
    """Return how long a value of a template becomes at most, where AWS has filled it in."""
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, dict) and set(value) == {"Fn::Join"}:
        return sum(_length(part) for part in value["Fn::Join"][1])
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)) in {"Ref", "Fn::GetAtt"}:
        return _UNKNOWN_TEXT
    parts = list(_parts(value))
    return sum(_length(part) for part in parts) + 4 * len(parts) if parts else len(json.dumps(value))


def _parts(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from (key, item)
    elif isinstance(value, list):
        yield from value


def _at_most(value: float, limit: float, what: str, unit: str, advice: str) -> None:
    if value > limit:
        raise BeyondLimit(f"{what} would be {value:,.10g} {unit}; AWS takes at most {limit:,.10g}. {advice}")


def _at_least(value: float, limit: float, what: str, unit: str, advice: str) -> None:
    if value < limit:
        raise BeyondLimit(f"{what} would be {value:,.10g} {unit}; AWS takes at least {limit:,.10g}. {advice}")
