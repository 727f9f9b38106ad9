"""The doctor's lines on keys, budgets, routes, circuits and telemetry."""

from collections.abc import Iterator

from daehwa.services.money_report import BudgetReport, MoneyReport


def money_lines(report: MoneyReport) -> Iterator[str]:
    """Yield the lines of the report."""
    yield f"  keys        {report.live_keys or 'none'}{' live' if report.live_keys else ''}"
    budgets = [_budget(budget) for budget in report.budgets] or ["none"]
    yield f"  budgets     {budgets[0]}"
    yield from (f"              {budget}" for budget in budgets[1:])
    for name, models in report.routes.items():
        yield f"  route       {name}: {', '.join(models)}"
    if report.circuits is not None:
        states = ", ".join(f"{name} {state.replace('_', ' ')}" for name, state in report.circuits.items())
        yield f"  circuits    {states or 'none'}"
    yield f"  telemetry   /metrics for Prometheus; OpenTelemetry: {' and '.join(report.sends) or 'off'}"
    yield f"  prices      {report.prices}, and the settings'"


def _budget(budget: BudgetReport) -> str:
    spent = "each their own" if budget.spent is None else f"{_dollars(budget.spent)} spent"
    return f"{budget.scope}, {budget.period}: {spent} of {_dollars(budget.limit)}"


def _dollars(micro: int) -> str:
    return f"${micro // 1_000_000:,}.{micro % 1_000_000 // 10_000:02d}"
