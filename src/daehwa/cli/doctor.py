"""`daehwa doctor`: what is configured, what can be reached, where data lies. A key is only ever counted."""

import asyncio
import importlib.metadata
import json
import platform
import sqlite3
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import click
import msgspec

from daehwa import __version__
from daehwa.cli.doctor_data import DataReport, data_faults, data_lines, data_report
from daehwa.cli.doctor_money import money_lines
from daehwa.cli.doctor_people import SignInReport, people_faults, sign_in_lines
from daehwa.cli.terminal import FAULT, as_typed, plain, say_json
from daehwa.conversation.errors import DaehwaError, ProviderError, ProviderModelError
from daehwa.data_folder import DataFolder
from daehwa.providers import embedded_install
from daehwa.services.local import (
    PAGE_FOLDER,
    BuiltProvider,
    OpenAIWireProvider,
    ask_identity_provider,
    build_catalogue,
    build_providers,
    unserved_default,
    unserved_targets,
)
from daehwa.services.money_report import MoneyReport, money_report
from daehwa.services.people_report import PeopleReport, people_report
from daehwa.settings import (
    OPENAI_URL,
    ConfiguredProvider,
    ConfiguredSignIn,
    LoadedSettings,
    load_settings,
    load_telemetry,
)

PACKAGES = ("click", "httptools", "msgspec", "uvicorn", "uvloop", "xllamacpp")
MODELS_SHOWN = 5


class ProviderReport(msgspec.Struct, frozen=True, kw_only=True):
    """One provider as configured, and how it answered."""

    name: str
    kind: str
    address: str | None
    key: str
    configured_by: str
    is_asked: bool = True
    is_reachable: bool
    models: tuple[str, ...] = ()
    lists_models: bool = True
    round_trip_ms: float | None = None
    fault: str | None = None


