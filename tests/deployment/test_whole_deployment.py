"""The whole command, from nothing to a web address and back, with ministack for AWS; each stage runs once.

ministack is taught two names (`ALL_TAUGHT`): the look of Cognito's page, and alarms on a sum. What it lacks beside that
is seen in the smoke test's own lines, and asserted. That answers stream through it is for AWS alone to show.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from deployment.conftest import Ended
from deployment.whole import DEPLOY, KEY, Machine, machine
from ministack_server import ALL_TAUGHT, HOLD, LOOK_TAUGHT

from daehwa.cli.terminal import STOPPED

pytestmark = pytest.mark.cdk

NEXT_KEY = "sk-canary-the-second-0123456789"
ITEM = {"pk": {"S": "U#kim"}, "sk": {"S": "C#1"}, "title": {"S": "kept"}}
SMOKE_BY_MINISTACK = {
    "the page": ("WRONG", "status 403"),  # its CloudFront asks the bucket without TLS, which the bucket refuses
    "a stranger at the API": ("WRONG", "502"),  # its CloudFront does not find its API Gateway
    "the way to sign in": ("WRONG", "502"),
    "the function's own check": ("ok", "not for the public"),
    "the API behind CloudFront's back": ("ok", "refuses (403)"),
    "streaming": ("--", "not tried"),
}


class Stage(NamedTuple):
    """What a run said, and how the account was after it."""

    ended: Ended
    resources: dict[str, tuple[str, str]]
    outputs: dict[str, str]
    files: dict[str, Any]
    template: Any
    key: tuple[str, str]


def stage(there: Machine, ended: Ended) -> Stage:
    server = there.server
    (stack,) = server.client("cloudformation").describe_stacks(StackName="daehwa")["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    storage, bucket = server.client("s3"), outputs["PageBucket"]
    names = [item["Key"] for item in storage.list_objects_v2(Bucket=bucket)["Contents"]]
    files = {name: storage.head_object(Bucket=bucket, Key=name) for name in names}
    template = server.client("cloudformation").get_template(StackName="daehwa")["TemplateBody"]
    return Stage(ended, server.resources("daehwa"), outputs, files, template, secret_of(there, "openai-key"))


def secret_of(there: Machine, name: str) -> tuple[str, str]:
    found = there.server.client("ssm").get_parameter(Name=f"/daehwa/{name}", WithDecryption=True)["Parameter"]
    return found["Type"], found["Value"]


def tables(there: Machine) -> list[str]:
    names: list[str] = there.server.client("dynamodb").list_tables()["TableNames"]
    return names


def pools(there: Machine) -> list[str]:
    return [pool["Id"] for pool in there.server.client("cognito-idp").list_user_pools(MaxResults=60)["UserPools"]]


def checks(said: str) -> dict[str, tuple[str, str]]:
    """Return the lines of the look from outside: mark and what was seen, by what was looked at."""
    lines = [line.split(maxsplit=1) for line in said.splitlines() if line.startswith(("  ok ", "  WRONG ", "  -- "))]
    return {what: (mark, seen) for mark, rest in lines for what, _, seen in [rest.partition(": ")]}


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with machine(tmp_path_factory.mktemp("whole"), taught=ALL_TAUGHT) as made:
        yield made


@pytest.fixture(scope="module")
def first(there: Machine) -> Stage:
    return stage(there, there.run(*DEPLOY, OPENAI_API_KEY=KEY))


@pytest.fixture(scope="module")
def second(there: Machine, first: Stage) -> Stage:
    there.server.client("dynamodb").put_item(TableName=first.outputs["TableName"], Item=ITEM)
    return stage(there, there.run("--yes", "--without-bytecode", "--memory", "1024"))


@pytest.fixture(scope="module")
def seen(there: Machine, second: Stage) -> tuple[Ended, Ended]:
    assert second.ended.code == 1
    return there.run("set-key", "--no-check", stdin=f"{NEXT_KEY}\n"), there.run("status")


@pytest.fixture(scope="module")
def destroyed(there: Machine, seen: tuple[Ended, Ended]) -> Ended:
    assert seen[0].code == 0
    return there.run("destroy", "--yes")


def test_the_first_deployment_comes_to_its_end(there: Machine, first: Stage) -> None:
    assert first.ended.out.splitlines()[-1].startswith("To let others in"), first.ended.said
    assert f"Open {first.outputs['WebAddress']}/chat.html" in first.ended.out
    assert "Making CDK at home" in first.ended.out
    assert "key            from OPENAI_API_KEY" in first.ended.out
    assert "kim@example.com finds a first password" in first.ended.out
    assert "Left by earlier installations" not in first.ended.out
    assert {status for status, _ in first.resources.values()} == {"CREATE_COMPLETE"}
    assert (there.home / ".config/daehwa/daehwa-aws.toml").is_file()


def test_it_looks_from_outside_and_ends_with_1_where_something_is_wrong(first: Stage) -> None:
    seen = checks(first.ended.out)
    assert list(seen) == list(SMOKE_BY_MINISTACK)
    assert "certificate" in seen["the page"][1], "this run does not trust the stand-in for AWS's names"
    assert "Something is not right yet" in first.ended.err
    assert first.ended.code == 1


def test_smoke_sees_of_ministack_what_it_can_do_and_what_not(there: Machine, first: Stage) -> None:
    assert first.outputs
    ended = there.run("smoke", SSL_CERT_FILE=str(there.names.trusted))
    found = checks(ended.out)
    assert {what: mark for what, (mark, _) in found.items() if what in SMOKE_BY_MINISTACK} == {
        what: mark for what, (mark, _) in SMOKE_BY_MINISTACK.items()
    }
    assert all(part in found[what][1] for what, (_, part) in SMOKE_BY_MINISTACK.items()), found
    assert ended.code == 1


def test_the_page_is_there_with_types_and_how_long_each_file_holds(first: Stage) -> None:
    assert f"page           {len(first.files)} files" in first.ended.out
    index = first.files["index.html"]
    assert (index["ContentType"], index["CacheControl"]) == ("text/html; charset=utf-8", "no-cache")
    hashed = {name: file for name, file in first.files.items() if name.startswith("assets/")}
    assert {file["CacheControl"] for file in hashed.values()} == {"public, max-age=31536000, immutable"}
    types = {Path(name).suffix: file["ContentType"] for name, file in hashed.items()}
    assert types[".js"] == "text/javascript; charset=utf-8"
    assert types[".css"] == "text/css; charset=utf-8"
    assert not [name for name in first.files if name.endswith((".br", ".gz"))]


def test_the_key_is_in_ssm_encrypted_and_nowhere_else(there: Machine, first: Stage) -> None:
    assert first.key == ("SecureString", KEY)
    origin = secret_of(there, "origin-key")
    assert origin[0] == "SecureString"
    for secret in (KEY, origin[1]):
        assert secret not in first.ended.said
        assert [path for path in there.files() if secret.encode() in path.read_bytes()] == []
        assert [line for line in there.command_lines if secret in line] == []
        assert secret not in str(there.server.client("cloudformation").get_template(StackName="daehwa"))
    assert there.told_the_key == set(), "no program that is started needs it"
    names = {path.name for path in there.files()}
    assert {"tree.json", "manifest.json", "daehwa.template.json", "deployment.json", "function.zip"} <= names
    assert any("aws-cdk" in line and " deploy " in line for line in there.command_lines), "it was looked at"
    assert any("uv" in line and " --only-binary :all: " in line for line in there.command_lines), "nothing is compiled"


def test_the_admin_is_invited_once(there: Machine, first: Stage, second: Stage) -> None:
    assert "admin          kim@example.com is invited by e-mail" in first.ended.out
    assert "is invited" not in second.ended.out
    assert first.outputs["UserPoolId"] == second.outputs["UserPoolId"]
    users = there.server.client("cognito-idp").list_users(UserPoolId=first.outputs["UserPoolId"])["Users"]
    (known,) = ({pair["Name"]: pair["Value"] for pair in user["Attributes"]} for user in users)
    assert known["email"] == "kim@example.com"
    assert known["email_verified"] == "true", "else a forgotten password could not be set anew"


def test_the_second_run_upgrades_in_place(there: Machine, first: Stage, second: Stage) -> None:
    assert "It is brought up to date in place" in second.ended.out
    assert "Making CDK at home" not in second.ended.out
    assert second.outputs == first.outputs
    ids = [{name: there for name, (_, there) in run.resources.items()} for run in (first, second)]
    assert ids[0] == ids[1], "nothing was replaced"
    before, after = first.template["Resources"], second.template["Resources"]
    (changed,) = (name for name in after if after[name] != before[name])
    assert after[changed]["Properties"] == {**before[changed]["Properties"], "MemorySize": 1024}, "the very same zip"
    function = there.server.client("lambda").get_function_configuration(FunctionName=second.outputs["FunctionName"])
    assert function["MemorySize"] == 1024
    kept = there.server.client("dynamodb").get_item(
        TableName=second.outputs["TableName"], Key={name: ITEM[name] for name in ("pk", "sk")}
    )
    assert kept["Item"] == ITEM
    assert second.key == first.key


def test_a_new_key_takes_the_place_of_the_first_and_status_says_how_it_is(
    there: Machine, second: Stage, seen: tuple[Ended, Ended]
) -> None:
    assert secret_of(there, "openai-key") == ("SecureString", NEXT_KEY)
    assert NEXT_KEY not in seen[0].said
    status = seen[1]
    assert status.code == 0, status.said
    assert "UPDATE_COMPLETE" in status.out
    assert f"{second.outputs['WebAddress']}/chat.html" in status.out
    assert "python3.14, 1024 MiB" in status.out
    assert "key            set on " in status.out


def test_destroying_keeps_table_people_and_keys_and_says_how_to_go_on(
    there: Machine, second: Stage, destroyed: Ended
) -> None:
    assert destroyed.code == 0, destroyed.said
    table, pool = second.outputs["TableName"], second.outputs["UserPoolId"]
    assert tables(there) == [table]
    assert pools(there) == [pool]
    assert secret_of(there, "openai-key")[1] == NEXT_KEY
    assert there.server.client("lambda").list_functions()["Functions"] == []
    assert second.outputs["PageBucket"] not in str(there.server.client("s3").list_buckets()["Buckets"])
    assert f"table                {table}\n" in destroyed.out
    assert f"`daehwa export --name daehwa --table {table} FILE`" in destroyed.out


def test_a_later_deployment_says_what_it_will_not_take_up_and_data_goes_by_its_name(
    there: Machine, second: Stage, destroyed: Ended
) -> None:
    assert destroyed.code == 0
    table, pool = second.outputs["TableName"], second.outputs["UserPoolId"]
    for ended in (there.run(stdin=""), there.run("status")):
        assert "Left by earlier installations named 'daehwa'" in ended.out
        assert table in ended.out
        assert f"`daehwa export --name daehwa --table {table} FILE`" in ended.out
        assert "`daehwa import --name daehwa --aws FILE`" in ended.out
    wrong = there.run("destroy", "--yes", "--delete-data", "other")
    assert (wrong.code, tables(there)) == (2, [table])
    right = there.run("destroy", "--yes", "--delete-data", "daehwa")
    assert right.code == 0, right.said
    assert f"DynamoDB Table {table} deleted" in right.out
    assert (tables(there), pool in pools(there)) == ([], False)
    named = there.server.client("ssm").describe_parameters()["Parameters"]
    assert [parameter["Name"] for parameter in named if parameter["Name"].startswith("/daehwa/")] == []
    assert there.run("destroy", "--yes", "--delete-data", "daehwa").code == 1


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with machine(tmp_path_factory.mktemp("faulty"), taught=LOOK_TAUGHT) as made:
        yield made


@pytest.fixture(scope="module")
def stopped(faulty: Machine) -> tuple[Ended, list[Ended]]:
    """Stop the first deployment by Ctrl-C, after one that ended before it began; look at it meanwhile and after."""
    planned = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    cloudformation = faulty.server.client("cloudformation")
    plan = {"ChangeSetName": "cdk-deploy-change-set", "ChangeSetType": "CREATE", "TemplateBody": json.dumps(planned)}
    cloudformation.create_change_set(StackName="daehwa", **plan)
    hold = faulty.home.parent / HOLD
    hold.touch()
    ended = faulty.run(*DEPLOY, stdin=f"{KEY}\n", stops_at="DynamoDB Table")
    during = [faulty.run("status"), faulty.run("--yes")]
    hold.unlink()
    faulty.server.settled("daehwa")
    return ended, [*during, faulty.run("status")]


def test_ctrl_c_leaves_cloudformation_at_work_and_says_so(faulty: Machine, stopped: tuple[Ended, list[Ended]]) -> None:
    ended, (busy, refused, failed) = stopped
    assert ended.code == STOPPED, ended.said
    assert "what CloudFormation has begun goes on there" in ended.err
    assert "Traceback" not in ended.said
    assert secret_of(faulty, "openai-key") == ("SecureString", KEY)
    assert "CREATE_IN_PROGRESS" in busy.out
    assert refused.code == 1
    assert "CloudFormation is still at work on 'daehwa' (CREATE_IN_PROGRESS). Wait until it is done" in refused.err
    assert failed.code == 1
    assert "ROLLBACK_COMPLETE" in failed.out
    assert "metric math" in failed.out, "ministack cannot make them, and what failed first is what is told"
    assert f"table                {tables(faulty)[0]}, empty" in failed.out


def test_a_failing_deployment_is_one_paragraph_with_the_first_failure_and_what_is_left(
    faulty: Machine, stopped: tuple[Ended, list[Ended]]
) -> None:
    assert stopped
    (table,) = tables(faulty)
    ended = faulty.run("--yes", "--no-check", "--without-bytecode")
    assert ended.code == 1
    assert "This will be created" in ended.out, "what never stood is not brought up to date"
    assert f"table                {table}, empty" in ended.out, "what the stopped one left is told before"
    (told,) = [line for line in ended.err.splitlines() if line.startswith("daehwa: ")]
    assert told.startswith("daehwa: The deployment failed. AlarmsStore")
    assert "(AWS::CloudWatch::Alarm): " in told
    assert "metric math" in told
    assert all(item in told for item in (*tables(faulty), *pools(faulty)))
    assert "deploy destroy --delete-data daehwa" in told
    gone = faulty.run("destroy", "--yes", "--delete-data", "daehwa")
    assert gone.code == 0, gone.said
    assert (tables(faulty), pools(faulty)) == ([], [])
    assert [path for path in faulty.files() if KEY.encode() in path.read_bytes()] == []
    assert not [line for line in faulty.command_lines if KEY in line]
    assert faulty.told_the_key == set()
