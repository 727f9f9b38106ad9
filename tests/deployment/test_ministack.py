"""The stack deployed into ministack, as far as that goes, and exactly what it cannot do.

`REJECTED` and `LOST` are asserted, so that the list stays true. What is proven here of the rest: the template stands
without a circle, values reach where they belong, strangers are refused, an upgrade replaces nothing that must last, and
removing it leaves what people wrote.
"""

import asyncio
import copy
import json
import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest
from aiodynamo.credentials import Key, StaticCredentials
from botocore.exceptions import ClientError
from ministack_server import ACCOUNT, ORIGIN_KEY, Ministack, free_port, ministack
from model import Model
from synthesized import REGION, Template, synthesized

from daehwa.accounts.people import Profile, Session
from daehwa.aws.parameter_store import MISSING_SECONDS
from daehwa.conversation.ids import new_id, now_ms
from daehwa.conversation.messages import TextPart
from daehwa.deployment.cdk import Cdk
from daehwa.deployment.configuration import Outputs
from daehwa.deployment.programs import find_node
from daehwa.server.safety import CONTENT_SECURITY_POLICY
from daehwa.settings import Secret
from daehwa.sign_in.tokens import digest, new_token
from daehwa.stores import dynamodb_table as layout
from daehwa.stores.dynamodb import DynamoStore
from daehwa.stores.dynamodb_accounts import DynamoAccounts

pytestmark = pytest.mark.cdk

STACK = "daehwa"
KEY_SOON_SECONDS = MISSING_SECONDS + 0.5
Answered: TypeAlias = tuple[int, str]
REJECTED = {
    "AWS::Cognito::ManagedLoginBranding": "Unrecognized resource types",
    "AWS::CloudWatch::Alarm": "metric math",  # those of the two alarms on a sum
}


class Deployed:
    """The home as it stands in ministack."""

    def __init__(self, server: Ministack) -> None:
        self.server = server
        self.template = accepted(synthesized().template)
        server.prepare(self.template)
        self.stack = server.create(STACK, self.template)
        values = {output["OutputKey"]: output["OutputValue"] for output in self.stack["Outputs"]}
        self.outputs = msgspec.convert(values, Outputs)

    def api_id(self) -> str:
        return self.outputs.api_address.split("//")[1].split(".")[0]

    def method(self) -> Any:
        """Return the integration of the root's method."""
        api = self.server.client("apigateway")
        root = next(r for r in api.get_resources(restApiId=self.api_id())["items"] if r["path"] == "/")
        return api.get_integration(restApiId=self.api_id(), resourceId=root["id"], httpMethod="ANY")

    def ask(self, address: str, **headers: str) -> tuple[int, dict[str, str], str]:
        """Ask for an address of AWS's as ministack serves it: by the Host header."""
        host, slash, path = address.split("//")[1].partition("/")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{self.server.url}{slash}{path}", headers={"Host": host, **named}
        )
        opener = urllib.request.build_opener(NoRedirects)
        try:
            with opener.open(request, timeout=30) as answer:
                return answer.status, dict(answer.headers), answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read().decode()


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows nothing."""

    def redirect_request(self, *_: Any) -> None:
        return None


def accepted(template: Template) -> Template:
    """Return the template without what ministack rejects, and without the dashboard's row that names all alarms."""
    result = copy.deepcopy(template)
    (dashboard,) = (r for r in result["Resources"].values() if r["Type"] == "AWS::CloudWatch::Dashboard")
    for name, resource in template["Resources"].items():
        if resource["Type"] in REJECTED and (resource["Type"] != "AWS::CloudWatch::Alarm" or is_sum(resource)):
            del result["Resources"][name]
            body = dashboard["Properties"]["DashboardBody"]["Fn::Join"][1]
            body[:] = ["" if part == {"Fn::GetAtt": [name, "Arn"]} else part for part in body]
    return result


def is_sum(resource: dict[str, Any]) -> bool:
    return "Metrics" in resource["Properties"]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    with ministack(tmp_path_factory.mktemp("ministack"), REGION) as server:
        yield Deployed(server)


@pytest.fixture
def another(tmp_path: Path) -> Iterator[Ministack]:
    with ministack(tmp_path, REGION) as server:
        yield server


