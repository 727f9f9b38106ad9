"""The function: the same ASGI app as on one machine, behind Lambda Web Adapter, allowed its table and its key alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from aws_cdk import Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from daehwa.deployment.configuration import DeploymentSettings
from daehwa.deployment.stack.acknowledgments import acknowledge
from daehwa.deployment.stack.limits import START_SCRIPT, adapter_layer
from daehwa.deployment.stack.table import ITEM_ACTIONS

PORT = 8080
READY_SECONDS = 9
"""Lambda gives a start 10 seconds before it begins again with the request's own time."""

_RUNTIMES = {
    "3.12": lambda_.Runtime.PYTHON_3_12,
    "3.13": lambda_.Runtime.PYTHON_3_13,
    "3.14": lambda_.Runtime.PYTHON_3_14,
}
_ADAPTER = {
    "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap",
    "AWS_LWA_PORT": str(PORT),
    "AWS_LWA_INVOKE_MODE": "response_stream",
    "AWS_LWA_READINESS_CHECK_PATH": "/healthz",
    "AWS_LWA_READINESS_CHECK_TIMEOUT_SECONDS": str(READY_SECONDS),
}


class AppFunction(Construct):
    """The Lambda function, its role and its log. `invoked` is what requests are sent to: it, or its newest version."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        settings: DeploymentSettings,
        code: Path,
        tables: Sequence[str],
        parameters: Sequence[str],
    ) -> None:
        super().__init__(scope, name)
        self.log_group = logs.LogGroup(
            self, "Log", retention=retention(settings.log_days), removal_policy=RemovalPolicy.DESTROY
        )
        # Policies within the role, not by CDK's grants: those are resources that may come after the first request.
        self._role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={
                "log": _allowed(["logs:CreateLogStream", "logs:PutLogEvents"], [self.log_group.log_group_arn]),
                "items": _allowed(ITEM_ACTIONS, tables),
                "parameters": _allowed(["ssm:GetParameter"], [self._parameter_arn(name) for name in parameters]),
            },
        )
        region = Stack.of(self).region
        layer = lambda_.LayerVersion.from_layer_version_arn(self, "Adapter", adapter_layer(region))
        self.function = lambda_.Function(
            self,
            "Function",
            description="daehwa: answers, conversations, sign-in",
            runtime=_RUNTIMES[settings.python],
            architecture=lambda_.Architecture.ARM_64,
            code=lambda_.Code.from_asset(str(code)),
            handler=START_SCRIPT,
            layers=[layer],
            role=self._role,
            log_group=self.log_group,
            memory_size=settings.memory,
            timeout=Duration.seconds(settings.turn_seconds),
            snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if settings.snap_start else None,
            environment=_ADAPTER,
        )
        if settings.python != max(_RUNTIMES):
            acknowledge(self.function, "L1", "Somebody chose this older Python, which AWS still supports.")
        self.invoked: lambda_.IFunction = self.function
        if settings.snap_start:
            # Only a version is kept started; CDK drops the one before, for which Lambda would go on charging.
            self.invoked = lambda_.Alias(self, "Live", alias_name="live", version=self.function.current_version)

    def set_environment(self, variables: Mapping[str, str]) -> None:
        """Give the function further variables. No secret: whoever may look at the function reads them."""
        for name, value in variables.items():
            self.function.add_environment(name, value)

    def _parameter_arn(self, name: str) -> str:
        """Name a parameter of Systems Manager. AWS's own key, which encrypts them, needs no grant."""
        stack = Stack.of(self)
        return f"arn:{Aws.PARTITION}:ssm:{stack.region}:{stack.account}:parameter{name}"


def _allowed(actions: Sequence[str], arns: Sequence[str]) -> iam.PolicyDocument:
    return iam.PolicyDocument(statements=[iam.PolicyStatement(actions=list(actions), resources=list(arns))])


def retention(days: int) -> logs.RetentionDays:
    """Return CDK's name of so many days."""
    names = {1: "ONE_DAY", 3: "THREE_DAYS", 5: "FIVE_DAYS", 7: "ONE_WEEK", 14: "TWO_WEEKS", 30: "ONE_MONTH"}
    more = {60: "TWO_MONTHS", 90: "THREE_MONTHS", 180: "SIX_MONTHS", 365: "ONE_YEAR"}
    return logs.RetentionDays[(names | more)[days]]
