"""What the AWS home costs: one table of prices with its date, and what follows from it for idling, turns and storage.

Prices are those of us-east-1 in US dollars, without tax; other regions differ by up to a third. An always-free tier
never ends, and is one account's: what else runs there shares it.
"""

import msgspec

from daehwa.deployment.configuration import DeploymentSettings

PRICES_OF = "2026-11"
PRICES_REGION = "us-east-1"
MONTH_SECONDS = 730 * 3600


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """AWS's prices in US dollars. `free_*` is what an account has each month, for ever, without paying."""

    lambda_gigabyte_second: float = 0.0000133334  # arm64
    lambda_request: float = 0.20e-6
    free_lambda_gigabyte_seconds: float = 400_000
    free_lambda_requests: float = 1_000_000
    snap_start_gigabyte_second: float = 0.0000015046
    snap_start_restored_gigabyte: float = 0.0001397998
    gateway_request: float = 3.50e-6  # a REST API's; nothing is free for ever
    edge_request: float = 1.0e-6  # CloudFront, HTTPS
    edge_gigabyte: float = 0.085
    free_edge_requests: float = 10_000_000
    free_edge_gigabytes: float = 1_000
    edge_function_call: float = 0.10e-6
    free_edge_function_calls: float = 2_000_000
    write_unit: float = 0.625e-6  # DynamoDB, on demand
    read_unit: float = 0.125e-6
    table_gigabyte_month: float = 0.25
    free_table_gigabytes: float = 25
    recovery_gigabyte_month: float = 0.20  # to any second of 35 days; nothing is free
    log_gigabyte: float = 0.50
    log_gigabyte_month: float = 0.03
    free_log_gigabytes: float = 5
    alarm_month: float = 0.10
    free_alarms: int = 10
    made_metric_month: float = 0.30  # by a filter, of logs
    free_made_metrics: int = 10
    dashboard_month: float = 3.00
    free_dashboards: int = 3
    page_gigabyte_month: float = 0.023  # S3
    page_thousand_writes: float = 0.005
    page_thousand_reads: float = 0.0004
    person_month: float = 0.015  # Cognito Essentials, for each who signs in within the month
    free_people: int = 10_000
    firewall_month: float = 5.00
    firewall_rule_month: float = 1.00


PRICES = Prices()


