"""Takes an installation away. What people wrote stays, unless their data is to go with it."""

import time
from collections.abc import Callable
from typing import Any

from daehwa.deployment import page_upload
from daehwa.deployment.cloud import AWS_ERRORS, Cloud, error_code
from daehwa.deployment.configuration import key_parameter, origin_parameter, sign_in_parameter
from daehwa.deployment.costs import PRICES
from daehwa.deployment.errors import DeploymentError
from daehwa.deployment.leftovers import GONE, PEOPLE, TABLE, Leftover, advice
from daehwa.deployment.stack_state import Kept, StackState, delete_stack

_NO_RECOVERY_YET = "ContinuousBackupsUnavailableException"  # of a table that was made a moment ago
_SECONDS_BETWEEN_LOOKS = 2.0
_LOOKS = 150


def remove(cloud: Cloud, state: StackState, say: Callable[[str], None]) -> list[Kept]:
    """Empty the page's bucket and delete the stack; return what CloudFormation kept. Raise `DeploymentError`."""
    if state.is_changing:  # the page would be gone, and all else would stand
        raise DeploymentError(
            f"CloudFormation is still at work on it ({state.status}) and would delete nothing. Nothing was taken away: "
            "start the command again when that is done; `daehwa deploy status` shows how far it is."
        )
    if state.outputs is not None:
        try:
            say(f"{page_upload.empty(cloud, state.outputs.page_bucket)} files of the page removed")
        except AWS_ERRORS as error:
            if error_code(error) not in GONE:  # an earlier attempt came further
                raise
    return delete_stack(cloud, state, say)


def delete_data(cloud: Cloud, name: str, left: list[Leftover], say: Callable[[str], None]) -> None:
    """Delete for good what stacks of this name left: tables, people, and the secrets."""
    deletions = {TABLE: _delete_table, PEOPLE: _delete_pool}
    for item in left:
        deletions[item.kind](cloud, item.id)
        say(f"{_readable(item.kind)} {item.id} deleted")
    parameters = [key_parameter(name), sign_in_parameter(name), origin_parameter(name)]
    cloud.client("ssm").delete_parameters(Names=parameters)  # one that is not there is no error
    say("secrets deleted")


def remaining(name: str, kept: list[Kept], left: list[Leftover]) -> list[str]:
    """Say what is still there, what it costs, and how it gets into a later installation."""
    price = PRICES.table_gigabyte_month + PRICES.recovery_gigabyte_month
    others = [f"  {_readable(item.kind):<20} {item.id}" for item in kept if item.kind not in {TABLE, PEOPLE}]
    return [
        *(item.line() for item in left),
        f"  {'secrets in SSM':<20} {key_parameter(name)}, {origin_parameter(name)}",
        *others,
        f"This costs nothing but storage: up to ${price:.2f} a month for each GB of conversations.",
        *advice(name, left),
        f"`daehwa deploy destroy --delete-data {name}` deletes tables, people and secrets, for good:",
        "no backup of AWS's own is left of them.",
    ]


def _readable(kind: str) -> str:
    return kind.removeprefix("AWS::").replace("::", " ")


def _delete_table(cloud: Cloud, table: str) -> None:
    client = cloud.client("dynamodb")
    client.update_table(TableName=table, DeletionProtectionEnabled=False)
    for _ in range(_LOOKS):
        if client.describe_table(TableName=table)["Table"]["TableStatus"] == "ACTIVE":
            break
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    _stop_recovery(client, table)
    client.delete_table(TableName=table)


def _stop_recovery(client: Any, table: str) -> None:
    """Switch off the table's recovery: of one that is deleted with it on, AWS keeps a backup for 35 days."""
    off = {"PointInTimeRecoveryEnabled": False}
    try:
        client.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=off)
    except AWS_ERRORS as error:
        if error_code(error) != _NO_RECOVERY_YET:
            raise


def _delete_pool(cloud: Cloud, pool: str) -> None:
    client = cloud.client("cognito-idp")
    found = client.describe_user_pool(UserPoolId=pool)["UserPool"]
    if found.get("Domain"):
        client.delete_user_pool_domain(UserPoolId=pool, Domain=found["Domain"])
    if found.get("DeletionProtection") == "ACTIVE":
        # An update sets what it does not name back to its default, which matters no more here.
        client.update_user_pool(UserPoolId=pool, DeletionProtection="INACTIVE")
    client.delete_user_pool(UserPoolId=pool)
