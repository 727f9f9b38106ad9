"""Each part of the stack as AWS is told to make it."""

import json
import re
import subprocess
from typing import Any

import pytest
from aws_cdk.assertions import Match, Template
from synthesized import REGION, VARIANTS, synthesized

from daehwa.deployment.programs import find_node
from daehwa.deployment.stack.api import LOG_COLUMNS
from daehwa.deployment.stack.distribution import API_PATHS, INDEX_CODE, VIEWER_CODE
from daehwa.deployment.stack.sign_in import domain_prefix
from daehwa.server.safety import SAFETY_HEADERS
from daehwa.server.visiting import VIEWER_HEADER
from daehwa.settings import load_aws_surroundings, load_settings
from daehwa.sign_in.addresses import CALLBACK_PATH, HOME_PATH
from daehwa.stores import dynamodb_table as layout

pytestmark = pytest.mark.cdk


def assertions(variant: str = "default") -> Template:
    return Template.from_json(synthesized(variant).template)


def test_the_table_has_the_shape_that_the_store_uses_and_is_well_kept() -> None:
    table = synthesized().only("AWS::DynamoDB::Table")
    keys = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    assert table["KeySchema"] == keys
    assert {a["AttributeType"] for a in table["AttributeDefinitions"]} == {"S"}
    (index,) = table["GlobalSecondaryIndexes"]
    assert index["IndexName"] == layout.LISTS
    assert [key["AttributeName"] for key in index["KeySchema"]] == [layout.LIST, layout.ORDER]
    assert index["Projection"] == {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(layout.LISTED)}
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["TimeToLiveSpecification"] == {"AttributeName": layout.EXPIRES, "Enabled": True}
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert table["DeletionProtectionEnabled"] is True


def test_the_function_runs_the_app_behind_the_adapter() -> None:
    function = synthesized().only("AWS::Lambda::Function")
    assert function["Runtime"] == "python3.14"
    assert function["Architectures"] == ["arm64"]
    assert function["Handler"] == "run.sh"
    assert function["Layers"] == [f"arn:aws:lambda:{REGION}:753240598075:layer:LambdaAdapterLayerArm64:30"]
    assert (function["MemorySize"], function["Timeout"]) == (448, 900)
    assert "ReservedConcurrentExecutions" not in function
    assert "TracingConfig" not in function
    assert synthesized("snap_start").only("AWS::Lambda::Function")["Runtime"] == "python3.13"


def test_the_functions_environment() -> None:
    variables = synthesized().only("AWS::Lambda::Function")["Environment"]["Variables"]
    said = {name: value for name, value in variables.items() if isinstance(value, str)}
    assert said == {
        "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap",
        "AWS_LWA_PORT": "8080",
        "AWS_LWA_INVOKE_MODE": "response_stream",
        "AWS_LWA_READINESS_CHECK_PATH": "/healthz",
        "AWS_LWA_READINESS_CHECK_TIMEOUT_SECONDS": "9",
        "DAEHWA_HOME": "aws",
        "DAEHWA_KEY_PARAMETER": "/daehwa/openai-key",
        "DAEHWA_BASE_URL": "https://api.openai.com/v1",
        "DAEHWA_TITLES": "true",
        "DAEHWA_SIGN_IN_ALLOWED_EMAILS": "*",
        "DAEHWA_SIGN_IN_ADMIN_EMAILS": "admin@example.com",
        "DAEHWA_SIGN_IN_LOGOUT_URL": f"https://{domain_prefix('daehwa', '123456789012', REGION)}.auth.{REGION}"
        ".amazoncognito.com/logout",
    }
    assert variables["DAEHWA_TABLE"] == {"Ref": "Table"}
    assert joined(variables["DAEHWA_PUBLIC_URL"]) == "https://{Distribution.DomainName}"
    assert joined(variables["DAEHWA_ALLOWED_HOSTS"]) == f"{{Api}}.execute-api.{REGION}.amazonaws.com"
    assert joined(variables["DAEHWA_SIGN_IN_ISSUER"]) == f"https://cognito-idp.{REGION}.amazonaws.com/{{UserPool}}"


