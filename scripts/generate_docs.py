"""Writes the generated parts of the pages in docs/; `--check` only says which are stale.

A generated part stands between two comments, `<!-- generated: NAME -->` and `<!-- end -->`.
"""

import re
import statistics
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
import msgspec

from daehwa.cli.commands import cli
from daehwa.cli.deploy import deploy
from daehwa.cli.key import key
from daehwa.cli.user import user
from daehwa.deployment.configuration import DeploymentSettings
from daehwa.deployment.configuration_file import flag_of
from daehwa.deployment.costs import PRICES, CostLine, idle_costs, stored_costs, tab_cost, total, turn_costs
from daehwa.providers.listing import PREFERRED
from daehwa.settings import PREFIX, ProviderSettings, Settings
from daehwa.settings.entrances import MailTable, SignInTable
from daehwa.settings.mail import VARIABLES as MAIL_VARIABLES
from daehwa.settings.money import PriceSettings
from daehwa.settings.routes import RouteSettings
from daehwa.settings.sign_in import VARIABLES
from daehwa.settings.values import allowed_values, meta_of

ROOT = Path(__file__).resolve().parents[1]
PART = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

# What the READMEs show of the newest whole run: by whom, and which figures.
RESULTS = ROOT / "docs" / "benchmark" / "results.json"
MEASURED = ("daehwa", "daehwa with uvloop", "nginx", "bare relay", "naive stack", "LiteLLM proxy", "Open WebUI")
BUSY = 1.5
"""The load before a run from which on its figures are of the other work as well, and not for a README."""
WHEN = "Medians of the run of {date} on {processors}; the load before it was {load}."
WHEN_KOREAN = "{date}에 {processors}에서 잰 중앙값입니다. 재기 직전의 부하는 {load}{was}."
# Digits as they are read (영, 일, 이 …): after a consonant the past of 이다 is longer, after a vowel it is not.
_AFTER_A_CONSONANT = "013678"
KOREAN_NAMES = {"daehwa with uvloop": "daehwa + uvloop"}
FIGURES = (
    ("first", "first token, added to the direct call, ms", "직접 호출에 더해지는 첫 토큰 시간, ms"),
    ("cpu_few", "CPU a streamed chunk, 10 streams, µs", "스트림 10개일 때 조각당 CPU, µs"),
    (
        "held",
        "streams of 50 tokens/s held by one processor, at least",
        "프로세서 하나가 버티는 초당 50토큰 스트림 수(최소)",
    ),
    ("whole", "whole answers a second", "초당 온전한 답변 수"),
    ("ready", "start until it answers, ms", "시작부터 응답할 때까지, ms"),
    ("idle", "memory when idle, MB", "쉴 때의 메모리, MB"),
    ("size", "installed, MB", "설치 크기, MB"),
)


def settings_table() -> str:
    """Return the top-level settings as a table."""
    rows = [
        (
            f"`{field.name}`",
            f"`{PREFIX}{field.name.upper()}`",
            _default(field),
            allowed_values(field),
            _description(field),
        )
        for field in msgspec.structs.fields(Settings)
    ]
    return _table(("in daehwa.toml", "environment", "default", "allowed", "what it does"), rows)


def providers_table() -> str:
    """Return the settings of a provider as a table."""
    rows = [
        (f"`{field.name}`", _default(field), allowed_values(field), _description(field))
        for field in msgspec.structs.fields(ProviderSettings)
    ]
    return _table(("in `[[providers]]`", "default", "allowed", "what it does"), rows)


def prices_table() -> str:
    """Return the settings of a price as a table."""
    rows = [
        (f"`{field.name}`", allowed_values(field), _description(field))
        for field in msgspec.structs.fields(PriceSettings)
    ]
    return _table(("in `[[prices]]`", "allowed", "what it does"), rows)


def routes_table() -> str:
    """Return the settings of an alias as a table."""
    rows = [
        (f"`{field.name}`", allowed_values(field), _description(field))
        for field in msgspec.structs.fields(RouteSettings)
    ]
    return _table(("in `[[routes]]`", "allowed", "what it does"), rows)


def sign_in_table() -> str:
    """Return the settings of signing in as a table."""
    rows = [
        (f"`{field.name}`", f"`{VARIABLES}{field.name.upper()}`", allowed_values(field), _description(field))
        for field in msgspec.structs.fields(SignInTable)
    ]
    return _table(("in `[sign_in]`", "environment", "allowed", "what it does"), rows)


