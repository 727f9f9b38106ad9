"""The one table: conversations, messages, accounts and budgets. It outlives the stack."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from daehwa.deployment.stack.lasting import name_for_good
from daehwa.stores import dynamodb_table as layout

ITEM_ACTIONS = tuple(f"dynamodb:{action}" for action in layout.ACTIONS)


class ConversationTable(Construct):
    """A DynamoDB table on demand, with recovery to any second of 35 days, kept when the stack is removed.

    `Table`, not `TableV2`: a global table of one region costs the same, and fewer tools can make one.
    """

    def __init__(self, scope: Construct, name: str) -> None:
        super().__init__(scope, name)
        self.table = dynamodb.Table(
            self,
            "Table",
            partition_key=_key(layout.PARTITION_KEY),
            sort_key=_key(layout.SORT_KEY),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute=layout.EXPIRES,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=True,
            removal_policy=RemovalPolicy.RETAIN,
        )
        self.table.add_global_secondary_index(
            index_name=layout.LISTS,
            partition_key=_key(layout.LIST),
            sort_key=_key(layout.ORDER),
            projection_type=dynamodb.ProjectionType.INCLUDE,
            non_key_attributes=list(layout.LISTED),
        )
        name_for_good(self.table, "Table")

    def arns(self) -> list[str]:
        """Return the ARNs of the table and of its index, by name."""
        return [self.table.table_arn, f"{self.table.table_arn}/index/{layout.LISTS}"]


def _key(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