def test_all_but_the_rejected_stands(deployed: Deployed) -> None:
    assert deployed.stack["StackStatus"] == "CREATE_COMPLETE"
    resources = deployed.server.resources(STACK)
    assert set(resources) == set(deployed.template["Resources"])
    assert {status for status, _ in resources.values()} == {"CREATE_COMPLETE"}
    left_out = len(synthesized().template["Resources"]) - len(resources)
    assert left_out == 3, "the look of the sign-in page, and two alarms on a sum"


def test_what_is_rejected_still_is(deployed: Deployed) -> None:
    whole = synthesized().template
    with pytest.raises(ClientError, match="Unrecognized resource types"):
        deployed.server.create("whole", whole)
    sums = {name: r for name, r in whole["Resources"].items() if r["Type"] == "AWS::CloudWatch::Alarm" and is_sum(r)}
    assert len(sums) == 2
    table = {"Table": whole["Resources"]["Table"]}
    stack = deployed.server.create("sums", {"Resources": {**table, **sums}})
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    events = deployed.server.client("cloudformation").describe_stack_events(StackName="sums")["StackEvents"]
    assert any(REJECTED["AWS::CloudWatch::Alarm"] in event.get("ResourceStatusReason", "") for event in events)


def table_of(deployed: Deployed) -> Any:
    return deployed.server.client("dynamodb").describe_table(TableName=deployed.outputs.table_name)["Table"]


def ttl_of(deployed: Deployed) -> Any:
    client = deployed.server.client("dynamodb")
    return client.describe_time_to_live(TableName=deployed.outputs.table_name)["TimeToLiveDescription"]


