"""The CDK app: what was asked for, made into CloudFormation templates that are held to AWS's limits."""

import json
from pathlib import Path

from aws_cdk import App
from aws_cdk.cx_api import CloudAssembly

from daehwa.deployment.configuration import firewall_stack
from daehwa.deployment.stack.asked import StackInput
from daehwa.deployment.stack.firewall import Firewall
from daehwa.deployment.stack.home import Home
from daehwa.deployment.stack.limits import check_template

# Instead of a cdk.json: what CDK finds wrong with a template stops it, rather than being said.
CONTEXT = {"@aws-cdk/core:validateAgainstDefaultRules": True}


def synthesize(asked: StackInput, app: App | None = None) -> CloudAssembly:
    """Write the templates to where CDK wants them (CDK_OUTDIR). Raise `NotDeployable` or `BeyondLimit`."""
    asked.check()
    settings = asked.settings
    app = app or App(context=CONTEXT, analytics_reporting=False)
    firewall = None
    if settings.waf:
        name = firewall_stack(settings.name, settings.region or "")  # which `check` has asked for
        firewall = Firewall(app, name, account=asked.account).arn
    Home(app, settings, code=Path(asked.code), account=asked.account, firewall=firewall)
    assembly = app.synth()
    for stack in assembly.stacks:
        check_template(json.loads(Path(stack.template_full_path).read_text("utf-8")))
    return assembly
