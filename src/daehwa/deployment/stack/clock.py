"""AWS's clock, which sends the function an event each hour: the time to remove what is over."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct


class HourlyEvent(Construct):
    """A rule of EventBridge. The event goes to what requests go to, and nobody waits for its answer."""

    def __init__(self, scope: Construct, name: str, *, function: lambda_.IFunction) -> None:
        super().__init__(scope, name)
        events.Rule(
            self,
            "Rule",
            description="daehwa: the hour to remove what is over",
            schedule=events.Schedule.rate(Duration.hours(1)),
            targets=[targets.LambdaFunction(function)],
        )
