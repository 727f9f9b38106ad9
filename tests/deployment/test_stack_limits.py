"""AWS's limits, each with a figure beyond it. No CDK: the checks read settings, files and templates."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daehwa.deployment.configuration import DeploymentSettings
from daehwa.deployment.stack import limits
from daehwa.deployment.stack.asked import StackInput
from daehwa.deployment.stack.limits import BeyondLimit, NotDeployable, adapter_layer, check_code, check_template

Template = dict[str, Any]


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "run.sh").write_text("#!/bin/sh\n")
    return folder


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"region": "cn-north-1"}, "not published in the region 'cn-north-1'"),
        ({"region": "us-gov-west-1"}, "not published in the region"),
        ({"region": "me-central-1"}, "not published in the region"),
        ({"region": None}, "No region is chosen"),
        ({"domain": "chat.example.com"}, "both --domain and --certificate"),
        ({"domain": "a.example", "certificate": "arn:aws:acm:eu-west-1:1:certificate/1"}, "us-east-1 alone"),
        ({"issuer": "https://id.example.com"}, "both --issuer and --client-id"),
        ({"issuer": "http://id.example.com", "client_id": "x"}, "Correct --issuer"),
        ({"base_url": "http://models.example.com/v1"}, "Correct --base-url"),
        ({"name": "my-aws-chat"}, "a word that Cognito keeps"),
        ({"snap_start": True, "region": "ap-southeast-6"}, "no SnapStart in ap-southeast-6"),
        ({"monthly_budget": 5}, "--alarm-email"),
        ({"budgets": ["user week 2"]}, "--budgets: budgets has .user week 2., which cannot be read"),
        ({"budgets": ["group:lab day 2"]}, "groups names no group lab"),
        ({"groups": ["lab"]}, "--groups: groups has"),
        ({"prices": ["one input"]}, "--prices: .one input. cannot be read"),
        ({"routes": ["fast"]}, "--routes: this route has no targets"),
    ],
)
def test_what_cannot_stand_is_refused_by_a_sentence(code: Path, settings: dict[str, object], sentence: str) -> None:
    chosen = msgspec.convert({"region": "ap-northeast-2", **settings}, DeploymentSettings)
    with pytest.raises(NotDeployable, match=sentence):
        StackInput(settings=chosen, code=str(code)).check()


def test_what_can_stand_is_let_through(code: Path) -> None:
    for settings in (
        DeploymentSettings(region="ap-northeast-2"),
        DeploymentSettings(region="ap-southeast-6"),
        DeploymentSettings(
            region="us-east-1", budgets=("group:lab day 2", "key month 10"), groups=("lab @example.com",)
        ),
        DeploymentSettings(region="us-east-1", prices=("gpt-7* input 2.50 output 10",)),
        DeploymentSettings(region="us-east-1", routes=("fast one two", "best two=1")),
        DeploymentSettings(region="us-east-1", monthly_budget=5, admin_email="a@example.com"),
        DeploymentSettings(region="us-east-1", name="my-aws-chat", issuer="https://id.example.com", client_id="x"),
    ):
        StackInput(settings=settings, code=str(code)).check()


def test_the_file_of_the_deploy_command_is_checked(tmp_path: Path, code: Path) -> None:
    with pytest.raises(NotDeployable, match="names no file"):
        StackInput.read(None)
    with pytest.raises(NotDeployable, match="cannot be read"):
        StackInput.read(str(tmp_path / "none.json"))
    file = tmp_path / "asked.json"
    file.write_text('{"settings": {"memory": 1}, "code": "x"}')
    with pytest.raises(NotDeployable, match="memory"):
        StackInput.read(str(file))
    asked = StackInput(settings=DeploymentSettings(region="us-east-1"), code=str(code), account="1")
    file.write_bytes(msgspec.json.encode(asked))
    assert StackInput.read(str(file)) == asked


def test_the_adapters_layer_is_number_30_of_the_region() -> None:
    assert adapter_layer("eu-north-1") == "arn:aws:lambda:eu-north-1:753240598075:layer:LambdaAdapterLayerArm64:30"
    assert len(limits.ADAPTER_REGIONS) == 32


def test_code_that_lambda_would_not_take_or_start(tmp_path: Path, code: Path) -> None:
    check_code(code)
    with pytest.raises(NotDeployable, match="no built function"):
        check_code(tmp_path / "none")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(NotDeployable, match=r"no run\.sh"):
        check_code(empty)
    with (code / "large.so").open("wb") as large:
        large.truncate(limits.CODE_BYTES)  # a hole: it takes no place
    with pytest.raises(BeyondLimit, match="files would be"):
        check_code(code)


def test_a_zip_that_lambda_would_not_take(tmp_path: Path) -> None:
    archive = tmp_path / "function.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("run.sh", "#!/bin/sh\n")
    check_code(archive)
    content = archive.read_bytes()
    with archive.open("wb") as large:
        large.truncate(limits.CODE_BYTES_PACKED)
        large.seek(limits.CODE_BYTES_PACKED)
        large.write(content)  # a zip is read from its end
    with pytest.raises(BeyondLimit, match="zip would be"):
        check_code(archive)


def plain() -> Template:
    """Return a template at the limits, but not beyond."""
    return {
        "Parameters": {"OriginKey": {"NoEcho": True, "MinLength": 20, "MaxLength": 128}, "Other": {}},
        "Resources": {
            "Function": resource(
                "Lambda::Function",
                Timeout=900,
                MemorySize=10_240,
                Environment={"Variables": {"A": "x" * 3800, "B": {"Ref": "Table"}}},
                Layers=[adapter_layer("us-east-1")],
            ),
            "Method": resource(
                "ApiGateway::Method",
                Integration={"Type": "AWS_PROXY", "ResponseTransferMode": "STREAM", "TimeoutInMillis": 900_000},
            ),
            "Distribution": resource(
                "CloudFront::Distribution",
                DistributionConfig={
                    "Origins": [
                        {"CustomOriginConfig": {"OriginReadTimeout": 120, "OriginKeepaliveTimeout": 120}},
                        {"S3OriginConfig": {}},
                    ]
                },
            ),
            "Index": resource("CloudFront::Function", FunctionCode="x" * 10_240),
            "Domain": resource("Cognito::UserPoolDomain", Domain="d" * 63),
            "Role": resource("IAM::Role", Policies=[{"PolicyDocument": {"Statement": [{"Action": "x" * 9000}]}}]),
            **{f"Alarm{number}": resource("CloudWatch::Alarm") for number in range(8)},
            "Sum": resource(
                "CloudWatch::Alarm", Metrics=[{"Expression": "a+b"}, {"MetricStat": {}}, {"MetricStat": {}}]
            ),
            "Anything": {"Type": "AWS::SNS::Topic"},
        },
    }


def resource(kind: str, **properties: object) -> dict[str, object]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


def properties(template: Template, name: str) -> Any:
    return template["Resources"][name]["Properties"]


def origin(template: Template) -> Any:
    return properties(template, "Distribution")["DistributionConfig"]["Origins"][0]["CustomOriginConfig"]


def test_figures_at_the_limits_are_let_through() -> None:
    check_template(plain())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: properties(t, "Function").update(Timeout=901), "Function's time-out would be 901 seconds.*900"),
        (lambda t: properties(t, "Function").update(MemorySize=10_241), "memory would be 10,241 MiB"),
        (lambda t: properties(t, "Function").update(MemorySize=127), "memory would be 127 MiB; AWS takes at least 128"),
        (lambda t: properties(t, "Function")["Environment"]["Variables"].update(C="x" * 300), "environment would be"),
        (lambda t: properties(t, "Function").update(Layers=["arn:…:layer:LambdaAdapterLayerArm64:29"]), "number 30"),
        (lambda t: properties(t, "Method")["Integration"].update(TimeoutInMillis=900_001), "Method's time-out"),
        (lambda t: properties(t, "Method")["Integration"].update(ResponseTransferMode="BUFFERED"), "does not stream"),
        (
            lambda t: origin(t).update(OriginReadTimeout=121),
            "read time-out would be 121 seconds; AWS takes at most 120",
        ),
        (lambda t: origin(t).update(OriginKeepaliveTimeout=121), "keep-alive time-out would be 121"),
        (lambda t: properties(t, "Index").update(FunctionCode="x" * 10_241), "Index's code"),
        (lambda t: properties(t, "Domain").update(Domain="d" * 64), "prefix would be 64 characters"),
        (lambda t: properties(t, "Role")["Policies"].append({"PolicyDocument": "x" * 2000}), "Role's policies"),
        (lambda t: t["Parameters"]["OriginKey"].update(MaxLength=129), "longest length would be 129"),
        (lambda t: t["Parameters"]["OriginKey"].update(MinLength=19), "shortest length would be 19"),
        (lambda t: t["Resources"].update(More=resource("CloudWatch::Alarm")), "alarms' metrics would be 11"),
    ],
)
def test_figures_beyond_a_limit_are_refused(change: Callable[[Template], object], sentence: str) -> None:
    template = plain()
    change(template)
    with pytest.raises(BeyondLimit, match=sentence):
        check_template(template)
