"""Invites people into the stack's own user pool; each gets an e-mail with a first password."""

import re
from typing import Literal

from daehwa.deployment.cloud import AWS_ERRORS, Cloud, error_code
from daehwa.deployment.configuration import Outputs
from daehwa.deployment.errors import DeploymentError

_EMAIL = re.compile(r"[^@\s,]+@[^@\s,]+\.[^@\s,.]+")
_NEVER_CAME = "FORCE_CHANGE_PASSWORD"
Invitation = Literal["is invited", "is invited again", "is there already"]


def check_email(email: str) -> str:
    """Return an address as it is kept. Raise `DeploymentError`."""
    address = email.strip().lower()
    if _EMAIL.fullmatch(address) is None:
        raise DeploymentError(f"'{email}' is not an e-mail address. Give one such as name@example.com.")
    return address


def invite(cloud: Cloud, outputs: Outputs, email: str) -> Invitation:
    """Invite somebody, or once more whose first password was never used. Raise `DeploymentError`."""
    address = check_email(email)
    if not outputs.user_pool_id:
        raise DeploymentError(
            "Here another provider signs people in (the setting `issuer`). Add the address to the setting "
            "`allowed_emails` and deploy again."
        )
    client = cloud.client("cognito-idp")
    person = {"UserPoolId": outputs.user_pool_id, "Username": address}
    attributes = [{"Name": "email", "Value": address}, {"Name": "email_verified", "Value": "true"}]
    try:
        client.admin_create_user(**person, UserAttributes=attributes, DesiredDeliveryMediums=["EMAIL"])
    except AWS_ERRORS as error:
        if error_code(error) != "UsernameExistsException":
            raise
    else:
        return "is invited"
    if client.admin_get_user(**person)["UserStatus"] != _NEVER_CAME:
        return "is there already"
    client.admin_create_user(**person, MessageAction="RESEND", DesiredDeliveryMediums=["EMAIL"])
    return "is invited again"


def is_known(cloud: Cloud, outputs: Outputs, email: str) -> bool:
    """Whether somebody is in the pool."""
    try:
        cloud.client("cognito-idp").admin_get_user(UserPoolId=outputs.user_pool_id, Username=email)
    except AWS_ERRORS as error:
        if error_code(error) == "UserNotFoundException":
            return False
        raise
    return True
