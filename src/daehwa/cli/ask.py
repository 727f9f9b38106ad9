"""`daehwa ask`: one question from the terminal, its answer streamed to standard output, the conversation kept."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import click
import msgspec

from daehwa.cli.shown_images import read_images
from daehwa.cli.terminal import FAULT, STOPPED, Refusal, plain, refuse_without_output, tell
from daehwa.conversation.errors import ModelNotFound
from daehwa.conversation.events import ReplyEnded, TextDelta
from daehwa.conversation.ids import new_id
from daehwa.conversation.messages import MESSAGE_CHARACTERS, Conversation, TextPart
from daehwa.conversation.ports import ConversationStore
from daehwa.conversation.running import AskedImage, Question, RunningTurns, TurnRequest
from daehwa.conversation.terms import OPEN_TERMS
from daehwa.data_folder import DataFolder
from daehwa.services.local import OWNER, Catalogue, Services
from daehwa.settings import LoadedSettings, is_debugging, load_settings, program_name

_PIPED_BYTES = 4 * MESSAGE_CHARACTERS + 1
"""UTF-8 has at most four bytes a character."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What was given at the terminal."""

    question: str
    model: str | None
    goes_on: bool
    images: tuple[Path, ...] = ()


def ask_model(asked: Asked, flags: Mapping[str, object], config: Path | None) -> int:
    """Ask, print the answer as it comes, and return the exit code."""
    refuse_without_output()
    question = _whole_question(asked.question, is_shown=bool(asked.images))
    images = read_images(asked.images)
    loaded = load_settings(flags, config=config)
    # The title is the question: nobody at a terminal waits, or pays, for a better one.
    loaded = msgspec.structs.replace(loaded, values=msgspec.structs.replace(loaded.values, titles=False))
    if not is_debugging():
        # The paragraph at the end says it; a log is for servers.
        logging.getLogger("daehwa").addHandler(logging.NullHandler())
    return asyncio.run(_ask(loaded, msgspec.structs.replace(asked, question=question), images))


def _whole_question(given: str, *, is_shown: bool) -> str:
    """Return the question: the words given, then what a pipe brings; where something `is_shown`, perhaps none."""
    # No more than shows that it is too much: a pipe may have no end.
    piped = b"" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.buffer.read(_PIPED_BYTES)
    question = "\n\n".join(text for text in (given.strip(), piped.decode("utf-8", "replace").strip()) if text)
    if not question and not is_shown:
        raise Refusal(f'There is no question. Put it after the command: {program_name()} ask "…", or pipe it in.')
    if len(question) > MESSAGE_CHARACTERS:
        more = " or more" if len(piped) == _PIPED_BYTES else ""
        raise Refusal(
            f"The question has {len(question):,} characters{more}; the limit is {MESSAGE_CHARACTERS:,}. Shorten it."
        )
    return question


async def _ask(loaded: LoadedSettings, asked: Asked, images: tuple[AskedImage, ...]) -> int:
    os.umask(0o077)  # what is written from here on is the owner's alone
    folder = DataFolder(loaded.values.data_dir)
    folder.prepare()
    services = await Services.open(loaded, folder, runner=f"ask-{new_id()}")
    try:
        await _check_model(services.catalogue, asked.model)
        request = await _request(services, asked, images)
        await _check_sight(services.catalogue, request)
        stopped = _told_to_stop()
        reply = await services.running.start(request)
        return await _print_reply(services.running, reply.id, stopped)
    finally:
        await services.aclose()


async def _check_model(catalogue: Catalogue, model: str | None) -> None:
    try:
        await catalogue.resolve(model)
    except ModelNotFound as error:
        if all(listed.state == "unavailable" for listed in await catalogue.models()):
            raise
        raise Refusal(error.message) from None  # it is the name that is wrong


