"""The parts of a deployment that talk to AWS, against moto's server; what AWS says against it, as it says it."""

import datetime as dt
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
import botocore.exceptions
import msgspec
import pytest
from deployment.conftest import REGION, Account

from daehwa.deployment import page_upload, parameters, removal
from daehwa.deployment.cdk import event_line
from daehwa.deployment.cloud import Cloud, told
from daehwa.deployment.errors import DeploymentError
from daehwa.deployment.leftovers import PEOPLE, TABLE, Leftover, advice, left_behind
from daehwa.deployment.preflight import BOOTSTRAP_PARAMETER, Surroundings, look_around
from daehwa.deployment.stack_state import StackState, find_stack

TODAY = dt.date(2026, 11, 22)


def page(folder: Path, *assets: str) -> Path:
    for name in ("index.html", "favicon.svg", *(f"assets/{asset}" for asset in assets)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, "utf-8")
        (folder / f"{name}.br").write_bytes(b"packed")
    return folder


def names(account: Account) -> set[str]:
    return {item["Key"] for item in account.client("s3").list_objects_v2(Bucket="daehwa-page")["Contents"]}


def test_files_of_the_page_say_how_long_they_hold(account: Account, tmp_path: Path) -> None:
    outputs = account.install()
    done = page_upload.upload(account.cloud, outputs, page(tmp_path / "page", "app-1a2b.js"), TODAY)
    assert done == page_upload.Upload(files=3, removed=0)
    assert names(account) == {"index.html", "favicon.svg", "assets/app-1a2b.js"}
    hashed = account.client("s3").head_object(Bucket="daehwa-page", Key="assets/app-1a2b.js")
    assert hashed["CacheControl"] == "public, max-age=31536000, immutable"
    assert hashed["ContentType"] == "text/javascript; charset=utf-8"
    index = account.client("s3").head_object(Bucket="daehwa-page", Key="index.html")
    assert index["CacheControl"] == "no-cache"
    assert index["ContentType"] == "text/html; charset=utf-8"


def test_index_names_nothing_that_could_not_be_put(account: Account, tmp_path: Path) -> None:
    outputs = account.install()
    folder = page(tmp_path / "page", "one.js")
    (folder / "assets" / "two.js").symlink_to("/proc/self/mem")  # a file that nobody can read from its beginning
    with pytest.raises(OSError, match="error"):
        page_upload.upload(account.cloud, outputs, folder, TODAY)
    assert names(account) == {"assets/one.js"}


def test_cloudfront_is_told_each_time(account: Account, tmp_path: Path) -> None:
    outputs = account.install()
    folder = page(tmp_path / "page", "one.js", "two.js")
    for _ in range(2):
        page_upload.upload(account.cloud, outputs, folder, TODAY)
    listed = account.client("cloudfront").list_invalidations(DistributionId=outputs.distribution_id)
    assert listed["InvalidationList"]["Quantity"] == 2


def test_a_former_build_stays_for_some_days(account: Account, tmp_path: Path) -> None:
    outputs = account.install()
    page_upload.upload(account.cloud, outputs, page(tmp_path / "old", "app-old.js"), TODAY)
    new = page(tmp_path / "new", "app-new.js")
    page_upload.upload(account.cloud, outputs, new, TODAY)
    assert "assets/app-old.js" in names(account)
    assert page_upload.upload(account.cloud, outputs, new, TODAY + dt.timedelta(days=14)).removed == 0
    assert page_upload.upload(account.cloud, outputs, new, TODAY + dt.timedelta(days=15)).removed == 1
    assert names(account) == {"index.html", "favicon.svg", "assets/app-new.js"}


def test_a_build_that_came_back_begins_its_days_anew(account: Account, tmp_path: Path) -> None:
    outputs = account.install()
    old, new = page(tmp_path / "old", "app-old.js"), page(tmp_path / "new", "app-new.js")
    for days, folder in ((0, old), (0, new), (10, old), (12, new)):
        page_upload.upload(account.cloud, outputs, folder, TODAY + dt.timedelta(days=days))
    assert page_upload.upload(account.cloud, outputs, new, TODAY + dt.timedelta(days=20)).removed == 0


def test_a_folder_without_a_page_uploads_nothing(account: Account, tmp_path: Path) -> None:
    outputs = account.install()
    with pytest.raises(DeploymentError, match=r"has no index\.html"):
        page_upload.upload(account.cloud, outputs, tmp_path, TODAY)


