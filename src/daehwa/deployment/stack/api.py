"""The origin of everything that is not a file: API Gateway, streaming, for CloudFront alone.

What the distribution needs of it is `domain_name`, `path` and `headers`; a Function URL would give the same three.
"""

from collections.abc import Mapping

from aws_cdk import CfnParameter, Duration, RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from daehwa.deployment.configuration import ORIGIN_KEY_PARAMETER, DeploymentSettings
from daehwa.deployment.stack.acknowledgments import acknowledge
from daehwa.deployment.stack.function import retention
from daehwa.deployment.stack.lasting import name_for_good
from daehwa.deployment.stack.limits import API_KEY_CHARACTERS

STAGE = "live"
KEY_HEADER = "x-api-key"
FIRST_BYTE_FIELD = "first_byte"

# One line a request, in columns, since a number that is absent ("-") would break a JSON line. No query and no body; the
# error's text comes last, for it may have anything in it.
LOG_COLUMNS = {
    "time": "$context.requestTimeEpoch",
    "request": "$context.requestId",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "status": "$context.status",
    "bytes": "$context.responseLength",
    "milliseconds": "$context.responseLatency",
    FIRST_BYTE_FIELD: "$context.integration.timeToFirstContent",
    "error": '"$context.error.message"',
}


class StreamingApi(Construct):
    """A regional REST API whose one stage streams every answer and refuses whoever does not bring its key.

    The distribution is made before the function, which is told the distribution's address; so the methods are added
    last, by `serve`, and nothing waits for itself.
    """

    def __init__(self, scope: Construct, name: str, *, settings: DeploymentSettings) -> None:
        super().__init__(scope, name)
        self._settings = settings
        self.log_group = logs.LogGroup(
            self, "Log", retention=retention(settings.log_days), removal_policy=RemovalPolicy.DESTROY
        )
        self.api = apigateway.RestApi(
            self,
            "Api",
            rest_api_name=settings.name,
            description="daehwa, behind CloudFront",
            endpoint_types=[
                apigateway.EndpointType.REGIONAL
            ],  # an edge-optimised one cuts streams after 30 idle seconds
            # A form with a recording in it is bytes; what is not named here is taken for text, and so spoilt.
            binary_media_types=["multipart/form-data"],
            cloud_watch_role=False,  # made below, kept for other installations in this account
            deploy_options=self._stage(),
        )
        name_for_good(self.api, "Api")
        self.api.node.try_remove_child("Endpoint")  # an output of CDK's own; ours are in `Outputs`
        self.api.deployment_stage.node.add_dependency(self._log_access())
        self._key = CfnParameter(
            Stack.of(self),
            ORIGIN_KEY_PARAMETER,
            description="What CloudFront shows to API Gateway. The deploy command makes it at the first deployment.",
            no_echo=True,
            min_length=32,
            max_length=API_KEY_CHARACTERS[1],
            allowed_pattern="[A-Za-z0-9_-]+",
        )
        _answer_findings(self.api)

    @property
    def domain_name(self) -> str:
        """The API's own host name, which is also the Host that the function sees."""
        return f"{self.api.rest_api_id}.execute-api.{Stack.of(self).region}.amazonaws.com"

    @property
    def path(self) -> str:
        """What CloudFront puts before each path, so that the function sees the path as the browser sent it."""
        return f"/{STAGE}"

    @property
    def headers(self) -> Mapping[str, str]:
        """What CloudFront adds to each request; it replaces a header of that name from outside."""
        return {KEY_HEADER: self._key.value_as_string}

    def serve(self, function: lambda_.IFunction) -> None:
        """Send every path and method to the function, for whoever brings the key."""
        integration = apigateway.LambdaIntegration(
            function,
            proxy=True,
            # All of them: the adapter answers in the streaming form alone, which a buffered method takes for a fault.
            response_transfer_mode=apigateway.ResponseTransferMode.STREAM,
            timeout=Duration.seconds(self._settings.turn_seconds),
            allow_test_invoke=False,
        )
        for resource in (self.api.root, self.api.root.add_resource("{proxy+}")):
            method = resource.add_method("ANY", integration, api_key_required=True)
            reason = "The app signs people in (OpenID Connect, cookie); here it is CloudFront that shows a key."
            acknowledge(method, "APIG4", reason)
            acknowledge(method, "COG4", reason)
        key = self.api.add_api_key("Key", value=self._key.value_as_string, description="CloudFront's")
        plan = self.api.add_usage_plan("Plan", throttle=self._throttle(), description="All that CloudFront sends")
        plan.add_api_key(key)
        plan.add_api_stage(stage=self.api.deployment_stage)

    def _stage(self) -> apigateway.StageOptions:
        line = " ".join(LOG_COLUMNS.values())
        throttle = self._throttle()
        return apigateway.StageOptions(
            stage_name=STAGE,
            throttling_rate_limit=throttle.rate_limit,
            throttling_burst_limit=throttle.burst_limit,
            access_log_destination=apigateway.LogGroupLogDestination(self.log_group),
            access_log_format=apigateway.AccessLogFormat.custom(line),
            logging_level=apigateway.MethodLoggingLevel.OFF,
            data_trace_enabled=False,
        )

    def _throttle(self) -> apigateway.ThrottleSettings:
        rate = self._settings.requests_per_second
        return apigateway.ThrottleSettings(rate_limit=rate, burst_limit=2 * rate)

    def _log_access(self) -> Construct:
        """Let API Gateway write logs. The permission is one for the whole account and region, so it is left behind."""
        managed = "service-role/AmazonAPIGatewayPushToCloudWatchLogs"
        role = iam.Role(
            self,
            "LogRole",
            assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"),
            managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name(managed)],
        )
        acknowledge(
            role,
            f"IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{managed}]",
            "API Gateway takes this very policy for the account's one log role; it belongs to API Gateway alone.",
        )
        account = apigateway.CfnAccount(self, "Account", cloud_watch_role_arn=role.role_arn)
        role.apply_removal_policy(RemovalPolicy.RETAIN)
        account.apply_removal_policy(RemovalPolicy.RETAIN)
        return account


def _answer_findings(api: apigateway.RestApi) -> None:
    acknowledge(api, "APIG2", "The app checks every body against its types, with limits, and says what is wrong.")
    stage = api.deployment_stage
    acknowledge(stage, "APIG3", "Whoever does not come through CloudFront is refused; the optional firewall is there.")
    acknowledge(
        stage,
        "APIG6",
        "Execution logs would repeat the access log with headers in it, in a group that is kept for ever.",
    )
