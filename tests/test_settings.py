import json
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from daehwa.settings import (
    LoadedSettings,
    ProviderSettings,
    Secret,
    SettingsError,
    has_display,
    load_settings,
    program_name,
)
from daehwa.settings.classic import unused_classic
from daehwa.settings.source import checked

KEY = "sk-very-secret-0123456789"


def load(folder: Path, text: str = "", environment: Mapping[str, str] | None = None, **flags: object) -> LoadedSettings:
    file = folder / "daehwa.toml"
    file.write_text(text, "utf-8")
    return load_settings(flags, config=file, environment=environment or {})


def test_nothing_set_means_this_machine_and_the_embedded_model(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert (loaded.values.host, loaded.values.port, loaded.values.open_browser) == ("127.0.0.1", 8000, True)
    assert [(p.name, p.settings.kind) for p in loaded.providers] == [("embedded", "embedded")]
    assert set(loaded.sources.values()) == {"default"}


def test_a_flag_comes_before_the_environment_before_the_file(tmp_path: Path) -> None:
    environment = {"DAEHWA_PORT": "2", "DAEHWA_HOST": "localhost"}
    loaded = load(tmp_path, 'port = 1\nhost = "::1"\nlog_json = true', environment, port=3)
    assert (loaded.values.port, loaded.values.host, loaded.values.log_json) == (3, "localhost", True)
    assert loaded.sources["port"] == "--port"
    assert loaded.sources["host"] == "DAEHWA_HOST"
    assert loaded.sources["log_json"].endswith("daehwa.toml, line 3")


def test_a_file_that_an_editor_began_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    loaded = load(tmp_path, "\ufeffport = 1\r\nlog_json = true\r\n")
    assert (loaded.values.port, loaded.values.log_json) == (1, True)
    assert loaded.sources["port"].endswith("daehwa.toml, line 1")


def test_texts_of_the_environment_are_read_as_their_type(tmp_path: Path) -> None:
    environment = {"DAEHWA_ALLOWED_HOSTS": "a.example, b", "DAEHWA_OPEN_BROWSER": "No", "DAEHWA_DATA_DIR": "~/d"}
    values = load(tmp_path, "", environment).values
    assert values.allowed_hosts == ("a.example", "b")
    assert values.open_browser is False
    assert values.data_dir == Path.home() / "d"


def test_a_file_is_found_by_its_variable_and_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "daehwa.toml").write_text("port = 5")
    (tmp_path / "other.toml").write_text("port = 6")
    monkeypatch.chdir(tmp_path)
    assert load_settings(environment={}).values.port == 5
    assert load_settings(environment={"DAEHWA_CONFIG": "other.toml"}).values.port == 6


def test_a_key_makes_openai_and_is_never_shown(tmp_path: Path) -> None:
    loaded = load(tmp_path, "", {"OPENAI_API_KEY": f" {KEY}\n"})
    (provider,) = loaded.providers
    assert (provider.name, provider.base_url, provider.key_source) == (
        "openai",
        "https://api.openai.com/v1",
        "OPENAI_API_KEY",
    )
    assert provider.key is not None
    assert provider.key.reveal() == KEY
    assert KEY not in f"{loaded} {loaded!r} {provider.key}"
    with pytest.raises(TypeError):
        msgspec.json.encode(loaded)


def test_an_address_alone_makes_a_provider_without_a_key(tmp_path: Path) -> None:
    (provider,) = load(tmp_path, "", {"OPENAI_BASE_URL": "http://localhost:11434/v1/"}).providers
    assert (provider.base_url, provider.key) == ("http://localhost:11434/v1", None)