class Sitting(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody does at the page, from which follow the requests beside the turns.

    While it is in sight, the page looks at the list every three minutes (LOOK_AGAIN_ON_AWS in its code) and at each
    return to its tab, when it asks for the models too; a look that finds a finished answer loads the conversation.
    """

    turns: int = 10
    minutes: float = 20.0
    opening: int = 4  # who, models, list, the conversation
    files: int = 6  # on the first visit; later the browser has most of them
    look_minutes: float = 3.0
    returns: int = 3

    @property
    def looks(self) -> float:
        """How often the list is asked for, after the opening."""
        return self.minutes / self.look_minutes + self.returns

    @property
    def loads(self) -> float:
        """How often the conversation is asked for, after the opening."""
        return min(self.turns, self.looks)

    @property
    def requests(self) -> float:
        """How many requests reach the API, turns among them."""
        return self.turns + self.opening + self.looks + self.loads + self.returns


class TurnUnits(msgspec.Struct, frozen=True, kw_only=True):
    """What a turn of 10 s uses, whose answer is 2,000 Korean letters, which is the dearest, and its share of a sitting.

    Units were counted from real calls (benchmarks/dynamodb_units.py, DynamoDB Local, 2026-11-22).
    """

    seconds: float = 10.0
    sitting: Sitting = Sitting()
    other_request_seconds: float = 0.05  # what a request that is no turn takes
    write_units: float = 20.0  # 17 to 18 in English; 8 more with one budget, 12 more with two
    turn_read_units: float = 5.0
    who_read_units: float = 2.0  # of each request
    list_read_units: float = 2.0
    load_read_units: float = 4.0  # 20 messages
    turn_kilobytes: float = 30.0
    other_kilobytes: float = 10.0  # 50 conversations, or one
    request_log_kilobytes: float = 1.0  # a line of API Gateway's, four of the function's

    @property
    def requests(self) -> float:
        """Requests to the API for each turn."""
        return self.sitting.requests / self.sitting.turns

    @property
    def read_units(self) -> float:
        """Units read for each turn."""
        at, turns = self.sitting, self.sitting.turns
        lists, loads = (at.looks + 1) / turns, (at.loads + 1) / turns
        listed, loaded = self.list_read_units * lists, self.load_read_units * loads
        return self.turn_read_units + self.who_read_units * self.requests + listed + loaded


class CostLine(msgspec.Struct, frozen=True):
    """One part of a sum in US dollars, and what to know of it."""

    what: str
    dollars: float
    note: str = ""


STACK_ALARMS = 8
"""How many metrics the stack's alarms watch."""
STACK_MADE_METRICS = 1
"""How many metrics are made of logs, beside those that AWS has of itself: the first byte's."""
KEPT_MEGABYTES = 40
"""The page with its former builds, and the function's zips that CDK keeps in its bucket."""
FIREWALL_RULES = 2


def turn_costs(settings: DeploymentSettings, units: TurnUnits | None = None, turns: int = 1000) -> tuple[CostLine, ...]:
    """Return what so many turns cost beside the model's tokens, as if nothing were free."""
    used, p = units or TurnUnits(), PRICES
    gigabytes = settings.memory / 1024
    others = used.requests - 1
    busy = used.seconds + others * used.other_request_seconds
    free_turns = int(p.free_lambda_gigabyte_seconds / (busy * gigabytes))
    function = gigabytes * busy * p.lambda_gigabyte_second + used.requests * p.lambda_request
    kilobytes = used.turn_kilobytes + others * used.other_kilobytes
    files = used.sitting.files / used.sitting.turns
    edge = (used.requests + files) * (p.edge_request + p.edge_function_call)
    edge += kilobytes / 1e6 * p.edge_gigabyte
    logs = used.requests * used.request_log_kilobytes
    table = used.write_units * p.write_unit + used.read_units * p.read_unit
    return (
        CostLine(
            f"Lambda, {settings.memory} MiB, {used.seconds:g} s each",
            function * turns,
            f"about {free_turns:,} turns a month are free",
        ),
        CostLine(f"API Gateway, {used.requests:.1f} requests each", used.requests * p.gateway_request * turns),
        CostLine(
            f"DynamoDB, {used.write_units:g} write and {used.read_units:.0f} read units each",
            table * turns,
        ),
        CostLine("CloudFront", edge * turns, f"the first {p.free_edge_requests / 1e6:.0f} million requests are free"),
        CostLine("logs", logs / 1e6 * p.log_gigabyte * turns, f"{p.free_log_gigabytes:.0f} GB are free"),
    )


def tab_cost(settings: DeploymentSettings, units: TurnUnits | None = None) -> float:
    """Return what a tab costs that is open and in sight for a day, with nobody at it, as if nothing were free."""
    used, p = units or TurnUnits(), PRICES
    function = settings.memory / 1024 * used.other_request_seconds * p.lambda_gigabyte_second + p.lambda_request
    edge = p.edge_request + p.edge_function_call + used.other_kilobytes / 1e6 * p.edge_gigabyte
    read = (used.who_read_units + used.list_read_units) * p.read_unit
    look = p.gateway_request + function + edge + read + used.request_log_kilobytes / 1e6 * p.log_gigabyte
    return look * 24 * 60 / used.sitting.look_minutes


def idle_costs(settings: DeploymentSettings) -> tuple[CostLine, ...]:
    """Return what a month costs in which nobody comes."""
    p = PRICES
    alarms = max(0, STACK_ALARMS - p.free_alarms) * p.alarm_month
    made_metrics = max(0, STACK_MADE_METRICS - p.free_made_metrics) * p.made_metric_month
    lines = [
        CostLine("Lambda, API Gateway, CloudFront, DynamoDB", 0.0, "paid by use"),
        CostLine("the key in SSM, with AWS's own encryption key", 0.0, "free"),
        CostLine(
            f"alarms on {STACK_ALARMS} metrics, a dashboard",
            alarms,
            f"an account has {p.free_alarms} metrics and {p.free_dashboards} dashboards free; beyond that "
            f"${p.alarm_month:.2f} and ${p.dashboard_month:.2f} each",
        ),
        CostLine(
            "a metric made of the access log, the first byte's",
            made_metrics,
            f"an account has {p.free_made_metrics} free, then ${p.made_metric_month:.2f} each",
        ),
    ]
    if settings.issuer is None:
        note = f"{p.free_people:,} people a month are free, then ${p.person_month} each"
        lines.append(CostLine("sign-in by Cognito", 0.0, note))
    stored = KEPT_MEGABYTES / 1000 * p.page_gigabyte_month
    lines.append(CostLine("S3: the page, and the function's zips", stored, f"about {KEPT_MEGABYTES} MB; never free"))
    if settings.snap_start:
        kept = settings.memory / 1024 * p.snap_start_gigabyte_second * MONTH_SECONDS
        lines.append(CostLine("SnapStart's copy of the function", kept, "chosen by snap_start"))
    if settings.waf:
        wall = p.firewall_month + FIREWALL_RULES * p.firewall_rule_month
        lines.append(CostLine("web firewall", wall, "chosen by waf"))
    return tuple(lines)


def stored_costs(gigabytes: float, *, is_tier_free: bool = True) -> tuple[CostLine, ...]:
    """Return what a month of stored conversations costs; `is_tier_free` where nothing else uses the free 25 GB."""
    p = PRICES
    paid = max(0.0, gigabytes - p.free_table_gigabytes) if is_tier_free else gigabytes
    return (
        CostLine("DynamoDB's table", paid * p.table_gigabyte_month, f"{p.free_table_gigabytes:.0f} GB are free"),
        CostLine("its recovery to any second of 35 days", gigabytes * p.recovery_gigabyte_month, "never free"),
    )


def total(lines: tuple[CostLine, ...]) -> float:
    """Return the sum."""
    return sum(line.dollars for line in lines)


def estimate(settings: DeploymentSettings, units: TurnUnits | None = None) -> list[str]:
    """Return the estimate as lines for the person who is about to deploy."""
    idle, turns, stored = idle_costs(settings), turn_costs(settings, units), stored_costs(1, is_tier_free=False)
    lines = [f"Estimate of cost, prices of {PRICES_REGION} as of {PRICES_OF}, without tax and the model's tokens:"]
    lines += _table("a month in which nobody comes", idle)
    lines += _table("1,000 turns of 10 s", turns)
    free, at = PRICES.free_table_gigabytes, (units or TurnUnits()).sitting
    lines.append(f"    (ten at a sitting of {at.minutes:g} minutes, with opening the page and its looks at the list)")
    lines.append(f"  {'a tab left open in sight for a day':<58} ${tab_cost(settings, units):7.3f}")
    lines.append(
        f"  {'a month of 1 GB of conversations':<58} ${total(stored):7.3f}  "
        f"${stored[1].dollars:.2f} of it for recovery; of the rest {free:.0f} GB are free"
    )
    return lines


def _table(what: str, lines: tuple[CostLine, ...]) -> list[str]:
    head = f"  {what:<58} ${total(lines):7.3f}"
    return [head, *(f"    {line.what:<56} ${line.dollars:7.3f}  {line.note}".rstrip() for line in lines)]
