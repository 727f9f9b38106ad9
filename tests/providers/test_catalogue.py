"""The catalogue: what is offered, what a name means, what the default is, and what nobody waits for."""

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest
from providers.conftest import Connect
from providers.contract import question
from upstream import Answer, FakeUpstream

from daehwa.conversation.errors import (
    ModelNotFound,
    ModelNotInstalled,
    ProviderAuthError,
    ProviderError,
    ProviderUnreachableError,
)
from daehwa.conversation.ports import Model
from daehwa.providers.catalogue import Catalogue
from daehwa.providers.listing import known_context_window, model_kind
from daehwa.providers.openai_wire import OpenAIWireProvider
from daehwa.providers.scripted import ScriptedProvider
from daehwa.providers.upstream import ServedModel, Upstream

if TYPE_CHECKING:
    from daehwa.conversation.ports import ModelCatalogue

    CATALOGUE: type[ModelCatalogue] = Catalogue

DOWN = ProviderUnreachableError("Not there.")


def acme(*models: str) -> ScriptedProvider:
    return ScriptedProvider(name="acme", models=models or ("small", "large"))


def embedded(state: str = "ready") -> ScriptedProvider:
    model = Model(id="embedded/tiny", name="Tiny", provider="embedded", trial=True, state=state)  # type: ignore[arg-type] # one of the states
    provider = ScriptedProvider(name="embedded", models=[model])
    provider.lists_at_once = True
    return provider


def down(provider: ScriptedProvider) -> ScriptedProvider:
    provider.models_error = DOWN
    return provider


class CountingProvider(ScriptedProvider):
    """Counts how often it is asked; answers when `gate` opens."""

    def __init__(self) -> None:
        super().__init__(name="acme", models=["small"])
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def models(self) -> Sequence[Model]:
        self.asked += 1
        await self.gate.wait()
        return await super().models()


async def test_all_models_in_the_order_of_the_providers() -> None:
    catalogue = Catalogue([acme(), ScriptedProvider(), embedded()])
    assert [model.id for model in await catalogue.models()] == [
        "acme/small",
        "acme/large",
        "scripted/parrot",
        "embedded/tiny",
    ]


@pytest.mark.parametrize(
    ("providers", "default", "expected"),
    [
        ([acme()], None, "acme/small"),
        ([acme()], "acme/large", "acme/large"),
        ([acme()], "large", "acme/large"),
        ([acme()], "gone", "acme/small"),
        ([acme("other", "gpt-4o-mini", "gpt-5-mini")], None, "acme/gpt-5-mini"),
        ([acme(), embedded()], None, "acme/small"),
        ([embedded()], None, "embedded/tiny"),
        ([embedded(), acme()], None, "acme/small"),
        ([embedded("loading")], None, "embedded/tiny"),
        ([embedded("unavailable")], None, None),
        ([down(acme()), embedded()], None, "embedded/tiny"),
        ([down(acme()), embedded()], "acme/large", "acme/large"),
        ([down(acme())], "large", "acme/large"),
        ([down(acme())], None, None),
        ([], None, None),
    ],
)
async def test_the_default(providers: list[ScriptedProvider], default: str | None, expected: str | None) -> None:
    catalogue = Catalogue(providers, default=default)
    assert await catalogue.default_model() == expected
    if expected is None:
        with pytest.raises(ModelNotFound, match="." if providers else "OPENAI_API_KEY"):
            await catalogue.resolve(None)
    else:
        assert (await catalogue.resolve(None)).model.id == expected


@pytest.mark.parametrize(
    ("name", "expected", "upstream_name"),
    [
        ("acme/small", "acme/small", "small"),
        ("large", "acme/large", "large"),
        ("vendor/deep", "acme/vendor/deep", "vendor/deep"),
        ("acme/vendor/deep", "acme/vendor/deep", "vendor/deep"),
        ("llama", "acme/llama:latest", "llama:latest"),
        ("embedded/tiny", "embedded/tiny", "tiny"),
    ],
)
async def test_a_name_is_found(name: str, expected: str, upstream_name: str) -> None:
    catalogue = Catalogue([acme("small", "large", "vendor/deep", "llama:latest"), embedded()])
    found = await catalogue.resolve(name)
    assert (found.model.id, found.upstream_name) == (expected, upstream_name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("acme/larg", "acme/large, acme/small"), ("gud", "Choose one of: acme/small"), ("", "Choose")],
)
async def test_a_name_that_nobody_serves(name: str, hint: str) -> None:
    with pytest.raises(ModelNotFound, match=hint):
        await Catalogue([acme()]).resolve(name)