async def _check_sight(catalogue: Catalogue, request: TurnRequest) -> None:
    """Raise `Refusal` where the model that will be asked sees none of what is shown."""
    if request.question is None or not request.question.images:
        return
    model = (await catalogue.resolve(request.model)).model
    if not model.sees_images:
        raise Refusal(f"{model.name} sees no images. Name another model with --model, or leave --image out.")


async def _request(services: Services, asked: Asked, images: tuple[AskedImage, ...]) -> TurnRequest:
    store = services.store
    own = await services.people.preferences.get_preferences(OWNER)
    last = await _last_conversation(store) if asked.goes_on else None
    parent = None if last is None else await _last_reply(store, last)
    return TurnRequest(
        owner=OWNER,
        conversation=new_id() if last is None else last.id,
        reply=new_id(),
        model=asked.model or (None if last is None else last.model),
        question=Question(new_id(), parent, (TextPart(asked.question),) if asked.question else (), images),
        terms=OPEN_TERMS.with_own(own.instructions),
    )


async def _last_conversation(store: ConversationStore) -> Conversation:
    """Return the conversation with the newest turn; pinned ones stand first in the list, whatever their age."""
    newest: Conversation | None = None
    after: str | None = None
    while True:
        page = await store.list_conversations(OWNER, after=after)
        for conversation in page.conversations:
            if newest is None or conversation.updated > newest.updated:
                newest = conversation
            if not conversation.pinned:
                return newest
        if page.after is None:
            break
        after = page.after
    if newest is None:
        raise Refusal("There is no conversation to go on with yet. Ask without --continue.")
    return newest


async def _last_reply(store: ConversationStore, conversation: Conversation) -> str | None:
    """Return the reply at which the reader last was; a question follows an answer."""
    _, messages = await store.get_conversation(OWNER, conversation.id)
    by_id = {message.id: message for message in messages}
    found = by_id.get(conversation.leaf or "")
    while found is not None and found.role != "assistant":
        found = by_id.get(found.parent or "")
    return None if found is None else found.id


def _told_to_stop() -> asyncio.Event:
    """Return what is set by Ctrl-C, by the system's word to end, and where the terminal's window is closed."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is None or signal.getsignal(number) is signal.SIG_IGN:
            continue  # `nohup`, and a shell that runs it in the background, have it ignored
        with contextlib.suppress(NotImplementedError):  # Windows: there Ctrl-C interrupts, and the text is kept
            loop.add_signal_handler(number, stopped.set)
    return stopped


async def _print_reply(running: RunningTurns, reply: str, stopped: asyncio.Event) -> int:
    stop = asyncio.create_task(_stop_when(stopped, running, reply))
    ended, has_text = None, False
    shown = plain if sys.stdout.isatty() else str  # a file or a program is given what came
    try:
        async for batch in running.follow(OWNER, reply):
            for numbered in batch:
                event = numbered.event
                if isinstance(event, TextDelta):
                    has_text = True
                    click.echo(shown(event.text), nl=False, color=True)  # else click takes out what is no text
                elif isinstance(event, ReplyEnded):
                    ended = event
                    click.echo(nl=has_text)
    except OSError:  # nobody reads it any more, or there is no room for it
        await running.stop(OWNER, reply)
        raise
    finally:
        stop.cancel()
    return _exit_code(ended, has_text=has_text)


async def _stop_when(stopped: asyncio.Event, running: RunningTurns, reply: str) -> None:
    await stopped.wait()
    await running.stop(OWNER, reply)


def _exit_code(ended: ReplyEnded | None, *, has_text: bool) -> int:
    if ended is None or (ended.status == "complete" and not has_text):
        tell("daehwa: No answer.")
        return FAULT
    if ended.error is not None:
        kept = " What came is kept." if ended.status == "interrupted" else ""
        tell(f"daehwa: {ended.error.message}{kept}")
        return FAULT
    if ended.finish == "length":
        tell('daehwa: The answer was cut off at the length limit. For the rest: `daehwa ask --continue "Go on."`')
    return STOPPED if ended.status == "stopped" else FAULT if ended.status != "complete" else 0
