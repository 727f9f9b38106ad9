"""The stack in every variant: what holds for all of them, and what each choice changes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, CfnResource, Stack
from aws_cdk.aws_s3 import Bucket
from synthesized import ACCOUNT, REGION, VARIANTS, asked_for, new_app, synthesized, workplace

from daehwa.deployment.configuration import INPUT_VARIABLE, Outputs, firewall_stack
from daehwa.deployment.costs import FIREWALL_RULES, STACK_ALARMS, STACK_MADE_METRICS
from daehwa.deployment.stack.app import CONTEXT, synthesize

pytestmark = pytest.mark.cdk

LASTING = {
    "Table": "AWS::DynamoDB::Table",
    "UserPool": "AWS::Cognito::UserPool",
    "PageFiles": "AWS::S3::Bucket",
    "Distribution": "AWS::CloudFront::Distribution",
    "Api": "AWS::ApiGateway::RestApi",
}
KEPT = {"Table", "UserPool"}


def firewall_of(variant: str) -> str:
    home = VARIANTS[variant]
    return firewall_stack(home.get("name", "daehwa"), home.get("region", REGION))


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_synthesises_with_cdk_nag_and_cdks_own_checks_as_errors(variant: str) -> None:
    home = synthesized(variant)
    assert set(home.templates) == {home.name, *({firewall_of(variant)} if "waf" in VARIANTS[variant] else ())}
    report = json.loads((home.folder / "validation-report.json").read_text("utf-8"))
    assert not [violation for plugin in report["pluginReports"] for violation in plugin["violations"]]


def test_every_variant_is_clean_to_cfn_lint() -> None:
    # Two of them have every kind of resource and of value that the others have, and it takes 2 s for each.
    chosen = [synthesized(variant).folder for variant in ("default", "everything")]
    kinds = {r["Type"] for variant in VARIANTS for r in synthesized(variant).template["Resources"].values()}
    assert kinds == {
        r["Type"] for of in ("default", "everything") for r in synthesized(of).template["Resources"].values()
    }
    paths = [str(path) for folder in chosen for path in folder.glob("*.template.json")]
    # W3005: CDK writes a DependsOn beside the reference that says the same.
    program = str(Path(sys.executable).with_name("cfn-lint"))
    command = [program, "--ignore-checks", "W3005", "--template", *paths]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own templates
    assert (ended.stdout, ended.stderr, ended.returncode) == ("", "", 0)


def test_cdk_nag_and_cdks_own_checks_do_stop_a_wrong_stack() -> None:
    app = new_app("nagged")
    Bucket(Stack(app, "wrong"), "Open")
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    circular = App(outdir=str(workplace() / "circular"), context=CONTEXT, analytics_reporting=False)
    stack = Stack(circular, "wrong")
    first, second = (
        CfnResource(stack, name, type="AWS::SNS::Topic", properties={"TopicName": {"Ref": other}})
        for name, other in (("First", "Second"), ("Second", "First"))
    )
    assert first is not second
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        circular.synth()


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_must_outlive_the_code_keeps_its_logical_id(variant: str) -> None:
    home = synthesized(variant)
    resources = home.template["Resources"]
    expected = {name for name in LASTING if name != "UserPool" or "issuer" not in VARIANTS[variant]}
    assert {name: resources[name]["Type"] for name in expected} == {name: LASTING[name] for name in expected}
    kept = {name for name in expected if resources[name].get("DeletionPolicy") == "Retain"}
    assert kept == KEPT & expected
    assert all(resources[name]["UpdateReplacePolicy"] == "Retain" for name in kept)


def test_the_outputs_are_those_that_the_deploy_command_reads() -> None:
    fields = {field.replace("_", " ").title().replace(" ", "") for field in Outputs.__struct_fields__}
    assert set(synthesized().template["Outputs"]) == fields
    assert set(synthesized("issuer").template["Outputs"]) == fields - {"UserPoolId"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_nothing_needs_docker(variant: str) -> None:
    home = synthesized(variant)
    assets = json.loads((home.folder / f"{home.name}.assets.json").read_text("utf-8"))
    assert assets["dockerImages"] == {}
    assert len(assets["files"]) == 2, "the function and the template"


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_secret_is_in_the_template(variant: str) -> None:
    home = synthesized(variant)
    parameters = home.template["Parameters"]
    assert set(parameters) == {"OriginKey", "BootstrapVersion"}
    assert parameters["OriginKey"]["NoEcho"] is True
    assert "Default" not in parameters["OriginKey"]
    text = json.dumps(home.template)
    assert text.count('{"Ref": "OriginKey"}') == 2, "API Gateway's key and CloudFront's header"
    assert "{{resolve:" not in text
    assert "SecureString" not in text


def test_a_function_is_made_by_one_stack_without_custom_resources() -> None:
    for variant in VARIANTS:
        functions = synthesized(variant).of_type("AWS::Lambda::Function")
        assert len(functions) == 1, "no function of CDK's own"


def test_alarms_stay_within_the_free_ones_and_within_what_the_estimate_says() -> None:
    for variant in VARIANTS:
        alarms = synthesized(variant).of_type("AWS::CloudWatch::Alarm").values()
        billed = sum(sum("MetricStat" in query for query in alarm.get("Metrics", ())) or 1 for alarm in alarms)
        assert billed == STACK_ALARMS


def test_the_estimate_knows_how_many_metrics_are_made_of_logs() -> None:
    for variant in VARIANTS:
        filters = synthesized(variant).of_type("AWS::Logs::MetricFilter").values()
        assert sum(len(made["MetricTransformations"]) for made in filters) == STACK_MADE_METRICS


def test_alarms_reach_a_person_only_where_an_address_is_given() -> None:
    assert synthesized().of_type("AWS::SNS::Topic") == {}
    assert all("AlarmActions" not in alarm for alarm in synthesized().of_type("AWS::CloudWatch::Alarm").values())
    told = synthesized("told")
    assert all(alarm["AlarmActions"] for alarm in told.of_type("AWS::CloudWatch::Alarm").values())
    assert told.only("AWS::SNS::Subscription")["Endpoint"] == "alarm@example.com"
    budget = told.only("AWS::Budgets::Budget")
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 20, "Unit": "USD"}
    whom = {person["Address"] for n in budget["NotificationsWithSubscribers"] for person in n["Subscribers"]}
    assert whom == {"alarm@example.com"}
    assert synthesized().of_type("AWS::Budgets::Budget") == {}


@pytest.mark.parametrize("variant", ["told", "everything"])
def test_alarms_may_publish_to_the_topic_and_nothing_goes_there_in_the_clear(variant: str) -> None:
    policy = synthesized(variant).only("AWS::SNS::TopicPolicy")
    (topic,) = synthesized(variant).of_type("AWS::SNS::Topic")
    assert policy["Topics"] == [{"Ref": topic}]
    statements = {statement["Effect"]: statement for statement in policy["PolicyDocument"]["Statement"]}
    allowed, refused = statements["Allow"], statements["Deny"]
    assert len(policy["PolicyDocument"]["Statement"]) == 2
    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert (allowed["Action"], allowed["Resource"]) == ("sns:Publish", {"Ref": topic})
    assert allowed["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    assert refused["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_firewall_stands_in_us_east_1_and_is_read_without_a_function() -> None:
    home = synthesized("waf")
    manifest = json.loads((home.folder / "manifest.json").read_text("utf-8"))
    firewall = manifest["artifacts"][f"daehwa-{REGION}-firewall"]
    assert firewall["environment"] == f"aws://{ACCOUNT}/us-east-1"
    assert f"daehwa-{REGION}-firewall" in manifest["artifacts"]["daehwa"]["dependencies"], "it comes first"
    (acl,) = home.templates[f"daehwa-{REGION}-firewall"]["Resources"].values()
    assert len(acl["Properties"]["Rules"]) == FIREWALL_RULES
    asked = home.only("AWS::CloudFront::Distribution")["DistributionConfig"]["WebACLId"]["Fn::GetStackOutput"]
    assert asked["StackName"] == f"daehwa-{REGION}-firewall"
    assert asked["Region"] == "us-east-1"
    assert asked["OutputName"] in home.templates[f"daehwa-{REGION}-firewall"]["Outputs"]


def nothing(_: dict[str, Any]) -> None:
    """Stand for the name of what has none."""


NAMED_ONCE_IN_AN_ACCOUNT: dict[str, Callable[[dict[str, Any]], str | None]] = {
    "AWS::CloudFront::ResponseHeadersPolicy": lambda p: p["ResponseHeadersPolicyConfig"]["Name"],
    "AWS::CloudFront::OriginAccessControl": lambda p: p["OriginAccessControlConfig"]["Name"],
    "AWS::CloudFront::Function": lambda p: p["Name"],
    "AWS::CloudWatch::Dashboard": lambda p: p["DashboardName"],
    "AWS::IAM::Role": lambda p: p.get("RoleName"),
    "AWS::S3::Bucket": lambda p: p.get("BucketName"),
    "AWS::Budgets::Budget": lambda p: p["Budget"].get("BudgetName"),
    "AWS::WAFv2::WebACL": lambda p: p.get("Name"),
    "AWS::Cognito::UserPoolDomain": lambda p: p["Domain"],
}


def test_the_same_name_in_a_second_region_takes_no_name_of_the_first() -> None:
    taken = []
    for region in ("eu-west-1", "us-east-1"):
        asked = asked_for(region=region, waf=True, monthly_budget=5, alarm_email="a@example.com")
        stacks = synthesize(asked, new_app(f"in-{region}")).stacks
        names = {("stack", stack.stack_name) for stack in stacks} - {("stack", "daehwa")}  # which is its region's
        for stack in stacks:
            for resource in json.loads(Path(stack.template_full_path).read_text("utf-8"))["Resources"].values():
                name = NAMED_ONCE_IN_AN_ACCOUNT.get(resource["Type"], nothing)(resource["Properties"])
                names |= {(resource["Type"], name)} if name else set()
        taken.append(names)
    first, second = taken
    assert len(first) == len(second) == 7, "the firewall's stack, and six resources that AWS does not name by itself"
    assert first & second == set()


def test_a_domain_brings_its_certificate_and_newer_tls() -> None:
    config = synthesized("domain").only("AWS::CloudFront::Distribution")["DistributionConfig"]
    assert config["Aliases"] == ["chat.example.com"]
    assert config["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2021"
    assert synthesized("domain").template["Outputs"]["WebAddress"]["Value"] == "https://chat.example.com"


def test_snap_start_sends_requests_to_a_published_version() -> None:
    home = synthesized("snap_start")
    assert home.only("AWS::Lambda::Function")["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    (alias,) = home.of_type("AWS::Lambda::Alias")
    for method in home.of_type("AWS::ApiGateway::Method").values():
        assert alias in json.dumps(method["Integration"]["Uri"])


def test_the_command_ends_with_a_sentence_where_it_is_asked_for_nothing() -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "daehwa.deployment.stack"],
        env={name: value for name, value in os.environ.items() if name != INPUT_VARIABLE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert refused.stderr.startswith("DAEHWA_DEPLOYMENT names no file.")
