"""The optional web firewall. CloudFront's must stand in us-east-1, so it is a stack of its own."""

from aws_cdk import CrossStackReferences, ReferenceStrength, Stack
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

from daehwa.deployment.configuration import FIREWALL_REGION

REQUESTS_IN_FIVE_MINUTES = 2000
"""From one address. The page asks a few times a minute; an office behind one address is still well below."""
_REPUTATION = "AWSManagedRulesAmazonIpReputationList"


class Firewall(Stack):
    """Known attackers' addresses, and a limit for each address.

    None of AWS's rules about what is in a body: people ask a chat about code, SQL and attacks, and would be shut out.
    """

    def __init__(self, scope: Construct, name: str, *, account: str | None) -> None:
        super().__init__(scope, name, env={"account": account, "region": FIREWALL_REGION}, analytics_reporting=False)
        acl = wafv2.CfnWebACL(
            self,
            "Firewall",
            scope="CLOUDFRONT",
            default_action=wafv2.CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=_seen_as(name),
            rules=[_reputation(), _rate()],
        )
        # Read from this stack's output when the other is deployed. A strong reference would bring functions of CDK's
        # into both stacks to copy the value between regions.
        CrossStackReferences.of(acl).produce(ReferenceStrength.WEAK)
        self.arn = acl.attr_arn


def _reputation() -> wafv2.CfnWebACL.RuleProperty:
    group = wafv2.CfnWebACL.ManagedRuleGroupStatementProperty(vendor_name="AWS", name=_REPUTATION)
    return wafv2.CfnWebACL.RuleProperty(
        name="reputation",
        priority=0,
        override_action=wafv2.CfnWebACL.OverrideActionProperty(none={}),
        statement=wafv2.CfnWebACL.StatementProperty(managed_rule_group_statement=group),
        visibility_config=_seen_as("reputation"),
    )


def _rate() -> wafv2.CfnWebACL.RuleProperty:
    limit = wafv2.CfnWebACL.RateBasedStatementProperty(limit=REQUESTS_IN_FIVE_MINUTES, aggregate_key_type="IP")
    return wafv2.CfnWebACL.RuleProperty(
        name="rate",
        priority=1,
        action=wafv2.CfnWebACL.RuleActionProperty(block={}),
        statement=wafv2.CfnWebACL.StatementProperty(rate_based_statement=limit),
        visibility_config=_seen_as("rate"),
    )


def _seen_as(name: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
    return wafv2.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=False
    )
