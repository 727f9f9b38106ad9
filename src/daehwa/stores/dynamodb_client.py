"""Asks one DynamoDB table: the adapter of the HTTP client, what is tried again and how long, faults as `StoreError`.

How this works and why. aiodynamo signs, encodes and tries again where DynamoDB says that it has too much to do. What it
gives up on too early (a write that meets a transaction, a limit of the account, a gateway's error) is tried again here,
with the same bound. A condition that does not hold is an answer and no fault: it passes through, for the caller.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial, reduce
from operator import and_
from typing import Any, Final, Self, TypeAlias, TypeVar

from aiodynamo.client import Client
from aiodynamo.credentials import Credentials
from aiodynamo.errors import (
    AccessDenied,
    AIODynamoError,
    ConditionalCheckFailed,
    ExpiredToken,
    IncompleteSignature,
    ItemNotFound,
    MissingAuthenticationToken,
    NoCredentialsFound,
    RequestLimitExceeded,
    TableNotFound,
    TransactionCanceled,
    TransactionConflict,
    TransactionInProgress,
    UnknownError,
    UnrecognizedClient,
)
from aiodynamo.expressions import Condition, F, KeyCondition, ProjectionExpression, UpdateExpression
from aiodynamo.http.types import HttpImplementation, Request, RequestFailed, Response
from aiodynamo.models import (
    BatchGetRequest,
    BatchWriteRequest,
    DecorelatedJitterRetry,
    Page,
    RetryTimeout,
    ReturnValues,
    Select,
)
from aiodynamo.operations import ConditionCheck, Delete, Put, Update
from yarl import URL

from daehwa.conversation.errors import StoreError
from daehwa.conversation.ids import new_id
from daehwa.http_client.client import HttpClient
from daehwa.http_client.errors import ClientClosed, HttpError, TimedOut
from daehwa.stores.dynamodb_table import LISTS, PARTITION_KEY, SORT_KEY

T = TypeVar("T")
Item: TypeAlias = dict[str, Any]
Operation: TypeAlias = Put | Update | Delete | ConditionCheck

_RETRY_SECONDS: Final = 8.0
_REQUEST_SECONDS: Final = 5.0
_REQUESTS_AT_ONCE: Final = 32
_WRITES_AT_ONCE: Final = 25
_READS_AT_ONCE: Final = 100
_BATCHES_AT_ONCE: Final = 4  # a partition takes a thousand units a second, and often all of a batch goes into one
_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 1.0
_OK: Final = 200
_SERVER_ERROR: Final = 500
_NOT_LET_IN = (
    AccessDenied,
    ExpiredToken,
    IncompleteSignature,
    MissingAuthenticationToken,
    NoCredentialsFound,
    UnrecognizedClient,
)
_PASSING = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
"""Reasons why a transaction was cancelled that another attempt may not meet."""


class Transport:
    """aiodynamo's way to the network, over our HTTP client."""

    def __init__(self, client: HttpClient, *, seconds: float = _REQUEST_SECONDS) -> None:
        self._client = client
        self._seconds = seconds

    async def __call__(self, request: Request) -> Response:
        """Send a request and return the answer, whatever its status."""
        try:
            answer = await self._client.fetch(
                request.method,
                request.url,
                headers=request.headers or {},
                body=request.body or b"",
                seconds=self._seconds,
            )
        except ClientClosed as error:
            raise StoreError("The store is closed.") from error
        except TimedOut as error:
            raise TimeoutError(error.message) from error
        except HttpError as error:
            raise RequestFailed(error) from error
        return Response(answer.status, answer.body)