def mail_table() -> str:
    """Return the settings of the mail server as a table."""
    rows = [
        (f"`{field.name}`", f"`{MAIL_VARIABLES}{field.name.upper()}`", allowed_values(field), _description(field))
        for field in msgspec.structs.fields(MailTable)
    ]
    return _table(("in `[smtp]`", "environment", "allowed", "what it does"), rows)


def preferred_models() -> str:
    """Return the models that are the default where they are served, as one line."""
    return ", ".join(f"`{name}`" for name in PREFERRED) + "\n"


def commands() -> str:
    """Return `--help` of the program and of each command."""
    pages: list[tuple[str, click.Command]] = [("daehwa", cli)]
    pages += [
        (f"daehwa {name}", command)
        for name, command in cli.commands.items()
        if name not in {key.name, user.name, deploy.name}
    ]
    # The program imports them only when they are called.
    for group in (key, user, deploy):
        pages.append((f"daehwa {group.name}", group))
        pages += ((f"daehwa {group.name} {name}", below) for name, below in group.commands.items())
    return "\n\n".join(f"## `{name} --help`\n\n```text\n{_help(name, command)}\n```" for name, command in pages) + "\n"


def deployment_settings() -> str:
    """Return the choices of `daehwa deploy` as a table."""
    rows = [
        (
            f"`{field.name}`",
            f"`{flag_of(field.name)}`" + (f", `--no-{flag_of(field.name)[2:]}`" if _is_yes_or_no(field) else ""),
            _default(field),
            allowed_values(field),
            _description(field),
        )
        for field in msgspec.structs.fields(DeploymentSettings)
    ]
    return _table(("in daehwa-aws.toml", "flag", "default", "allowed", "what it does"), rows)


def aws_costs() -> str:
    """Return what the AWS home costs: idle, in use, for what is stored, and for what can be chosen beside."""
    plain, full = DeploymentSettings(), DeploymentSettings(snap_start=True, waf=True)
    chosen = tuple(line for line in idle_costs(full) if line not in idle_costs(plain))
    rows = [
        *_cost_rows("a month in which nobody comes", idle_costs(plain)),
        *_cost_rows("1,000 turns of 10 s, as if nothing were free", turn_costs(plain)),
        ("**a tab left open in sight for a day, nobody at it**", f"**{tab_cost(plain):.3f}**", ""),
        *_cost_rows("a month of 1 GB of conversations, as if nothing were free", stored_costs(1, is_tier_free=False)),
        *_cost_rows("a month of what can be chosen beside", chosen),
    ]
    return _table(("", "US dollars", ""), rows)


def aws_prices() -> str:
    """Return AWS's prices, and what of each is free for ever."""
    p, million = PRICES, 1e6
    rows = [
        (
            "Lambda, arm64: 1,000 GB-seconds",
            p.lambda_gigabyte_second * 1000,
            f"{p.free_lambda_gigabyte_seconds:,.0f} GB-seconds",
        ),
        ("Lambda: a million requests", p.lambda_request * million, f"{p.free_lambda_requests:,.0f} requests"),
        ("API Gateway: a million requests", p.gateway_request * million, ""),
        ("CloudFront: a million requests", p.edge_request * million, f"{p.free_edge_requests:,.0f} requests"),
        ("CloudFront: a GB to browsers", p.edge_gigabyte, f"{p.free_edge_gigabytes:,.0f} GB"),
        (
            "CloudFront: a million calls of its function",
            p.edge_function_call * million,
            f"{p.free_edge_function_calls:,.0f} calls",
        ),
        ("DynamoDB: a million write units", p.write_unit * million, ""),
        ("DynamoDB: a million read units", p.read_unit * million, ""),
        ("DynamoDB: a GB stored", p.table_gigabyte_month, f"{p.free_table_gigabytes:.0f} GB"),
        ("DynamoDB: a GB kept for recovery", p.recovery_gigabyte_month, ""),
        ("S3: a GB stored", p.page_gigabyte_month, ""),
        ("S3: a thousand writes", p.page_thousand_writes, ""),
        ("S3: a thousand reads", p.page_thousand_reads, ""),
        ("Cognito: a person who signs in", p.person_month, f"{p.free_people:,} people"),
        ("CloudWatch: a GB of logs", p.log_gigabyte, f"{p.free_log_gigabytes:.0f} GB"),
        ("CloudWatch: an alarm", p.alarm_month, f"{p.free_alarms} alarms"),
        ("CloudWatch: a metric made of logs", p.made_metric_month, f"{p.free_made_metrics} metrics"),
        ("CloudWatch: a dashboard", p.dashboard_month, f"{p.free_dashboards} dashboards"),
    ]
    shown = [(what, f"{price:.4f}".rstrip("0").ljust(4, "0"), free or "**nothing**") for what, price, free in rows]
    return _table(("a month", "US dollars", "free for ever, an account and month"), shown)


