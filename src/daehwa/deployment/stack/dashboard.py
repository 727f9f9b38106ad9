"""One page of graphs, from the browser's side to the store. Free as one of an account's first three."""

from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from daehwa.deployment.configuration import name_everywhere
from daehwa.deployment.stack.signals import PERIOD, Signals

_WIDTH = 12


class Dashboard(Construct):
    """The dashboard, and its address in AWS's console."""

    def __init__(self, scope: Construct, name: str, *, signals: Signals, alarms: Sequence[cloudwatch.IAlarm]) -> None:
        super().__init__(scope, name)
        region = Stack.of(self).region
        dashboard = name_everywhere(Stack.of(self).stack_name, region)
        cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=dashboard,
            widgets=[
                [cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=2 * _WIDTH, height=3)],
                [
                    _graph(
                        "First byte under /api (ms)", [signals.first_byte(s).with_(label=s) for s in ("p50", "p95")]
                    ),
                    _requests(signals),
                ],
                [_function(signals), _running(signals)],
                [_units(signals), _graph("Store: refused and failed", _store_trouble(signals))],
                [_edge(signals)],
            ],
        )
        self.address = (
            f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#dashboards/dashboard/{dashboard}"
        )


def _graph(title: str, metrics: Sequence[cloudwatch.IMetric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=_WIDTH, height=6)


def _requests(signals: Signals) -> cloudwatch.GraphWidget:
    api = signals.api
    return _graph(
        "Requests to the API",
        [
            api.metric_count(period=PERIOD, label="all"),
            api.metric_client_error(period=PERIOD, label="4xx"),
            api.metric_server_error(period=PERIOD, label="5xx"),
        ],
    )


def _edge(signals: Signals) -> cloudwatch.GraphWidget:
    """Show what browsers ask of CloudFront; it counts in us-east-1, wherever the rest is."""
    distribution = signals.distribution
    return cloudwatch.GraphWidget(
        title="Requests to CloudFront, and the share of faults (%)",
        left=[distribution.metric_requests(period=PERIOD, label="all")],
        right=[distribution.metric5xx_error_rate(period=PERIOD, label="5xx")],
        width=2 * _WIDTH,
        height=6,
    )


def _function(signals: Signals) -> cloudwatch.GraphWidget:
    function = signals.function
    return _graph(
        "The function",
        [
            function.metric_invocations(period=PERIOD, label="invoked"),
            function.metric_errors(period=PERIOD, label="faults"),
            function.metric_throttles(period=PERIOD, label="refused"),
        ],
    )


def _running(signals: Signals) -> cloudwatch.GraphWidget:
    function = signals.function
    return cloudwatch.GraphWidget(
        title="How long, and how many at once",
        left=[function.metric_duration(period=PERIOD, statistic="p95", label="duration (ms), p95")],
        right=[function.metric("ConcurrentExecutions", period=PERIOD, statistic="Maximum", label="at once, most")],
        width=_WIDTH,
        height=6,
    )


def _units(signals: Signals) -> cloudwatch.GraphWidget:
    names = {"ConsumedReadCapacityUnits": "read units", "ConsumedWriteCapacityUnits": "write units"}
    return _graph("Store: units", [signals.table_metric(name, label) for name, label in names.items()])


def _store_trouble(signals: Signals) -> list[cloudwatch.Metric]:
    return [*signals.store_throttles(), *signals.store_faults()]
