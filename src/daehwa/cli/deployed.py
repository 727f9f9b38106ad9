"""What can be done with an installation that stands: look at it, give it a key, invite people, take it away."""

import datetime as dt
import sys

import click

from daehwa.cli.deploying import ask_secret, open_cloud, show_checks, show_leftovers
from daehwa.cli.terminal import FAULT, Refusal, is_terminal, say
from daehwa.deployment import firewalls, leftovers, parameters, people, preflight, removal, stack_state
from daehwa.deployment.cloud import AWS_ERRORS, Cloud, told
from daehwa.deployment.configuration import FIREWALL_REGION, DeploymentSettings, key_parameter, sign_in_parameter
from daehwa.deployment.configuration_file import Asked
from daehwa.deployment.errors import DeploymentError
from daehwa.deployment.smoke import look

COSTS_REGION = "us-east-1"
"""AWS tells costs there alone."""


def show_status(asked: Asked, *, with_cost: bool) -> int:
    """Print what is known of it; return 1 where an alarm is on or it does not stand."""
    cloud, settings = open_cloud(asked)
    state = stack_state.find_stack(cloud, settings.name)
    if state is None:
        say(f"There is no installation '{settings.name}' in {cloud.region}.")
        show_leftovers(settings.name, leftovers.left_behind(cloud, settings.name))
        _show_firewalls(cloud, settings.name, "daehwa deploy destroy")
        return FAULT
    say(f"{settings.name} in {cloud.region}")
    say(f"  stack          {state.status}, changed {state.changed:%Y-%m-%d %H:%M} UTC")
    has_failed = "FAILED" in state.status or "ROLLBACK" in state.status
    failure = stack_state.first_failure(cloud, settings.name) if has_failed else None
    if failure:
        say(f"  failed         {failure}")
    if state.outputs is None:
        show_leftovers(settings.name, leftovers.left_behind(cloud, settings.name))
        if not state.is_busy:  # its firewall is made first, and protects nothing until the rest stands
            _show_firewalls(cloud, settings.name, "daehwa deploy destroy")
        return FAULT
    say(f"  address        {state.outputs.web_address}/chat.html")
    of = cloud.client("lambda").get_function_configuration(FunctionName=state.outputs.function_name)
    say(f"  function       {of.get('Runtime')}, {of.get('MemorySize')} MiB, changed {of['LastModified'][:16]}")
    changed = parameters.secret_changed(cloud, key_parameter(settings.name))
    say(f"  key            {f'set on {changed:%Y-%m-%d}' if changed else 'not set: `daehwa deploy set-key`'}")
    say(f"  dashboard      {state.outputs.dashboard_address}")
    at_once = preflight.concurrency(cloud)
    if at_once is not None:
        say(f"  at once        about {at_once} answers (Lambda's quota in this region)")
    ringing = _ringing(cloud, settings.name)
    say(f"  alarms         {', '.join(ringing) or 'none is on'}")
    if with_cost:
        say(f"  this month     ${_cost(cloud, dt.datetime.now(dt.UTC).date()):.2f}, all of this account, before tax")
    if not state.is_busy:
        _show_firewalls(cloud, settings.name, "daehwa deploy")
    return FAULT if ringing or failure else 0


def set_secret(asked: Asked, *, is_sign_in: bool, is_checked: bool) -> int:
    """Store a key or a client secret."""
    cloud, settings = open_cloud(asked)
    if is_sign_in:
        _store(cloud, sign_in_parameter(settings.name), "The sign-in provider's client secret (not shown)")
        return 0
    key = ask_secret("The upstream's key (not shown)")
    if key is None:
        raise Refusal("No key was given. Nothing was changed.")
    parameters.check_form(key, settings)
    if is_checked:
        say(f"Accepted: the upstream lists {parameters.check_live(key, settings)} models.")
    parameters.put_secret(cloud, key_parameter(settings.name), key)
    say("The key is set. What runs takes it up within five minutes.")
    return 0


def invite_person(asked: Asked, email: str) -> int:
    """Invite somebody."""
    cloud, settings = open_cloud(asked)
    outputs = stack_state.standing(cloud, settings.name)
    how = people.invite(cloud, outputs, email)
    say(f"{people.check_email(email)} {how}.")
    return 0


