"""Alarms: what a person should hear of, by e-mail where they left an address. Few enough to be free (10 metrics)."""

from aws_cdk import Stack
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from daehwa.deployment.configuration import DeploymentSettings
from daehwa.deployment.stack.limits import mail_for_budget
from daehwa.deployment.stack.signals import PERIOD, Signals, total

SLOW_FIRST_BYTE = 3000
"""Milliseconds. A first start takes about one second, so no slow start of that kind rings."""
SLOW_SPANS = (3, 12)
"""In so many of so many spans of five minutes, which make an hour.

A percentile that waits for enough answers (200 in a span for p95) never looks at a small home. Where there are few it
is the slowest of them, and one slow answer is no fault; three within an hour are, where a home is asked a few times an
hour as where it is asked all the time.
"""
_BUDGET_SHARES = (("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))


class Alarms(Construct):
    """Six alarms on eight metrics, the topic that tells of them, and the month's budget."""

    def __init__(self, scope: Construct, name: str, *, settings: DeploymentSettings, signals: Signals) -> None:
        super().__init__(scope, name)
        self.topic = None if settings.alarm_email is None else self._topic(settings.name, settings.alarm_email)
        self.alarms = [
            self._alarm("Errors", "The function ended in a fault.", signals.function.metric_errors(period=PERIOD)),
            self._alarm(
                "Throttles",
                "More answers at once than this account may run functions: ask AWS for more concurrent executions.",
                signals.function.metric_throttles(period=PERIOD),
            ),
            self._alarm(
                "Faults", "Answers with a status of 500 or more.", signals.api.metric_server_error(period=PERIOD), 5
            ),
            self._alarm(
                "StoreThrottles", "DynamoDB refused requests.", total(signals.store_throttles(), "refused"), 10
            ),
            self._alarm("StoreFaults", "DynamoDB failed.", total(signals.store_faults(), "faults")),
            self._slow(signals),
        ]
        if settings.monthly_budget is not None:
            self._watch_spending(settings.monthly_budget, mail_for_budget(settings) or "")

    def _topic(self, name: str, email: str) -> sns.Topic:
        topic = sns.Topic(self, "Topic", display_name=name, enforce_ssl=True)
        # Any policy of a topic takes the place of SNS's own, by which alarms of the account could be told through it.
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AllowPublishByAlarms",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )
        topic.add_subscription(subscriptions.EmailSubscription(email))
        return topic

    def _alarm(self, name: str, text: str, metric: cloudwatch.IMetric, from_count: int = 1) -> cloudwatch.Alarm:
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_description=text,
            metric=metric,
            threshold=from_count,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        return self._told(alarm)

    def _slow(self, signals: Signals) -> cloudwatch.Alarm:
        slow, spans = SLOW_SPANS
        alarm = cloudwatch.Alarm(
            self,
            "Slow",
            alarm_description=f"In {slow} of {spans} spans of five minutes, one answer in twenty to the page took "
            f"longer than {SLOW_FIRST_BYTE / 1000:g} s to begin; where there are few, the slowest.",
            metric=signals.first_byte("p95"),
            threshold=SLOW_FIRST_BYTE,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            datapoints_to_alarm=slow,
            evaluation_periods=spans,
            evaluate_low_sample_count_percentile="evaluate",
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        return self._told(alarm)

    def _told(self, alarm: cloudwatch.Alarm) -> cloudwatch.Alarm:
        if self.topic is not None:
            alarm.add_alarm_action(actions.SnsAction(self.topic))
            alarm.add_ok_action(actions.SnsAction(self.topic))
        return alarm

    def _watch_spending(self, dollars: int, email: str) -> None:
        person = budgets.CfnBudget.SubscriberProperty(address=email, subscription_type="EMAIL")
        budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=dollars, unit="USD"),
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        comparison_operator="GREATER_THAN",
                        notification_type=kind,
                        threshold=share,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=[person],
                )
                for kind, share in _BUDGET_SHARES
            ],
        )
