"""A start of the function is its imports: nothing of the other home, no network, and no more than it needs."""

import json
import os
import subprocess
import sys

import pytest

FUNCTION = {
    "DAEHWA_HOME": "aws",
    "DAEHWA_TABLE": "chats",
    "DAEHWA_KEY_PARAMETER": "/daehwa/openai-key",
    "DAEHWA_PUBLIC_URL": "https://d111.cloudfront.net",
    "DAEHWA_SIGN_IN_ISSUER": "https://id.test",
    "DAEHWA_SIGN_IN_CLIENT_ID": "client",
    "DAEHWA_SIGN_IN_ALLOWED_EMAILS": "*",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "AKID",
    "AWS_SECRET_ACCESS_KEY": "secret",
}
NOT_ON_AWS = {
    *("sqlite3", "platformdirs", "tomllib", "click", "multiprocessing", "urllib.request", "http.client", "aiohttp"),
    *(
        "httpx",
        "joserfc",
        "cryptography",
        "boto3",
        "botocore",
        "difflib",
        "daehwa.services.local",
        "daehwa.data_folder",
    ),
    *("daehwa.providers.embedded", "daehwa.stores.sqlite", "daehwa.stores.memory", "daehwa.data_folder"),
}
NOT_AT_HOME = {"aiodynamo", "yarl", "daehwa.aws", "daehwa.stores.dynamodb", "daehwa.services.aws"}

_WIRED = """
import asyncio, json, socket, sys

class NoNetwork(socket.socket):
    def connect(self, address):
        raise AssertionError(f"a start asks {address}")

socket.socket = NoNetwork

from daehwa.services.aws import FunctionServices
from daehwa.settings import load_aws_surroundings, load_settings

async def main():
    services = FunctionServices(load_settings(), load_aws_surroundings())
    await asyncio.sleep(0.05)
    await services.aclose()

asyncio.run(main())
print(json.dumps(sorted(sys.modules)))
"""


def imported(program: str, **told: str) -> set[str]:
    """What a program has imported at its end."""
    proxies = {name for name in os.environ if name.lower().endswith("_proxy")}
    surroundings = {name: text for name, text in os.environ.items() if name not in proxies}
    ran = subprocess.run(  # noqa: S603 - this very Python
        [sys.executable, "-c", program],
        env={**surroundings, **told},
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    return set(json.loads(ran.stdout))


def test_the_function_is_wired_without_the_network_and_without_the_other_home() -> None:
    found = imported(_WIRED, **FUNCTION)
    assert "daehwa.stores.dynamodb" in found
    assert not NOT_ON_AWS & found


def test_the_local_home_imports_nothing_of_the_one_on_aws() -> None:
    found = imported("import json, sys, daehwa.cli, daehwa.services.local; print(json.dumps(sorted(sys.modules)))")
    assert "daehwa.stores.sqlite" in found
    assert not NOT_AT_HOME & found


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ("DAEHWA_TABLE", "DAEHWA_TABLE is not set"),
        ("AWS_REGION", "AWS_REGION is not set"),
        ("AWS_ACCESS_KEY_ID", "no AWS credentials"),
    ],
)
def test_a_function_that_cannot_work_says_why_in_one_sentence(missing: str, sentence: str) -> None:
    told = {name: text for name, text in FUNCTION.items() if name != missing}
    ours = {name: text for name, text in os.environ.items() if not name.startswith(("AWS_", "DAEHWA_"))}
    ran = subprocess.run(
        [sys.executable, "-m", "daehwa.aws.function"],
        env={**ours, **told, "AWS_LWA_PORT": "0"},
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 1
    assert sentence in ran.stderr
    assert "Traceback" not in ran.stderr