class CrowdedParameterStore(BaseHTTPRequestHandler):
    """SSM in an account with many parameters: a page of what it looks at may hold nothing that was asked for."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        (name,) = asked["ParameterFilters"][0]["Values"]
        is_first = "NextToken" not in asked
        found = {"Name": name, "Type": "SecureString", "LastModifiedDate": 1_795_305_600.0}
        body = json.dumps({"Parameters": [], "NextToken": "next"} if is_first else {"Parameters": [found]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/x-amz-json-1.1")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def test_a_key_is_found_among_many_parameters(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), CrowdedParameterStore) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", f"http://127.0.0.1:{server.server_port}")
        changed = parameters.secret_changed(account.cloud, "/daehwa/openai-key")
        server.shutdown()
    assert changed is not None
    assert changed.year == 2026


def test_the_key_of_the_origin_is_made_once(account: Account) -> None:
    first = parameters.origin_key(account.cloud, "daehwa").reveal()
    assert len(first) == 64
    assert parameters.origin_key(account.cloud, "daehwa").reveal() == first
    found = account.client("ssm").get_parameter(Name="/daehwa/origin-key")["Parameter"]
    assert found["Type"] == "SecureString"


def test_all_regions_that_are_needed_are_looked_at(account: Account) -> None:
    account.client("ssm").put_parameter(Name=BOOTSTRAP_PARAMETER, Value="25", Type="String")
    around = look_around(account.cloud, further_regions=("us-east-1",))
    assert around.not_bootstrapped == ("us-east-1",)
    assert "CDK is not at home in us-east-1" in around.remarks()[0]


def test_an_old_home_of_cdk_counts_as_none(account: Account) -> None:
    account.client("ssm").put_parameter(Name=BOOTSTRAP_PARAMETER, Value="5", Type="String")
    assert look_around(account.cloud).not_bootstrapped == (account.cloud.region,)


def test_a_new_accounts_few_functions_are_told() -> None:
    around = Surroundings(account="1", caller="a", region="us-east-1", not_bootstrapped=(), concurrency=10)
    (remark,) = around.remarks()
    assert "lets Lambda do 10 things at once" in remark


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"])
def test_what_cloudformation_would_not_delete_now_keeps_its_page(account: Account, tmp_path: Path, status: str) -> None:
    page_upload.upload(account.cloud, account.install(), page(tmp_path / "page", "one.js"), TODAY)
    state = find_stack(account.cloud, "daehwa")
    assert state is not None
    with pytest.raises(DeploymentError, match=f"at work.*{status}.*Nothing was taken away"):
        removal.remove(account.cloud, msgspec.structs.replace(state, status=status), print)
    assert "index.html" in names(account)


def test_data_is_deleted_for_good(account: Account) -> None:
    outputs = account.install()
    parameters.origin_key(account.cloud, "daehwa")
    left = [Leftover(TABLE, outputs.table_name, is_empty=False), Leftover(PEOPLE, outputs.user_pool_id, is_empty=True)]
    said: list[str] = []
    removal.delete_data(account.cloud, "daehwa", left, said.append)
    assert account.client("dynamodb").list_tables()["TableNames"] == []
    assert account.client("cognito-idp").list_user_pools(MaxResults=10)["UserPools"] == []
    assert account.client("ssm").describe_parameters()["Parameters"] == []
    assert said[0] == f"DynamoDB Table {outputs.table_name} deleted"


def test_a_tables_recovery_is_switched_off_before_it_goes_so_that_aws_keeps_no_backup(account: Account) -> None:
    table = account.install().table_name
    on, off = ({"PointInTimeRecoveryEnabled": is_on} for is_on in (True, False))
    client = account.client("dynamodb")
    client.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=on)
    asked: list[tuple[str, Any]] = []
    session = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name=REGION)
    session.events.register(
        "provide-client-params.dynamodb",
        lambda model, params, **_: asked.append((model.name, params.get("PointInTimeRecoverySpecification"))),
    )
    removal.delete_data(Cloud(session, REGION), "daehwa", [Leftover(TABLE, table, is_empty=False)], lambda _: None)
    assert asked[-2:] == [("UpdateContinuousBackups", off), ("DeleteTable", None)]
    assert client.list_tables()["TableNames"] == []


def test_nothing_is_left_behind_by_what_stands_or_never_was(account: Account) -> None:
    assert left_behind(account.cloud, "daehwa") == []
    account.install()
    assert left_behind(account.cloud, "daehwa") == []


def test_only_conversations_are_worth_carrying_over() -> None:
    table, empty = Leftover(TABLE, "full", is_empty=False), Leftover(TABLE, "bare", is_empty=True)
    people = Leftover(PEOPLE, "pool", is_empty=False)
    assert advice("daehwa", [empty, people]) == []
    said = "\n".join(advice("daehwa", [table, empty, people]))
    assert "--table full FILE" in said
    assert "bare" not in said


@pytest.mark.parametrize(
    ("status", "is_busy"),
    [
        ("CREATE_IN_PROGRESS", True),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", True),
        ("CREATE_COMPLETE", False),
        ("REVIEW_IN_PROGRESS", False),  # planned, and given up: it would stay so for ever
    ],
)
def test_a_stack_that_is_only_planned_is_waited_for_by_nobody(status: str, *, is_busy: bool) -> None:
    now = dt.datetime.now(dt.UTC)
    assert StackState(id="", status=status, description="", changed=now, outputs=None).is_busy is is_busy


def test_a_stack_that_is_not_there_is_none(account: Account) -> None:
    assert find_stack(account.cloud, "nothing") is None


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("ExpiredTokenException", "The AWS credentials have expired. Sign in again"),
        ("InvalidClientTokenId", "AWS does not accept these credentials"),
        ("AccessDenied", "These credentials may not do PutParameter"),
        ("ThrottlingException", "AWS asks for patience"),
        ("OptInRequired", "has not enabled the region"),
        ("Odd", "AWS refused PutParameter (Odd): why"),
    ],
)
def test_what_aws_says_becomes_a_sentence(code: str, said: str) -> None:
    error = botocore.exceptions.ClientError({"Error": {"Code": code, "Message": "why"}}, "PutParameter")
    assert said in told(error)


def test_a_sign_in_that_ended_is_told() -> None:
    assert "Sign in again" in told(botocore.exceptions.UnauthorizedSSOTokenError())


def test_cdks_lines_become_ours() -> None:
    line = "daehwa | 3/30 | 11:11:53 AM | CREATE_IN_PROGRESS   | AWS::CloudFront::Distribution | Distribution (Distr)"
    assert event_line(line) == "  3/30  create…              CloudFront Distribution            Distribution"
    assert event_line("daehwa: creating CloudFormation changeset...") is None
    assert event_line("") is None
