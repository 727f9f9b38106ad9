"""`daehwa deploy` and what belongs to it: status, set-key, invite, smoke, destroy. Each is imported when called."""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from daehwa.cli.terminal import Refusal, tell
from daehwa.deployment.configuration_file import FILE_NAME, Asked, fields, flag_of
from daehwa.deployment.errors import DeploymentError
from daehwa.settings import line_with_extra
from daehwa.settings.values import YES_NO, allowed_values, meta_of

NEEDED = ("aws_cdk", "boto3", "aiodynamo", "joserfc")
PLACE = ("name", "region")
_Command = TypeVar("_Command", bound=click.Command)
_METAVARS = {
    "admin_email": "EMAIL",
    "alarm_email": "EMAIL",
    "allowed_emails": "EMAILS",
    "base_url": "URL",
    "certificate": "ARN",
    "default_model": "MODEL",
    "domain": "HOST",
    "issuer": "URL",
    "models": "MODELS",
    "monthly_budget": "DOLLARS",
    "memory": "MIB",
    "python": "VERSION",
    "turn_seconds": "SECONDS",
    "log_days": "DAYS",
    "requests_per_second": "N",
}


class Failure(click.ClickException):
    """The command could not do its work; the text is a paragraph."""

    def show(self, file: Any = None) -> None:
        """Print it as the program's other commands do."""
        del file
        tell(f"daehwa: {self.message}")


def _choice(name: str) -> click.Option:
    field = fields()[name]
    default = field.default
    if allowed_values(field) == YES_NO:
        shown = " [yes]" if default else " [no]"
        both = f"{flag_of(name)}/--no-{flag_of(name)[2:]}"
        return click.Option([both], default=None, help=f"{meta_of(field).description}{shown}")
    shown = f" [{default}]" if default else ""
    return click.Option(
        [flag_of(name)], metavar=_METAVARS.get(name, "TEXT"), help=f"{meta_of(field).description}{shown}"
    )


def _place(names: Sequence[str]) -> Callable[[_Command], _Command]:
    """Add the flags that every command has, and these choices."""

    def added(command: _Command) -> _Command:
        config = click.Option(
            ["--config"],
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help=f"The file with the choices. [{FILE_NAME} in this folder, else in your configuration folder]",
        )
        profile = click.Option(["--profile"], metavar="NAME", help="The AWS profile. [AWS_PROFILE, else default]")
        command.params = [*(_choice(name) for name in names), config, profile, *command.params]
        return command

    return added


def refuse_without_extra(typed: str) -> None:
    """Raise `Refusal` where the packages for AWS are not installed; `typed` is the command that needs them."""
    if not all(importlib.util.find_spec(name) is not None for name in NEEDED):
        line = line_with_extra("aws", typed)
        raise Refusal(f"`{typed}` needs packages for AWS that are not installed here. Type: {line}")


def _asked(context: click.Context, given: dict[str, Any]) -> Asked:
    """Take the flags of a command, and those that stand before its name."""
    refuse_without_extra(context.command_path)
    before = {} if context.parent is None or context.parent.obj is None else context.parent.obj
    merged = {**before, **{name: value for name, value in given.items() if value is not None}}
    config, profile = merged.pop("config", None), merged.pop("profile", None)
    return Asked(flags=merged, config=config, profile=profile)


def run_on_aws(work: Callable[[], int | None]) -> int:
    """Do a command's work; what AWS or the deployment says against it is told as one paragraph."""
    from daehwa.deployment.cloud import AWS_ERRORS, told  # noqa: PLC0415 - the extra is there, as `_asked` saw

    try:
        return work() or 0
    except DeploymentError as error:
        raise Failure(str(error)) from None
    except AWS_ERRORS as error:
        raise Failure(told(error)) from None


