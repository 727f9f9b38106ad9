"""The AWS home: all its parts, wired. Read it from top to bottom as the path of a request."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from aws_cdk import CfnOutput, Environment, Stack
from constructs import Construct

from daehwa.deployment.configuration import DeploymentSettings, Outputs, key_parameter, sign_in_parameter
from daehwa.deployment.stack.alarms import Alarms
from daehwa.deployment.stack.api import StreamingApi
from daehwa.deployment.stack.clock import HourlyEvent
from daehwa.deployment.stack.dashboard import Dashboard
from daehwa.deployment.stack.distribution import WebAddress
from daehwa.deployment.stack.function import AppFunction
from daehwa.deployment.stack.page import PageBucket
from daehwa.deployment.stack.sign_in import InvitedPeople, other_provider
from daehwa.deployment.stack.signals import Signals
from daehwa.deployment.stack.table import ConversationTable

UNKNOWN_ACCOUNT = "000000000000"
"""Stands for the account where nobody is signed in to AWS, as when a template is only looked at."""


class Home(Stack):
    """One installation."""

    def __init__(
        self,
        scope: Construct,
        settings: DeploymentSettings,
        *,
        code: Path,
        account: str | None,
        firewall: str | None = None,
    ) -> None:
        super().__init__(
            scope,
            settings.name,
            description="daehwa: a private chat page and an OpenAI-compatible API",
            env=Environment(account=account, region=settings.region),
            analytics_reporting=False,
        )
        self._settings = settings
        self._key_parameter = key_parameter(settings.name)
        self._secret_parameter = sign_in_parameter(settings.name)
        page = PageBucket(self, "Page")
        api = StreamingApi(self, "Origin", settings=settings)
        web = WebAddress(self, "Web", settings=settings, page=page.bucket, api=api, firewall=firewall)
        table = ConversationTable(self, "Conversations")
        people = None
        if settings.issuer is None:
            people = InvitedPeople(self, "People", settings=settings, url=web.url, account=account or UNKNOWN_ACCOUNT)
        app = AppFunction(self, "App", settings=settings, code=code, tables=table.arns(), parameters=self._parameters())
        app.set_environment(self._environment(table.table.table_name, web.url, api.domain_name))
        app.set_environment(self._sign_in(people))
        api.serve(app.invoked)
        HourlyEvent(self, "Clock", function=app.invoked)
        self._tell(
            Outputs(
                web_address=web.url,
                api_address=api.api.url,
                distribution_id=web.distribution.distribution_id,
                page_bucket=page.bucket.bucket_name,
                table_name=table.table.table_name,
                function_name=app.function.function_name,
                key_parameter=self._key_parameter,
                dashboard_address=self._watch(app, api, table, web),
                user_pool_id=people.pool.user_pool_id if people is not None else "",
            )
        )

    def _watch(self, app: AppFunction, api: StreamingApi, table: ConversationTable, web: WebAddress) -> str:
        """Add alarms and the dashboard, and return its address."""
        signals = Signals(
            self, "Signals", function=app.invoked, api=api, table=table.table, distribution=web.distribution
        )
        alarms = Alarms(self, "Alarms", settings=self._settings, signals=signals)
        return Dashboard(self, "Overview", signals=signals, alarms=alarms.alarms).address

    def _parameters(self) -> list[str]:
        """Another provider may have given us a secret; our own pool has none."""
        return [self._key_parameter] if self._settings.issuer is None else [self._key_parameter, self._secret_parameter]

    def _environment(self, table: str, url: str, api_host: str) -> Mapping[str, str]:
        settings = self._settings
        variables = {
            "DAEHWA_HOME": "aws",
            "DAEHWA_TABLE": table,
            "DAEHWA_KEY_PARAMETER": self._key_parameter,
            "DAEHWA_PUBLIC_URL": url,
            "DAEHWA_ALLOWED_HOSTS": api_host,
            "DAEHWA_BASE_URL": settings.base_url,
            "DAEHWA_MODELS": ",".join(settings.models),
            "DAEHWA_DEFAULT_MODEL": settings.default_model or "",
            "DAEHWA_TITLES": str(settings.titles).lower(),
            "DAEHWA_BUDGETS": ", ".join(settings.budgets),
            "DAEHWA_GROUPS": ", ".join(settings.groups),
            "DAEHWA_PRICES": ", ".join(settings.prices),
            "DAEHWA_ROUTES": ", ".join(settings.routes),
        }
        return {name: value for name, value in variables.items() if value}

    def _sign_in(self, people: InvitedPeople | None) -> Mapping[str, str]:
        settings = self._settings
        if people is not None:
            told = dict(people.environment())
        else:
            told = dict(other_provider(settings, settings.issuer or "", self._secret_parameter))
        if settings.admin_email is not None:
            told["DAEHWA_SIGN_IN_ADMIN_EMAILS"] = settings.admin_email
        return {name: value for name, value in told.items() if value}

    def _tell(self, outputs: Outputs) -> None:
        for name, value in msgspec.to_builtins(outputs).items():
            if value:
                CfnOutput(self, name, value=value)
