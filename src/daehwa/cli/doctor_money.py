"""The doctor's lines on keys, budgets, routes, circuits and telemetry."""

from collections.abc import Iterator

from daehwa.conversation.budget import dollars
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
    elif report.circuits_fault is not None:
        yield f"  circuits    not told: {report.circuits_fault}"
    yield f"  telemetry   /metrics for Prometheus; OpenTelemetry: {' and '.join(report.sends) or 'off'}"
    yield f"  prices      {report.prices}, and the settings'"


def _budget(budget: BudgetReport) -> str:
    limit = dollars(budget.limit)
    if budget.is_of_each:
        state = f"each their own of {limit}"
    elif budget.spent is None:
        state = f"{limit}, and what is spent cannot be read"
    else:
        state = f"{dollars(budget.spent)} spent of {limit}"
    return f"{budget.scope}, {budget.period}: {state}"