@_place(tuple(fields()))
@click.group(invoke_without_command=True, context_settings={"max_content_width": 100})
@click.option("--yes", is_flag=True, help="Ask nothing.")
@click.option("--dry-run", is_flag=True, help="Build and synthesise only: no credentials, nothing on AWS.")
@click.option("--check/--no-check", default=True, help="Whether to try the key at the upstream. [yes]")
@click.option("--without-bytecode", is_flag=True, help="Do not compile the function's modules: slower cold starts.")
@click.pass_context
def deploy(
    context: click.Context, /, *, yes: bool, dry_run: bool, check: bool, without_bytecode: bool, **given: Any
) -> int | None:
    """Deploy to AWS, or upgrade what is there: one command from key to web address.

    It says what will be created and what that costs before it begins, and keeps the choices in a file for the next
    time. Without a command after it, it deploys.
    """
    if context.invoked_subcommand is not None:
        context.obj = {name: value for name, value in given.items() if value is not None}
        return None
    asked = _asked(context, given)
    from daehwa.cli.deploying import Options, deploy_home  # noqa: PLC0415 - with the extra alone

    options = Options(asks=not yes, is_dry=dry_run, checks_key=check, has_bytecode=not without_bytecode)
    return run_on_aws(lambda: deploy_home(asked, options))


@_place(PLACE)
@deploy.command()
@click.option("--cost", is_flag=True, help="Ask what this month cost so far; AWS takes $0.01 for the answer.")
@click.pass_context
def status(context: click.Context, /, *, cost: bool, **given: Any) -> int:
    """Say where it is, how it is, and whether a key is set."""
    asked = _asked(context, given)
    from daehwa.cli.deployed import show_status  # noqa: PLC0415 - with the extra alone

    return run_on_aws(lambda: show_status(asked, with_cost=cost))


@_place(PLACE)
@deploy.command()
@click.option("--sign-in", is_flag=True, help="Set the sign-in provider's client secret instead.")
@click.option("--check/--no-check", default=True, help="Whether to try the key at the upstream. [yes]")
@click.pass_context
def set_key(context: click.Context, /, *, sign_in: bool, check: bool, **given: Any) -> int:
    """Set the upstream's key anew; it is asked for without echo, or read from a pipe."""
    asked = _asked(context, given)
    from daehwa.cli.deployed import set_secret  # noqa: PLC0415 - with the extra alone

    return run_on_aws(lambda: set_secret(asked, is_sign_in=sign_in, is_checked=check))


@_place(PLACE)
@deploy.command()
@click.argument("email")
@click.pass_context
def invite(context: click.Context, /, *, email: str, **given: Any) -> int:
    """Invite somebody: an e-mail with the address and a first password."""
    asked = _asked(context, given)
    from daehwa.cli.deployed import invite_person  # noqa: PLC0415 - with the extra alone

    return run_on_aws(lambda: invite_person(asked, email))


@_place(PLACE)
@deploy.command()
@click.option("--signed-in", is_flag=True, help="Ask for the cookie of somebody signed in, and try streaming with it.")
@click.pass_context
def smoke(context: click.Context, /, *, signed_in: bool, **given: Any) -> int:
    """Look at it from outside, and say what is right and what is not."""
    asked = _asked(context, given)
    from daehwa.cli.deployed import show_smoke  # noqa: PLC0415 - with the extra alone

    return run_on_aws(lambda: show_smoke(asked, is_signed_in=signed_in))


@_place(PLACE)
@deploy.command()
@click.option("--delete-data", metavar="NAME", help="Delete conversations, people and keys too; NAME is the stack's.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@click.pass_context
def destroy(context: click.Context, /, *, delete_data: str | None, yes: bool, **given: Any) -> int:
    """Take it away. Conversations, people and keys stay, unless --delete-data names the stack."""
    asked = _asked(context, given)
    from daehwa.cli.deployed import destroy_home  # noqa: PLC0415 - with the extra alone

    return run_on_aws(lambda: destroy_home(asked, data_of=delete_data, asks=not yes))
