"""What the deploy command asks the CDK app for, in a file. Read and checked before CDK is, which takes seconds."""

from pathlib import Path

import msgspec

from daehwa.deployment.configuration import INPUT_VARIABLE, DeploymentSettings
from daehwa.deployment.stack.limits import NotDeployable, check_code, check_mail, check_settings


class StackInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be deployed. No secret is in it.

    `code` is the function, built: a folder or a zip. `account` is left out only where a template is just looked at.
    """

    settings: DeploymentSettings
    code: str
    account: str | None = None

    @classmethod
    def read(cls, path: str | None) -> "StackInput":
        """Read the file. Raise `NotDeployable` or `BeyondLimit`."""
        if not path:
            raise NotDeployable(f"{INPUT_VARIABLE} names no file. `daehwa deploy` starts this; it is not for people.")
        try:
            asked = msgspec.json.decode(Path(path).read_bytes(), type=cls)
        except OSError as error:
            raise NotDeployable(f"{path}, which {INPUT_VARIABLE} names, cannot be read: {error.strerror}.") from None
        except msgspec.DecodeError as error:
            raise NotDeployable(f"{path}, which {INPUT_VARIABLE} names, is not right: {error}.") from None
        asked.check()
        return asked

    def check(self) -> None:
        """Raise `NotDeployable` or `BeyondLimit` for what AWS would not take."""
        check_settings(self.settings)
        check_mail(self.settings)
        check_code(Path(self.code))
