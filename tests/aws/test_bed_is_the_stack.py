"""The bed's figures and names are those of the synthesised stack: what is proven here is what is deployed."""

from typing import Any

import pytest
from aws.home import AwsHome
from lambda_bed import edge
from lambda_bed.deployed import ADAPTER
from lambda_bed.events import STAGE
from synthesized import synthesized

pytestmark = pytest.mark.cdk

DOUBLES = {"AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SSM"}


def told() -> dict[str, Any]:
    """Return the environment of the stack's function; with a provider of one's own, as the bed has it."""
    variables: dict[str, Any] = synthesized("everything").only("AWS::Lambda::Function")["Environment"]["Variables"]
    return variables


@pytest.mark.lambda_adapter
@pytest.mark.asyncio(loop_scope="session")
async def test_the_function_is_told_nothing_that_the_stack_does_not_tell(home: AwsHome) -> None:
    variables = home.function.code.variables
    assert set(variables) - set(told()) == DOUBLES


def test_the_adapter_is_told_the_same() -> None:
    theirs = {name: value for name, value in told().items() if name.startswith(("AWS_LWA_", "AWS_LAMBDA_"))}
    assert theirs.pop("AWS_LWA_PORT") == "8080"  # the bed gives each environment its own
    assert theirs == ADAPTER


def test_the_edge_has_the_paths_and_the_patience_of_the_distribution() -> None:
    config = synthesized().only("AWS::CloudFront::Distribution")["DistributionConfig"]
    assert tuple(each["PathPattern"] for each in config["CacheBehaviors"]) == edge.API_PATHS
    [api] = [origin for origin in config["Origins"] if "OriginCustomHeaders" in origin]
    assert api["OriginPath"] == f"/{STAGE}"
    assert [header["HeaderName"] for header in api["OriginCustomHeaders"]] == ["x-api-key"]
    assert api["CustomOriginConfig"]["OriginReadTimeout"] == edge.READ_SECONDS
    kept = {each["ErrorCode"]: each["ErrorCachingMinTTL"] for each in config["CustomErrorResponses"]}
    assert kept == edge.ERROR_SECONDS
    codes = [made["FunctionCode"] for made in synthesized().of_type("AWS::CloudFront::Function").values()]
    assert all(any(f"'{path}'" in code for code in codes) for path in edge.INDEX_PATHS)
