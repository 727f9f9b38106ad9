"""A key that is read late: none yet, set meanwhile, changed at the upstream, and never shown."""

import asyncio
import json
from collections.abc import Sequence

import pytest
from providers.conftest import Connect, Make
from upstream import Answer, Answers, FakeUpstream, Request, stream

from daehwa.conversation.errors import KeyNotSet, ProviderAuthError, ProviderError
from daehwa.conversation.events import TextDelta
from daehwa.conversation.ports import GenerationRequest, Model, PromptMessage
from daehwa.gateway.ports import WireRequest
from daehwa.providers.catalogue import Catalogue
from daehwa.providers.openai_wire import OpenAIWireProvider
from daehwa.providers.scripted import ScriptedProvider
from daehwa.providers.upstream import ServedModel
from daehwa.providers.upstream_faults import UpstreamFault

ASKED = GenerationRequest(model="gpt-test", messages=(PromptMessage("user", "Hello"),))
NO_KEY = "There is no key yet. Set one."


class KeyBoard:
    """Keys that hang in a row: `forget` takes the first down, unless it is the last. None: there is none yet."""

    def __init__(self, *keys: str | None) -> None:
        self.keys = list(keys)
        self.read_times = 0

    async def read(self) -> str:
        self.read_times += 1
        if self.keys[0] is None:
            raise KeyNotSet(NO_KEY)
        return self.keys[0]

    def forget(self) -> None:
        if len(self.keys) > 1:
            self.keys.pop(0)


def accepting(key: str) -> Answers:
    def answer(request: Request) -> Answer:
        if request.headers.get("authorization") == f"Bearer {key}":
            return Answer(stream("Hello there"))
        said = {"error": {"message": f"wrong key {request.headers.get('authorization')}", "code": "invalid_api_key"}}
        return Answer([json.dumps(said).encode()], status=401, headers={"content-type": "application/json"})

    return answer


async def text_of(provider: OpenAIWireProvider) -> str:
    batches = [batch async for batch in provider.generate(ASKED)]
    return "".join(event.text for batch in batches for event in batch if isinstance(event, TextDelta))


async def test_the_key_is_read_for_each_call_and_sent(connect: Connect) -> None:
    async with FakeUpstream(accepting("sk-late-1234")) as upstream:
        keys = KeyBoard("sk-late-1234")
        provider = connect(upstream.base_url, key=None, late_key=keys)
        assert [await text_of(provider) for _ in range(2)] == ["Hello there"] * 2
        assert keys.read_times == 2


async def test_a_key_that_was_changed_is_read_anew_within_the_call(connect: Connect) -> None:
    async with FakeUpstream(accepting("sk-new-12345")) as upstream:
        provider = connect(upstream.base_url, key=None, late_key=KeyBoard("sk-old-12345", "sk-new-12345"))
        assert await text_of(provider) == "Hello there"
        assert len(upstream.requests) == 2


async def test_a_key_that_stays_wrong_is_sent_once_and_never_shown(connect: Connect) -> None:
    async with FakeUpstream(accepting("sk-right-123")) as upstream:
        provider = connect(upstream.base_url, key=None, late_key=KeyBoard("quite-another-form-of-key"))
        with pytest.raises(ProviderAuthError, match="does not accept the API key") as caught:
            await text_of(provider)
        assert "quite-another" not in caught.value.message
        assert len(upstream.requests) == 1


async def test_a_key_that_the_upstream_quotes_is_blotted_out(connect: Connect) -> None:
    said = {"error": {"message": "a word to quite-another-form-of-key", "code": "strange"}}
    refusal = Answer([json.dumps(said).encode()], status=400, headers={"content-type": "application/json"})
    async with FakeUpstream(lambda _request: refusal) as upstream:
        provider = connect(upstream.base_url, key=None, late_key=KeyBoard("quite-another-form-of-key"))
        with pytest.raises(ProviderError, match="a word to") as caught:
            await text_of(provider)
        assert "quite-another" not in caught.value.message


async def test_an_authorization_that_the_settings_give_comes_before_the_key(connect: Connect) -> None:
    async with FakeUpstream(accepting("of-the-settings")) as upstream:
        own = {"Authorization": "Bearer of-the-settings"}
        provider = connect(upstream.base_url, key=None, late_key=KeyBoard("sk-late-1234"), headers=own)
        assert await text_of(provider) == "Hello there"


