"""Signatures against those of botocore, for requests of every shape that we send and some that we do not."""

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from daehwa.aws.signature import AwsCredentials, RequestToSign, Scope, signed_headers

KEYS = AwsCredentials(access_key="AKIDEXAMPLE", secret_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
LENT = AwsCredentials(access_key="ASIA1", secret_key="s/cr+t=", session_token="FwoGZXIvYXdzE//////////token==")
SSM = {"content-type": "application/x-amz-json-1.1", "x-amz-target": "AmazonSSM.GetParameter"}


def by_botocore(request: RequestToSign, credentials: AwsCredentials, scope: Scope, stamp: str) -> str:
    """The signature as AWS's own library makes it, at the time of our own."""
    asked = AWSRequest(request.method, request.url, headers=dict(request.headers), data=request.body)
    keys = Credentials(credentials.access_key, credentials.secret_key, credentials.session_token)
    signer = SigV4Auth(keys, scope.service, scope.region)
    asked.context["timestamp"] = stamp
    signer._modify_request_before_signing(asked)
    canonical = signer.canonical_request(asked)
    return str(signer.signature(signer.string_to_sign(asked, canonical), asked))


def both(request: RequestToSign, credentials: AwsCredentials = KEYS, region: str = "us-east-1") -> tuple[str, str]:
    """Our signature and botocore's."""
    scope = Scope(region, "ssm")
    now = datetime(2026, 11, 22, 7, 5, 9, tzinfo=UTC)
    headers = signed_headers(request, credentials, scope, now=now)
    assert headers["x-amz-date"] == "20261122T070509Z"
    return headers["authorization"].rpartition("Signature=")[2], by_botocore(
        request, credentials, scope, headers["x-amz-date"]
    )


def test_the_example_in_aws_documentation() -> None:
    """`get-vanilla` of the published test suite."""
    headers = signed_headers(
        RequestToSign(method="GET", url="https://example.amazonaws.com/"),
        AwsCredentials(access_key="AKIDEXAMPLE", secret_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        Scope("us-east-1", "service"),
        now=datetime(2015, 8, 30, 12, 36, tzinfo=UTC),
    )
    assert headers["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    )


@pytest.mark.parametrize("credentials", [KEYS, LENT])
@pytest.mark.parametrize(
    ("method", "url", "headers", "body"),
    [
        ("POST", "https://ssm.ap-northeast-2.amazonaws.com/", SSM, b'{"Name":"/daehwa/openai-key"}'),
        ("POST", "http://127.0.0.1:4566/", SSM, b""),
        ("POST", "http://[::1]:4566/", SSM, b"{}"),
        ("POST", "https://ssm.us-east-1.amazonaws.com", SSM, bytes(range(256)) * 1000),
        ("GET", "https://example.com:443/a?b=2&a=1&a=0", {}, b""),
        ("GET", "https://example.com/?x=%20y&z=%2F%2B~", {}, b""),
        ("GET", "https://example.com/a%20b/c%2Fd/", {"X-A": "1,2"}, b""),
        ("PUT", "https://example.com/%ED%95%9C?q=%ED%95%9C", {"content-type": "text/plain"}, "한".encode()),
    ],
)
def test_a_signature_is_that_of_botocore(
    method: str, url: str, headers: Mapping[str, str], body: bytes, credentials: AwsCredentials
) -> None:
    ours, theirs = both(RequestToSign(method=method, url=url, headers=headers, body=body), credentials)
    assert ours == theirs


@settings(max_examples=150, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.text(min_size=1), st.text()), max_size=3),
    body=st.binary(max_size=50),
    value=st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1).filter(lambda text: text.strip()),
    region=st.sampled_from(["us-east-1", "ap-northeast-2", "cn-north-1"]),
)
def test_whatever_is_signed_is_signed_as_by_botocore(
    pairs: list[tuple[str, str]], body: bytes, value: str, region: str
) -> None:
    encodable = [(n, v) for n, v in pairs if (n + v).isprintable()]
    query = "&".join(f"{quote(name, safe='')}={quote(text, safe='')}" for name, text in encodable)
    request = RequestToSign(
        method="POST", url=f"https://ssm.{region}.amazonaws.com/?{query}", headers={"x-note": value}, body=body
    )
    ours, theirs = both(request, LENT, region)
    assert ours == theirs


def test_credentials_do_not_show_themselves() -> None:
    assert "wJalr" not in f"{KEYS} {KEYS!r}"
