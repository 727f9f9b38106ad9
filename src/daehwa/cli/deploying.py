"""`daehwa deploy` itself: asks everything first, then builds, deploys, fills the page in and looks at the result."""

import datetime as dt
import sys
import time
from pathlib import Path

import click
import msgspec

from daehwa import __version__
from daehwa.cli.terminal import Refusal, as_typed, is_terminal, say, tell
from daehwa.deployment import (
    firewalls,
    leftovers,
    packaging,
    page_upload,
    parameters,
    people,
    preflight,
    programs,
    stack_state,
)
from daehwa.deployment.cdk import Cdk, CdkFailed, synthesize
from daehwa.deployment.cloud import Cloud, open_session, usual_region
from daehwa.deployment.configuration import (
    CALLBACK_PATH,
    FIREWALL_REGION,
    DeploymentSettings,
    Outputs,
    firewall_stack,
    key_parameter,
)
from daehwa.deployment.configuration_file import Asked
from daehwa.deployment.costs import estimate
from daehwa.deployment.errors import DeploymentError
from daehwa.deployment.leftovers import Leftover
from daehwa.deployment.preflight import Surroundings
from daehwa.deployment.smoke import Check, look
from daehwa.deployment.stack.limits import check_mail, check_settings
from daehwa.deployment.stack_state import StackState
from daehwa.settings import Secret
from daehwa.settings.surroundings import KEY_VARIABLE, key_from_environment