@pytest.mark.parametrize("name", ["acme/mystery", "mystery"])
async def test_where_the_provider_cannot_be_asked_a_named_model_still_resolves(name: str) -> None:
    catalogue = Catalogue([down(acme())])
    found = await catalogue.resolve(name)
    assert (found.model.id, found.upstream_name) == ("acme/mystery", "mystery")
    assert await catalogue.models() == []
    assert catalogue.problems() == {"acme": DOWN}


async def test_a_model_that_its_own_provider_does_not_list_is_not_looked_for_at_one_that_is_down() -> None:
    other = down(ScriptedProvider(name="other"))
    with pytest.raises(ModelNotFound):
        await Catalogue([acme(), other]).resolve("acme/typo")


async def test_a_listing_is_asked_for_once_and_kept() -> None:
    provider = CountingProvider()
    catalogue = Catalogue([provider])
    await asyncio.gather(catalogue.models(), catalogue.models(), catalogue.default_model(), catalogue.resolve("small"))
    await catalogue.resolve("acme/small")
    assert provider.asked == 1


async def test_an_old_listing_serves_while_a_new_one_is_fetched() -> None:
    provider = CountingProvider()
    catalogue = Catalogue([provider], lifetime=0.0)
    await catalogue.models()
    provider.gate.clear()
    assert (await catalogue.resolve("acme/small")).model.id == "acme/small"
    await asyncio.sleep(0)
    assert provider.asked == 2
    provider.models_error = DOWN
    provider.gate.set()
    await asyncio.sleep(0)
    assert len(await catalogue.models()) == 1
    await catalogue.aclose()
    assert provider.is_closed


async def test_a_provider_on_this_machine_is_asked_every_time() -> None:
    provider = embedded("loading")
    catalogue = Catalogue([provider])
    assert [model.state for model in await catalogue.models()] == ["loading"]
    provider._models = ()
    assert await catalogue.models() == []


async def test_an_upstream_that_does_not_answer_holds_nobody_up_for_long() -> None:
    provider = CountingProvider()
    provider.gate.clear()
    catalogue = Catalogue([provider, ScriptedProvider()], first_wait=0.1)
    began = time.monotonic()
    for _ in range(20):  # the wait is for its silence, not for each question
        assert [model.id for model in await catalogue.models()] == ["scripted/parrot"]
        assert await catalogue.default_model() == "scripted/parrot"
    assert 0.1 <= time.monotonic() - began < 1
    await catalogue.aclose()


async def test_where_no_model_is_there_the_reason_is_told() -> None:
    with pytest.raises(ModelNotFound) as caught:
        await Catalogue([down(acme())]).resolve(None)
    assert caught.value.message == "Not there."
    with pytest.raises(ModelNotFound, match=r"^There is no model to answer\.$"):
        await Catalogue([ScriptedProvider(models=())]).resolve(None)


async def test_a_small_model_that_is_not_installed_has_a_type_of_its_own() -> None:
    provider = MissingProvider(name="embedded", models=[])
    catalogue = Catalogue([provider])
    for model in (None, "tiny"):
        with pytest.raises(ModelNotFound, match="Fetch it") as caught:
            await catalogue.resolve(model)
        assert caught.value.type == "model_not_installed"
    assert catalogue.problems()["embedded"].type == "model_not_installed"


class MissingProvider(ScriptedProvider):
    """Is not installed."""

    fault = ModelNotInstalled("Fetch it.")


async def test_silence_is_a_problem_with_the_address() -> None:
    never = asyncio.Event()
    async with FakeUpstream(models=Answer([], before=never)) as upstream:
        provider = OpenAIWireProvider(Upstream(name="acme", base_url=upstream.base_url))
        catalogue = Catalogue([provider], first_wait=0.05)
        with pytest.raises(ModelNotFound) as caught:
            await catalogue.resolve(None)
        assert caught.value.message == (
            f"acme at 127.0.0.1:{upstream.port} has not answered for 0.05 s. Check that it is running and that the "
            "base URL is right."
        )
        await catalogue.aclose()
        never.set()


async def test_after_a_failed_listing_it_is_soon_asked_again() -> None:
    provider = down(acme())
    catalogue = Catalogue([provider], lifetime=0.0)
    assert await catalogue.models() == []
    provider.models_error = None
    assert [model.id for model in await catalogue.models()] == ["acme/small", "acme/large"]
    assert catalogue.problems() == {}


# ---------------------------------------------------------------- discovery over the wire


