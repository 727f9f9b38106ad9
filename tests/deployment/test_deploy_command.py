"""The commands as a person types them, in processes of their own, against moto's server."""

import json
from pathlib import Path

import pytest
from deployment.conftest import ACCOUNT, NAME, REGION, Account
from synthesized import synthesized

from daehwa.cli.deploying import next_steps
from daehwa.deployment.configuration import DeploymentSettings
from daehwa.deployment.preflight import BOOTSTRAP_PARAMETER

KEY = "sk-canary-nobody-may-see-0123456789"


def secret_of(account: Account, name: str) -> tuple[str, str]:
    found = account.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]
    return found["Type"], found["Value"]


def files_with(folder: Path, text: str) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def test_the_plan_is_shown_before_anything_is_made_and_nobody_said_yes(account: Account) -> None:
    ended = account.run("--admin-email", "a@example.com", OPENAI_API_KEY=KEY)
    assert ended.code == 2
    assert f"account        {ACCOUNT}" in ended.out
    assert "Cognito user pool" in ended.out
    assert "1,000 turns of 10 s" in ended.out
    assert f"CDK is not at home in {REGION}" in ended.err
    assert "Add --yes to go on" in ended.err
    assert KEY not in ended.said
    assert account.client("ssm").describe_parameters()["Parameters"] == []
    assert files_with(account.home, "a@example.com") == []


def test_a_home_of_cdk_is_not_asked_for_twice(account: Account) -> None:
    account.client("ssm").put_parameter(Name=BOOTSTRAP_PARAMETER, Value="25", Type="String")
    assert "CDK is not at home" not in account.run("--admin-email", "a@example.com").said


def test_an_installation_is_not_upgraded_without_its_choices(account: Account) -> None:
    account.install()
    ended = account.run("--yes")
    assert ended.code == 2
    assert "the file with its choices is not here" in ended.err


def test_choices_that_do_not_go_together_are_refused_before_aws_is_asked(account: Account) -> None:
    ended = account.run("--domain", "talk.example.com", AWS_ENDPOINT_URL="http://127.0.0.1:1")
    assert ended.code == 1
    assert "give both --domain and --certificate" in ended.err


def test_a_budget_waits_for_the_admins_address_which_is_asked_for_after_the_plan(account: Account) -> None:
    planned = account.run("--monthly-budget", "5")
    assert (planned.code, "1,000 turns of 10 s" in planned.out) == (2, True)
    assert "Add --yes to go on" in planned.err
    ended = account.run("--monthly-budget", "5", "--yes")
    assert (ended.code, "Who is the first admin?" in ended.err) == (2, True)
    looked = account.run("--monthly-budget", "5", "--dry-run")
    assert looked.code == 1
    assert "A monthly budget warns by e-mail: give --admin-email or --alarm-email as well." in looked.err


def test_without_credentials_it_says_how_to_get_some(account: Account) -> None:
    ended = account.run("status", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert ended.code == 1
    assert "There are no AWS credentials here. Run `aws configure`" in ended.err
    assert "Traceback" not in ended.said


def test_where_aws_does_not_answer_it_says_so(account: Account) -> None:
    ended = account.run("status", AWS_ENDPOINT_URL="http://127.0.0.1:1", AWS_MAX_ATTEMPTS="1")
    assert ended.code == 1
    assert "AWS could not be reached" in ended.err


def test_a_wrong_flag_is_told_with_what_is_allowed(account: Account) -> None:
    ended = account.run("--memory", "64")
    assert ended.code == 2
    assert '--memory: memory is "64"' in ended.err


def test_status_says_where_it_is_and_that_a_key_is_missing(account: Account) -> None:
    account.install()
    ended = account.run("status")
    assert ended.code == 0, ended.said
    assert "https://d111.cloudfront.example/chat.html" in ended.out
    assert "CREATE_COMPLETE" in ended.out
    assert "not set: `daehwa deploy set-key`" in ended.out
    assert "alarms         none is on" in ended.out


def test_status_of_nothing(account: Account) -> None:
    ended = account.run("status", "--name", "other")
    assert ended.code == 1
    assert f"There is no installation 'other' in {REGION}." in ended.out


def test_a_key_is_kept_encrypted_and_shown_nowhere(account: Account) -> None:
    account.install()
    ended = account.run("set-key", "--no-check", stdin=f"{KEY}\n")
    assert ended.code == 0, ended.said
    assert KEY not in ended.said
    assert secret_of(account, f"/{NAME}/openai-key") == ("SecureString", KEY)
    assert "key            set on" in account.run("status").out
    assert files_with(account.home, KEY) == []


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "No key was given"),
        ("sk-short", "That does not look like a key: it has 8 characters"),
        ("pk-of-another-make-0123456789", "those begin with 'sk-'"),
        ("sk-with a space in it 0123", "ASCII without spaces"),
    ],
)
def test_what_is_no_key_is_not_stored(account: Account, typed: str, said: str) -> None:
    ended = account.run("set-key", "--no-check", stdin=typed)
    assert ended.code in {1, 2}
    assert said in ended.err
    assert typed == "" or typed not in ended.said
    assert account.client("ssm").describe_parameters()["Parameters"] == []