def recovery_of(deployed: Deployed) -> Any:
    client = deployed.server.client("dynamodb")
    found = client.describe_continuous_backups(TableName=deployed.outputs.table_name)["ContinuousBackupsDescription"]
    return found["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]


def stage_of(deployed: Deployed) -> Any:
    (stage,) = deployed.server.client("apigateway").get_stages(restApiId=deployed.api_id())["item"]
    return stage


def function_of(deployed: Deployed) -> Any:
    client = deployed.server.client("lambda")
    return client.get_function_configuration(FunctionName=deployed.outputs.function_name)


LOST: dict[str, Callable[[Deployed], bool]] = {
    "the streaming of methods": lambda d: "responseTransferMode" not in d.method(),
    "the access log of the stage": lambda d: not stage_of(d)["accessLogSettings"],
    "the table's expiry of items": lambda d: ttl_of(d)["TimeToLiveStatus"] == "DISABLED",
    "the table's recovery": lambda d: recovery_of(d) == "DISABLED",
    "the adapter's layer, so that the function answers nothing": lambda d: (
        d.ask(f"{d.outputs.api_address}api/me", x_api_key=ORIGIN_KEY)[0] == 500
    ),
    "CloudFront's way to API Gateway, which would be by TLS": lambda d: (
        d.ask(f"{d.outputs.web_address}/api/me", X_Forwarded_Proto="https")[0] == 502
    ),
}


@pytest.mark.parametrize("what", LOST)
def test_what_is_lost_still_is(deployed: Deployed, what: str) -> None:
    assert LOST[what](deployed), f"ministack can do this now: {what}. Test it, and take it off the list."


def test_the_key_of_cloudfront_is_shown_to_nobody_who_looks_at_the_stack(deployed: Deployed) -> None:
    shown = {p["ParameterKey"]: p["ParameterValue"] for p in deployed.stack["Parameters"]}
    assert shown["OriginKey"] == "****"
    client = deployed.server.client("cloudformation")
    assert ORIGIN_KEY not in str(client.get_template(StackName=STACK)["TemplateBody"])


def test_the_table_is_what_the_store_wants(deployed: Deployed) -> None:
    table = table_of(deployed)
    assert [key["AttributeName"] for key in table["KeySchema"]] == [layout.PARTITION_KEY, layout.SORT_KEY]
    (index,) = table["GlobalSecondaryIndexes"]
    assert index["IndexName"] == layout.LISTS
    assert set(index["Projection"]["NonKeyAttributes"]) == set(layout.LISTED)
    assert table["DeletionProtectionEnabled"] is True


def test_the_function_is_told_addresses_and_names_as_they_came_out(deployed: Deployed) -> None:
    function = function_of(deployed)
    variables = function["Environment"]["Variables"]
    assert variables["DAEHWA_TABLE"] == deployed.outputs.table_name
    assert variables["DAEHWA_PUBLIC_URL"] == deployed.outputs.web_address
    assert f"https://{variables['DAEHWA_ALLOWED_HOSTS']}/live/" == deployed.outputs.api_address
    assert variables["DAEHWA_SIGN_IN_ISSUER"].endswith(f"/{deployed.outputs.user_pool_id}")
    client = deployed.server.client("cognito-idp").describe_user_pool_client(
        UserPoolId=deployed.outputs.user_pool_id, ClientId=variables["DAEHWA_SIGN_IN_CLIENT_ID"]
    )["UserPoolClient"]
    assert client["CallbackURLs"] == [f"{deployed.outputs.web_address}/auth/callback"]
    assert "ClientSecret" not in client


def test_api_gateway_refuses_whoever_does_not_bring_the_key(deployed: Deployed) -> None:
    address = f"{deployed.outputs.api_address}api/me"
    assert deployed.ask(address)[0] == 403
    assert deployed.ask(address, x_api_key="a-wrong-key-of-more-than-32-characters-x")[0] == 403
    assert deployed.ask(address, x_api_key=ORIGIN_KEY)[0] != 403


def test_cloudfront_redirects_to_https_and_sends_the_headers(deployed: Deployed) -> None:
    web = deployed.outputs.web_address
    status, headers, _ = deployed.ask(f"{web}/")
    assert (status, headers["Location"]) == (301, f"{web}/")
    status, headers, body = deployed.ask(f"{web}/", X_Forwarded_Proto="https")
    assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    # The bucket wants TLS, which ministack does not use within; but the refusal says what CloudFront asked it for.
    assert status == 403
    assert f"/{deployed.outputs.page_bucket}/index.html" in body


@asynccontextmanager
async def the_app(deployed: Deployed, upstream: str) -> AsyncIterator[Callable[..., Awaitable[Answered]]]:
    """Run what run.sh starts, with the environment that the stack gave the function; only addresses are of loopback."""
    variables = function_of(deployed)["Environment"]["Variables"]
    port = free_port()
    environment = {
        **variables,
        "PATH": os.environ["PATH"],
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "not-checked",
        "AWS_ENDPOINT_URL": deployed.server.url,
        "AWS_LWA_PORT": str(port),
        "DAEHWA_BASE_URL": upstream,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "daehwa.aws.function"), env=environment, stderr=asyncio.subprocess.PIPE
    )

    async def asked(path: str, body: object = None, **headers: str) -> Answered:
        data = None if body is None else json.dumps(body).encode()
        host = {"Host": variables["DAEHWA_ALLOWED_HOSTS"], "Content-Type": "application/json"}
        return await asyncio.to_thread(fetched, f"http://127.0.0.1:{port}{path}", {**host, **headers}, data)

    try:
        async with asyncio.timeout(60):
            while (await asked("/healthz"))[0] != 200:
                assert process.returncode is None, process.stderr and await process.stderr.read()
                await asyncio.sleep(0.1)
        yield asked
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


@asynccontextmanager
async def signed_in(deployed: Deployed) -> AsyncIterator[tuple[DynamoStore, str, dict[str, str]]]:
    """Keep somebody's sign-in in the deployed table; give the store, their id, and what their browser sends."""
    variables = function_of(deployed)["Environment"]["Variables"]
    store = DynamoStore.open(
        table=variables["DAEHWA_TABLE"],
        region=REGION,
        endpoint=deployed.server.url,
        credentials=StaticCredentials(Key(ACCOUNT, "not-checked")),
    )
    try:
        accounts, token = DynamoAccounts(store.table), new_token()
        person = Profile(issuer=variables["DAEHWA_SIGN_IN_ISSUER"], subject="1", email="a@example.com", name="A")
        user = await accounts.sign_in(person, role=None, now=now_ms())
        await accounts.save_session(
            Session(id=digest(token), user=user.id, created=now_ms(), expires=now_ms() + 3_600_000)
        )
        sent = {"Cookie": f"__Host-daehwa={token}", "Origin": variables["DAEHWA_PUBLIC_URL"]}
        yield store, user.id, sent
    finally:
        await store.aclose()


