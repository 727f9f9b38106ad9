"""ministack, an emulator of AWS without Docker: enough of CloudFormation to deploy the AWS home into it.

It pins its own botocore, so it lives in an environment of its own in the user's cache folder, made at the first run.
It is started on a free port of 127.0.0.1, keeps everything in memory, and ends with the tests.
"""

import contextlib
import io
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import boto3
from botocore.config import Config

from daehwa.deployment.programs import PUBLISHED_BEFORE, cache_folder, find_node, find_uv, run

VERSION = "1.5.33"
ACCOUNT = "123456789012"
ORIGIN_KEY = "an-origin-key-of-more-than-32-characters"
_START_SECONDS = 60
_DEPLOY_SECONDS = 60
_HEALTH = "/_ministack/health"
HOLD = "hold"
"""While a file of this name is in its folder, alarms on a sum wait to be made."""
_LESSON = """
import pathlib, time
from ministack.app import main
from ministack.services.cloudformation import provisioners, stacks

def is_slow(kind):
    return kind == "AWS::CloudWatch::Alarm" or slow(kind)  # in a thread, so that it can wait and the rest goes on

def metric_of(name, properties):
    if "Metrics" in properties:
        while pathlib.Path("hold").exists():
            time.sleep(0.05)
        if takes_sums:
            properties = {**properties, "Metrics": None, "MetricName": "sum", "Namespace": "taught"}
    return record(name, properties)

slow, stacks._runs_on_worker_thread = stacks._runs_on_worker_thread, is_slow
record, provisioners._cw_metric_alarm_record = provisioners._cw_metric_alarm_record, metric_of
provisioners._RESOURCE_HANDLERS["AWS::Cognito::ManagedLoginBranding"] = {
    "create": lambda logical_id, *_: (logical_id, {}),
    "update": lambda physical_id, *_: (physical_id, {}),
    "delete": lambda *_: None,
}
main()
"""
LOOK_TAUGHT = f"takes_sums = False{_LESSON}"
"""It takes the look of the sign-in page, of which it keeps nothing; alarms on a sum still fail."""
ALL_TAUGHT = f"takes_sums = True{_LESSON}"
"""It takes alarms on a sum too, as alarms on nothing; so the whole template stands."""


class Ministack(NamedTuple):
    """A running one, for one region."""

    url: str
    region: str

    def client(self, service: str) -> Any:
        """Return boto3's client of a service. The account is told by the access key."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="not-checked",
            config=Config(retries={"max_attempts": 1}, read_timeout=30),
        )

    def prepare(self, template: Mapping[str, Any]) -> None:
        """Put there what `cdk bootstrap` and the CDK CLI would: the bucket with the function's zip."""
        self.client("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String")
        storage = self.client("s3")
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("run.sh", "#!/bin/sh\n")
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::Lambda::Function":
                place = resource["Properties"]["Code"]
                where = {"LocationConstraint": self.region}
                storage.create_bucket(Bucket=place["S3Bucket"], CreateBucketConfiguration=where)
                storage.put_object(Bucket=place["S3Bucket"], Key=place["S3Key"], Body=packed.getvalue())

    def create(self, stack: str, template: Mapping[str, Any]) -> dict[str, Any]:
        """Create a stack; return it as it is when that has ended, well or not."""
        parameters = [{"ParameterKey": "OriginKey", "ParameterValue": ORIGIN_KEY}]
        self.client("cloudformation").create_stack(
            StackName=stack,
            TemplateBody=json.dumps(template),
            Parameters=parameters if "OriginKey" in template.get("Parameters", {}) else [],
            Capabilities=["CAPABILITY_IAM"],
        )
        return self.settled(stack)

    def update(self, stack: str, template: Mapping[str, Any]) -> dict[str, Any]:
        """Update a stack as the CDK CLI does: what was given before still counts."""
        self.client("cloudformation").update_stack(
            StackName=stack,
            TemplateBody=json.dumps(template),
            Parameters=[{"ParameterKey": "OriginKey", "UsePreviousValue": True}],
            Capabilities=["CAPABILITY_IAM"],
        )
        return self.settled(stack)

    def settled(self, stack: str) -> dict[str, Any]:
        """Wait until nothing is in progress."""
        ends, found = time.monotonic() + _DEPLOY_SECONDS, {"StackStatus": "not there"}
        while time.monotonic() < ends:
            (found,) = self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
            if not found["StackStatus"].endswith("IN_PROGRESS"):
                return dict(found)
            time.sleep(0.1)
        raise TimeoutError(f"{stack} is {found['StackStatus']}")

    def resources(self, stack: str) -> dict[str, tuple[str, str]]:
        """Return status and physical id of a stack's resources."""
        found = self.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
        return {item["LogicalResourceId"]: (item["ResourceStatus"], item["PhysicalResourceId"]) for item in found}


@contextlib.contextmanager
def ministack(folder: Path, region: str, *, taught: str = "") -> Iterator[Ministack]:
    """Run one, with its files in `folder`; with `taught` it takes the names of what it cannot make."""
    port = free_port()
    environment = {
        **os.environ,
        "PATH": find_node().environment()["PATH"],  # it runs CloudFront's functions by Node
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": region,
        "MINISTACK_HOST": f"{region}.amazonaws.com",  # so that it knows the API by its host name
        "TMPDIR": str(folder),
        "S3_DATA_DIR": str(folder / "s3"),
    }
    log = folder / "ministack.log"
    with log.open("wb") as said:
        process = subprocess.Popen(  # noqa: S603 - installed below
            [str(_installed()), *(["-c", taught] if taught else ["-m", "ministack"])],
            env=environment,
            cwd=folder,
            stdout=said,
            stderr=said,
        )
    try:
        server = Ministack(f"http://127.0.0.1:{port}", region)
        _wait(server, process, log)
        yield server
    finally:
        process.terminate()
        process.wait()


def _installed() -> Path:
    """Return the Python of ministack's own environment, made if it is not there."""
    folder = cache_folder(f"ministack-{VERSION}")
    python = folder / "environment" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done = folder / "installed"
    if not done.is_file():
        uv = find_uv()
        run(
            [uv, "venv", "--quiet", "--clear", "--python", sys.executable, "environment"], folder, what="Making a place"
        )
        options = ("--quiet", "--exclude-newer", PUBLISHED_BEFORE, "--python", str(python))
        run([uv, "pip", "install", *options, f"ministack=={VERSION}"], folder, what="Fetching ministack")
        done.touch()
    return python


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _wait(server: Ministack, process: "subprocess.Popen[bytes]", log: Path) -> None:
    ends = time.monotonic() + _START_SECONDS
    while time.monotonic() < ends:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{server.url}{_HEALTH}", timeout=5):  # noqa: S310 - loopback
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"ministack did not start. It said: {log.read_text('utf-8', 'replace')[-2000:]}")