async def test_a_refusal_is_not_left_open_where_the_key_was_taken_away(make: Make) -> None:
    async with FakeUpstream(accepting("sk-right-123")) as upstream:
        client = make(upstream.base_url, late_key=KeyBoard("sk-wrong-123", None))
        with pytest.raises(UpstreamFault) as caught:
            await client.get("chat/completions")
        assert isinstance(caught.value.error, KeyNotSet)
        assert not client.connections.busy


async def test_who_leaves_while_the_key_is_read_has_sent_nothing(connect: Connect) -> None:
    class Slow(KeyBoard):
        is_read = asyncio.Event()

        async def read(self) -> str:
            key = await super().read()
            if self.read_times > 1:
                self.is_read.set()
                await asyncio.Event().wait()
            return key

    async with FakeUpstream(accepting("sk-right-123")) as upstream:
        keys = Slow("sk-wrong-123")
        provider = connect(upstream.base_url, key=None, late_key=keys)
        request = WireRequest(endpoint="chat/completions", body=b"{}")
        target = provider.wire_target(Model(id="acme/m", name="m", provider="acme"), "m")
        sending = asyncio.ensure_future(target.send(request))
        async with asyncio.timeout(30):
            await keys.is_read.wait()
        assert len(upstream.requests) == 1, "and that one was refused"
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert not request.is_sent


async def test_without_a_key_nothing_is_sent(connect: Connect) -> None:
    async with FakeUpstream() as upstream:
        provider = connect(upstream.base_url, key=None, late_key=KeyBoard(None))
        for ask in (lambda: text_of(provider), provider.models):
            with pytest.raises(KeyNotSet, match="Set one"):
                await ask()
        assert upstream.connections == 0


@pytest.mark.parametrize("models", [(), ("gpt-test",)])
@pytest.mark.parametrize("default", [None, "openai/gpt-test"])
async def test_a_catalogue_without_a_key_says_so_before_a_turn_begins(
    connect: Connect, models: tuple[str, ...], default: str | None
) -> None:
    async with FakeUpstream() as upstream:
        keys = KeyBoard(None)
        served = tuple(ServedModel(name=name) for name in models)
        provider = connect(upstream.base_url, name="openai", key=None, late_key=keys, models=served)
        catalogue = Catalogue([provider], default=default, lifetime=0)
        for name in (None, "gpt-test", "openai/gpt-test"):
            with pytest.raises(KeyNotSet):
                await catalogue.resolve(name)
        assert await catalogue.models() == []
        assert await catalogue.default_model() is None
        assert catalogue.problems()["openai"].type == "key_not_set"
        keys.keys = ["sk-set-12345"]
        assert (await catalogue.resolve("gpt-test")).upstream_name == "gpt-test"
        assert catalogue.problems() == {}
        await catalogue.aclose()


async def test_a_key_that_is_set_works_within_seconds_however_long_listings_are_kept(connect: Connect) -> None:
    async with FakeUpstream() as upstream:
        keys = KeyBoard(None)
        served = (ServedModel(name="gpt-test"),)
        provider = connect(upstream.base_url, name="openai", key=None, late_key=keys, models=served)
        catalogue = Catalogue([provider])
        with pytest.raises(KeyNotSet):
            await catalogue.resolve("gpt-test")
        keys.keys = ["sk-set-12345"]
        async with asyncio.timeout(5):
            while not await catalogue.models():  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0.1)
        await catalogue.aclose()


class Slow(ScriptedProvider):
    """Lists its models when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may = asyncio.Event()
        self.cancelled = 0

    async def models(self) -> Sequence[Model]:
        try:
            await self.may.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return await super().models()


async def test_for_a_process_that_may_stand_still_nothing_is_fetched_in_the_background() -> None:
    provider = Slow()
    catalogue = Catalogue([provider], lifetime=0, first_wait=0.05, in_background=False)
    assert await catalogue.models() == []
    await asyncio.sleep(0)
    assert provider.cancelled == 1
    assert isinstance(catalogue.problems()["scripted"], ProviderError)
    provider.may.set()
    assert len(await catalogue.models()) == 1
    provider.may.clear()
    assert len(await catalogue.models()) == 1, "what was listed before still serves"
    await asyncio.sleep(0)
    assert provider.cancelled == 2
    await catalogue.aclose()


async def test_who_was_silent_is_not_waited_for_by_each_request() -> None:
    provider = Slow()
    catalogue = Catalogue([provider], lifetime=60, first_wait=0.05, in_background=False)
    for _ in range(3):
        assert await catalogue.models() == []
    await asyncio.sleep(0)
    assert provider.cancelled == 1
    await catalogue.aclose()