def test_the_functions_environment_with_everything_chosen() -> None:
    variables = synthesized("everything").only("AWS::Lambda::Function")["Environment"]["Variables"]
    assert variables["DAEHWA_PUBLIC_URL"] == "https://chat.example.com"
    assert variables["DAEHWA_BASE_URL"] == "https://models.example.com/v1"
    assert variables["DAEHWA_MODELS"] == "one,two"
    assert variables["DAEHWA_DEFAULT_MODEL"] == "one"
    assert variables["DAEHWA_TITLES"] == "false"
    assert variables["DAEHWA_BUDGETS"] == "all month 50, group:lab day 2.50"
    assert variables["DAEHWA_GROUPS"] == "lab ann@example.com @lab.example.com"
    assert variables["DAEHWA_PRICES"] == "one input 1 output 2, two input 0 output 0"
    assert variables["DAEHWA_ROUTES"] == "fast one two"
    money = load_settings(environment={name: joined(value) for name, value in variables.items()}).money
    assert [(budget.scope, budget.limit) for budget in money.budgets] == [("all", 50_000_000), ("group:lab", 2_500_000)]
    assert [price.model for price in money.prices] == ["one", "two"]
    assert variables["DAEHWA_SIGN_IN_ISSUER"] == "https://id.example.com"
    assert variables["DAEHWA_SIGN_IN_CLIENT_ID"] == "daehwa-at-example"
    assert variables["DAEHWA_SIGN_IN_ALLOWED_EMAILS"] == "@example.com"
    assert variables["DAEHWA_SIGN_IN_SECRET_PARAMETER"] == "/everything/sign-in-secret"
    assert "DAEHWA_SIGN_IN_LOGOUT_URL" not in variables


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_function_knows_every_variable_that_it_is_told(variant: str) -> None:
    variables = synthesized(variant).only("AWS::Lambda::Function")["Environment"]["Variables"]
    told = {name: re.sub(r"{[^}]*}", "made-by-aws", joined(value)) for name, value in variables.items()}
    loaded = load_settings(environment=told)  # which refuses a variable it does not know, and any it misses
    assert loaded.values.home == "aws"
    assert loaded.values.public_url == told["DAEHWA_PUBLIC_URL"]
    assert loaded.sign_in is not None
    assert load_aws_surroundings({**told, "AWS_REGION": REGION}).port == 8080


@pytest.mark.parametrize(
    ("variant", "parameters"),
    [("default", ["/daehwa/openai-key"]), ("issuer", ["/daehwa/openai-key", "/daehwa/sign-in-secret"])],
)
def test_the_function_may_do_this_and_nothing_else(variant: str, parameters: list[str]) -> None:
    home = synthesized(variant)
    roles = home.of_type("AWS::IAM::Role")
    (role,) = (role for name, role in roles.items() if name.startswith("App"))
    assert "ManagedPolicyArns" not in role
    assert home.of_type("AWS::IAM::Policy") == {}
    statements = [s for policy in role["Policies"] for s in policy["PolicyDocument"]["Statement"]]
    granted = {json.dumps(as_list(s["Action"])): [joined(arn) for arn in as_list(s["Resource"])] for s in statements}
    log, items, secrets = granted.items()
    assert log[0] == '["logs:CreateLogStream", "logs:PutLogEvents"]'
    assert [arn.startswith("{AppLog") for arn in log[1]] == [True]
    assert items[1] == ["{Table.Arn}", "{Table.Arn}/index/lists"]
    assert "*" not in items[0]
    assert "Scan" not in items[0]
    assert secrets[0] == '["ssm:GetParameter"]'
    start = f"arn:{{AWS::Partition}}:ssm:{REGION}:123456789012:parameter"
    assert secrets[1] == [f"{start}{name}" for name in parameters]
    assert all(statement["Effect"] == "Allow" for statement in statements)


@pytest.mark.parametrize(("variant", "invoked"), [("default", "{AppFunction"), ("snap_start", "{AppLive")])
def test_the_clock_sends_an_event_each_hour_to_what_requests_go_to(variant: str, invoked: str) -> None:
    home = synthesized(variant)
    rule = home.only("AWS::Events::Rule")
    assert (rule["ScheduleExpression"], rule["State"]) == ("rate(1 hour)", "ENABLED")
    (target,) = rule["Targets"]
    assert joined(target["Arn"]).startswith(invoked)
    (name,) = home.of_type("AWS::Events::Rule")
    permissions = home.of_type("AWS::Lambda::Permission").values()
    (allowed,) = [each for each in permissions if each["Principal"] == "events.amazonaws.com"]
    assert joined(allowed["SourceArn"]) == f"{{{name}.Arn}}", "and no other rule of anybody's"
    assert joined(allowed["FunctionName"]) == joined(target["Arn"])


