"""The commands: serve (the default), ask, key, deploy and more. Each is imported when it is called."""

from pathlib import Path
from typing import Any

import click

from daehwa import __version__
from daehwa.cli.options import FILE, config_option, data_dir_option, place_options
from daehwa.settings import program_name

DEFAULT_COMMAND = "serve"


class DefaultingGroup(click.Group):
    """A group that serves when no command is named, and says which command a wrong name may have meant."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command before options that are not the group's own."""
        if not args or (args[0].startswith("-") and args[0] not in {"--help", "--version"}):
            args = [DEFAULT_COMMAND, *args]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[Any, Any, list[str]]:
        """Find a command, or say what there is."""
        if args[0] not in self.commands:
            import difflib  # noqa: PLC0415 - for this alone

            near = difflib.get_close_matches(args[0], self.commands, 1)
            meant = f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(self.commands)}."
            ask = f' To ask a model: {program_name()} ask "{" ".join(args)}"' if not near else ""
            raise click.UsageError(f"There is no command '{args[0]}'. {meant}{ask}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=DefaultingGroup, context_settings={"max_content_width": 100})
@click.version_option(__version__, message="daehwa %(version)s")
def cli() -> None:
    """daehwa: your own ChatGPT on this machine.

    Without a command it serves the page, as `daehwa serve` does, and takes its options.
    """


@cli.command()
@click.option("--port", type=int, metavar="N", help="The port to listen on; 0 takes any free one. [8000]")
@click.option("--host", metavar="ADDRESS", help="The address to listen on. [127.0.0.1]")
@click.option("--no-open", is_flag=True, help="Do not open the page in a browser.")
@data_dir_option
@config_option
@click.option("--log-json", is_flag=True, default=None, help="Log one JSON object a line.")
@click.option(
    "--accounts",
    is_flag=True,
    default=None,
    help="People sign in by accounts of this server's own; the first start prints a link for the first admin.",
)
@click.option(
    "--allow-unprotected",
    is_flag=True,
    default=None,
    help="Listen on an address that others can reach, although there is no sign-in: they read and write everything.",
)
def serve(*, no_open: bool, config: Path | None, **flags: Any) -> int:
    """Serve the page on this machine until Ctrl-C."""
    from daehwa.cli.serve import run_server  # noqa: PLC0415 - a command brings its own imports

    return run_server({**flags, "open_browser": "no" if no_open else None}, config)


@cli.command()
@click.argument("question", nargs=-1)
@click.option("--model", metavar="MODEL", help="The model to ask: its id or its name.")
@click.option(
    "--image",
    "images",
    metavar="FILE",
    type=click.Path(path_type=Path),
    multiple=True,
    help="An image that the question shows: PNG, JPEG, WebP or GIF. Up to 8 of them, 4 MB together.",
)
@click.option("--continue", "goes_on", is_flag=True, help="Go on with the last conversation.")
@data_dir_option
@config_option
def ask(
    question: tuple[str, ...],
    *,
    model: str | None,
    images: tuple[Path, ...],
    goes_on: bool,
    data_dir: Path | None,
    config: Path | None,
) -> int:
    """Ask a model; its answer streams to standard output.

    Text from a pipe is the question, or follows it: `git diff | daehwa ask "What does this change?"`. The conversation
    is kept where the page's are. Ctrl-C stops the answer and keeps what came.
    """
    from daehwa.cli.ask import Asked, ask_model  # noqa: PLC0415 - as above

    asked = Asked(question=" ".join(question), model=model, goes_on=goes_on, images=images)
    return ask_model(asked, {"data_dir": data_dir}, config)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
@data_dir_option
@config_option
def doctor(*, as_json: bool, data_dir: Path | None, config: Path | None) -> int:
    """Say what is configured, what can be reached and where data lies. Keys are never shown."""
    from daehwa.cli.doctor import examine  # noqa: PLC0415 - as above

    return examine({"data_dir": data_dir}, config, as_json=as_json)


@cli.command()
def fetch_model() -> None:
    """Fetch the small model and its engine, where they are missing."""
    from daehwa.cli.fetch import fetch  # noqa: PLC0415 - as above

    fetch()


@cli.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def deploy(arguments: tuple[str, ...]) -> int:
    """Deploy to AWS; status, set-key, invite, smoke and destroy belong to it."""
    from daehwa.cli.deploy import deploy as commands  # noqa: PLC0415 - as above; its flags are many

    code: int | None = commands.main(list(arguments), prog_name="daehwa deploy", standalone_mode=False)
    return code or 0


@cli.command(name="export")
@click.argument("file", type=FILE)
@click.option("--owner", metavar="USER", help="Whose conversations: a login, e-mail address or id. [everybody's]")
@place_options
def export_command(*, file: Path, owner: str | None, **place: Any) -> int:
    """Write all conversations into FILE, archived ones too; `-` is standard output.

    `daehwa import` reads it, here or at another home: both ways between a laptop and AWS.
    """
    from daehwa.cli.place import Place  # noqa: PLC0415 - as above
    from daehwa.cli.transfer import export_to_file  # noqa: PLC0415 - as above

    return export_to_file(file, Place(**place), owner=owner)


@cli.command(name="import")
@click.argument("file", type=FILE)
@click.option("--owner", metavar="USER", help="Whose they are to be. [whose they were, by e-mail address]")
@place_options
def import_command(*, file: Path, owner: str | None, **place: Any) -> int:
    """Store the conversations of FILE; `-` is standard input.

    FILE is what `daehwa export` wrote, or an export of ChatGPT, Claude, Open WebUI or LibreChat: the ZIP, or its JSON.

    What is there already stays as it is: the same import can be run again.
    """
    from daehwa.cli.place import Place  # noqa: PLC0415 - as above
    from daehwa.cli.transfer import import_from_file  # noqa: PLC0415 - as above

    return import_from_file(file, Place(**place), owner=owner)


@cli.command()
@click.argument("file", type=FILE)
@data_dir_option
@config_option
def backup(*, file: Path, data_dir: Path | None, config: Path | None) -> int:
    """Copy the database into FILE, a new one; the server may run meanwhile.

    All that is kept is in it: conversations, people, keys, groups, the ledger and the audit log. `daehwa restore` puts
    it back.
    """
    from daehwa.cli.backup import back_up  # noqa: PLC0415 - as above
    from daehwa.cli.place import Place, folder_of  # noqa: PLC0415 - as above

    return back_up(file, folder_of(Place(data_dir=data_dir, config=config)))


@cli.command()
@click.argument("file", type=FILE)
@data_dir_option
@config_option
def restore(*, file: Path, data_dir: Path | None, config: Path | None) -> int:
    """Put FILE, a copy of the database, in its place; end the server before.

    FILE is looked at first. What was there is kept beside it under another name, with its log: a copy put beside a log
    (-wal) that is not its own would be damaged by it. All sessions end; keys that were revoked and people who were
    disabled since FILE was made are let in again, until that is done once more.
    """
    from daehwa.cli.place import Place  # noqa: PLC0415 - as above
    from daehwa.cli.restore import restore_copy  # noqa: PLC0415 - as above

    return restore_copy(file, Place(data_dir=data_dir, config=config))


@cli.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def key(arguments: tuple[str, ...]) -> int:
    """Make, list and revoke API keys, by which programs ask here."""
    from daehwa.cli.key import key as commands  # noqa: PLC0415 - as above

    code: int | None = commands.main(list(arguments), prog_name="daehwa key", standalone_mode=False)
    return code or 0


@cli.command()
@click.option("--since", metavar="DAY", help="The first day, such as 2027-01-01, in UTC. [29 days before the last]")
@click.option("--until", metavar="DAY", help="The last day. [today]")
@click.option("--user", metavar="USER", help="Whose: a login, e-mail address or id. [everybody's]")
@click.option(
    "--by",
    type=click.Choice(["day", "user", "key", "model", "kind", "group"]),
    metavar="WHAT",
    help="Sum it up by day, user, key, model, kind or group. [all but groups apart]",
)
@click.option("--csv", "as_csv", is_flag=True, help="The page's CSV, for spreadsheets.")
@click.option("--json", "as_json", is_flag=True, help="JSON, for programs: what GET /api/usage answers.")
@place_options
def usage(
    *,
    since: str | None,
    until: str | None,
    user: str | None,
    by: str | None,
    as_csv: bool,
    as_json: bool,
    **place: Any,
) -> int:
    """Say what was used and what it cost, by day, user, key, model and kind.

    A server may be running meanwhile. At most 400 days at once. A group's is what those used who were in it at the
    time; the calls of somebody in several groups count in each of them, and once in the sum below.
    """
    from daehwa.cli.place import Place  # noqa: PLC0415 - as above
    from daehwa.cli.usage import Asked, form_of, tell_usage  # noqa: PLC0415 - as above

    form = form_of(as_csv=as_csv, as_json=as_json, by=by)
    return tell_usage(Asked(since=since, until=until, user=user, by=by), Place(**place), form)


@cli.command()
@click.argument("text", required=False)
@click.option("--ko", "korean", metavar="TEXT", help="The same in Korean; TEXT alone is shown to everybody.")
@click.option("--until", metavar="MOMENT", help="When it is over, such as '2027-01-31 18:00', in this machine's time.")
@click.option("--take-down", is_flag=True, help="Tell nobody anything any more.")
@place_options
def announce(*, text: str | None, korean: str | None, until: str | None, take_down: bool, **place: Any) -> int:
    """Tell everybody one line at the top of the page; without TEXT, say what is announced.

    Plain text of at most 200 characters. A server may be running meanwhile. Everybody sees it with their next visit,
    until it is over or they put it away.
    """
    from daehwa.cli.announce import Asked, tell_everybody  # noqa: PLC0415 - as above
    from daehwa.cli.place import Place  # noqa: PLC0415 - as above

    asked = Asked(english=text, korean=korean, until=until, take_down=take_down)
    return tell_everybody(asked, Place(**place))


@cli.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def user(arguments: tuple[str, ...]) -> int:
    """List and invite people, reset passwords, let people in or not."""
    from daehwa.cli.user import user as commands  # noqa: PLC0415 - as above

    code: int | None = commands.main(list(arguments), prog_name="daehwa user", standalone_mode=False)
    return code or 0
