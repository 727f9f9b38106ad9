"""Firewalls that protect nothing any more: a firewall is a stack of its own, and costs until somebody deletes it."""

from collections.abc import Callable, Iterator

import msgspec

from daehwa.deployment.cloud import AWS_ERRORS, Cloud, told
from daehwa.deployment.configuration import FIREWALL_REGION, firewall_stack, former_firewall_stack
from daehwa.deployment.costs import FIREWALL_RULES, PRICES
from daehwa.deployment.errors import DeploymentError
from daehwa.deployment.stack_state import StackState, delete_stack, find_stack, resources

MONTH = PRICES.firewall_month + FIREWALL_RULES * PRICES.firewall_rule_month
"""What one costs that protects nothing, in US dollars."""
_KIND = "AWS::WAFv2::WebACL"


class Firewall(msgspec.Struct, frozen=True):
    """A firewall's stack that stands."""

    name: str
    state: StackState


def idle(cloud: Cloud, name: str) -> list[Firewall]:
    """Return the firewalls of an installation's present and former name that protect no distribution.

    One of the former name may be another region's. A template tells whose only until it is changed, and a deployment
    may be broken off after that; what stands behind a firewall can be asked at any time.
    """
    there = cloud.in_region(FIREWALL_REGION)
    found = list(_standing(there, name, cloud.region))
    used = _in_use(there) if found else set()
    return [firewall for firewall in found if not _acls(there, firewall.state) & used]


def remove(cloud: Cloud, firewall: Firewall, say: Callable[[str], None]) -> None:
    """Delete a firewall; nothing may stand behind it any more. Raise `DeploymentError`."""
    delete_stack(cloud.in_region(FIREWALL_REGION), firewall.state, say)


def remove_idle(cloud: Cloud, name: str, *, needed: str | None, say: Callable[[str], None]) -> list[str]:
    """Delete idle firewalls but the one that is needed; return what could not be done, and what to do about it."""
    try:
        found = idle(cloud, name)
    except AWS_ERRORS as error:
        stacks = f"{firewall_stack(name, cloud.region)} or {former_firewall_stack(name)}"
        return [f"Whether a firewall is left that protects nothing could not be asked. {told(error)} {_advice(stacks)}"]
    return [
        failure
        for firewall in found
        if firewall.name != needed and (failure := _failure(cloud, firewall, say)) is not None
    ]


def _failure(cloud: Cloud, firewall: Firewall, say: Callable[[str], None]) -> str | None:
    try:
        remove(cloud, firewall, say)
    except (DeploymentError, *AWS_ERRORS) as error:
        reason = str(error) if isinstance(error, DeploymentError) else told(error)
        return f"A firewall that protects nothing any more still stands. {reason} {_advice(firewall.name)}"
    return None


def _advice(stacks: str) -> str:
    return (
        f"It costs ${MONTH:.2f} a month. `daehwa deploy` tries again, best in some minutes, when CloudFront has let go "
        f"of it; or delete the stack {stacks} in CloudFormation's console, in {FIREWALL_REGION}."
    )


def _standing(there: Cloud, name: str, region: str) -> Iterator[Firewall]:
    """Yield the stacks that stand, and at which nothing works, such as a deployment that makes its firewall first."""
    current = firewall_stack(name, region)
    for stack in (current, former_firewall_stack(name)):
        state = find_stack(there, stack)
        if state is None or state.is_busy:
            continue
        if stack == current or _is_ours(there, state):
            yield Firewall(stack, state)


def _is_ours(there: Cloud, state: StackState) -> bool:
    """Whether a stack holds a firewall of CloudFront's and nothing else; anybody may have named one like ours."""
    template = there.client("cloudformation").get_template(StackName=state.id)["TemplateBody"]
    made = list(template.get("Resources", {}).values()) if isinstance(template, dict) else []
    return [(one["Type"], one.get("Properties", {}).get("Scope")) for one in made] == [(_KIND, "CLOUDFRONT")]


def _acls(there: Cloud, state: StackState) -> set[str]:
    """Return a stack's access control lists as name and id.

    They are asked of its outputs too, which say the same: not every emulator tells resources that it does not know.
    """
    stack = there.client("cloudformation").describe_stacks(StackName=state.id)["Stacks"][0]
    arns = (output["OutputValue"] for output in stack.get("Outputs", ()))
    ids = (found.split("|") for found in resources(there, state.id, _KIND))  # name, id and scope
    return {*map(_name_and_id, arns), *("/".join(parts[:2]) for parts in ids)}


def _in_use(there: Cloud) -> set[str]:
    """Return the access control lists of all distributions as name and id."""
    pages = there.client("cloudfront").get_paginator("list_distributions").paginate()
    found = (item for page in pages for item in page["DistributionList"].get("Items", ()))
    return {_name_and_id(item["WebACLId"]) for item in found if item.get("WebACLId")}


def _name_and_id(arn: str) -> str:
    return arn.partition("/webacl/")[2]
