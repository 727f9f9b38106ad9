"""What CloudFormation knows of an installation: its state, its outputs, what failed, what outlived it."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from daehwa.deployment.cloud import AWS_ERRORS, Cloud, error_code
from daehwa.deployment.configuration import Outputs
from daehwa.deployment.errors import DeploymentError

_SECONDS_BETWEEN_LOOKS = 5.0
_SECONDS_OF_PATIENCE = 3600
_ONLY_PLANNED = "REVIEW_IN_PROGRESS"  # a deployment that ended before it began, and nothing works on it
_RESOURCE_KIND = re.compile(r"^(AWS|Custom)::")


class StackState(msgspec.Struct, frozen=True, kw_only=True):
    """A stack that is there. `outputs` are None until it stood once."""

    id: str
    status: str
    description: str
    changed: datetime
    outputs: Outputs | None

    @property
    def has_stood(self) -> bool:
        """Whether it was deployed to its end once."""
        return self.outputs is not None

    @property
    def is_busy(self) -> bool:
        """Whether CloudFormation is at work on it."""
        return self.status.endswith("_IN_PROGRESS") and self.status != _ONLY_PLANNED

    @property
    def is_changing(self) -> bool:
        """Whether it is brought up to date just now, or that is taken back: so long nobody can delete it."""
        return self.is_busy and self.status.startswith("UPDATE_")


class Kept(msgspec.Struct, frozen=True):
    """A resource that outlived its stack."""

    kind: str
    id: str


def find_stack(cloud: Cloud, name: str) -> StackState | None:
    """Return the stack of this name (or id), or None where there is none."""
    try:
        found = cloud.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except AWS_ERRORS as error:
        if error_code(error) == "ValidationError" and "does not exist" in str(error):
            return None
        raise
    stack = found[0]
    return StackState(
        id=stack["StackId"],
        status=stack["StackStatus"],
        description=stack.get("Description", ""),
        changed=stack.get("LastUpdatedTime") or stack["CreationTime"],
        outputs=_outputs(stack.get("Outputs", ())),
    )


def standing(cloud: Cloud, name: str) -> Outputs:
    """Return the outputs of a stack that stands. Raise `DeploymentError`."""
    state = find_stack(cloud, name)
    if state is None or state.outputs is None:
        raise DeploymentError(
            f"There is no installation '{name}' in {cloud.region} of this account. `daehwa deploy` makes one; "
            "--name and --region choose another."
        )
    return state.outputs


def first_failure(cloud: Cloud, stack: str) -> str | None:
    """Say which resource failed first in the last attempt, and why; None where none did or there is no stack."""
    if find_stack(cloud, stack) is None:
        return None
    failures = []
    for event in _events(cloud, stack):
        status, reason = event["ResourceStatus"], event.get("ResourceStatusReason", "")
        if status.endswith("_FAILED") and "cancelled" not in reason.lower():
            failures.append(f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}")
        if event["ResourceType"] == "AWS::CloudFormation::Stack" and reason == "User Initiated":
            break  # events are newest first: what is older belongs to another attempt
    return failures[-1] if failures else None


def resources(cloud: Cloud, stack: str, kind: str) -> list[str]:
    """Return the physical ids of a stack's resources of one kind."""
    pages = cloud.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    found = (resource for page in pages for resource in page["StackResourceSummaries"])
    return [
        item["PhysicalResourceId"] for item in found if item["ResourceType"] == kind and "PhysicalResourceId" in item
    ]


def delete_stack(cloud: Cloud, state: StackState, say: Callable[[str], None]) -> list[Kept]:
    """Delete a stack, wait for its end, and return what was kept. Raise `DeploymentError`."""
    client = cloud.client("cloudformation")
    client.delete_stack(StackName=state.id)
    seen: set[str] = set()
    for event in _events(cloud, state.id):
        seen.add(event["EventId"])
    deadline = time.monotonic() + _SECONDS_OF_PATIENCE
    while True:
        for event in reversed(list(_events(cloud, state.id))):
            if event["EventId"] not in seen:
                seen.add(event["EventId"])
                say(readable(event["ResourceStatus"], event["ResourceType"], event["LogicalResourceId"]))
        now = find_stack(cloud, state.id)
        if now is None or now.status == "DELETE_COMPLETE":
            return kept_by(cloud, state.id)
        if not now.is_busy or time.monotonic() > deadline:
            reason = first_failure(cloud, state.id) or f"CloudFormation says {now.status}"
            raise DeploymentError(f"The stack could not be deleted: {reason}. Start the command again.")
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def deleted_stacks(cloud: Cloud, name: str) -> list[str]:
    """Return the ids of deleted stacks that had this name; CloudFormation remembers them for 90 days."""
    pages = cloud.client("cloudformation").get_paginator("list_stacks").paginate(StackStatusFilter=["DELETE_COMPLETE"])
    return [stack["StackId"] for page in pages for stack in page["StackSummaries"] if stack["StackName"] == name]


def kept_by(cloud: Cloud, stack: str) -> list[Kept]:
    """Return what was kept when a stack was deleted, or when its deployment was taken back."""
    kept = {
        Kept(event["ResourceType"], event["PhysicalResourceId"])
        for event in _events(cloud, stack)
        if event["ResourceStatus"] == "DELETE_SKIPPED"
    }
    return sorted(kept, key=lambda item: (item.kind, item.id))


def readable(status: str, kind: str, logical_id: str) -> str:
    """Return an event as a line: what happened, to which kind of thing, by its name in the template."""
    words = status.replace("_", " ").lower().replace(" in progress", "…")
    return f"{words:<20} {_RESOURCE_KIND.sub('', kind).replace('::', ' '):<34} {logical_id}"


def _events(cloud: Cloud, stack: str) -> Iterator[dict[str, Any]]:
    pages = cloud.client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=stack)
    for page in pages:
        yield from page["StackEvents"]


def _outputs(found: Any) -> Outputs | None:
    values = {item["OutputKey"]: item["OutputValue"] for item in found}
    try:
        return msgspec.convert(values, Outputs)
    except msgspec.ValidationError:
        return None
