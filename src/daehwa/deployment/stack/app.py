"""The CDK app: what the deploy command asks for, made into CloudFormation templates and checked."""

import json
from pathlib import Path

import msgspec
from aws_cdk import App
from aws_cdk.cx_api import CloudAssembly

from daehwa.deployment.configuration import INPUT_VARIABLE, DeploymentSettings
from daehwa.deployment.stack.firewall import Firewall
from daehwa.deployment.stack.home import Home
from daehwa.deployment.stack.limits import NotDeployable, check_code, check_settings, check_template

# Instead of a cdk.json: what CDK finds wrong with a template stops it, rather than being said.
CONTEXT = {"@aws-cdk/core:validateAgainstDefaultRules": True}


class StackInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be deployed, in a file that the deploy command writes. No secret is in it.

    `code` is the function, built: a folder or a zip. `account` is left out only where a template is just looked at.
    """

    settings: DeploymentSettings
    code: str
    account: str | None = None

    @classmethod
    def read(cls, path: str | None) -> "StackInput":
        """Read the file. Raise `NotDeployable`."""
        if not path:
            raise NotDeployable(f"{INPUT_VARIABLE} names no file. `daehwa deploy` starts this; it is not for people.")
        try:
            return msgspec.json.decode(Path(path).read_bytes(), type=cls)
        except OSError as error:
            raise NotDeployable(f"{path}, which {INPUT_VARIABLE} names, cannot be read: {error.strerror}.") from None
        except msgspec.DecodeError as error:
            raise NotDeployable(f"{path}, which {INPUT_VARIABLE} names, is not right: {error}.") from None


def build(asked: StackInput, app: App | None = None) -> App:
    """Return the app with its stacks. Raise `NotDeployable` or `BeyondLimit`."""
    settings, code = asked.settings, Path(asked.code)
    check_settings(settings)
    check_code(code)
    app = app or App(context=CONTEXT, analytics_reporting=False)
    firewall = None
    if settings.waf:
        firewall = Firewall(app, f"{settings.name}-firewall", account=asked.account).arn
    Home(app, settings, code=code, account=asked.account, firewall=firewall)
    return app


def synthesize(asked: StackInput, app: App | None = None) -> CloudAssembly:
    """Write the templates to where CDK wants them (CDK_OUTDIR), and hold them to AWS's limits."""
    assembly = build(asked, app).synth()
    for stack in assembly.stacks:
        check_template(json.loads(Path(stack.template_full_path).read_text("utf-8")))
    return assembly
