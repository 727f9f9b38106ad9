"""Images on their way to an upstream: the very JSON that is sent, once made for all tries, and only to who sees."""

import base64
import gc
import json
import tracemalloc
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import pytest
from images import GIF, JPEG, PNG
from providers.conftest import Connect
from providers.contract import all_events, said
from upstream import Answer, FakeUpstream, error, stream

from daehwa.conversation.errors import ProviderRefusedError, ProviderUnavailableError
from daehwa.conversation.events import AnsweredBy, Batch, TextDelta
from daehwa.conversation.ids import new_id
from daehwa.conversation.images import Image, media_type_of
from daehwa.conversation.messages import ImagePart
from daehwa.conversation.ports import GenerationRequest, Model, PromptMessage
from daehwa.conversation.transcript import CONTINUE, IMAGE_NOTE
from daehwa.providers.catalogue import Catalogue
from daehwa.providers.embedded import EmbeddedProvider
from daehwa.providers.listing import listed_models, named_models
from daehwa.providers.questions import Questions, worded
from daehwa.providers.routes import ModelRoute, RouteTarget
from daehwa.providers.scripted import ScriptedProvider
from daehwa.providers.upstream import ServedModel, Upstream


def kept(data: bytes) -> Image:
    media_type = media_type_of(data)
    assert media_type is not None
    return Image(new_id(), media_type, data)


def named(image: Image) -> ImagePart:
    return ImagePart(image=image.id, media_type=image.media_type, size=len(image.data), width=1, height=1)


def showing(*images: Image, text: str = "What is it?", before: Sequence[PromptMessage] = ()) -> GenerationRequest:
    last = PromptMessage("user", text, tuple(map(named, images)))
    return GenerationRequest(model="gpt-test", messages=(*before, last), images={image.id: image for image in images})


def url_of(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


async def test_the_very_json_that_is_sent(connect: Connect) -> None:
    before = [PromptMessage("system", "Be brief."), PromptMessage("user", "Hi"), PromptMessage("assistant", "Hello")]
    async with FakeUpstream(Answer(stream("A cat."))) as upstream:
        provider = connect(upstream.base_url)
        await all_events(provider, showing(kept(PNG), kept(JPEG), before=before))
        await all_events(provider, showing(kept(GIF), text=""))
        await all_events(provider, showing())
    first, second, third = (request.json["messages"] for request in upstream.requests)
    assert first == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": url_of(PNG, "image/png")}},
                {"type": "image_url", "image_url": {"url": url_of(JPEG, "image/jpeg")}},
                {"type": "text", "text": "What is it?"},
            ],
        },
    ]
    only = {"type": "image_url", "image_url": {"url": url_of(GIF, "image/gif")}}
    assert second == [{"role": "user", "content": [only]}]
    assert third == [{"role": "user", "content": "What is it?"}]


class Counting(dict[str, Image]):
    """Images that count how often they are looked through."""

    looks = 0

    def items(self) -> Any:
        self.looks += 1
        return super().items()


async def test_a_further_try_and_a_request_that_is_worded_anew_make_no_base64(connect: Connect) -> None:
    answers = [
        error(503, "Overloaded."),
        error(400, "Unknown: stream_options"),
        Answer(stream("A cat.")),
    ]
    image = kept(PNG)
    images = Counting({image.id: image})
    request = GenerationRequest(model="gpt-test", messages=(PromptMessage("user", "", (named(image),)),), images=images)
    async with FakeUpstream(*answers) as upstream:
        assert said(await all_events(connect(upstream.base_url), request)) == "A cat."
    assert len({json.dumps(each.json["messages"]) for each in upstream.requests}) == 1
    assert len(upstream.requests) == 3
    assert images.looks == 1


async def test_who_sees_none_says_so_himself(connect: Connect) -> None:
    async with FakeUpstream(error(400, "This model does not support image input.")) as upstream:
        with pytest.raises(ProviderRefusedError, match="does not support image input"):
            await all_events(connect(upstream.base_url), showing(kept(PNG)))


async def test_texts_are_worded_as_ever() -> None:
    questions = Questions(Upstream(name="acme", base_url="http://127.0.0.1:1/v1", key=None))
    request = showing()
    assert questions.body(request) == questions.body(request, await worded({}))
    assert b'"content":"What is it?"' in questions.body(request)


# ---------------------------------------------------------------- who sees


UPSTREAM = Upstream(name="acme", base_url="http://127.0.0.1:1/v1", key=None)


@pytest.mark.parametrize(
    ("told", "sees"),
    [
        ({}, True),
        ({"architecture": {"input_modalities": ["text", "image"]}}, True),
        ({"architecture": {"input_modalities": ["text"]}}, False),
        ({"architecture": {"input_modalities": []}}, True),
        ({"architecture": "MistralForCausalLM"}, True),
        ({"input_modalities": ["text"]}, False),
        ({"capabilities": {"vision": True}}, True),
        ({"capabilities": {"vision": False, "completion_chat": True}}, False),
        ({"capabilities": {"image_input": {"supported": False}}}, False),
        ({"capabilities": {"image_input": {"supported": True}}}, True),
        ({"capabilities": ["completion"]}, True),
        ({"supports_image_input": False}, False),
        ({"supports_vision": False}, False),
        ({"supports_vision": None}, True),
        ({"id": "davinci-002"}, False),
    ],
)
def test_a_model_sees_unless_its_upstream_says_otherwise(told: Mapping[str, Any], *, sees: bool) -> None:
    body = json.dumps({"data": [{"id": "one", **told}]}).encode()
    (model,) = listed_models(UPSTREAM, body)
    assert model.sees_images is sees


