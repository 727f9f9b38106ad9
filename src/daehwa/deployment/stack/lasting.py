"""Keeps a resource the same one through every upgrade, whatever becomes of the code around it."""

from aws_cdk import CfnResource
from constructs import Construct


def name_for_good(construct: Construct, logical_id: str) -> None:
    """Fix what CloudFormation calls a resource: under another name it would make a new one and drop the old."""
    resource = construct.node.default_child
    if not isinstance(resource, CfnResource):
        raise TypeError(f"{construct.node.path} has no resource of its own.")
    resource.override_logical_id(logical_id)
