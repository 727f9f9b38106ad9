"""What a command that starts other programs takes from this process's environment: all but keys, and the one key."""

import os
from collections.abc import Mapping

from daehwa.settings.values import Secret

KEY_VARIABLE = "OPENAI_API_KEY"


def key_from_environment(environment: Mapping[str, str] | None = None) -> Secret | None:
    """Return OpenAI's key where it is in the environment."""
    key = (os.environ if environment is None else environment).get(KEY_VARIABLE, "").strip()
    return Secret(key) if key else None


def region_from_environment(environment: Mapping[str, str] | None = None) -> str | None:
    """Return the region of AWS_REGION, which AWS's other programs read; boto3 knows AWS_DEFAULT_REGION alone."""
    return (os.environ if environment is None else environment).get("AWS_REGION") or None


def child_environment(environment: Mapping[str, str] | None = None, /, **added: str) -> dict[str, str]:
    """Return the environment for a program that we start: ours without the key, and what is added."""
    env = os.environ if environment is None else environment
    return {**{name: text for name, text in env.items() if name != KEY_VARIABLE}, **added}


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    import ipaddress  # noqa: PLC0415 - on AWS each start pays for imports

    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