class DynamoTable:
    """A table as the stores use it. Made by `DynamoTable.connect`; nothing is sent before the first question."""

    def __init__(self, client: Client, name: str, *, retry_seconds: float, own_http: HttpClient | None) -> None:
        self.name = name
        self._client = client
        self._retry_seconds = retry_seconds
        self._own_http = own_http
        self._free = asyncio.Semaphore(_REQUESTS_AT_ONCE)

    @classmethod
    def connect(
        cls,
        *,
        table: str,
        region: str,
        endpoint: str | None = None,
        http: HttpImplementation | None = None,
        credentials: Credentials | None = None,
        retry_seconds: float = _RETRY_SECONDS,
    ) -> Self:
        """Return a table by name. `endpoint` only where it is not AWS's own; without `http` it has its own client;
        without `credentials` they are found as AWS's own programs find them.
        """
        own_http = HttpClient() if http is None else None
        client = Client(
            Transport(own_http) if own_http is not None else http,  # type: ignore[arg-type]  # one of them is there
            credentials or Credentials.auto(),
            region,
            endpoint=None if endpoint is None else URL(endpoint),
            numeric_type=int,
            throttle_config=DecorelatedJitterRetry(time_limit_secs=retry_seconds),
        )
        return cls(client, table, retry_seconds=retry_seconds, own_http=own_http)

    async def aclose(self) -> None:
        """Give back connections that are its own. More than once is fine."""
        if self._own_http is not None:
            await self._own_http.aclose()

    # ------------------------------------------------------------ one item

    async def get(self, partition: str, sort: str, *, fields: Collection[str] = ()) -> Item | None:
        """Return an item as it is now, or these fields of it; None where it is not there."""
        with suppress(ItemNotFound):
            return await self._ask(
                partial(
                    self._client.get_item,
                    self.name,
                    _key(partition, sort),
                    projection=_projection(fields),
                    consistent_read=True,
                )
            )
        return None

    async def put(self, item: Item, *, condition: Condition | None = None) -> None:
        """Put an item in place of whatever has its key. Raise `ConditionalCheckFailed`."""
        await self._ask(partial(self._client.put_item, self.name, item, condition=condition))

    async def update(
        self,
        partition: str,
        sort: str,
        expression: UpdateExpression,
        *,
        condition: Condition,
        returns: ReturnValues = ReturnValues.none,
    ) -> Item:
        """Change an item and return what was asked for of it. Raise `ConditionalCheckFailed`."""
        key = _key(partition, sort)
        change = partial(
            self._client.update_item, self.name, key, expression, return_values=returns, condition=condition
        )
        return await self._ask(change) or {}

    async def delete(self, partition: str, sort: str) -> Item | None:
        """Take an item away and return what it was; None where it is not there. Of several callers one gets it."""
        remove = partial(
            self._client.delete_item,
            self.name,
            _key(partition, sort),
            condition=F(PARTITION_KEY).exists(),
            return_values=ReturnValues.all_old,
        )
        with suppress(ConditionalCheckFailed):
            return await self._ask(remove)
        return None

    # ------------------------------------------------------------ many items

    async def query(
        self,
        condition: KeyCondition,
        *,
        fields: Collection[str] = (),
        where: Condition | None = None,
        as_of_now: bool = True,
    ) -> list[Item]:
        """Return all items of a partition in order, or these fields of them: as they are now, or without `as_of_now` at
        half the cost, as they were a moment ago.
        """
        ask = partial(
            self._client.query_single_page,
            self.name,
            condition,
            filter_expression=where,
            projection=_projection(fields),
            consistent_read=as_of_now,
        )
        return await self._all_pages(ask, None)

    async def query_last(self, condition: KeyCondition, *, limit: int) -> list[Item]:
        """Return the last items of a partition as they are now, the last one first."""
        ask = partial(self._client.query_single_page, self.name, condition, scan_forward=False, consistent_read=True)
        return await self._all_pages(ask, limit)

    async def query_list(
        self, condition: KeyCondition, *, newest_first: bool = False, limit: int | None = None
    ) -> list[Item]:
        """Return what a list of the index holds in order, all of it or the first `limit`, as it was a moment ago."""
        ask = partial(
            self._client.query_single_page,
            self.name,
            condition,
            scan_forward=not newest_first,
            index=LISTS,
            select=Select.all_projected_attributes,
        )
        return await self._all_pages(ask, limit)

    async def query_undecoded(self, asked: Mapping[str, Any]) -> bytes:
        """Return one page as it came. `asked` are the service's own words."""
        page = b""

        async def keep(request: Request) -> Response:
            nonlocal page
            answer = await self._client.http(request)
            if answer.status != _OK or "X-Amz-Target" not in (request.headers or {}):
                return answer
            page = answer.body
            return Response(_OK, b"{}")

        client = replace(self._client, http=keep)
        await self._ask(partial(client.send_request, action="Query", payload={"TableName": self.name, **asked}))
        return page

    async def scan_lists(self) -> list[Item]:
        """Return what all lists of the index hold, in no order, as it was a moment ago."""
        return await self._all_pages(partial(self._client.scan_single_page, self.name, index=LISTS), None)

    async def scan(self, *, where: Condition, fields: Collection[str]) -> list[Item]:
        """Read the whole table, and return these fields of what holds, in no order, as they are now."""
        ask = partial(self._client.scan_single_page, self.name, filter_expression=where, consistent_read=True)
        return await self._all_pages(partial(ask, projection=_projection(fields)), None)

    async def _all_pages(self, ask: Callable[..., Awaitable[Page]], limit: int | None) -> list[Item]:
        items: list[Item] = []
        start: Item | None = None
        while True:
            left = None if limit is None else limit - len(items)
            page = await self._ask(partial(ask, start_key=start, limit=left))
            items += page.items
            start = page.last_evaluated_key
            if start is None or (left is not None and len(page.items) >= left):
                return items

    async def get_many(self, keys: Iterable[tuple[str, str]], *, fields: Collection[str] = ()) -> list[Item]:
        """Return those items that are there, as they are now, in no order. Fields must name the keys where needed."""
        asked = [_key(*key) for key in dict.fromkeys(keys)]
        batches = [asked[at : at + _READS_AT_ONCE] for at in range(0, len(asked), _READS_AT_ONCE)]
        found = await gathered(self._get_batch(batch, fields) for batch in batches)
        return [item for items in found for item in items]

    async def _get_batch(self, keys: list[Item], fields: Collection[str]) -> list[Item]:
        items: list[Item] = []
        pauses = _Pauses(self._retry_seconds)
        while True:
            request = BatchGetRequest(keys, _projection(fields), consistent_read=True)
            answer = await self._ask(partial(self._client.batch_get, {self.name: request}))
            items += answer.items.get(self.name, [])
            keys = answer.unprocessed_keys.get(self.name, [])
            if not keys:
                return items
            await pauses.pause("The database has too much to do. Try again in a moment.")

    async def write_many(self, *, puts: Sequence[Item] = (), deletes: Sequence[tuple[str, str]] = ()) -> None:
        """Put and take away items, each by itself, in no order. What DynamoDB leaves undone is asked for again."""
        work = [(None, item) for item in puts] + [(_key(*key), None) for key in deletes]
        batches = [work[at : at + _WRITES_AT_ONCE] for at in range(0, len(work), _WRITES_AT_ONCE)]
        for at in range(0, len(batches), _BATCHES_AT_ONCE):
            await gathered(map(self._write_batch, batches[at : at + _BATCHES_AT_ONCE]))

    async def _write_batch(self, work: Sequence[tuple[Item | None, Item | None]]) -> None:
        deletes = [key for key, _ in work if key is not None]
        puts = [item for _, item in work if item is not None]
        pauses = _Pauses(self._retry_seconds)
        while True:
            request = BatchWriteRequest(keys_to_delete=deletes, items_to_put=puts)
            answer = await self._ask(partial(self._client.batch_write, {self.name: request}))
            left = answer.get(self.name)
            if left is None or not (left.undeleted_keys or left.unput_items):
                return
            deletes, puts = left.undeleted_keys, left.unput_items
            await pauses.pause("The database has too much to do. Try again in a moment.")

    async def transact(self, operations: Sequence[Operation]) -> frozenset[int]:
        """Do all, or nothing: return which conditions did not hold, by number; where there are some, nothing is done.

        One that meets another transaction is tried again. A repetition by the network is one transaction still.
        """
        pauses = _Pauses(self._retry_seconds)
        while True:
            send = partial(self._client.transact_write_items, operations, request_token=new_id())
            try:
                await self._ask(send)
            except TransactionCanceled as error:
                codes = ["" if reason is None else reason.code for reason in error.cancellation_reasons]
                failed = frozenset(at for at, code in enumerate(codes) if code == "ConditionalCheckFailed")
                if failed:
                    return failed
                if not _PASSING.intersection(codes):
                    raise StoreError("The database refused to store this. Try again, or ask again anew.") from error
                await pauses.pause("Too many are changing the same at once. Try again in a moment.")
            else:
                return frozenset()

    # ------------------------------------------------------------ faults

    async def _ask(self, call: Callable[[], Awaitable[T]]) -> T:
        pauses = _Pauses(self._retry_seconds)
        while True:
            try:
                async with self._free:
                    return await call()
            except (ConditionalCheckFailed, ItemNotFound, TransactionCanceled):
                raise
            except (AIODynamoError, HttpError, RetryTimeout, TimeoutError) as error:
                if not _is_passing(error):
                    raise StoreError(self._sentence(error)) from error
                await pauses.pause("The database has too much to do. Try again in a moment.")

    def _sentence(self, error: Exception) -> str:
        if isinstance(error, HttpError | TimeoutError):
            return "The database does not answer. Try again in a moment."
        if isinstance(error, TableNotFound):
            return f"There is no table '{self.name}' here. Run 'daehwa deploy', or correct the table's name and region."
        if isinstance(error, _NOT_LET_IN):
            return "The database does not let this program in. Check the AWS credentials and what they may do."
        # Not its text: a refusal may quote what was to be stored.
        return f"The database could not do its work ({type(error).__name__}). Try again in a moment."


