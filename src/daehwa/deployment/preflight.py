"""Looks before it begins: whose credentials, which region, whether CDK is at home there, how much Lambda may do."""

import msgspec

from daehwa.deployment.cloud import AWS_ERRORS, Cloud, error_code, told
from daehwa.deployment.errors import DeploymentError

BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
OLDEST_BOOTSTRAP = 6
"""What CDK's way to upload files asks for."""

FEW_AT_ONCE = 100


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the stack would stand.

    `not_bootstrapped` are the regions where CDK has to be made at home; `concurrency` is None where it may not be read.
    """

    account: str
    caller: str
    region: str
    not_bootstrapped: tuple[str, ...]
    concurrency: int | None

    def remarks(self) -> list[str]:
        """Return what the person should know before it is deployed, each a paragraph."""
        said = []
        if self.not_bootstrapped:
            said.append(
                f"CDK is not at home in {' and '.join(self.not_bootstrapped)} of this account yet: it needs a bucket "
                "and roles of its own, made once by `cdk bootstrap`, which cost next to nothing."
            )
        if self.concurrency is not None and self.concurrency < FEW_AT_ONCE:
            said.append(
                f"This account lets Lambda do {self.concurrency} things at once in {self.region}, so about that many "
                "answers can stream at the same time; further ones are refused until one ends. New accounts begin so. "
                "More is free of charge: AWS console, Service Quotas, AWS Lambda, Concurrent executions."
            )
        return said


def look_around(cloud: Cloud, *, further_regions: tuple[str, ...] = ()) -> Surroundings:
    """Ask AWS about the region, and those where further stacks stand. Raise `DeploymentError`."""
    try:
        caller = cloud.client("sts").get_caller_identity()
        regions = dict.fromkeys((cloud.region, *further_regions))
        missing = tuple(region for region in regions if not _is_bootstrapped(cloud, region))
    except AWS_ERRORS as error:
        raise DeploymentError(told(error)) from None
    return Surroundings(
        account=caller["Account"],
        caller=caller["Arn"],
        region=cloud.region,
        not_bootstrapped=missing,
        concurrency=concurrency(cloud),
    )


def concurrency(cloud: Cloud) -> int | None:
    """Return how many functions may run at once, or None where the credentials may not ask."""
    try:
        return int(cloud.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"])
    except (*AWS_ERRORS, KeyError):
        return None


def _is_bootstrapped(cloud: Cloud, region: str) -> bool:
    try:
        answer = cloud.client("ssm", region).get_parameter(Name=BOOTSTRAP_PARAMETER)
    except AWS_ERRORS as error:
        if error_code(error) == "ParameterNotFound":
            return False
        raise
    return int(answer["Parameter"]["Value"]) >= OLDEST_BOOTSTRAP
