"""What the running home tells of itself: the figures that the alarms watch and the dashboard shows, named once."""

from collections.abc import Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from daehwa.deployment.stack.api import FIRST_BYTE_FIELD, LOG_COLUMNS, STAGE, StreamingApi

PERIOD = Duration.minutes(5)
STORE_OPERATIONS = ("TransactWriteItems", "UpdateItem")
"""Writing is what a turn cannot do without; whoever cannot read sees the API's faults."""


class Signals(Construct):
    """Metrics of one installation.

    API Gateway's `Latency` of a stream is its whole length, and no metric of AWS tells the first byte; but the access
    log does (`$context.integration.timeToFirstContent`), and a filter makes a metric of it. It looks at what the page
    asks alone: an answer under `/v1` that is not streamed begins when the model has ended.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        function: lambda_.IFunction,
        api: StreamingApi,
        table: dynamodb.ITable,
        distribution: cloudfront.Distribution,
    ) -> None:
        super().__init__(scope, name)
        self.function, self.api, self.table, self.distribution = function, api.api, table, distribution
        self._first_byte = logs.MetricFilter(
            self,
            "FirstByte",
            log_group=api.log_group,
            filter_pattern=logs.FilterPattern.literal(_first_byte_pattern()),
            metric_namespace="daehwa",
            metric_name=f"{Stack.of(self).stack_name}-first-byte",
            metric_value=f"${FIRST_BYTE_FIELD}",
            unit=cloudwatch.Unit.MILLISECONDS,
        )

    def first_byte(self, statistic: str) -> cloudwatch.Metric:
        """Return milliseconds from API Gateway's call to the first byte of an answer under `/api/`."""
        return self._first_byte.metric(statistic=statistic, period=PERIOD)

    def table_metric(self, name: str, label: str) -> cloudwatch.Metric:
        """Return a sum of the table's."""
        return self.table.metric(name, statistic="Sum", period=PERIOD, label=label)

    def store_faults(self) -> list[cloudwatch.Metric]:
        """Return DynamoDB's own faults, by operation: it tells them in no other way."""
        return [
            cloudwatch.Metric(
                namespace="AWS/DynamoDB",
                metric_name="SystemErrors",
                dimensions_map={"TableName": self.table.table_name, "Operation": operation},
                statistic="Sum",
                period=PERIOD,
                label=operation,
            )
            for operation in STORE_OPERATIONS
        ]

    def store_throttles(self) -> list[cloudwatch.Metric]:
        """Return what the table refused because it was asked too much at once."""
        names = {"ReadThrottleEvents": "reads refused", "WriteThrottleEvents": "writes refused"}
        return [self.table_metric(name, label) for name, label in names.items()]


def total(metrics: Sequence[cloudwatch.IMetric], label: str) -> cloudwatch.MathExpression:
    """Return the sum of metrics, those without data counting as 0."""
    names = [f"m{number}" for number in range(len(metrics))]
    expression = " + ".join(f"FILL({name}, 0)" for name in names)
    used = dict(zip(names, metrics, strict=True))
    return cloudwatch.MathExpression(expression=expression, using_metrics=used, period=PERIOD, label=label)


def _first_byte_pattern() -> str:
    # The path in the log has the stage before it. Between % stands a regular expression.
    conditions = {"path": f" = %^/{STAGE}/api/%", FIRST_BYTE_FIELD: " > 0"}
    return f"[{', '.join(name + conditions.get(name, '') for name in LOG_COLUMNS)}]"
