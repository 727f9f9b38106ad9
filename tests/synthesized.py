"""The AWS home synthesised in every variant, once a session: cdk-nag and CDK's own validation are on, as errors."""

import atexit
import functools
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from daehwa.deployment.configuration import DeploymentSettings
from daehwa.deployment.programs import find_node
from daehwa.deployment.stack.app import CONTEXT, synthesize
from daehwa.deployment.stack.asked import StackInput

ACCOUNT = "123456789012"
REGION = "ap-northeast-2"
CERTIFICATE = f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/11111111-2222-3333-4444-555555555555"
FOREIGN = {"issuer": "https://id.example.com", "client_id": "daehwa-at-example", "allowed_emails": ["@example.com"]}
DOMAIN = {"domain": "chat.example.com", "certificate": CERTIFICATE}
TOLD = {"monthly_budget": 20, "alarm_email": "alarm@example.com"}
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {"admin_email": "admin@example.com"},
    "issuer": FOREIGN,
    "domain": DOMAIN,
    "waf": {"waf": True, "require_second_factor": True},
    "snap_start": {"snap_start": True, "python": "3.13"},
    "told": TOLD,
    "everything": {
        **FOREIGN,
        **DOMAIN,
        **TOLD,
        "name": "everything",
        "region": "us-east-1",
        "waf": True,
        "snap_start": True,
        "models": ["one", "two"],
        "default_model": "one",
        "base_url": "https://models.example.com/v1",
        "titles": False,
        "budgets": ["all month 50", "group:lab day 2.50"],
        "groups": ["lab ann@example.com @lab.example.com"],
        "prices": ["one input 1 output 2", "two input 0 output 0"],
        "routes": ["fast one two"],
        "turn_seconds": 30,
        "memory": 3008,
        "log_days": 365,
        "requests_per_second": 10_000,
    },
}
Template = dict[str, Any]


class Synthesized(NamedTuple):
    """One variant: its templates by the names of the stacks, and the folder that CDK wrote."""

    name: str
    templates: dict[str, Template]
    folder: Path

    @property
    def template(self) -> Template:
        """The home's own template."""
        return self.templates[self.name]

    def of_type(self, kind: str) -> dict[str, Any]:
        """Return the properties of all resources of a type, by logical id."""
        found = self.template["Resources"].items()
        return {name: resource.get("Properties", {}) for name, resource in found if resource["Type"] == kind}

    def only(self, kind: str) -> Any:
        """Return the properties of the one resource of a type."""
        (properties,) = self.of_type(kind).values()
        return properties


@functools.cache
def workplace() -> Path:
    """Return a folder for all that is written, with a function's code in it; it goes with this process."""
    place = Path(tempfile.mkdtemp(prefix="daehwa-cdk-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    code = place / "code"
    code.mkdir()
    script = code / "run.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    # The bridge to CDK starts Node, which may be PyPI's; its banner about versions is not for tests. PATH stays as it
    # is: beside PyPI's Node lies an npm that works only when it is called otherwise.
    node = find_node()
    given = node.environment(JSII_NODE=node.node)
    os.environ.update({name: value for name, value in given.items() if name.startswith("JSII_")})
    return place


def new_app(name: str, *, is_checked: bool = True) -> App:
    """Return an empty app that writes into the workplace."""
    folder = workplace() / name
    app = App(outdir=str(folder), context=CONTEXT, analytics_reporting=False)
    if is_checked:
        Validations.of(app).add_plugins(AwsSolutionsChecks(app, verbose=True))
    return app


def asked_for(**settings: Any) -> StackInput:
    """Return what the deploy command would write for such settings."""
    chosen = msgspec.convert({"region": REGION, **settings}, DeploymentSettings)
    return StackInput(settings=chosen, code=str(workplace() / "code"), account=ACCOUNT)


@functools.cache
def synthesized(variant: str = "default") -> Synthesized:
    """Return a variant, synthesised if it was not."""
    asked = asked_for(**VARIANTS[variant])
    app = new_app(variant)
    assembly = synthesize(asked, app)
    templates = {
        stack.stack_name: json.loads(Path(stack.template_full_path).read_text("utf-8")) for stack in assembly.stacks
    }
    return Synthesized(asked.settings.name, templates, Path(assembly.directory))