def test_the_files_openai_takes_the_place_of_the_environments(tmp_path: Path) -> None:
    text = '[[providers]]\nname = "openai"\nmodels = ["gpt-5"]'
    (provider,) = load(tmp_path, text, {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://here/v1"}).providers
    assert provider.settings.models == ("gpt-5",)
    assert provider.base_url == "http://here/v1"
    assert provider.key is not None


def test_a_provider_of_the_file_has_key_headers_and_time_limits(tmp_path: Path) -> None:
    text = """
        [[providers]]
        name = "work"
        base_url = "https://llm.example/openai/v1?api-version=1"
        api_key_env = "WORK_KEY"
        headers = { x-team = "$TEAM", x-plain = "yes" }
        idle_timeout = 5
    """
    (provider,) = load(tmp_path, text, {"WORK_KEY": KEY, "TEAM": "blue"}).providers
    assert provider.base_url == "https://llm.example/openai/v1?api-version=1"
    assert {name: value.reveal() for name, value in provider.headers} == {"x-team": "blue", "x-plain": "yes"}
    assert provider.settings.idle_timeout == 5
    assert provider.source.endswith("line 2")


@pytest.mark.parametrize("field", msgspec.structs.fields(ProviderSettings), ids=lambda field: field.name)
def test_every_setting_of_a_provider_can_be_checked(field: msgspec.structs.FieldInfo) -> None:
    example = {"name": "a", "kind": "openai", "headers": {}, "extra_body": {}, "models": [], "context_window": 4096}
    example |= {"completion_models": [], "max_concurrent": 4}
    numbers = {"connect_timeout": 1.5, "first_byte_timeout": 2, "idle_timeout": 3}
    switches = {"titles": True, "continues_replies": False}
    value = {**example, **numbers, **switches}.get(field.name, "text")
    assert checked(field, value, "here") in (value, (), Path("text"))


def test_a_model_file_is_found_beside_the_settings_file(tmp_path: Path) -> None:
    (tmp_path / "small.gguf").write_bytes(b"GGUF")
    text = '[[providers]]\nname = "here"\nkind = "embedded"\ngguf = "small.gguf"'
    (provider,) = load(tmp_path, text).providers
    assert provider.settings.gguf == tmp_path / "small.gguf"


PROVIDER = '[[providers]]\nname = "a"\nbase_url = "http://x/v1"\n'
WRONG_FILES = [
    ("port = ", "not valid TOML"),
    ("\nport = 70000", "line 2: port is 70000, which is not allowed. It is a whole number from 0 to 65535"),
    ("port = true", "port is true"),
    ("prot = 1", "line 1: there is no setting 'prot'. Did you mean 'port'?"),
    ("zzz = 1", "There are: host, port"),
    ("providers = 3", "[[providers]]"),
    ('[[providers]]\nname = "a"', "line 1: the provider 'a' has no address"),
    ('[[providers]]\nbase_url = "http://x"', "has no name"),
    ('[[providers]]\nname = "A b"', "line 2: name is"),
    (PROVIDER + 'api_key = "sk-1"', "line 4: a key does not belong in the file"),
    (PROVIDER + 'api_key_env = "NOT_SET"', "NOT_SET, which is not set"),
    (PROVIDER + 'api_key_env = "sk-12345678901234567890123456789012"', "looks like a key itself"),
    (PROVIDER + "modles = []", "Did you mean 'models'?"),
    (PROVIDER + "models = [1]", "It is a list of model names"),
    (PROVIDER + "context_window = 12", "It is a whole number of tokens above 255"),
    (PROVIDER + "idle_timeout = 0", "It is a number of seconds above 0"),
    (PROVIDER + 'headers = { authorization = "Bearer x" }', "does not belong in the file"),
    (PROVIDER + 'headers = { x = "$NOT_SET" }', "NOT_SET, which is not set"),
    (PROVIDER + 'headers = { a = "Bearer x", b = 1 }', "line 4: headers is a table with something else in it, which"),
    (PROVIDER + 'headers = { "a b" = "x" }', "cannot be the name of a header"),
    (PROVIDER + 'headers = { x = "a\\nb" }', "control character"),
    (PROVIDER + 'gguf = "x"', 'needs kind = "embedded"'),
    (PROVIDER + 'ca_file = "x.pem"', "there is no file"),
    (PROVIDER + PROVIDER, "line 5: there are two providers named 'a'"),
    ('[[providers]]\nname = "a"\nbase_url = "x.com/v1"', "cannot be used"),
    ('[[providers]]\nname = "a"\nbase_url = "http://u:pw@x/v1"', "a user name"),
    ('[[providers]]\nname = "a"\nkind = "embedded"\ngguf = "none.gguf"', "line 4: there is no file"),
    ('[[providers]]\nname = "a"\nkind = "embedded"\nbase_url = "http://x"', "Take this line out"),
]


@pytest.mark.parametrize(("text", "says"), WRONG_FILES)
def test_a_wrong_file_is_told_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    assert says in str(caught.value)
    assert str(tmp_path / "daehwa.toml") in str(caught.value)
    assert "\n" not in str(caught.value).strip()


WRONG_ENVIRONMENTS = [
    ({"DAEHWA_PORT": "eighty"}, 'DAEHWA_PORT: port is "eighty"'),
    ({"DAEHWA_PROT": "1"}, "Did you mean 'DAEHWA_PORT'?"),
    ({"DAEHWA_LOG_JSON": "maybe"}, "It is true or false"),
    ({"OPENAI_API_KEY": "sk-two parts"}, "OPENAI_API_KEY cannot be a key"),
    ({"OPENAI_BASE_URL": "localhost:1234"}, "OPENAI_BASE_URL: the address"),
]


@pytest.mark.parametrize(("environment", "says"), WRONG_ENVIRONMENTS)
def test_a_wrong_variable_is_told_by_name(tmp_path: Path, environment: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, "", environment)
    assert says in str(caught.value)


@pytest.mark.parametrize("environment", [{"OPENAI_API_KEY": f"{KEY} x"}, {"OPENAI_BASE_URL": f"x://u:{KEY}@h"}])
def test_no_error_shows_a_secret(tmp_path: Path, environment: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, "", environment)
    assert KEY not in str(caught.value)


def test_a_named_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        load_settings(config=tmp_path / "none.toml", environment={})


def test_a_secret_shows_its_length_alone() -> None:
    assert f"{Secret('abc')}" == repr(Secret("abc")) == "Secret(3 characters)"


def test_a_browser_is_opened_only_where_it_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert has_display({"WAYLAND_DISPLAY": "wayland-0"})
    assert not has_display({"DISPLAY": ":0", "SSH_CONNECTION": "1 2 3 4"})
    assert not has_display({})


def test_a_command_is_named_as_it_must_be_typed() -> None:
    assert program_name({}) == "daehwa"
    assert program_name({"UV": "/bin/uv"}) == "daehwa"  # uvx, whose environment is gone afterwards
    assert program_name({"UV": "/bin/uv", "UV_RUN_RECURSION_DEPTH": "1"}) == "uv run daehwa"


def test_titles_can_be_left_out_without_a_file(tmp_path: Path) -> None:
    loaded = load(tmp_path, "", {"OPENAI_BASE_URL": "http://x/v1", "DAEHWA_TITLES": "false"})
    assert loaded.values.titles is False


UNSET = PROVIDER + 'api_key_env = "WORK_KEY"\nheaders = { "x-team" = "$TEAM" }\n'


def test_whoever_asks_no_provider_needs_no_keys(tmp_path: Path) -> None:
    file = tmp_path / "daehwa.toml"
    sign_in = '[sign_in]\nissuer = "https://id.example"\nclient_id = "d"\nadmin_emails = ["a@b.example"]\n'
    file.write_text(UNSET + sign_in + 'client_secret_env = "SECRET"', "utf-8")
    loaded = load_settings(config=file, environment={}, needs_keys=False)
    (provider,) = loaded.providers
    assert (provider.key, provider.key_source, provider.headers) == (None, "WORK_KEY", ())
    assert provider.fault is not None
    assert "from the environment variable WORK_KEY, which is not set." in provider.fault
    assert loaded.sign_in is not None
    assert "from the environment variable SECRET, which is not set." in (loaded.sign_in.fault or "")
    (provider,) = load_settings(config=file, environment={"WORK_KEY": "k"}, needs_keys=False).providers
    assert "the header x-team takes its text from the environment variable TEAM" in (provider.fault or "")
    with pytest.raises(SettingsError, match="SECRET, which is not set"):
        load_settings(config=file, environment={"WORK_KEY": "k", "TEAM": "blue"})


def test_a_classic_folder_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name, fault in (("nowhere", "is not there"), ("file", "is a file")):
        with pytest.raises(SettingsError) as caught:
            load(tmp_path, f'classic_folder = "{tmp_path / name}"')
        assert f"daehwa.toml, line 1: classic_folder is {tmp_path / name}, which {fault}." in str(caught.value)
    values = load(tmp_path, f'classic_folder = "{tmp_path}"').values
    assert unused_classic(values, has_sign_in=False) is None
    assert "people sign in; classic = true turns it on" in (unused_classic(values, has_sign_in=True) or "")
    values = msgspec.structs.replace(values, classic=False)
    assert unused_classic(values, has_sign_in=False) == "classic_folder does nothing here, since classic is false."


APPS = (
    *("chrome-extension://fmkadmapgofadopljbjfkapdkoienihi", "moz-extension://3c078156-979c-498b-8990-85f7987dd929"),
    *("app://obsidian.md", "tauri://localhost", "capacitor://localhost", "vscode-webview://1q2w3e4r"),
)


def test_sites_whose_pages_may_ask_are_named_by_their_origin(tmp_path: Path) -> None:
    loaded = load(tmp_path, 'cors_origins = ["https://tools.example.com", "http://localhost:5173"]')
    assert loaded.values.cors_origins == ("https://tools.example.com", "http://localhost:5173")
    loaded = load(tmp_path, f"cors_origins = {json.dumps(APPS)}")
    assert loaded.values.cors_origins == APPS
    for wrong in (
        "*",
        "null",
        "https://",
        "https://tools.example.com/",
        "https://Tools.example.com",
        "tools.example.com",
        *("file://", "app://", "app:obsidian.md", "app://obsidian.md/", "chrome-extension://*", "1app://x"),
    ):
        with pytest.raises(SettingsError, match=r"cors_origins is .* such as https://tools\.example\.com"):
            load(tmp_path, f'cors_origins = ["{wrong}"]')


def test_a_relative_data_folder_of_the_file_lies_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load(tmp_path, 'data_dir = "mine"').values.data_dir == tmp_path / "mine"
    assert load(tmp_path, data_dir="mine").values.data_dir == tmp_path / "elsewhere" / "mine"


@pytest.mark.parametrize("path", ["a\\u0000b", "~nobody-has-this-name/x", "a" * 300])
def test_a_path_that_cannot_be_is_refused_in_a_sentence(tmp_path: Path, path: str) -> None:
    provider = '[[providers]]\nname = "a"\nbase_url = "http://x/v1"\n'
    embedded = '[[providers]]\nname = "a"\nkind = "embedded"\n'
    lines = (f'data_dir = "{path}"', f'classic_folder = "{path}"')
    for text in (*lines, f'{provider}ca_file = "{path}"', f'{embedded}gguf = "{path}"'):
        with pytest.raises(SettingsError, match=r"line \d: .* cannot be the path of anything here: "):
            load(tmp_path, text)


@pytest.mark.parametrize("text", ["port = " + "9" * 5000, "x = " + "{a = " * 3000 + "1" + "}" * 3000])
def test_a_file_without_end_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match=r"daehwa\.toml is (not valid TOML|nested too deeply)"):
        load(tmp_path, text)


WRONG_ORIGINS = (
    *("http://", "https://[", "https://[::1", "http://a:99999", "http://a:x", "http://a:0", "https://x/y", "app://x:0"),
    *("https://u:p@x", "https://-x-", "https://a..b", "https://x?y", "https://[fe80::g]", "https://" + "a" * 64),
)


@pytest.mark.parametrize("origin", WRONG_ORIGINS)
def test_an_address_that_no_browser_writes_is_refused(tmp_path: Path, origin: str) -> None:
    with pytest.raises(SettingsError, match=r"line 1: public_url is "):
        load(tmp_path, f'public_url = "{origin}"')
    with pytest.raises(SettingsError, match=r"line 1: cors_origins (has|is) "):
        load(tmp_path, f'cors_origins = ["{origin}"]')


def test_an_app_is_no_address_of_this_server(tmp_path: Path) -> None:
    for origin in ("ftp://x", *APPS):
        with pytest.raises(SettingsError, match=r"line 1: public_url is "):
            load(tmp_path, f'public_url = "{origin}"')


def test_an_address_is_taken_as_browsers_write_it(tmp_path: Path) -> None:
    taken = {
        "https://대화.한국/": "https://xn--vk1bz38d.xn--3e0b707e",
        "https://Chat.Example.com:8443": "https://chat.example.com:8443",
        "http://[::1]:8000": "http://[::1]:8000",
    }
    assert {given: load(tmp_path, f'public_url = "{given}"').values.public_url for given in taken} == taken


def test_an_address_of_a_mail_server_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="this is no address of a mail server"):
        load(tmp_path, '[smtp]\nurl = "smtp://["')
