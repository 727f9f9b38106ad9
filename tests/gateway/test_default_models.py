"""Who answers where a request names no model: of those of the endpoint's kind the first that its caller may ask."""

import pytest
from gateway.bed import OWNER, RememberingMeter
from upstream import Answer, FakeUpstream

from daehwa.accounts.errors import ModelNotAllowed
from daehwa.accounts.keys import Caller, KeyLimits
from daehwa.accounts.minting import mint_key
from daehwa.conversation.errors import ModelNotFound
from daehwa.gateway.asking import JsonAsked
from daehwa.gateway.calls import Gateway
from daehwa.gateway.idempotency import OnceOnly
from daehwa.gateway.ports import Endpoint
from daehwa.gateway.rates import Rates
from daehwa.providers.catalogue import Catalogue
from daehwa.providers.openai_wire import OpenAIWireProvider
from daehwa.providers.upstream import Upstream
from daehwa.stores.memory_answers import MemoryAnswers
from daehwa.stores.memory_rates import MemoryRates

NAMES = ("gpt-test", "text-moderation-stable", "embed-one", "embed-two", "omni-moderation-latest")


async def answering(provider: str, names: tuple[str, ...], endpoint: Endpoint, *allowed: str) -> str:
    """Return the model that was asked, where the caller's key allows these alone."""
    key, _ = mint_key(OWNER.id, "k", limits=KeyLimits(models=allowed), now=1)
    meter = RememberingMeter()
    async with FakeUpstream(Answer([b"{}"], 200, {"content-type": "application/json"}), models=names) as upstream:
        catalogue = Catalogue([OpenAIWireProvider(Upstream(name=provider, base_url=upstream.base_url))])
        gateway = Gateway(catalogue, meter, Rates(MemoryRates()), OnceOnly(MemoryAnswers(), wait_seconds=0.1))
        try:
            await gateway.ask(Caller(user=OWNER, key=key), JsonAsked.of(endpoint, {"input": "Hello"}))
        finally:
            await catalogue.aclose()
    (call,) = meter.calls
    return call.model


@pytest.mark.parametrize(
    ("endpoint", "allowed", "name"),
    [
        ("moderations", (), "acme/omni-moderation-latest"),
        ("moderations", ("acme/text-*",), "acme/text-moderation-stable"),
        ("embeddings", (), "acme/embed-one"),
        ("embeddings", ("embed-two",), "acme/embed-two"),
    ],
)
async def test_the_first_of_its_kind_that_the_caller_may_ask(
    endpoint: Endpoint, allowed: tuple[str, ...], name: str
) -> None:
    assert await answering("acme", NAMES, endpoint, *allowed) == name


async def test_who_may_ask_none_is_told_which_one_that_is() -> None:
    with pytest.raises(ModelNotAllowed, match="'acme/omni-moderation-latest', the default model"):
        await answering("acme", NAMES, "moderations", "gpt-test")


async def test_a_provider_is_no_model_for_moderation_by_its_own_name() -> None:
    assert await answering("moderation", NAMES, "moderations") == "moderation/omni-moderation-latest"
    with pytest.raises(ModelNotFound, match="Name a model"):
        await answering("moderation", ("gpt-test",), "moderations")