async def test_what_an_upstream_lists(connect: Connect) -> None:
    listed: list[str | dict[str, object]] = [
        {"id": "zeta", "context_length": 4096, "created": 1_700_000_000},
        {"id": "models/alpha", "display_name": "Alpha", "created": -1},
        "text-embedding-3-small",
        {"id": "mid", "meta": {"n_ctx_train": 2048}, "created": 1e99},
    ]
    async with FakeUpstream(models=listed) as upstream:
        models = await connect(upstream.base_url, titles=False).models()
    assert list(models) == [
        Model(
            id="acme/zeta",
            name="zeta",
            provider="acme",
            context_window=4096,
            titles=False,
            created=1_700_000_000,
        ),
        Model(id="acme/models/alpha", name="Alpha", provider="acme", titles=False),
        Model(
            id="acme/text-embedding-3-small",
            name="text-embedding-3-small",
            provider="acme",
            titles=False,
            kind="embedding",
        ),
        Model(id="acme/mid", name="mid", provider="acme", context_window=2048, titles=False),
    ]


async def test_models_that_the_settings_name_are_not_asked_for(connect: Connect) -> None:
    named = (ServedModel(name="gpt-4o"), ServedModel(name="b", label="Bee", context_window=10))
    async with FakeUpstream() as upstream:
        models = await connect(upstream.base_url, models=named, context_window=99).models()
    assert [(model.name, model.context_window) for model in models] == [("gpt-4o", 99), ("Bee", 10)]
    assert not upstream.requests


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Answer([], 401), "does not accept the API key"),
        (Answer([], 404), "does not list its models"),
        (Answer([b"<html>"], 200), "a list of models that is none"),
        (Answer([b'{"data": 1}'], 200), "a list of models that is none"),
        (Answer([b"[" * 100_000], 200), "a list of models that is none"),
        (Answer([b'{"data": ' + b"[" * 100_000], 200), "a list of models that is none"),
        (Answer([b'{"data": [], "more": ' + b"[" * 100_000], 200), "a list of models that is none"),
    ],
)
async def test_a_list_that_cannot_be_had(connect: Connect, answer: Answer, sentence: str) -> None:
    async with FakeUpstream(models=answer) as upstream:
        provider = connect(upstream.base_url)
        with pytest.raises(ProviderError, match=sentence):
            await provider.models()


async def test_a_wrong_key_is_a_problem_and_the_turn_says_so(connect: Connect) -> None:
    refusal = Answer([], 401)
    async with FakeUpstream(refusal, models=refusal) as upstream:
        catalogue = Catalogue([connect(upstream.base_url)], default="gpt-test")
        found = await catalogue.resolve(None)
        assert isinstance(catalogue.problems()["acme"], ProviderAuthError)
        with pytest.raises(ProviderAuthError):
            await anext(aiter(found.provider.generate(question(model=found.upstream_name))))


@pytest.mark.parametrize(
    ("name", "is_offered"),
    [
        ("gpt-6-luna", True),
        ("gpt-5.4-mini", True),
        ("gpt-4o", True),
        ("chat-latest", True),
        ("o3", True),
        ("o3-mini-2025-01-31", True),
        ("gpt-3.5-turbo", True),
        ("ft:gpt-4o-mini:acme::abc", True),
        ("gpt-3.5-turbo-instruct", False),
        ("gpt-5.4-pro", False),
        ("gpt-5.4-pro-2026-03-05", False),
        ("gpt-5.3-codex", False),
        ("text-embedding-3-large", False),
        ("whisper-1", False),
        ("tts-1-hd", False),
        ("gpt-4o-mini-tts", False),
        ("dall-e-3", False),
        ("gpt-image-2", False),
        ("gpt-4o-audio-preview", False),
        ("gpt-realtime-2.1", False),
        ("gpt-live-transcribe", False),
        ("omni-moderation-latest", False),
        ("sora-2", False),
        ("davinci-002", False),
        ("o3-deep-research", False),
        ("computer-use-preview", False),
    ],
)
def test_of_openais_models_only_those_for_chat_are_offered(name: str, *, is_offered: bool) -> None:
    assert (model_kind(name, is_openai=True) == "chat") == is_offered


@pytest.mark.parametrize(
    "name", ["llama-3.1-8b-instruct", "Qwen2.5-7B-Instruct", "mistral:7b", "SmolLM2-135M-Instruct"]
)
def test_elsewhere_instruct_is_a_chat_model(name: str) -> None:
    assert model_kind(name) == "chat"


@pytest.mark.parametrize(
    ("name", "tokens"),
    [("gpt-4o-mini", 128_000), ("gpt-4", 8_192), ("gpt-4.1", 1_047_576), ("openai/o3", 200_000), ("llama", None)],
)
def test_known_context_windows(name: str, tokens: int | None) -> None:
    assert known_context_window(name) == tokens