def benchmark() -> str:
    """Return what the newest whole run of the benchmark found, for the README."""
    return _benchmark({key: english for key, english, _ in FIGURES}, {}, WHEN)


def benchmark_korean() -> str:
    """Return the same for the Korean README."""
    return _benchmark({key: korean for key, _, korean in FIGURES}, KOREAN_NAMES, WHEN_KOREAN)


PARTS: dict[str, Callable[[], str]] = {
    "settings": settings_table,
    "providers": providers_table,
    "sign-in": sign_in_table,
    "mail": mail_table,
    "prices": prices_table,
    "routes": routes_table,
    "preferred-models": preferred_models,
    "commands": commands,
    "deployment-settings": deployment_settings,
    "aws-costs": aws_costs,
    "aws-prices": aws_prices,
    "benchmark": benchmark,
    "benchmark-korean": benchmark_korean,
}
PAGES = ("docs/settings.md", "docs/cli.md", "docs/aws.md", "README.md", "README.ko.md")


def was_in_korean(number: str) -> str:
    """Return "was" as it stands after a number; one that ends with zeros ends with 영, 십, 백, 천 or 만: consonants."""
    return "이었습니다" if number[-1] in _AFTER_A_CONSONANT else "였습니다"


def generated(text: str) -> str:
    """Return a page with its generated parts made anew."""
    return PART.sub(lambda found: found[1] + "\n" + PARTS[found["name"]]() + "\n" + found[3], text)


def stale_pages() -> list[str]:
    """Return the pages that are not as they should be."""
    return [page for page in PAGES if (text := (ROOT / page).read_text("utf-8")) != generated(text)]


def _benchmark(titles: dict[str, str], names: dict[str, str], when: str) -> str:
    results: dict[str, Any] = msgspec.json.decode(RESULTS.read_bytes())
    about, rows = results["about"], results["rows"]
    if float(about["load before"]) > BUSY:
        msg = f"{RESULTS.relative_to(ROOT)} is of a busy machine (load {about['load before']}): measure on a quiet one"
        raise SystemExit(msg)
    lines = [
        (title, *(_median(rows[key]["values"].get(name, []), rows[key]["measure"]["digits"]) for name in MEASURED))
        for key, title in titles.items()
        if key in rows
    ]
    load = str(about["load before"])
    said = when.format(date=about["date"], processors=about["processors"], load=load, was=was_in_korean(load))
    table = _table(("", *(names.get(name, name) for name in MEASURED)), lines)
    return f"{said}\n\n{table}"


def _median(values: list[float], digits: int) -> str:
    return f"{statistics.median(values):,.{digits}f}" if values else "–"


def _help(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name, terminal_width=100, max_content_width=100)
    return command.get_help(context).rstrip()


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.name == "data_dir":
        return "the platform's data folder"
    if field.required:
        return "must be given"
    value: Any = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    shown = {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value
    return f"`{shown}`" if shown not in (None, (), {}) else "none"


def _is_yes_or_no(field: msgspec.structs.FieldInfo) -> bool:
    return isinstance(field.default, bool)


def _cost_rows(what: str, lines: tuple[CostLine, ...]) -> list[tuple[str, ...]]:
    head = (f"**{what}**", f"**{total(lines):.3f}**", "")
    return [head, *((line.what, f"{line.dollars:.3f}", line.note) for line in lines)]


def _description(field: msgspec.structs.FieldInfo) -> str:
    return meta_of(field).description or ""


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def main() -> int:
    """Write the pages, or with `--check` name the stale ones."""
    stale = stale_pages()
    for page in stale:
        if "--check" not in sys.argv:
            (ROOT / page).write_text(generated((ROOT / page).read_text("utf-8")), "utf-8")
        print(f"{'stale' if '--check' in sys.argv else 'written'}: {page}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