PARTS = (
    "CloudFront distribution (the web address)",
    "S3 bucket (the page), private",
    "API Gateway REST API and its key, for CloudFront alone",
    "Lambda function with Lambda Web Adapter, and its role",
    "DynamoDB table, on demand, kept when the stack is removed",
    "log groups, alarms and a dashboard",
)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to go about it."""

    asks: bool
    is_dry: bool
    checks_key: bool
    has_bytecode: bool


def open_cloud(asked: Asked) -> tuple[Cloud, DeploymentSettings]:
    """Return AWS in the region that is meant, and the choices with that region in them."""
    settings = asked.file.read(asked.flags)
    session = open_session(asked.profile)
    region = settings.region or usual_region(asked.profile)
    if region is None:
        raise DeploymentError("No region is chosen. Give one by --region, such as --region ap-northeast-2.")
    return Cloud(session, region), msgspec.structs.replace(settings, region=region)


def deploy_home(asked: Asked, options: Options) -> int:
    """Deploy, or with `is_dry` synthesise alone."""
    say(f"daehwa {__version__} to AWS")
    if options.is_dry:
        return _synthesize_only(asked, options)
    cloud, settings = open_cloud(asked)
    check_settings(settings)
    around = preflight.look_around(cloud, further_regions=(FIREWALL_REGION,) if settings.waf else ())
    state = stack_state.find_stack(cloud, settings.name)
    _refuse_unready(asked, settings, state)
    _show_plan(settings, around, state)
    if state is None or not state.has_stood:
        show_leftovers(settings.name, leftovers.left_behind(cloud, settings.name))
    _confirm("Go on?", options)
    settings = _with_admin(settings, options)
    key = _new_key(cloud, settings, options)
    asked.file.write(settings)
    say(f"  choices        {asked.file.path}")
    outputs = _deploy(asked, cloud, settings, around, key, options)
    _invite_admin(cloud, settings, outputs)
    return _show_result(settings, outputs, is_key_set=_is_key_set(cloud, settings))


def ask_secret(question: str) -> Secret | None:
    """Take a secret from a pipe, else ask without echo; None where nothing was given."""
    if is_terminal(sys.stdin):
        text = click.prompt(question, hide_input=True, default="", show_default=False)
    else:
        text = "" if sys.stdin is None else sys.stdin.readline()
    return Secret(text.strip()) if text.strip() else None


def show_checks(checks: list[Check]) -> bool:
    """Print what was looked at; return whether nothing is wrong."""
    marks = {True: "ok", False: "WRONG", None: "--"}
    for check in checks:
        say(f"  {marks[check.is_right]:<6} {check.what}: {check.seen}")
    return all(check.is_right is not False for check in checks)


def show_leftovers(name: str, left: list[Leftover]) -> None:
    """Print what earlier installations of this name left, where they did."""
    if left:
        say(f"Left by earlier installations named '{name}':")
        for line in (*(item.line() for item in left), *leftovers.advice(name, left), ""):
            say(line)


def next_steps(settings: DeploymentSettings, outputs: Outputs, *, is_key_set: bool) -> list[str]:
    """Return what is left for people to do once it stands."""
    if outputs.user_pool_id:
        steps = [
            f"{settings.admin_email} finds a first password in the e-mail from Cognito (look at spam too).",
            "To let others in: `daehwa deploy invite EMAIL`",
        ]
    else:
        steps = [
            f"{settings.admin_email} signs in through {settings.issuer}. Its callback address must be there:",
            f"  {outputs.web_address}{CALLBACK_PATH}",
        ]
    if settings.alarm_email is not None:
        steps.append(
            f"{settings.alarm_email} has, or had, an e-mail from AWS Notifications (SNS) with a link: until it is"
        )
        steps.append("opened, no alarm is mailed.")
    if not is_key_set:
        steps.append("There is no key yet, so nothing answers: `daehwa deploy set-key`")
    if settings.domain is not None:
        steps.append(
            f"Point {settings.domain} (CNAME or ALIAS) at CloudFront; the console names the distribution's host."
        )
    return steps


def _synthesize_only(asked: Asked, options: Options) -> int:
    settings = asked.file.read(asked.flags)
    settings = msgspec.structs.replace(settings, region=settings.region or usual_region(asked.profile))
    check_settings(settings)
    check_mail(settings)
    _say_all(estimate(settings))
    assembly = _built(settings, None, options)
    say(f"\nNothing was asked of AWS. The templates are in {assembly}")
    return 0


def _refuse_unready(asked: Asked, settings: DeploymentSettings, state: StackState | None) -> None:
    if state is None:
        return
    if state.is_busy:
        raise DeploymentError(
            f"CloudFormation is still at work on '{settings.name}' ({state.status}). Wait until it is done; "
            "`daehwa deploy status` shows how far it is."
        )
    if state.has_stood and not asked.file.path.is_file() and asked.config is None:
        raise Refusal(
            f"'{settings.name}' stands in this account already, but the file with its choices is not here "
            f"({asked.file.path}). Give the file by --config, for it would otherwise fall back to the defaults; to "
            "make another installation, choose another --name."
        )


def _show_plan(settings: DeploymentSettings, around: Surroundings, state: StackState | None) -> None:
    say(f"  account        {around.account}, as {around.caller}")
    say(f"  region         {around.region}")
    if state is None or not state.has_stood:
        say(f"\nThis will be created, as the CloudFormation stack '{settings.name}':")
        _say_all([f"  {part}" for part in PARTS])
        if settings.issuer is None:
            say("  Cognito user pool, by invitation, kept when the stack is removed")
        if settings.waf:
            say("  web firewall")
    else:
        say(f"\n'{settings.name}' stands, last changed on {state.changed:%Y-%m-%d}. It is brought up to date in place:")
        say("no conversation, person or key is touched.")
    say()
    _say_all(estimate(settings))
    for remark in around.remarks():
        say()
        tell(remark)
    say()


def _confirm(question: str, options: Options) -> None:
    if not options.asks:
        return
    if not is_terminal(sys.stdin):
        raise Refusal("Nobody is at a terminal to say yes. Add --yes to go on without being asked.")
    click.confirm(question, abort=True)


def _with_admin(settings: DeploymentSettings, options: Options) -> DeploymentSettings:
    email = settings.admin_email
    if email is None:
        if not options.asks:
            raise Refusal("Who is the first admin? Give the address by --admin-email.")
        email = click.prompt("The first admin's e-mail address")
    return msgspec.structs.replace(settings, admin_email=people.check_email(str(email)))


def _is_key_set(cloud: Cloud, settings: DeploymentSettings) -> bool:
    return parameters.secret_changed(cloud, key_parameter(settings.name)) is not None


def _new_key(cloud: Cloud, settings: DeploymentSettings, options: Options) -> Secret | None:
    """Return the key to be stored, where none is."""
    if _is_key_set(cloud, settings):
        return None
    key = key_from_environment()
    if key is not None:
        say(f"  key            from {KEY_VARIABLE}")
    else:
        key = ask_secret("The upstream's key (not shown; leave it empty to set it later)")
    if key is None:
        return None
    parameters.check_form(key, settings)
    if options.checks_key:
        say(f"  key            accepted; the upstream lists {parameters.check_live(key, settings)} models")
    return key


def _deploy(
    asked: Asked,
    cloud: Cloud,
    settings: DeploymentSettings,
    around: Surroundings,
    key: Secret | None,
    options: Options,
) -> Outputs:
    cdk = Cdk(programs.find_node(), cloud.region, asked.profile)
    assembly = _built(settings, around.account, options)
    page = page_upload.page_folder()
    if around.not_bootstrapped:
        say("\nMaking CDK at home")
        cdk.bootstrap(around.account, around.not_bootstrapped, assembly.parent, _say_step)
    if key is not None:
        parameters.put_secret(cloud, key_parameter(settings.name), key)
    say("\nDeploying; the first time takes about five minutes, most of it CloudFront's")
    try:
        cdk.deploy(assembly, settings.name, parameters.origin_key(cloud, settings.name), _say_step)
    except CdkFailed as error:
        raise DeploymentError(_failure_told(cloud, settings.name, str(error))) from None
    except KeyboardInterrupt:
        tell(
            "\nStopped here; what CloudFormation has begun goes on there. `daehwa deploy status` shows it, and "
            "`daehwa deploy` goes on when it is done."
        )
        raise
    outputs = stack_state.standing(cloud, settings.name)
    done = page_upload.upload(cloud, outputs, page, dt.datetime.now(dt.UTC).date())
    say(f"  page           {done.files} files" + (f", {done.removed} old ones removed" if done.removed else ""))
    # Those of earlier choices and of an earlier name would go on costing. They come last: nothing waits for them.
    needed = firewall_stack(settings.name, cloud.region) if settings.waf else None
    for warning in firewalls.remove_idle(cloud, settings.name, needed=needed, say=_say_step):
        tell(warning)
    return outputs


def _failure_told(cloud: Cloud, name: str, cdk_said: str) -> str:
    """Say what failed first, and what that leaves behind."""
    failure = stack_state.first_failure(cloud, name)
    told = f"The deployment failed. {failure or cdk_said}"
    state = stack_state.find_stack(cloud, name)
    if state is not None and state.has_stood:
        return f"{told} What stood before is as it was." if state.status == "UPDATE_ROLLBACK_COMPLETE" else told
    left = [item for item in leftovers.left_behind(cloud, name) if item.is_empty]
    if not left:
        return told
    return (
        f"{told.rstrip('.')}. Correct that and deploy again, or take away all there is of '{name}': `daehwa deploy "
        f"destroy --delete-data {name}`. Left behind, empty and free of charge: {', '.join(item.id for item in left)}."
    )


def _built(settings: DeploymentSettings, account: str | None, options: Options) -> Path:
    """Build the function and write the templates; return CDK's folder."""
    began = time.monotonic()
    say("\nBuilding the function")
    folder = programs.cache_folder("deployments", settings.name)
    target = packaging.Target.of_lambda(settings.python)
    package = packaging.build_function(folder, target, with_bytecode=options.has_bytecode, say=_say_step)
    if package.packed > packaging.LARGEST_ZIP:
        tell(f"The zip has {package.packed / 1e6:.1f} MB; larger than it should be, and it still works.")
    _say_step(f"{package.packed / 1e6:.1f} MB packed, {time.monotonic() - began:.0f} s")
    say("Synthesising")
    return synthesize(folder, settings, package.archive, account, programs.find_node())


def _invite_admin(cloud: Cloud, settings: DeploymentSettings, outputs: Outputs) -> None:
    email = settings.admin_email
    if outputs.user_pool_id and email is not None and not people.is_known(cloud, outputs, email):
        people.invite(cloud, outputs, email)
        say(f"  admin          {email} is invited by e-mail")


def _show_result(settings: DeploymentSettings, outputs: Outputs, *, is_key_set: bool) -> int:
    say("\nLooking at it from outside")
    is_right = show_checks(look(outputs))
    say(f"\nOpen {outputs.web_address}/chat.html\n")
    _say_all(next_steps(settings, outputs, is_key_set=is_key_set))
    if not is_right:
        tell("Something is not right yet. CloudFront takes some minutes at first: `daehwa deploy smoke` looks again.")
    return 0 if is_right else 1


def _say_step(text: str) -> None:
    say(f"  {text}")


def _say_all(lines: list[str]) -> None:
    for line in lines:
        say(as_typed(line))
