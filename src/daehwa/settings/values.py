"""What can be set, as frozen values: each field's annotation says what it is for and what it may be."""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from daehwa.settings.described import YES_NO, Secret, SettingsError, described
from daehwa.settings.entrances import ConfiguredMail, ConfiguredSignIn

__all__ = [
    "YES_NO",
    "ConfiguredBudget",
    "ConfiguredGroup",
    "ConfiguredMoney",
    "ConfiguredPrice",
    "ConfiguredProvider",
    "ConfiguredRoute",
    "ConfiguredSignIn",
    "LoadedSettings",
    "ProviderSettings",
    "Secret",
    "Settings",
    "SettingsError",
    "allowed_values",
    "described",
    "meta_of",
]


LEAST_LARGE_REQUESTS = 32
"""Megabytes that the largest request may have, which has to fit."""
_SECONDS = "a number of seconds above 0"


class ProviderSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[providers]]` table: an upstream that speaks OpenAI's wire protocol, or a model file on this machine."""

    name: Annotated[
        str,
        described(
            "a short name of a to z, 0 to 9, '.', '_' and '-'",
            "What its models' ids begin with: `name/model`.",
            pattern=r"^[a-z0-9][a-z0-9._-]*$",
        ),
    ]
    kind: Annotated[
        Literal["openai", "embedded"],
        described('"openai" or "embedded"', "`openai`: a server. `embedded`: a model file that runs on this machine."),
    ] = "openai"
    base_url: Annotated[
        str | None,
        described(
            "an address such as https://api.example.com/v1",
            "The address before `/chat/completions`. For the provider named `openai`: OPENAI_BASE_URL, else OpenAI's.",
        ),
    ] = None
    api_key_env: Annotated[
        str | None,
        described(
            "the name of an environment variable",
            "The environment variable that holds the key; the key itself is never in the file. For the provider named "
            "`openai`: OPENAI_API_KEY.",
        ),
    ] = None
    headers: Annotated[
        dict[str, str],
        described(
            "a table of header names and texts",
            "Headers sent with each call. `$NAME` as a value stands for the environment variable NAME.",
        ),
    ] = {}
    models: Annotated[
        tuple[str, ...],
        described(
            "a list of model names", "The models offered, in this order. Left out: those that `/v1/models` lists."
        ),
    ] = ()
    completion_models: Annotated[
        tuple[str, ...],
        described(
            "a list of model names",
            "Models that go on with a prompt, at `/completions`, beside those that are known to (`davinci-002` …).",
        ),
    ] = ()
    gguf: Annotated[
        Path | None,
        described(
            "the path of a .gguf file", "`embedded` only: the model file. Left out: the small model of the package."
        ),
    ] = None
    context_window: Annotated[
        Annotated[int, msgspec.Meta(ge=256)] | None,
        described("a whole number of tokens above 255", "How many tokens a question and its answer may have."),
    ] = None
    extra_body: Annotated[
        dict[str, Any],
        described(
            "a table of JSON values",
            "Fields added to the body of each call for an answer, as they are, unless the call itself sets them.",
        ),
    ] = {}
    ca_file: Annotated[
        Path | None, described("the path of a PEM file", "Further certificate authorities to trust for this server.")
    ] = None
    continues_replies: Annotated[
        bool,
        described(
            YES_NO, "Whether the server goes on with a reply at a transcript's end by itself, as vLLM can be told to."
        ),
    ] = False
    titles: Annotated[
        bool,
        described(YES_NO, "Whether its models are asked to name conversations, where `titles` above does not say no."),
    ] = True
    max_concurrent: Annotated[
        Annotated[int, msgspec.Meta(ge=1)] | None,
        described(
            "a whole number above 0",
            "So many calls at a time; further ones wait in line for up to 10 s. Left out: any number.",
        ),
    ] = None
    connect_timeout: Annotated[float, described(_SECONDS, "Seconds until a connection must stand.", gt=0)] = 10.0
    first_byte_timeout: Annotated[float, described(_SECONDS, "Seconds until an answer must begin.", gt=0)] = 300.0
    idle_timeout: Annotated[float, described(_SECONDS, "Seconds of silence within an answer.", gt=0)] = 90.0


class ConfiguredProvider(msgspec.Struct, frozen=True, kw_only=True):
    """A provider with its address and its key found. `key_source` and `source` name where they come from. `fault` says
    what of the environment is missing, where settings are read without the need for keys.
    """

    settings: ProviderSettings
    base_url: str = ""
    key: Secret | None = None
    key_source: str | None = None
    headers: tuple[tuple[str, Secret], ...] = ()
    source: str
    fault: str | None = None

    @property
    def name(self) -> str:
        """The provider's name."""
        return self.settings.name


class ConfiguredRoute(msgspec.Struct, frozen=True, kw_only=True):
    """A `[[routes]]` table: models and their weights, which are None where the order alone counts."""

    name: str
    targets: tuple[tuple[str, float | None], ...]


class ConfiguredBudget(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of `budgets`, its limit in micro-dollars."""

    scope: str
    period: Literal["day", "month", "total"]
    limit: int


class ConfiguredGroup(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of `groups`; members are e-mail addresses and @domains in lower case."""

    name: str
    members: tuple[str, ...]


class ConfiguredPrice(msgspec.Struct, frozen=True, kw_only=True):
    """A `[[prices]]` table: micro-dollars per million tokens or characters, minute, image and request."""

    model: str
    input: int = 0
    output: int = 0
    cached: int | None = None
    per_minute: int = 0
    per_image: int = 0
    per_million_characters: int = 0
    per_request: int = 0


class ConfiguredMoney(msgspec.Struct, frozen=True, kw_only=True):
    """What may be spent, by whom, and what models cost where the settings say so."""

    budgets: tuple[ConfiguredBudget, ...] = ()
    groups: tuple[ConfiguredGroup, ...] = ()
    prices: tuple[ConfiguredPrice, ...] = ()


def _data_folder() -> Path:
    import platformdirs  # noqa: PLC0415 - on AWS there is no such folder, and each start pays for imports

    return platformdirs.user_data_path("daehwa", appauthor=False)


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How this process runs. Each field here is a key of daehwa.toml and a variable DAEHWA_<FIELD>."""

    host: Annotated[
        str, described("a host name or an IP address", "The address to listen on. `daehwa --host`.", min_length=1)
    ] = "127.0.0.1"
    port: Annotated[
        int,
        described(
            "a whole number from 0 to 65535 (0: any free one)",
            "The port to listen on; 0 takes any free one. `daehwa --port`.",
            ge=0,
            le=65535,
        ),
    ] = 8000
    data_dir: Annotated[
        Path,
        described(
            "the path of a folder",
            "Where conversations are kept. In the file a relative path begins at the file's folder. `daehwa "
            "--data-dir`.",
        ),
    ] = msgspec.field(default_factory=_data_folder)
    open_browser: Annotated[
        bool, described(YES_NO, "Whether to open the page in a browser where there is a display. `daehwa --no-open`.")
    ] = True
    log_json: Annotated[bool, described(YES_NO, "Log one JSON object a line. `daehwa --log-json`.")] = False
    allowed_hosts: Annotated[
        tuple[str, ...],
        described(
            "a list of host names", "Further host names under which the page may be asked for, beside this machine's."
        ),
    ] = ()
    allow_unprotected: Annotated[
        bool,
        described(
            YES_NO,
            "Listen on other addresses than this machine's own although there is no sign-in: whoever reaches the port "
            "reads and writes everything. `daehwa --allow-unprotected`.",
        ),
    ] = False
    public_url: Annotated[
        str | None,
        described(
            "an address such as https://chat.example.com, without a path",
            "The address under which browsers know this server, where a proxy stands before it or people sign in. Left "
            "out: the address it listens on.",
        ),
    ] = None
    cors_origins: Annotated[
        tuple[Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9+.-]*://[a-z0-9._:\[\]-]+$")], ...],
        described(
            "a list of addresses such as https://tools.example.com or app://obsidian.md, in lower case, without a path",
            "Other sites, browser extensions and apps whose pages may ask for `/v1` (CORS); where no key is needed, "
            "without one. An extension's address begins with chrome-extension:// or moz-extension://.",
        ),
    ] = ()
    accounts: Annotated[
        bool,
        described(
            YES_NO,
            "People sign in by accounts of this server's own, beside an identity provider where there is one. "
            "`daehwa --accounts`. See accounts.md.",
        ),
    ] = False
    trusted_proxies: Annotated[
        tuple[str, ...],
        described(
            "a list of IP addresses and networks",
            "Proxies before this server whose `X-Forwarded-For` is believed, such as `127.0.0.1` or `10.0.0.0/8`; "
            "nobody else's is. Sign-ins are throttled, and written down, by the address found so.",
        ),
    ] = ()
    default_model: Annotated[
        str | None, described("a model's id or name", "The model chosen for a new conversation, if it is served.")
    ] = None
    titles: Annotated[
        bool,
        described(
            YES_NO,
            "Whether models are asked to name new conversations in the page: one short further call each. Otherwise "
            "the title is the question.",
        ),
    ] = True
    budgets: Annotated[
        tuple[str, ...],
        described(
            'a list of texts such as "user month 20"',
            "What may be spent: whose (`all`, `user`, `key`, `user:…`, `group:…`), a `day`, a `month` or in `total`, "
            "dollars. See Money, below.",
        ),
    ] = ()
    groups: Annotated[
        tuple[str, ...],
        described(
            'a list of texts such as "research ann@example.com @lab.example.com"',
            "People who share a budget: a name, then e-mail addresses and @domains.",
        ),
    ] = ()
    large_requests: Annotated[
        int,
        described(
            f"a whole number of megabytes, {LEAST_LARGE_REQUESTS} or more",
            "How much of large requests is held at once: of what pages send, and as much again of what is on its way "
            "to models. The process takes up to three times as much of each. Further ones wait in line.",
            ge=LEAST_LARGE_REQUESTS,
        ),
    ] = 64
    require_keys: Annotated[
        bool,
        described(
            YES_NO,
            "Whether programs that ask under `/v1` always need an API key. They need one anyway where people sign in, "
            "or where the server listens on other addresses than this machine's own. Where this is true, the "
            "classic dialect needs one, too.",
        ),
    ] = False
    classic: Annotated[
        bool | None,
        described(
            YES_NO,
            "Whether the 2023 demo's `POST /chat` is answered. Left out: where nobody has to sign in, and no key is "
            "required.",
        ),
    ] = None
    classic_folder: Annotated[
        Path | None,
        described("the path of a folder", "The 2023 demo's page: the folder is served under `/classic/`, read-only."),
    ] = None
    home: Annotated[
        Literal["local", "aws"],
        described('"local" or "aws"', "Where this runs. `daehwa deploy` sets it, and all below, on AWS."),
    ] = "local"
    table: Annotated[
        str | None, described("the name of a DynamoDB table", "On AWS only: where conversations are kept.")
    ] = None
    key_parameter: Annotated[
        str | None, described("the name of an SSM parameter", "On AWS only: where the upstream's key is kept.")
    ] = None
    base_url: Annotated[
        str | None,
        described("an address such as https://api.example.com/v1", "On AWS only: the upstream. Left out: OpenAI's."),
    ] = None
    models: Annotated[
        tuple[str, ...],
        described("a list of model names", "On AWS only: the models offered. Left out: those that `/v1/models` lists."),
    ] = ()


class LoadedSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings, the providers, sign-in where there is one, money, aliases, and where each setting comes from."""

    values: Settings
    providers: tuple[ConfiguredProvider, ...]
    sign_in: ConfiguredSignIn | None = None
    mail: ConfiguredMail | None = None
    money: ConfiguredMoney = ConfiguredMoney()
    routes: tuple[ConfiguredRoute, ...] = ()
    file: Path | None
    sources: dict[str, str]


def allowed_values(field: msgspec.structs.FieldInfo) -> str:
    """Say in words what a setting may be."""
    return str(meta_of(field).extra["allowed"])  # type: ignore[index] # every field has its Meta with it


def meta_of(field: msgspec.structs.FieldInfo) -> msgspec.Meta:
    """Return what a setting's annotation says of it."""
    found: msgspec.Meta = field.type.__metadata__[0]
    return found