def test_every_method_streams_and_wants_the_key() -> None:
    methods = synthesized().of_type("AWS::ApiGateway::Method")
    assert len(methods) == 2, "the root, and every path below it; no mock beside them"
    for method in methods.values():
        assert (method["HttpMethod"], method["ApiKeyRequired"]) == ("ANY", True)
        integration = method["Integration"]
        assert integration["Type"] == "AWS_PROXY"
        assert integration["ResponseTransferMode"] == "STREAM"
        assert integration["TimeoutInMillis"] == 900_000
        assert joined(integration["Uri"]).endswith("/response-streaming-invocations")
    api = assertions()
    api.has_resource_properties(
        "AWS::ApiGateway::RestApi",
        {"EndpointConfiguration": {"Types": ["REGIONAL"]}, "BinaryMediaTypes": ["multipart/form-data"]},
    )
    api.resource_count_is("AWS::ApiGateway::Authorizer", 0)


def test_the_stage_is_throttled_and_logs_neither_queries_nor_bodies() -> None:
    stage = synthesized().only("AWS::ApiGateway::Stage")
    assert stage["StageName"] == "live"
    (settings,) = stage["MethodSettings"]
    assert settings["ThrottlingRateLimit"] == 50
    assert settings["ThrottlingBurstLimit"] == 100
    assert settings["DataTraceEnabled"] is False
    assert settings["LoggingLevel"] == "OFF"
    line = stage["AccessLogSetting"]["Format"]
    assert "querystring" not in line.lower()
    assert "body" not in line.lower()
    plan = synthesized().only("AWS::ApiGateway::UsagePlan")
    assert plan["Throttle"] == {"BurstLimit": 100, "RateLimit": 50}
    assert plan["ApiStages"][0]["ApiId"] == {"Ref": "Api"}
    retained = {group.get("RetentionInDays") for group in synthesized().of_type("AWS::Logs::LogGroup").values()}
    assert retained == {30}


def test_the_accounts_permission_to_log_is_left_for_other_installations() -> None:
    resources = synthesized().template["Resources"].values()
    (account,) = (resource for resource in resources if resource["Type"] == "AWS::ApiGateway::Account")
    (role,) = (r for r in resources if r["Type"] == "AWS::IAM::Role" and "apigateway" in json.dumps(r))
    assert account["DeletionPolicy"] == role["DeletionPolicy"] == "Retain"


def test_an_alarm_is_quiet_where_nobody_is_there_and_slowness_must_last() -> None:
    alarms = synthesized().of_type("AWS::CloudWatch::Alarm").values()
    assert {alarm["TreatMissingData"] for alarm in alarms} == {"notBreaching"}
    (slow,) = (alarm for alarm in alarms if "ExtendedStatistic" in alarm)
    assert (slow["Threshold"], slow["Period"]) == (3000, 300)
    assert (slow["DatapointsToAlarm"], slow["EvaluationPeriods"]) == (3, 12)
    assert slow["EvaluateLowSampleCountPercentile"] == "evaluate", "a small home never has the 200 answers of a p95"
    assert {alarm["EvaluationPeriods"] for alarm in alarms if alarm is not slow} == {1}


def test_the_firewall_blocks_addresses_and_rates_alone() -> None:
    (acl,) = synthesized("waf").templates[f"daehwa-{REGION}-firewall"]["Resources"].values()
    reputation, rate = acl["Properties"]["Rules"]
    assert reputation["OverrideAction"] == {"None": {}}, "the list's own actions count"
    assert rate["Action"] == {"Block": {}}
    assert rate["Statement"]["RateBasedStatement"] == {"AggregateKeyType": "IP", "Limit": 2000}
    assert acl["Properties"]["DefaultAction"] == {"Allow": {}}


def test_the_first_byte_is_measured_from_the_columns_of_the_access_log() -> None:
    measured = synthesized().only("AWS::Logs::MetricFilter")
    columns = measured["FilterPattern"].strip("[]").split(", ")
    assert [column.split()[0] for column in columns] == list(LOG_COLUMNS)
    (change,) = measured["MetricTransformations"]
    assert change["MetricValue"] == "$first_byte"
    slow = assertions()
    slow.has_resource_properties(
        "AWS::CloudWatch::Alarm",
        {"ExtendedStatistic": "p95", "MetricName": change["MetricName"], "Namespace": change["MetricNamespace"]},
    )


@pytest.mark.parametrize(
    ("line", "is_measured"),
    [
        ("1 id GET /live/api/me 200 31 24 20 -", True),
        ("1 id POST /live/api/turns 200 4711 9000 70 -", True),
        ("1 id POST /live/v1/chat/completions 200 900 41000 40900 -", False),  # unstreamed: when the model has ended
        ("1 id GET /live/chat 302 0 30 25 -", False),
        ("1 id GET /live/api/me 403 31 1 - Forbidden", False),  # the function was not asked
    ],
)
def test_the_first_byte_is_measured_of_what_the_page_asks(line: str, *, is_measured: bool) -> None:
    pattern = synthesized().only("AWS::Logs::MetricFilter")["FilterPattern"]
    conditions = [column.partition(" ")[2] for column in pattern.strip("[]").split(", ")]
    assert all(map(holds, conditions, line.split())) is is_measured