def show_smoke(asked: Asked, *, is_signed_in: bool) -> int:
    """Look at it from outside; return 1 where something is wrong."""
    cloud, settings = open_cloud(asked)
    outputs = stack_state.standing(cloud, settings.name)
    cookie = None
    if is_signed_in:
        cookie = ask_secret("The value of the cookie __Host-daehwa (not shown; browser, developer tools, storage)")
        if cookie is None:
            raise Refusal("No cookie was given.")
    say(f"Looking at {outputs.web_address}")
    is_right = show_checks(look(outputs, cookie))
    at_once = preflight.concurrency(cloud)
    say(f"  {'--' if at_once is None else 'ok':<6} Lambda at once: {at_once or 'may not be read'}")
    return 0 if is_right else FAULT


def destroy_home(asked: Asked, *, data_of: str | None, asks: bool) -> int:
    """Take it away, and its data where their name was typed."""
    cloud, settings = open_cloud(asked)
    if data_of is not None and data_of != settings.name:
        raise Refusal(f"--delete-data names '{data_of}', and this installation is '{settings.name}'. Nothing was done.")
    state = stack_state.find_stack(cloud, settings.name)
    earlier = leftovers.left_behind(cloud, settings.name)
    show_leftovers(settings.name, earlier)
    if state is None and (data_of is None or not earlier) and not firewalls.idle(cloud, settings.name):
        raise DeploymentError(f"There is no installation '{settings.name}' in {cloud.region} of this account.")
    _confirm_removal(settings, with_data=data_of is not None, asks=asks)
    kept = [] if state is None else removal.remove(cloud, state, _say_step)
    for firewall in firewalls.idle(cloud, settings.name):
        firewalls.remove(cloud, firewall, _say_step)
    left = leftovers.left_behind(cloud, settings.name)
    if data_of is not None:
        removal.delete_data(cloud, settings.name, left, _say_step)
        say(f"'{settings.name}' and all its data are gone.")
        return 0
    say(f"'{settings.name}' is taken away. This is still there:")
    for line in removal.remaining(settings.name, kept, left):
        say(line)
    return 0


def _show_firewalls(cloud: Cloud, name: str, remedy: str) -> None:
    """Print the firewalls that cost and protect nothing; who may not look there still learns all the rest."""
    try:
        found = firewalls.idle(cloud, name)
    except AWS_ERRORS as error:
        say(f"  firewalls      not looked at: {told(error)}")
        return
    for firewall in found:
        say(f"  left over      the firewall {firewall.name} in {FIREWALL_REGION}: it protects nothing and costs")
        say(f"                 ${firewalls.MONTH:.2f} a month; `{remedy}` takes it away")


def _store(cloud: Cloud, parameter: str, question: str) -> None:
    secret = ask_secret(question)
    if secret is None:
        raise Refusal("Nothing was given. Nothing was changed.")
    parameters.put_secret(cloud, parameter, secret)
    say("The secret is set. What runs takes it up within five minutes.")


def _confirm_removal(settings: DeploymentSettings, *, with_data: bool, asks: bool) -> None:
    if not asks:
        return
    if not is_terminal(sys.stdin):
        raise Refusal("Nobody is at a terminal to say yes. Add --yes to go on without being asked.")
    gone = " with ALL conversations, people and keys, for good and without a backup"
    what = gone if with_data else "; conversations, people and keys stay"
    click.confirm(f"Take away '{settings.name}'{what}?", abort=True)


def _ringing(cloud: Cloud, stack: str) -> list[str]:
    names = stack_state.resources(cloud, stack, "AWS::CloudWatch::Alarm")
    if not names:
        return []
    answer = cloud.client("cloudwatch").describe_alarms(AlarmNames=names, StateValue="ALARM")
    return [alarm.get("AlarmDescription") or alarm["AlarmName"] for alarm in answer["MetricAlarms"]]


def _cost(cloud: Cloud, today: dt.date) -> float:
    period = {"Start": today.replace(day=1).isoformat(), "End": (today + dt.timedelta(days=1)).isoformat()}
    answer = cloud.client("ce", COSTS_REGION).get_cost_and_usage(
        TimePeriod=period, Granularity="MONTHLY", Metrics=["UnblendedCost"]
    )
    return sum(float(month["Total"]["UnblendedCost"]["Amount"]) for month in answer["ResultsByTime"])


def _say_step(text: str) -> None:
    say(f"  {text}")
