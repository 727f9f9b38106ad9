"""The look from outside asks the application itself, and not what we take it for."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from aiohttp import web
from aws.home import PUBLIC_URL
from aws.in_process import Function, a_function
from deployment.test_smoke import outputs
from upstream import Answer, FakeUpstream, error, stream

from daehwa.deployment.smoke import Check, look
from daehwa.settings import Secret


@contextlib.asynccontextmanager
async def an_address(function: Function) -> AsyncIterator[str]:
    """An address of the function's on loopback, which it takes for the one that it knows."""

    async def handle(request: web.Request) -> web.StreamResponse:
        headers = {name: text for name, text in request.headers.items() if name.lower() not in {"host", "origin"}}
        body, method = await request.read(), request.method
        asked = function.client.request(method, request.path_qs, data=body, headers=headers | {"origin": PUBLIC_URL})
        async with asked as answer:
            response = web.StreamResponse(status=answer.status, headers={"content-type": answer.content_type})
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                await response.write(piece)
            return response

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def looked_at(answer: Answer) -> tuple[Check, list[str]]:
    """Return what is seen of streaming before an upstream that answers so, and the conversations that are left."""
    async with FakeUpstream(answer) as upstream, a_function(upstream, DAEHWA_MODELS="small") as function:
        mina, browser = await function.member("mina")
        cookie = Secret(browser["cookie"].partition("=")[2])
        async with an_address(function) as address:
            seen = (await asyncio.to_thread(look, outputs(address), cookie))[-1]
        listed = await function.services.store.list_conversations(mina.id)
        return seen, [conversation.title for conversation in listed.conversations]


async def test_a_turn_is_taken_and_its_pieces_are_timed() -> None:
    seen, left = await looked_at(Answer(stream("one two three four five", pace=0.1)))
    assert seen.is_right, seen.seen
    assert left == []


async def test_a_turn_that_fails_says_why() -> None:
    seen, left = await looked_at(error(401, "no such key"))
    assert seen.is_right is False
    assert seen.seen == "the answer failed: upstream_auth"
    assert left == []