def test_of_models_that_the_settings_name_those_that_go_on_with_a_prompt_see_none() -> None:
    models = (ServedModel(name="gpt-test"), ServedModel(name="old"))
    upstream = Upstream(
        name="acme", base_url="http://127.0.0.1:1/v1", key=None, models=models, completion_models=("old",)
    )
    assert [model.sees_images for model in named_models(upstream)] == [True, False]


async def test_the_embedded_model_sees_none(embedded: EmbeddedProvider) -> None:
    assert [model.sees_images for model in await embedded.models()] == [False]


# ---------------------------------------------------------------- aliases


def seeing(name: str, *, sees: bool) -> ScriptedProvider:
    model = Model(id=f"{name}/parrot", name="parrot", provider=name, sees_images=sees)
    return ScriptedProvider(name=name, models=[model])


def aliased(*providers: ScriptedProvider) -> Catalogue:
    targets = tuple(RouteTarget(f"{provider.name}/parrot") for provider in providers)
    return Catalogue(providers, routes=[ModelRoute("fast", targets)])


async def test_an_alias_sees_where_one_of_its_targets_does() -> None:
    for sees in ((True, False), (False, True), (False, False)):
        catalogue = aliased(seeing("one", sees=sees[0]), seeing("two", sees=sees[1]))
        assert (await catalogue.resolve("fast")).model.sees_images is any(sees)


async def test_what_shows_images_is_asked_of_who_sees() -> None:
    blind, first, second = seeing("blind", sees=False), seeing("first", sees=True), seeing("second", sees=True)
    found = await aliased(blind, first, second).resolve("fast")
    events = await all_events(found.provider, showing(kept(PNG)))
    assert events[0] == AnsweredBy("first/parrot")
    assert said(events) == "You said: What is it?\nI see 1 image."
    assert said(await all_events(found.provider, showing())) == "You said: What is it?"
    assert len(blind.calls) == 1, "who sees none is asked what shows none, in the order of the alias"


async def test_where_nobody_who_sees_can_answer_the_question_is_not_asked_of_who_does_not() -> None:
    down = seeing("down", sees=True)
    down.script = [ProviderRefusedError("No.")]
    blind = seeing("blind", sees=False)
    found = await aliased(down, blind).resolve("fast")
    with pytest.raises(ProviderRefusedError):
        await all_events(found.provider, showing(kept(PNG)))
    assert blind.calls == []


async def test_what_was_shown_before_becomes_a_note_for_who_sees_none() -> None:
    down = seeing("down", sees=True)
    down.script = [ProviderUnavailableError("Overloaded.")]
    blind = seeing("blind", sees=False)
    found = await aliased(blind, down).resolve("fast")
    image = kept(PNG)
    before = (PromptMessage("user", "What is it?", (named(image),)), PromptMessage("assistant", "A cat."))
    request = GenerationRequest(
        model="fast", messages=(*before, PromptMessage("user", "Sure?")), images={image.id: image}
    )
    events = await all_events(found.provider, request)
    assert events[0] == AnsweredBy("blind/parrot")
    assert len(down.calls) == 1, "who sees is asked first"
    asked = blind.requests[0]
    assert asked.images == {}
    assert asked.messages[0] == PromptMessage("user", f"{IMAGE_NOTE}\n\nWhat is it?")


async def test_going_on_with_an_answer_about_images_is_asked_of_who_sees_alone() -> None:
    down = seeing("down", sees=True)
    down.script = [ProviderUnavailableError("Overloaded.")]
    blind = seeing("blind", sees=False)
    found = await aliased(blind, down).resolve("fast")
    more = (PromptMessage("assistant", "A cat, and"), PromptMessage("user", CONTINUE))
    asked = showing(image := kept(PNG))
    request = GenerationRequest(model="fast", messages=(*asked.messages, *more), images=asked.images)
    assert image.id in request.images
    with pytest.raises(ProviderUnavailableError):
        await all_events(found.provider, request)
    assert blind.calls == []


async def test_images_are_let_go_while_an_answer_comes(connect: Connect) -> None:
    size = 8_000_000
    async with FakeUpstream(Answer(stream("A cat."))) as upstream:
        provider = connect(upstream.base_url)
        await all_events(provider, showing(text="Warm up"))
        tracemalloc.start()
        try:
            batches = provider.generate(showing(kept(PNG + bytes(size))))
            await anext(batches)
            gc.collect()
            _, most = tracemalloc.get_traced_memory()
            # What the upstream of this test has of the body is not ours.
            ours = [tracemalloc.Filter(True, "*/daehwa/*"), tracemalloc.Filter(True, __file__)]
            of_files = tracemalloc.take_snapshot().filter_traces(ours).statistics("filename")
            await batches.aclose()
        finally:
            tracemalloc.stop()
    assert most > size
    assert sum(each.size for each in of_files) < size / 4, "neither the image nor its base64 is needed any more"


class _Forgetful(ScriptedProvider):
    """A provider that keeps nothing of what it is asked."""

    def generate(self, request: GenerationRequest) -> AsyncGenerator[Batch, None]:  # noqa: ARG002 - the port's
        return self._said()

    async def _said(self) -> AsyncGenerator[Batch, None]:
        yield (TextDelta("A "),)
        yield (TextDelta("cat."),)


def _held() -> int:
    gc.collect()
    return sum(isinstance(each, GenerationRequest) and bool(each.images) for each in gc.get_objects())


async def test_an_alias_lets_go_of_images_once_one_has_begun_to_answer() -> None:
    found = await aliased(_Forgetful(name="forgetful")).resolve("fast")
    held = _held()
    batches = found.provider.generate(showing(kept(PNG)))
    assert await anext(batches) == (AnsweredBy("forgetful/parrot"), TextDelta("A "))
    assert _held() == held
    assert [batch async for batch in batches] == [(TextDelta("cat."),)]
