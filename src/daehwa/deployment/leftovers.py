"""What installations of this name left behind, and what a later deployment does not take up: tables and people.

CloudFormation keeps both whatever becomes of a stack, and makes new ones for a new stack. It remembers a deleted stack
for 90 days; what is older has to be looked for in the console.
"""

import msgspec

from daehwa.deployment.cloud import AWS_ERRORS, Cloud, error_code
from daehwa.deployment.stack_state import Kept, deleted_stacks, find_stack, kept_by

TABLE, PEOPLE = "AWS::DynamoDB::Table", "AWS::Cognito::UserPool"
GONE = {"ResourceNotFoundException", "NoSuchBucket"}
_NAMES = {TABLE: "table", PEOPLE: "people (user pool)"}


class Leftover(msgspec.Struct, frozen=True):
    """A table or a user pool that is still there, and whether anything is in it."""

    kind: str
    id: str
    is_empty: bool

    def line(self) -> str:
        """Say what it is."""
        return f"  {_NAMES[self.kind]:<20} {self.id}{', empty' if self.is_empty else ''}"


def left_behind(cloud: Cloud, name: str) -> list[Leftover]:
    """Return what stacks of this name left that are deleted or never stood, as far as it is still there."""
    stacks = deleted_stacks(cloud, name)
    now = find_stack(cloud, name)
    if now is not None and not now.has_stood:
        stacks.append(now.id)
    kept = dict.fromkeys(item for stack in stacks for item in kept_by(cloud, stack) if item.kind in _NAMES)
    return [found for item in kept if (found := _found(cloud, item)) is not None]


def advice(name: str, left: list[Leftover]) -> list[str]:
    """Say how conversations that were left get into the installation of this name."""
    tables = [item.id for item in left if item.kind == TABLE and not item.is_empty]
    if not tables:
        return []
    return [
        "A deployment begins with a new table and new people. To bring conversations over, once their people have",
        "signed in to the new one:",
        *(f"  `daehwa export --name {name} --table {table} FILE`" for table in tables),
        f"  `daehwa import --name {name} --aws FILE`",
    ]


def _found(cloud: Cloud, item: Kept) -> Leftover | None:
    look = _is_empty_table if item.kind == TABLE else _is_empty_pool
    try:
        return Leftover(item.kind, item.id, look(cloud, item.id))
    except AWS_ERRORS as error:
        if error_code(error) in GONE:
            return None
        raise


def _is_empty_table(cloud: Cloud, table: str) -> bool:
    # Its own count of items is up to six hours old.
    return not cloud.client("dynamodb").scan(TableName=table, Limit=1, Select="COUNT")["Count"]


def _is_empty_pool(cloud: Cloud, pool: str) -> bool:
    return not cloud.client("cognito-idp").list_users(UserPoolId=pool, Limit=1)["Users"]
