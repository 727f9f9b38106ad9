"""The home on AWS: the same app on Lambda, behind the Lambda Web Adapter.

How this works and why. Nothing here asks the network before the first request needs it: a start is paid for by whoever
waits for it. One process serves one request at a time and stands still between them, so nothing is left to background
work: no listing of models after the answer, no title after the last byte, and house is kept by an event of its own.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable

from daehwa import __version__
from daehwa.accounts.erasure import Erasure
from daehwa.accounts.people_ports import PeopleStores
from daehwa.aws.credentials import LentCredentials, ReadCredentials, known_credentials
from daehwa.aws.parameter_store import KeptParameter, ParameterStore, UpstreamKey
from daehwa.aws.signature import AwsCredentials
from daehwa.conversation.errors import DaehwaError
from daehwa.conversation.ids import new_id
from daehwa.conversation.running import RunningOptions, RunningTurns
from daehwa.http_client.client import HttpClient
from daehwa.http_client.tls import trusted_authorities
from daehwa.late_dataclasses import late_dataclasses
from daehwa.providers.catalogue import Catalogue
from daehwa.providers.pacing import Beat
from daehwa.providers.upstream import LateKey
from daehwa.server.access_log import configure_logging
from daehwa.server.app import App, create_app
from daehwa.server.books import Books
from daehwa.server.entrances import Entrances
from daehwa.server.options import Limits, ServerOptions
from daehwa.server.run import bind
from daehwa.server.run import serve as serve_app
from daehwa.services.gateway_parts import GatewayParts
from daehwa.services.hourly import HourlyHousekeeping
from daehwa.services.metering import build_meter
from daehwa.services.programs import build_programs
from daehwa.services.sign_in import build_sign_in, guarded_client
from daehwa.services.upstreams import build_routes, build_upstream
from daehwa.settings import (
    AwsSurroundings,
    LoadedSettings,
    Settings,
    SettingsError,
    load_aws_surroundings,
    load_settings,
)
from daehwa.sign_in.flow import SignIn

with late_dataclasses():  # aiodynamo's, of which a request needs few
    from daehwa.stores.dynamodb import DynamoStore
    from daehwa.stores.dynamodb_answers import DynamoAnswers
    from daehwa.stores.dynamodb_client import Transport
    from daehwa.stores.dynamodb_credentials import AwsKey, GivenCredentials
    from daehwa.stores.dynamodb_keys import DynamoKeys
    from daehwa.stores.dynamodb_ledger import DynamoLedger
    from daehwa.stores.dynamodb_people import dynamo_people
    from daehwa.stores.dynamodb_rates import DynamoRates

OPTIONS = RunningOptions(checkpoint=2.0, follower_heartbeat=8.0, stored_heartbeat=8.0, store_poll=1.0)
"""Each checkpoint is a paid write that also reads the stop flag; a proxy of somebody's own may give up after 30 s of
silence, where CloudFront waits for two minutes."""
LIMITS = Limits(body_bytes=4_500_000, turn_bytes=6_200_000)
"""Lambda takes events of 6 MB (6,291,456 bytes). JSON stands in its event as a text, in which each quotation mark and
backslash is one byte more: a body of quotations alone grows by a third and more, one of images by next to nothing.
"""


class FunctionServices:
    """Everything the function needs, wired; nothing has been asked of anybody."""

    def __init__(self, loaded: LoadedSettings, surroundings: AwsSurroundings) -> None:
        settings = loaded.values
        self._http = http = HttpClient(use_proxy=surroundings.has_proxy)
        credentials = _credentials(surroundings, http)
        self._parameters = ParameterStore(
            http,
            region=surroundings.region,
            credentials=credentials,
            endpoint=surroundings.endpoints.get("ssm"),
        )
        self.store = DynamoStore.open(
            table=settings.table or "",
            region=surroundings.region,
            endpoint=surroundings.endpoints.get("dynamodb"),
            http=Transport(http),
            credentials=GivenCredentials(_keys(credentials)),
        )
        key = UpstreamKey(KeptParameter(self._parameters, settings.key_parameter or ""))
        self.catalogue = _catalogue(loaded, key, use_proxy=surroundings.has_proxy)
        people, table = dynamo_people(self.store.table), self.store.table
        keys, ledger = DynamoKeys(table), DynamoLedger(table)
        self.meter = build_meter(loaded, ledger, people.accounts)
        self.running = RunningTurns(
            self.store, self.catalogue, runner=f"function-{new_id()}", options=OPTIONS, meter=self.meter
        )
        self._sign_in = self._build_sign_in(loaded, people, use_proxy=surroundings.has_proxy)
        self.app = self._build_app(settings, people, keys, ledger)

    def _build_app(self, settings: Settings, people: PeopleStores, keys: DynamoKeys, ledger: DynamoLedger) -> App:
        table, accounts = self.store.table, people.accounts
        answers = DynamoAnswers(table)
        options = ServerOptions(
            version=__version__,
            home="aws",
            allowed_hosts=settings.allowed_hosts,
            public_url=settings.public_url,
            limits=LIMITS,
        )
        erasure = Erasure(people, (self.running, self.store, keys, answers, ledger))
        entrances = Entrances(self._sign_in, None, people, erasure)
        parts = GatewayParts(self.catalogue, self.meter, accounts, keys, DynamoRates(table), answers, self.running.room)

        async def retention_days() -> int | None:
            return (await people.installation.get_installation()).retention_days

        return create_app(
            self,
            options=options,
            books=Books(keys=keys, ledger=ledger, accounts=accounts, groups=people.groups, meter=self.meter),
            entrances=entrances,
            keep_house=HourlyHousekeeping(self.store, erasure, retention_days).keep_house,
            programs=build_programs(parts, settings, options, entrances),
        )

    def _build_sign_in(self, loaded: LoadedSettings, people: PeopleStores, *, use_proxy: bool) -> SignIn:
        configured, public_url = loaded.sign_in, loaded.values.public_url
        if configured is None or public_url is None:  # the settings of this home are refused without them
            raise SettingsError("On AWS everybody has to sign in. Deploy again.")
        name = configured.secret_parameter
        # There may be no such parameter: its name is known before anybody knows whether the provider gives a secret.
        secret = None if name is None else KeptParameter(self._parameters, name).read
        # Not the client for AWS's own services: on Lambda those lie further inside than any identity provider.
        self._sign_in_http = guarded_client(configured.issuer, use_proxy=use_proxy)
        return build_sign_in(configured, public_url, people, self._sign_in_http, secret)

    async def aclose(self) -> None:
        """Interrupt what runs, then close everything."""
        await self.running.aclose()
        await self.meter.aclose()
        await self.catalogue.aclose()
        await self.store.aclose()
        await self._sign_in_http.aclose()
        await self._http.aclose()


def _catalogue(loaded: LoadedSettings, key: LateKey, *, use_proxy: bool) -> Catalogue:
    beat = Beat()
    return Catalogue(
        [
            build_upstream(configured, beat, loaded.values, late_key=key, use_proxy=use_proxy)
            for configured in loaded.providers
        ],
        default=loaded.values.default_model,
        in_background=False,
        routes=build_routes(loaded),
    )


def _credentials(surroundings: AwsSurroundings, http: HttpClient) -> ReadCredentials:
    token, session = surroundings.credentials_token, surroundings.session_token
    if surroundings.access_key is not None and surroundings.secret_key is not None:
        return known_credentials(
            AwsCredentials(
                access_key=surroundings.access_key,
                secret_key=surroundings.secret_key.reveal(),
                session_token=None if session is None else session.reveal(),
            )
        )
    if surroundings.credentials_address is not None:
        return LentCredentials(http, surroundings.credentials_address, None if token is None else token.reveal())
    raise SettingsError("There are no AWS credentials in the environment. Lambda sets them; elsewhere set them.")


def _keys(credentials: ReadCredentials) -> Callable[[], Awaitable[AwsKey]]:
    # One source for both services: aiodynamo's own search would end at addresses that a function does not have.
    async def read() -> AwsKey:
        known = await credentials()
        return known.access_key, known.secret_key, known.session_token

    return read


async def serve(loaded: LoadedSettings, surroundings: AwsSurroundings) -> None:
    """Serve the adapter until SIGTERM; then turns are interrupted and stored within the second that Lambda leaves."""
    listener = bind("127.0.0.1", surroundings.port)
    services = FunctionServices(loaded, surroundings)
    trusting: list[asyncio.Task[object]] = []

    def started() -> None:
        # While the adapter looks whether we are there: the first request needs them, and they take 20 to 50 ms.
        trusting.append(asyncio.create_task(trusted_authorities(None)))

    try:
        await serve_app(services.app, listener, on_started=started, before_shutdown=services.app.aclose)
    finally:
        await asyncio.gather(*trusting, return_exceptions=True)
        await services.aclose()


def run() -> None:
    """Be the function's process."""
    configure_logging(log_json=True)
    try:
        asyncio.run(serve(load_settings(), load_aws_surroundings()))
    except (SettingsError, DaehwaError) as error:
        sys.exit(str(error))