def holds(condition: str, text: str) -> bool:
    """Whether a text holds the condition of its column, of those kinds that our pattern has."""
    if condition.startswith("= %"):
        return re.search(condition.removeprefix("= ").strip("%"), text) is not None
    return condition == "" or (condition == "> 0" and text.isdecimal() and int(text) > 0)


def test_cloudfront_passes_streams_on_and_caches_files() -> None:
    config = synthesized().only("AWS::CloudFront::Distribution")["DistributionConfig"]
    behaviours = {behaviour["PathPattern"]: behaviour for behaviour in config["CacheBehaviors"]}
    assert set(behaviours) == set(API_PATHS) == {"/api/*", "/auth/*", "/v1/*", "/chat"}
    for behaviour in behaviours.values():
        assert behaviour["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "CachingDisabled"
        assert behaviour["OriginRequestPolicyId"] == "b689b0a8-53d0-40ab-baf2-68738e2966ac", "AllViewerExceptHostHeader"
        assert behaviour["Compress"] is False
        assert "POST" in behaviour["AllowedMethods"]
        assert behaviour["ViewerProtocolPolicy"] == "https-only"
    files = config["DefaultCacheBehavior"]
    assert files["CachePolicyId"] == "658327ea-f89d-4fab-a63d-7e88639e58f6", "CachingOptimized"
    assert files["Compress"] is True
    assert config["HttpVersion"] == "http2and3"
    assert "Logging" not in config
    (api,) = (origin for origin in config["Origins"] if "CustomOriginConfig" in origin)
    assert joined(api["DomainName"]) == f"{{Api}}.execute-api.{REGION}.amazonaws.com"
    assert api["OriginPath"] == "/live"
    assert api["OriginCustomHeaders"] == [{"HeaderName": "x-api-key", "HeaderValue": {"Ref": "OriginKey"}}]
    custom = api["CustomOriginConfig"]
    assert (custom["OriginReadTimeout"], custom["OriginKeepaliveTimeout"]) == (120, 60)
    assert (custom["OriginProtocolPolicy"], custom["OriginSSLProtocols"]) == ("https-only", ["TLSv1.2"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_cloudfront_keeps_no_fault_for_others_and_shows_each_as_it_came(variant: str) -> None:
    config = synthesized(variant).only("AWS::CloudFront::Distribution")["DistributionConfig"]
    assert config["CustomErrorResponses"] == [
        {"ErrorCode": status, "ErrorCachingMinTTL": 0} for status in (500, 502, 503, 504)
    ]


def test_cloudfront_sends_the_headers_that_the_server_sends() -> None:
    policy = synthesized().only("AWS::CloudFront::ResponseHeadersPolicy")["ResponseHeadersPolicyConfig"]
    security = policy["SecurityHeadersConfig"]
    sent = {item["Header"]: item["Value"] for item in policy["CustomHeadersConfig"]["Items"]}
    assert {item["Override"] for item in policy["CustomHeadersConfig"]["Items"]} == {True}
    kept = [name for name, part in security.items() if not part["Override"]]
    assert kept == ["ContentSecurityPolicy"], "what the app says of an image is stricter"
    sent["content-security-policy"] = security["ContentSecurityPolicy"]["ContentSecurityPolicy"]
    sent["referrer-policy"] = security["ReferrerPolicy"]["ReferrerPolicy"]
    if security["ContentTypeOptions"]["Override"]:
        sent["x-content-type-options"] = "nosniff"
    assert sent == {name.decode(): value.decode() for name, value in SAFETY_HEADERS}
    assert security["StrictTransportSecurity"]["AccessControlMaxAgeSec"] == 365 * 24 * 3600


def test_the_pages_addresses_are_one_file() -> None:
    asked = ["/", "/chat.html", "/assets/index-abc.js", "/chat", "/index.html", "//"]
    script = (
        f"{INDEX_CODE}\nconsole.log(JSON.stringify({json.dumps(asked)}.map(uri => handler({{request: {{uri}}}}).uri)))"
    )
    command = [find_node().node, "-e", script]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own function
    assert json.loads(ended.stdout) == ["/index.html", "/index.html", *asked[2:]]


def test_who_asks_is_said_by_cloudfront_whatever_the_viewer_says() -> None:
    config = synthesized().only("AWS::CloudFront::Distribution")["DistributionConfig"]
    codes = {name: made["FunctionCode"] for name, made in synthesized().of_type("AWS::CloudFront::Function").items()}
    for behavior in config["CacheBehaviors"]:
        [association] = behavior["FunctionAssociations"]
        assert association["EventType"] == "viewer-request"
        assert codes[association["FunctionARN"]["Fn::GetAtt"][0]] == VIEWER_CODE
    said = {"viewer": {"ip": "2001:db8::1"}, "request": {"headers": {VIEWER_HEADER: {"value": "a", "multiValue": []}}}}
    script = f"{VIEWER_CODE}\nconsole.log(JSON.stringify(handler({json.dumps(said)}).headers))"
    command = [find_node().node, "-e", script]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own function
    assert json.loads(ended.stdout) == {VIEWER_HEADER: {"value": "2001:db8::1"}}


def test_the_bucket_is_cloudfronts_alone() -> None:
    bucket = synthesized().only("AWS::S3::Bucket")
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    statements = synthesized().only("AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]
    refused, allowed = statements
    assert (refused["Effect"], refused["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert (allowed["Action"], allowed["Principal"]) == ("s3:GetObject", {"Service": "cloudfront.amazonaws.com"})
    assert joined(allowed["Condition"]["StringEquals"]["AWS:SourceArn"]).endswith(":distribution/{Distribution}")


def test_a_second_factor_can_be_asked_of_everybody() -> None:
    assert synthesized("waf").only("AWS::Cognito::UserPool")["MfaConfiguration"] == "ON"


def test_people_come_in_by_invitation_with_a_strong_password_and_a_second_factor_if_they_like() -> None:
    pool = assertions()
    pool.has_resource_properties(
        "AWS::Cognito::UserPool",
        {
            "AdminCreateUserConfig": Match.object_like({"AllowAdminCreateUserOnly": True}),
            "DeletionProtection": "ACTIVE",
            "EnabledMfas": ["SOFTWARE_TOKEN_MFA"],
            "MfaConfiguration": "OPTIONAL",
            "UsernameAttributes": ["email"],
            "UsernameConfiguration": {"CaseSensitive": False},
            "UserPoolTier": "ESSENTIALS",
        },
    )
    password = synthesized().only("AWS::Cognito::UserPool")["Policies"]["PasswordPolicy"]
    assert password["MinimumLength"] == 12
    assert password["TemporaryPasswordValidityDays"] == 7, "as the invitation says"
    invitation = synthesized().only("AWS::Cognito::UserPool")["AdminCreateUserConfig"]["InviteMessageTemplate"]
    text = joined(invitation["EmailMessage"])
    assert "{username}" in text
    assert "{####}" in text
    assert "https://{Distribution.DomainName}/chat.html" in text
    client = synthesized().only("AWS::Cognito::UserPoolClient")
    assert client["GenerateSecret"] is False
    assert client["AllowedOAuthFlows"] == ["code"]
    assert [joined(url) for url in client["CallbackURLs"]] == [f"https://{{Distribution.DomainName}}{CALLBACK_PATH}"]
    assert f"https://{{Distribution.DomainName}}{HOME_PATH}" in [joined(url) for url in client["LogoutURLs"]]
    assert client["PreventUserExistenceErrors"] == "ENABLED"
    pool.has_resource_properties("AWS::Cognito::UserPoolDomain", {"ManagedLoginVersion": 2})
    pool.resource_count_is("AWS::Cognito::UserPoolUser", 0)


def test_another_provider_leaves_no_pool() -> None:
    kinds = {resource["Type"] for resource in synthesized("issuer").template["Resources"].values()}
    assert not [kind for kind in kinds if "Cognito" in kind]


def test_the_sign_in_pages_address_is_the_accounts_own_and_stays() -> None:
    assert domain_prefix("daehwa", "1", "r") == domain_prefix("daehwa", "1", "r")
    assert len({domain_prefix("daehwa", a, r) for a in "12" for r in "rs"}) == 4


def joined(value: Any) -> str:
    """Return a template's text with `{Name}` and `{Name.Attribute}` where AWS fills something in."""
    if isinstance(value, str):
        return value
    if "Ref" in value:
        return f"{{{value['Ref']}}}"
    if "Fn::GetAtt" in value:
        return f"{{{'.'.join(value['Fn::GetAtt'])}}}"
    return "".join(joined(part) for part in value["Fn::Join"][1])


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