class _Pauses:
    """Longer and longer pauses with jitter, for a bounded time."""

    def __init__(self, seconds: float) -> None:
        self._until = asyncio.get_running_loop().time() + seconds
        self._longest = _FIRST_PAUSE

    async def pause(self, sentence: str) -> None:
        if asyncio.get_running_loop().time() >= self._until:
            raise StoreError(sentence)
        await asyncio.sleep(random.uniform(0, self._longest))  # noqa: S311 - spreads attempts, guards nothing
        self._longest = min(self._longest * 2, _LONGEST_PAUSE)


async def gathered(calls: Iterable[Awaitable[T]]) -> list[T]:
    """Return the results of calls made side by side, once all have ended; raise the first fault then."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]


def changes(given: Mapping[str, Any]) -> UpdateExpression:
    """Return what sets these attributes, and removes those that are None."""
    return reduce(and_, (F(name).remove() if value is None else F(name).set(value) for name, value in given.items()))


def _is_passing(error: Exception) -> bool:
    if isinstance(error, UnknownError):
        return error.status >= _SERVER_ERROR
    return isinstance(error, RequestLimitExceeded | TransactionConflict | TransactionInProgress)


def _key(partition: str, sort: str) -> Item:
    return {PARTITION_KEY: partition, SORT_KEY: sort}


def _projection(fields: Collection[str]) -> ProjectionExpression | None:
    return reduce(and_, map(F, fields)) if fields else None
