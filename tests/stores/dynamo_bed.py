"""A table to try things on, asked by several processes whose transports can fail."""

from dynamodb_local import shared_server
from stores.faulty_transport import FaultyTransport

from daehwa.http_client.client import HttpClient
from daehwa.stores.dynamodb import DynamoStore
from daehwa.stores.dynamodb_client import Transport


class Bed:
    """Stores on one new table, each as if in a process of its own, with a transport that can fail."""

    def __init__(self, table: str) -> None:
        self.name = table
        self.stores: list[DynamoStore] = []
        self._clients: list[HttpClient] = []

    def open(self, retry_seconds: float = 20.0) -> tuple[DynamoStore, FaultyTransport]:
        self._clients.append(HttpClient())
        transport = FaultyTransport(Transport(self._clients[-1]))
        store = DynamoStore(shared_server().connect(self.name, transport, retry_seconds))
        self.stores.append(store)
        return store, transport

    async def aclose(self) -> None:
        for store in self.stores:
            await store.aclose()
        for client in self._clients:
            await client.aclose()
