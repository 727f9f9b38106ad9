"""Takes an installation away. What people wrote stays, unless their data is to go with it."""

import time
from collections.abc import Callable

from daehwa.deployment import page_upload
from daehwa.deployment.cloud import AWS_ERRORS, Cloud, error_code
from daehwa.deployment.configuration import DeploymentSettings
from daehwa.deployment.costs import PRICES
from daehwa.deployment.parameters import key_parameter, origin_parameter, sign_in_parameter
from daehwa.deployment.stack_state import Kept, StackState, delete_stack

_SECONDS_BETWEEN_LOOKS = 2.0
_LOOKS = 150
_GONE = {"ResourceNotFoundException", "NoSuchBucket"}


def remove(cloud: Cloud, state: StackState, say: Callable[[str], None]) -> list[Kept]:
    """Empty the page's bucket and delete the stack; return what CloudFormation kept."""
    if state.outputs is not None:
        try:
            say(f"{page_upload.empty(cloud, state.outputs.page_bucket)} files of the page removed")
        except AWS_ERRORS as error:
            if error_code(error) not in _GONE:  # an earlier attempt came further
                raise
    return delete_stack(cloud, state, say)


def delete_data(cloud: Cloud, name: str, kept: list[Kept], say: Callable[[str], None]) -> None:
    """Delete for good what the stack left: table, people, and the secrets."""
    deletions = {"AWS::DynamoDB::Table": _delete_table, "AWS::Cognito::UserPool": _delete_pool}
    for item in kept:
        delete = deletions.get(item.kind)
        if delete is None:
            say(f"{item.kind} {item.id} is kept: it is not this installation's alone")
            continue
        try:
            delete(cloud, item.id)
        except AWS_ERRORS as error:
            if error_code(error) not in _GONE:
                raise
        say(f"{item.kind} {item.id} deleted")
    parameters = [key_parameter(name), sign_in_parameter(name), origin_parameter(name)]
    cloud.client("ssm").delete_parameters(Names=parameters)  # one that is not there is no error
    say("secrets deleted")


def remaining(settings: DeploymentSettings, kept: list[Kept]) -> list[str]:
    """Say what is still there, and what it costs."""
    lines = [f"  {item.kind.removeprefix('AWS::').replace('::', ' '):<28} {item.id}" for item in kept]
    lines.append(f"  {'SSM parameters':<28} {key_parameter(settings.name)}, {origin_parameter(settings.name)}")
    lines.append(
        f"This costs nothing but storage: up to ${PRICES.table_gigabyte_month + PRICES.recovery_gigabyte_month:.2f} a "
        "month for each GB of conversations. A later deployment begins with a new table and new people."
    )
    return lines


def _delete_table(cloud: Cloud, table: str) -> None:
    client = cloud.client("dynamodb")
    client.update_table(TableName=table, DeletionProtectionEnabled=False)
    for _ in range(_LOOKS):
        if client.describe_table(TableName=table)["Table"]["TableStatus"] == "ACTIVE":
            break
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    client.delete_table(TableName=table)


def _delete_pool(cloud: Cloud, pool: str) -> None:
    client = cloud.client("cognito-idp")
    found = client.describe_user_pool(UserPoolId=pool)["UserPool"]
    if found.get("Domain"):
        client.delete_user_pool_domain(UserPoolId=pool, Domain=found["Domain"])
    if found.get("DeletionProtection") == "ACTIVE":
        # An update sets what it does not name back to its default, which matters no more here.
        client.update_user_pool(UserPoolId=pool, DeletionProtection="INACTIVE")
    client.delete_user_pool(UserPoolId=pool)
