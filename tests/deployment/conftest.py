"""An AWS account of moto's server on 127.0.0.1, and an installation in it as far as moto knows the resources."""

import io
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest

from daehwa.deployment.cloud import Cloud
from daehwa.deployment.configuration import Outputs
from daehwa.deployment.stack_state import standing

REGION = "ap-northeast-2"
ACCOUNT = "123456789012"
NAME = "daehwa"
PROGRAM = [sys.executable, "-c", "from daehwa.cli import main; main()"]
START_SECONDS, LIMIT_SECONDS = 60, 120
ROLE = {"Version": "2012-10-17", "Statement": []}
NOT_INHERITED = ("AWS_", "DAEHWA_", "OPENAI_", "XDG_", "UV_RUN")
TEMPLATE: dict[str, Any] = {
    "Resources": {
        "PageFiles": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "daehwa-page"}},
        "Topic": {"Type": "AWS::SNS::Topic"},
    }
}


class Ended(NamedTuple):
    """What a run left."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


def real_caches() -> dict[str, str]:
    """Return the variables that let a program with another home use what was fetched already."""
    real = Path.home() / ".cache"
    return {
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR") or str(real / "uv"),
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(real / "aws" / "jsii" / "package-cache"),
    }


class Account:
    """The account, and the program with credentials for it and a home of its own."""

    def __init__(self, address: str, home: Path) -> None:
        self.address = address
        self.home = home
        self.variables = {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_REGION": REGION,
        }
        session = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name=REGION)
        self.cloud = Cloud(session, REGION)

    def client(self, service: str) -> Any:
        return self.cloud.client(service)

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> Ended:
        inherited = {name: text for name, text in os.environ.items() if not name.startswith(NOT_INHERITED)}
        own = {"HOME": str(self.home), "PYTHONWARNINGS": "default", **self.variables, **real_caches()}
        ended = subprocess.run(  # noqa: S603 - our own program
            [*PROGRAM, "deploy", *arguments],
            cwd=self.home,
            env={**inherited, **own, **environment},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    def install(self, name: str = NAME) -> Outputs:
        """Make what an installation has: those of its resources that moto's CloudFormation knows, the others beside."""
        pool = self.client("cognito-idp").create_user_pool(PoolName=name)["UserPool"]["Id"]
        table = self._make_table(name)
        values = {
            "WebAddress": "https://d111.cloudfront.example",
            "ApiAddress": f"https://abc.execute-api.{REGION}.example/live/",
            "DistributionId": self.make_distribution(),
            "PageBucket": "daehwa-page",
            "TableName": table,
            "FunctionName": self._make_function(name),
            "KeyParameter": f"/{name}/openai-key",
            "DashboardAddress": "https://console.example/dashboard",
            "UserPoolId": pool,
        }
        outputs = {key: {"Value": value} for key, value in values.items()}
        body = json.dumps({**TEMPLATE, "Outputs": outputs})
        self.client("cloudformation").create_stack(StackName=name, TemplateBody=body)
        return standing(self.cloud, name)

    def _make_table(self, name: str) -> str:
        self.client("dynamodb").create_table(
            TableName=f"{name}-table",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            DeletionProtectionEnabled=True,
        )
        return f"{name}-table"

    def _make_function(self, name: str) -> str:
        role = self.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(ROLE))["Role"]["Arn"]
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("run.sh", "#!/bin/sh\n")
        self.client("lambda").create_function(
            FunctionName=name, Runtime="python3.13", Role=role, Handler="run.sh", Code={"ZipFile": code.getvalue()}
        )
        return name

    def make_firewall(self, stack: str) -> str:
        """Make a firewall's stack; return the firewall's ARN, of which moto knows no more than the output says."""
        arn = f"arn:aws:wafv2:us-east-1:{ACCOUNT}:global/webacl/Firewall-{stack}/1a2b"
        wall = {"Type": "AWS::WAFv2::WebACL", "Properties": {"Scope": "CLOUDFRONT"}}
        body = json.dumps({"Resources": {"Firewall": wall}, "Outputs": {"Arn": {"Value": arn}}})
        cloudformation = self.cloud.in_region("us-east-1").client("cloudformation")
        cloudformation.create_stack(StackName=stack, TemplateBody=body)
        return arn

    def make_distribution(self, firewall: str = "") -> str:
        origin = {
            "Id": "page",
            "DomainName": "daehwa-page.s3.amazonaws.com",
            "S3OriginConfig": {"OriginAccessIdentity": ""},
        }
        behavior = {"TargetOriginId": "page", "ViewerProtocolPolicy": "https-only"}
        config = {
            "CallerReference": f"test {firewall}",
            "Comment": "",
            "Enabled": True,
            "WebACLId": firewall,
            "Origins": {"Quantity": 1, "Items": [origin]},
            "DefaultCacheBehavior": behavior,
        }
        made = self.client("cloudfront").create_distribution(DistributionConfig=config)
        return str(made["Distribution"]["Id"])


@pytest.fixture(scope="session")
def aws_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("moto") / "log"
    with log.open("w") as out:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        process = subprocess.Popen(command, stdout=out, stderr=out)  # noqa: S603 - our own Python
        try:
            _wait_until_up(port, process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


@pytest.fixture
def account(aws_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    with urllib.request.urlopen(  # noqa: S310 - our own server
        urllib.request.Request(f"{aws_address}/moto-api/reset", method="POST")  # noqa: S310 - as above
    ):
        pass
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_address)
    return Account(aws_address, tmp_path)


def _wait_until_up(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, "moto's server did not start"
            time.sleep(0.1)
        else:
            return
