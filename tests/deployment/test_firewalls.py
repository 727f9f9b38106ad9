"""Firewalls that protect nothing any more are found by what stands, however often a deployment was broken off."""

import json
from typing import Any

import boto3
import botocore.exceptions
import pytest
from deployment.conftest import ACCOUNT, REGION, Account

from daehwa.deployment import firewalls
from daehwa.deployment.cloud import Cloud

CURRENT, FORMER, OTHERS = f"daehwa-{REGION}-firewall", "daehwa-firewall", "daehwa-eu-west-1-firewall"


def standing(account: Account) -> set[str]:
    stacks = account.cloud.in_region("us-east-1").client("cloudformation").describe_stacks()["Stacks"]
    return {stack["StackName"] for stack in stacks}


def idle(account: Account) -> list[str]:
    return [firewall.name for firewall in firewalls.idle(account.cloud, "daehwa")]


def removed(cloud: Cloud, needed: str | None = None) -> list[str]:
    return firewalls.remove_idle(cloud, "daehwa", needed=needed, say=lambda _: None)


def cloud_that_refuses(operation: str, code: str) -> Cloud:
    """Return an account in which AWS refuses one operation, as it does in words of its own."""
    session = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name=REGION)

    def refuse(model: Any, **_: Any) -> None:
        raise botocore.exceptions.ClientError({"Error": {"Code": code, "Message": "not now"}}, model.name)

    session.events.register(f"before-call.{operation}", refuse)
    return Cloud(session, REGION)


def test_one_of_the_former_name_goes_when_nothing_stands_behind_it_whatever_the_template_names(
    account: Account,
) -> None:
    account.install()  # of whose template no firewall is named, as after the first upgrade
    account.make_firewall(FORMER)
    account.make_firewall(OTHERS)
    account.make_distribution(account.make_firewall(CURRENT))
    assert idle(account) == [FORMER]
    for _ in range(2):
        assert removed(account.cloud, needed=CURRENT) == []
        assert standing(account) == {CURRENT, OTHERS}


def test_one_that_protects_another_regions_installation_stays(account: Account) -> None:
    account.install()
    account.make_distribution(account.make_firewall(FORMER))
    assert removed(account.cloud) == []
    assert standing(account) == {FORMER}


def test_without_outputs_a_stacks_resource_tells_what_it_protects(account: Account) -> None:
    account.make_distribution(f"arn:aws:wafv2:us-east-1:{ACCOUNT}:global/webacl/Firewall-x/1a2b")
    wall = {"Type": "AWS::WAFv2::WebACL", "Properties": {"Scope": "CLOUDFRONT"}}
    body = json.dumps({"Resources": {"Firewall": wall}})
    account.cloud.in_region("us-east-1").client("cloudformation").create_stack(StackName=FORMER, TemplateBody=body)
    assert idle(account) == [FORMER], "moto does not tell this resource"
    made = {"ResourceType": "AWS::WAFv2::WebACL", "PhysicalResourceId": "Firewall-x|1a2b|CLOUDFRONT"}
    session = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name=REGION)
    session.events.register(
        "after-call.cloudformation.ListStackResources", lambda parsed, **_: parsed.update(StackResourceSummaries=[made])
    )
    assert firewalls.idle(Cloud(session, REGION), "daehwa") == []


def test_a_firewall_of_earlier_choices_goes_and_the_one_that_is_needed_stays(account: Account) -> None:
    account.make_firewall(CURRENT)
    account.make_firewall(OTHERS)
    assert removed(account.cloud, needed=CURRENT) == []
    assert standing(account) == {CURRENT, OTHERS}
    assert removed(account.cloud) == []
    assert standing(account) == {OTHERS}


@pytest.mark.parametrize(
    "resources",
    [
        {"Topic": {"Type": "AWS::SNS::Topic"}},
        {"Wall": {"Type": "AWS::WAFv2::WebACL", "Properties": {"Scope": "REGIONAL"}}},
        {
            "Wall": {"Type": "AWS::WAFv2::WebACL", "Properties": {"Scope": "CLOUDFRONT"}},
            "Topic": {"Type": "AWS::SNS::Topic"},
        },
    ],
)
def test_a_stack_of_somebody_elses_that_is_called_like_it_stays(account: Account, resources: dict[str, Any]) -> None:
    body = json.dumps({"Resources": resources})
    account.cloud.in_region("us-east-1").client("cloudformation").create_stack(StackName=FORMER, TemplateBody=body)
    assert idle(account) == []


def test_one_that_cannot_be_deleted_yet_is_told_and_the_next_run_finds_it(account: Account) -> None:
    account.make_firewall(FORMER)
    (warning,) = removed(cloud_that_refuses("cloudformation.DeleteStack", "Conflict"))
    assert "AWS refused DeleteStack (Conflict): not now" in warning
    assert "delete the stack daehwa-firewall in CloudFormation's console, in us-east-1" in warning
    assert "$7.00 a month" in warning
    assert "`daehwa deploy` tries again" in warning
    assert removed(account.cloud) == []
    assert standing(account) == set()


def test_who_may_not_list_distributions_deletes_none_and_is_told_which_may_be_left(account: Account) -> None:
    account.make_firewall(FORMER)
    (warning,) = removed(cloud_that_refuses("cloudfront.ListDistributions", "AccessDenied"))
    assert "These credentials may not do ListDistributions" in warning
    assert f"{CURRENT} or {FORMER}" in warning
    assert standing(account) == {FORMER}


def test_status_shows_one_that_is_left_and_none_that_is_used(account: Account) -> None:
    account.install()
    account.make_distribution(account.make_firewall(CURRENT))
    assert "firewall" not in account.run("status").said
    account.make_firewall(FORMER)
    ended = account.run("status")
    assert ended.code == 0, ended.said
    assert "left over      the firewall daehwa-firewall in us-east-1: it protects nothing" in ended.out
    assert "`daehwa deploy` takes it away" in ended.out


def test_destroying_takes_the_firewall_along_and_leaves_that_of_another_region(account: Account) -> None:
    account.install()
    account.make_firewall(CURRENT)
    account.make_firewall(OTHERS)
    account.make_distribution(account.make_firewall(FORMER))
    assert account.run("destroy", "--yes").code == 0
    assert standing(account) == {FORMER, OTHERS}


def test_destroying_goes_on_where_it_was_broken_off_after_the_home_was_gone(account: Account) -> None:
    account.make_firewall(CURRENT)
    account.make_firewall(FORMER)
    looked = account.run("status")
    assert looked.code == 1
    assert "`daehwa deploy destroy` takes it away" in looked.out
    ended = account.run("destroy", "--yes")
    assert ended.code == 0, ended.said
    assert standing(account) == set()
    assert "There is no installation" in account.run("destroy", "--yes").err