class SettingReport(msgspec.Struct, frozen=True, kw_only=True):
    """A setting and where it comes from."""

    value: str | int | bool | tuple[str, ...] | None
    source: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that the doctor found. `faults` are sentences about what keeps the program from its work."""

    version: str
    python: str
    system: str
    packages: dict[str, str | None]
    sqlite: str
    has_full_text_search: bool
    settings_file: str | None
    settings: dict[str, SettingReport]
    data: DataReport
    providers: tuple[ProviderReport, ...]
    sign_in: SignInReport | None
    people: PeopleReport
    money: MoneyReport
    default_model: str | None
    default_fault: str | None
    route_faults: tuple[str, ...]
    embedded_missing: tuple[str, ...]
    is_page_built: bool
    faults: tuple[str, ...]


def examine(flags: Mapping[str, object], config: Path | None, *, as_json: bool) -> int:
    """Look at everything, print the report, and return 1 where something keeps the program from its work."""
    report = asyncio.run(_examined(load_settings(flags, config=config, needs_keys=False)))
    if as_json:
        say_json(report)
    else:
        click.echo(plain(as_typed("\n".join(_lines(report)))))
    return FAULT if report.faults else 0


async def _examined(loaded: LoadedSettings) -> Report:
    providers = build_providers(loaded)
    catalogue = build_catalogue(loaded, providers)
    try:
        pairs = zip(loaded.providers, providers, strict=True)
        reports = await asyncio.gather(*(_asked(configured, provider) for configured, provider in pairs))
        default = await catalogue.default_model()
        default_fault = await unserved_default(catalogue, loaded.values.default_model)
        route_faults = await unserved_targets(catalogue)
    finally:
        await catalogue.aclose()
    report = Report(
        version=__version__,
        python=f"{platform.python_version()} at {sys.executable}",
        system=platform.platform(),
        packages={name: _version(name) for name in PACKAGES},
        sqlite=sqlite3.sqlite_version,
        has_full_text_search=_has_full_text_search(),
        settings_file=None if loaded.file is None else str(loaded.file),
        settings=_settings(loaded),
        data=await asyncio.to_thread(data_report, DataFolder(loaded.values.data_dir)),
        providers=tuple(reports),
        sign_in=None if loaded.sign_in is None else await _sign_in(loaded.sign_in),
        people=await people_report(loaded, DataFolder(loaded.values.data_dir)),
        money=await money_report(loaded, DataFolder(loaded.values.data_dir), load_telemetry()),
        default_model=default,
        default_fault=default_fault,
        route_faults=route_faults,
        embedded_missing=tuple(embedded_install.missing()),
        is_page_built=(PAGE_FOLDER / "index.html").is_file(),
        faults=(),
    )
    return msgspec.structs.replace(report, faults=_faults(report))


async def _asked(configured: ConfiguredProvider, provider: BuiltProvider) -> ProviderReport:
    report = ProviderReport(
        name=configured.name,
        kind=configured.settings.kind,
        address=configured.base_url or str(configured.settings.gguf or "the small model of the package"),
        key=_key(configured),
        configured_by=configured.source,
        is_reachable=False,
    )
    if configured.fault is not None:
        return msgspec.structs.replace(report, is_asked=False, fault=configured.fault)
    begun = time.perf_counter()
    lists_models = True
    try:
        if isinstance(provider, OpenAIWireProvider):
            lists_models = await _lists_models(configured, provider)
        else:
            await provider.warm_up()  # that it is installed does not yet say that it runs
        models = await provider.models()
    except DaehwaError as error:
        has_answered = isinstance(error, ProviderError) and error.status is not None
        return msgspec.structs.replace(report, is_reachable=has_answered, fault=_fault(configured, error))
    unavailable = next((model.detail for model in models if model.state == "unavailable"), None)
    return msgspec.structs.replace(
        report,
        is_reachable=any(model.state != "unavailable" for model in models),
        models=tuple(model.id for model in models),
        lists_models=lists_models,
        round_trip_ms=round((time.perf_counter() - begun) * 1000, 1),
        fault=unavailable if models else "It serves no model.",
    )


def _key(configured: ConfiguredProvider) -> str:
    if configured.key is None:
        return "none" if configured.key_source is None else "NOT SET"
    count = len(configured.key)
    return f"set, {count} {'character' if count == 1 else 'characters'}, from {configured.key_source}"


async def _sign_in(configured: ConfiguredSignIn) -> SignInReport:
    begun = time.perf_counter()
    fault = configured.fault or await ask_identity_provider(configured)
    return SignInReport(
        issuer=configured.issuer,
        client_id=configured.client_id,
        is_secret_set=configured.secret is not None,
        round_trip_ms=round((time.perf_counter() - begun) * 1000, 1),
        fault=fault,
    )


async def _lists_models(configured: ConfiguredProvider, provider: OpenAIWireProvider) -> bool:
    """Ask an upstream for its models; where the settings name them, it is fine that it has no list."""
    try:
        await provider.listed()
    except ProviderModelError:
        if not configured.settings.models:
            raise
        return False
    return True


def _fault(configured: ConfiguredProvider, error: DaehwaError) -> str:
    if configured.key is None and configured.base_url == OPENAI_URL:
        return "No API key is set. Set OPENAI_API_KEY."
    return error.message


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _has_full_text_search() -> bool:
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("CREATE VIRTUAL TABLE probe USING fts5(text)")
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()
    return True


def _settings(loaded: LoadedSettings) -> dict[str, SettingReport]:
    values = msgspec.to_builtins(loaded.values, enc_hook=str)
    return {name: SettingReport(value=values[name], source=source) for name, source in loaded.sources.items()}


def _faults(report: Report) -> tuple[str, ...]:
    faults = [f"{provider.name}: {provider.fault}" for provider in report.providers if provider.fault]
    if report.sign_in is not None and report.sign_in.fault is not None:
        faults.append(f"sign-in: {report.sign_in.fault}")
    faults += people_faults(report.people)
    faults += data_faults(report.data)
    found = (
        report.money.telemetry_fault,
        report.default_fault,
        *report.route_faults,
    )
    faults += [fault for fault in found if fault]
    if not report.has_full_text_search:
        faults.append("This Python's SQLite has no full-text search (FTS5). Use another Python: uv python install.")
    if not report.is_page_built:
        faults.append("The page is not built. Start the program with uv run daehwa in its folder, or install it anew.")
    if report.default_model is None:
        faults.append("No model can be asked.")
    return tuple(faults)


def _lines(report: Report) -> list[str]:
    lines = [
        f"daehwa {report.version}, Python {report.python}",
        f"  system      {report.system}",
        "  packages    "
        + ", ".join(f"{name} {version or 'not installed'}" for name, version in report.packages.items()),
        f"  SQLite      {report.sqlite}, full-text search {'yes' if report.has_full_text_search else 'NO'}",
        f"  page        {'built' if report.is_page_built else 'NOT BUILT'}",
        f"  settings    {report.settings_file or 'no file'}",
    ]
    lines += [
        f"              {name} = {json.dumps(setting.value, ensure_ascii=False)} ({setting.source})"
        for name, setting in report.settings.items()
        if setting.source != "default"
    ]
    lines += [
        *data_lines(report.data),
        "  embedded    "
        + (f"missing: {', '.join(report.embedded_missing)}" if report.embedded_missing else "installed"),
    ]
    for provider in report.providers:
        lines += _provider_lines(provider)
    lines += [*sign_in_lines(report.sign_in, report.people), *money_lines(report.money)]
    lines.append(f"  default     {report.default_model or 'no model can be asked'}")
    lines += (
        ["", "To put right:", *(f"  - {fault}" for fault in report.faults)] if report.faults else ["", "All is well."]
    )
    return lines


def _provider_lines(provider: ProviderReport) -> list[str]:
    if not provider.is_asked:
        answer = "not asked"
    elif provider.kind == "embedded":
        answer = "runs" if provider.is_reachable else "CANNOT ANSWER"
    else:
        answer = "reachable" if provider.is_reachable else "NOT REACHABLE"
    answer += f", {provider.round_trip_ms} ms" if provider.is_reachable and provider.round_trip_ms else ""
    answer += "" if provider.lists_models else ", lists no models"
    shown = ", ".join(provider.models[:MODELS_SHOWN])
    more = f" and {len(provider.models) - MODELS_SHOWN} more" if len(provider.models) > MODELS_SHOWN else ""
    return [
        f"  provider    {provider.name}: {provider.address} ({provider.configured_by})",
        f"              key: {provider.key}; {answer}",
        f"              models: {shown or 'none'}{more}",
    ]
