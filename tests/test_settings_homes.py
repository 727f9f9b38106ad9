"""Settings of signing in, and of the function on AWS: what is read, and each fault as one sentence."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from daehwa.settings import LoadedSettings, SettingsError, load_aws_surroundings, load_settings
from daehwa.settings.entrances import MailTable, SignInTable
from daehwa.settings.money import PriceSettings
from daehwa.settings.routes import RouteSettings
from daehwa.settings.values import ProviderSettings, Settings

FUNCTION = {
    "DAEHWA_HOME": "aws",
    "DAEHWA_TABLE": "chats",
    "DAEHWA_KEY_PARAMETER": "/daehwa/openai-key",
    "DAEHWA_PUBLIC_URL": "https://D111.cloudfront.net/",
    "DAEHWA_ALLOWED_HOSTS": "abc.execute-api.us-east-1.amazonaws.com",
    "DAEHWA_MODELS": "gpt-a, gpt-b",
    "DAEHWA_DEFAULT_MODEL": "gpt-a",
    "DAEHWA_TITLES": "false",
    "DAEHWA_SIGN_IN_ISSUER": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_abc",
    "DAEHWA_SIGN_IN_CLIENT_ID": "client",
    "DAEHWA_SIGN_IN_ALLOWED_EMAILS": "*",
    "DAEHWA_SIGN_IN_LOGOUT_URL": "https://people.auth.us-east-1.amazoncognito.com/logout",
}
SIGN_IN = '[sign_in]\nissuer = "https://id.test"\nclient_id = "me"\nadmin_emails = ["a@b.c"]\n'


def load(folder: Path, text: str, environment: Mapping[str, str] | None = None) -> LoadedSettings:
    file = folder / "daehwa.toml"
    file.write_text(text, "utf-8")
    return load_settings({}, config=file, environment=environment or {})


def without(*names: str) -> dict[str, str]:
    return {name: text for name, text in FUNCTION.items() if name not in names}


def test_the_function_is_told_everything_by_its_environment() -> None:
    loaded = load_settings(environment={**FUNCTION, "OPENAI_API_KEY": "not-read-there"})
    values = loaded.values
    assert (values.home, values.table, values.key_parameter) == ("aws", "chats", "/daehwa/openai-key")
    assert values.public_url == "https://d111.cloudfront.net"
    (provider,) = loaded.providers
    assert (provider.name, provider.base_url, provider.key) == ("openai", "https://api.openai.com/v1", None)
    assert provider.settings.models == ("gpt-a", "gpt-b")
    assert loaded.sign_in is not None
    assert (loaded.sign_in.client_id, loaded.sign_in.allowed_emails) == ("client", ("*",))


def test_the_function_reads_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "daehwa.toml").write_text("port = 5")
    monkeypatch.chdir(tmp_path)
    loaded = load_settings(environment=FUNCTION)
    assert (loaded.values.port, loaded.file) == (8000, None)


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        (without("DAEHWA_TABLE"), "DAEHWA_TABLE is not set"),
        (without("DAEHWA_KEY_PARAMETER"), "DAEHWA_KEY_PARAMETER is not set"),
        (without("DAEHWA_PUBLIC_URL"), "DAEHWA_PUBLIC_URL is not set"),
        ({n: t for n, t in FUNCTION.items() if "SIGN_IN" not in n}, "DAEHWA_SIGN_IN_ISSUER is not set, and on AWS"),
        (without("DAEHWA_SIGN_IN_CLIENT_ID"), "also needs client_id"),
        (without("DAEHWA_SIGN_IN_ALLOWED_EMAILS"), "nobody may sign in"),
        ({**FUNCTION, "DAEHWA_PUBLIC_URL": "https://a.b/path"}, "without any path"),
        ({**FUNCTION, "DAEHWA_BASE_URL": "nothing"}, 'DAEHWA_BASE_URL: the address "nothing" cannot be used'),
        ({**FUNCTION, "DAEHWA_SIGN_IN_CLIENT_SECRET_ENV": "HOME", "HOME": "x"}, "would read the secret"),
        ({**FUNCTION, "DAEHWA_SIGN_IN_ISUER": "x"}, "Did you mean 'DAEHWA_SIGN_IN_ISSUER'?"),
    ],
)
def test_a_fault_of_the_functions_settings_is_named(environment: Mapping[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(environment=environment)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "environment", "sentence"),
    [
        ('home = "aws"', {}, 'line 1: home = "aws" is what the function'),
        ('table = "t"', {}, "line 1: table is for the home on AWS alone"),
        ("", {"DAEHWA_MODELS": "a"}, "DAEHWA_MODELS: models is for the home on AWS alone"),
        ('sign_in = "x"', {}, "line 1: write sign_in as a table"),
        ('[sign_in]\nissuer = "https://id.test"', {}, "line 2: signing in also needs client_id"),
        ('[sign_in]\nadmin_emails = ["a@b.c"]', {}, "line 2: signing in also needs issuer"),
        ('[sign_in]\nclient_secret = "s3cret"', {}, "line 2: a secret does not belong in the file"),
        ('[sign_in]\nisuer = "x"', {}, "line 2: [sign_in] has no setting 'isuer'. Did you mean 'issuer'?"),
        ('[[providers]]\nname = "a"\n[sign_in]\nissuer = 5', {}, "line 4: issuer is 5, which is not allowed"),
        (SIGN_IN + 'secret_parameter = "/a/b"', {}, "client_secret_env names the environment variable"),
        (SIGN_IN.replace("https", "http"), {}, 'line 2: issuer is "http://id.test", which is not allowed'),
        (SIGN_IN.replace("https://id.test", "id.test"), {}, 'line 2: issuer is "id.test", which is not allowed'),
        (SIGN_IN.replace("a@b.c", "boss"), {}, 'line 4: admin_emails has "boss", which lets nobody in'),
        (SIGN_IN.replace("a@b.c", "*"), {}, 'line 4: admin_emails has "*", which lets nobody in'),
        (SIGN_IN + 'allowed_emails = ["*@b.c"]', {}, 'line 5: allowed_emails has "*@b.c", which lets nobody in'),
        (SIGN_IN, {"DAEHWA_SIGN_IN_ALLOWED_EMAILS": "@b.c,d"}, 'EMAILS: allowed_emails has "d", which lets nobody in'),
        (SIGN_IN + 'client_secret_env = "NO_SUCH"', {}, "line 5: the client's secret is taken from"),
    ],
)
def test_a_fault_in_the_file_is_named_with_its_line(
    tmp_path: Path, text: str, environment: Mapping[str, str], sentence: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text, environment)
    assert sentence in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_variable_comes_before_the_table(tmp_path: Path) -> None:
    loaded = load(
        tmp_path, SIGN_IN, {"DAEHWA_SIGN_IN_CLIENT_ID": "other", "DAEHWA_SIGN_IN_ALLOWED_EMAILS": "@x.y, z@x"}
    )
    assert loaded.sign_in is not None
    assert loaded.sign_in.client_id == "other"
    assert loaded.sign_in.allowed_emails == ("@x.y", "z@x")


def test_the_provider_is_called_by_a_short_name(tmp_path: Path) -> None:
    loaded = load(tmp_path, SIGN_IN + 'name = "사내 로그인"')
    assert loaded.sign_in is not None
    assert loaded.sign_in.name == "사내 로그인"
    with pytest.raises(SettingsError, match=r"line 5: name is .* It is a text of 60 characters at most\."):
        load(tmp_path, SIGN_IN + f'name = "{"n" * 61}"')


@pytest.mark.parametrize("table", [SignInTable, MailTable, Settings, ProviderSettings, PriceSettings, RouteSettings])
def test_every_setting_has_limits_that_can_be_checked(table: type[msgspec.Struct]) -> None:
    for field in msgspec.structs.fields(table):
        msgspec.json.Decoder(field.type)  # a limit that its type cannot have is found here alone


def test_an_issuer_on_this_machine_may_do_without_tls(tmp_path: Path) -> None:
    loaded = load(tmp_path, SIGN_IN.replace("https://id.test", "http://localhost:9000/realm"), {})
    assert loaded.sign_in is not None
    assert loaded.sign_in.issuer == "http://localhost:9000/realm"


def test_a_clients_secret_never_shows(tmp_path: Path) -> None:
    loaded = load(tmp_path, SIGN_IN + 'client_secret_env = "ID_SECRET"', {"ID_SECRET": "very-secret"})
    assert loaded.sign_in is not None
    assert loaded.sign_in.secret is not None
    assert loaded.sign_in.secret.reveal() == "very-secret"
    assert "very-secret" not in repr(loaded)


def test_what_lambda_says_of_itself() -> None:
    said = load_aws_surroundings(
        {
            "AWS_REGION": "ap-northeast-2",
            "AWS_ACCESS_KEY_ID": "AKIA",
            "AWS_SECRET_ACCESS_KEY": "hidden",
            "AWS_SESSION_TOKEN": "hidden too",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
            "AWS_ENDPOINT_URL_SSM": "http://127.0.0.1:2",
            "AWS_LWA_PORT": "9000",
        }
    )
    assert (said.region, said.access_key, said.port) == ("ap-northeast-2", "AKIA", 9000)
    assert said.endpoints == {"dynamodb": "http://127.0.0.1:1", "ssm": "http://127.0.0.1:2"}
    assert "hidden" not in repr(said)


@pytest.mark.parametrize("environment", [{}, {"AWS_REGION": "x", "AWS_LWA_PORT": "eighty"}])
def test_lambda_that_says_too_little(environment: Mapping[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"is not set|is not allowed"):
        load_aws_surroundings(environment)


@pytest.mark.parametrize(("name", "is_there"), [("HTTPS_PROXY", True), ("https_proxy", True), ("PROXY_OF", False)])
def test_a_proxy_of_the_environment_is_noticed(name: str, is_there: bool) -> None:  # noqa: FBT001 - a parameter
    assert load_aws_surroundings({"AWS_REGION": "x", name: "http://p"}).has_proxy is is_there
    assert not load_aws_surroundings({"AWS_REGION": "x", name: ""}).has_proxy