async def test_the_app_runs_with_what_the_stack_made(deployed: Deployed) -> None:
    key = deployed.outputs.key_parameter
    conversation, question, reply = new_id(), new_id(), new_id()
    message = {"id": question, "parent": None, "parts": [{"type": "text", "text": "Where are you?"}]}
    turn = {"conversation": conversation, "reply": reply, "message": message}
    model = Model()
    model.says("In the table.")
    async with (
        model.upstream,
        signed_in(deployed) as (store, owner, browser),
        the_app(deployed, model.upstream.base_url) as ask,
    ):
        assert (await ask("/api/me"))[0] == 401
        without_key = await ask("/api/turns", turn, **browser)
        assert "key" in without_key[1]
        deployed.server.client("ssm").put_parameter(Name=key, Value="sk-of-the-test", Type="SecureString")
        await asyncio.sleep(KEY_SOON_SECONDS)
        reply = new_id()
        status, stream = await ask("/api/turns", {**turn, "conversation": new_id(), "reply": reply}, **browser)
        assert (status, "event: done" in stream) == (200, True), stream
        kept = await store.get_message(owner, reply)
        assert (kept.status, kept.parts) == ("complete", (TextPart("In the table."),))
    assert model.questions[0].headers["authorization"] == "Bearer sk-of-the-test"


def test_deployed_by_the_cdk_cli_upgraded_and_removed(
    another: Ministack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = accepted(synthesized().template)
    another.prepare(template)
    said = deploy_by_cli(another, template, tmp_path / "cdk.out", monkeypatch)
    assert another.settled(STACK)["StackStatus"] == "CREATE_COMPLETE"
    assert said
    assert ORIGIN_KEY not in "".join(said)
    assert keys_of(another) == [ORIGIN_KEY], "it came by the environment, and no command line shows it"

    before = another.resources(STACK)
    newer = copy.deepcopy(template)
    (function,) = (r for r in newer["Resources"].values() if r["Type"] == "AWS::Lambda::Function")
    function["Properties"]["MemorySize"] = 1024
    assert another.update(STACK, newer)["StackStatus"] == "UPDATE_COMPLETE"
    after = another.resources(STACK)
    assert {name: there for name, (_, there) in after.items()} == {name: there for name, (_, there) in before.items()}
    assert keys_of(another) == [ORIGIN_KEY], "nobody had to give it again"

    client = another.client("cloudformation")
    arn = client.describe_stacks(StackName=STACK)["Stacks"][0]["StackId"]
    client.delete_stack(StackName=STACK)
    assert another.settled(arn)["StackStatus"] == "DELETE_COMPLETE"
    assert another.client("dynamodb").list_tables()["TableNames"] == [before["Table"][1]]
    pools = another.client("cognito-idp").list_user_pools(MaxResults=10)["UserPools"]
    assert [pool["Id"] for pool in pools] == [before["UserPool"][1]]
    assert another.client("lambda").list_functions()["Functions"] == []
    buckets = {bucket["Name"] for bucket in another.client("s3").list_buckets()["Buckets"]}
    assert before["PageFiles"][1] not in buckets


def deploy_by_cli(server: Ministack, template: Template, assembly: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Deploy as the deploy command does; return what it shows."""
    shutil.copytree(synthesized().folder, assembly)
    (assembly / f"{STACK}.template.json").write_text(json.dumps(template))
    for name, value in {
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "not-checked",
        "AWS_ENDPOINT_URL": server.url,
    }.items():
        monkeypatch.setenv(name, value)
    said: list[str] = []
    Cdk(find_node(), REGION, None).deploy(assembly, STACK, Secret(ORIGIN_KEY), said.append)
    return said


def keys_of(server: Ministack) -> list[str]:
    return [key["value"] for key in server.client("apigateway").get_api_keys(includeValues=True)["items"]]


def fetched(url: str, headers: dict[str, str], body: bytes | None) -> Answered:
    """Return status and text of an answer; 0 where nobody answers."""
    request = urllib.request.Request(url, body, headers)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""