def test_a_client_secret_has_a_place_of_its_own(account: Account) -> None:
    assert account.run("set-key", "--sign-in", stdin="a secret of theirs\n").code == 0
    assert secret_of(account, f"/{NAME}/sign-in-secret") == ("SecureString", "a secret of theirs")


def test_people_are_invited_once_and_again_until_they_came(account: Account) -> None:
    outputs = account.install()
    assert "kim@example.com is invited." in account.run("invite", "Kim@example.com").out
    assert "kim@example.com is invited again." in account.run("invite", "kim@example.com").out
    person = {"UserPoolId": outputs.user_pool_id, "Username": "kim@example.com"}
    account.client("cognito-idp").admin_set_user_password(**person, Password="Long-enough-1!", Permanent=True)
    assert "kim@example.com is there already." in account.run("invite", "kim@example.com").out
    wrong = account.run("invite", "kim")
    assert wrong.code == 1
    assert "'kim' is not an e-mail address" in wrong.err


def test_destroying_keeps_what_people_wrote(account: Account) -> None:
    account.install()
    account.client("s3").put_object(Bucket="daehwa-page", Key="index.html", Body=b"<html>")
    account.run("set-key", "--no-check", stdin=KEY)
    ended = account.run("destroy", "--yes")
    assert ended.code == 0, ended.said
    assert "1 files of the page removed" in ended.out
    assert "This is still there" in ended.out
    assert account.client("s3").list_buckets()["Buckets"] == []
    assert account.client("dynamodb").list_tables()["TableNames"] == [f"{NAME}-table"]
    assert secret_of(account, f"/{NAME}/openai-key")[1] == KEY


def test_data_goes_only_by_the_stacks_own_name(account: Account) -> None:
    account.install()
    wrong = account.run("destroy", "--yes", "--delete-data", "something")
    assert wrong.code == 2
    assert "Nothing was done" in wrong.err
    assert "CREATE_COMPLETE" in account.run("status").out


def test_it_is_not_destroyed_without_a_yes(account: Account) -> None:
    account.install()
    ended = account.run("destroy")
    assert ended.code == 2
    assert "Add --yes" in ended.err
    assert "CREATE_COMPLETE" in account.run("status").out


def test_who_is_told_by_alarms_learns_that_a_link_must_be_opened_first(account: Account) -> None:
    outputs = account.install()
    told = DeploymentSettings(admin_email="a@example.com", alarm_email="alarm@example.com")
    said = " ".join(next_steps(told, outputs, is_key_set=True))
    assert (
        "alarm@example.com has, or had, an e-mail from AWS Notifications (SNS) with a link: until it is opened" in said
    )
    assert "SNS" not in " ".join(next_steps(DeploymentSettings(admin_email="a@example.com"), outputs, is_key_set=True))


@pytest.mark.cdk
def test_synthesising_needs_no_credentials_and_writes_no_key(account: Account) -> None:
    options = ("--dry-run", "--without-bytecode", "--admin-email", "a@example.com")  # the region is AWS_REGION's
    nothing = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"), "")
    cache = account.home / "cache"
    ended = account.run(*options, OPENAI_API_KEY=KEY, XDG_CACHE_HOME=str(cache), **nothing)
    assert ended.code == 0, ended.said
    written = json.loads((cache / "daehwa" / "deployments" / NAME / "cdk.out" / f"{NAME}.template.json").read_text())
    beside = synthesized("default").template
    assert {name: r["Type"] for name, r in written["Resources"].items()} == {
        name: r["Type"] for name, r in beside["Resources"].items()
    }, "what is tested in this process is what the command makes"
    assert written["Outputs"].keys() == beside["Outputs"].keys()
    assert files_with(account.home, KEY) == []
    assert KEY not in ended.said
