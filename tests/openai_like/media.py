"""Embeddings, audio and images as OpenAI answers them. Files come back as their digest: not a byte may be lost."""

import base64
import hashlib
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from multipart import MultipartParser, parse_options_header
from openai_like.wording import CREATED, HEADERS, Json, as_events, as_json, count, identity, named, pieces
from upstream import DONE, Answer, Request

DIMENSIONS = 8
SECONDS = 61.5
"""How long every recording is."""
_TEXT_TYPES = {"text": "text/plain; charset=utf-8", "srt": "text/plain; charset=utf-8", "vtt": "text/plain"}


def embed(body: Json) -> Answer:
    """Answer a request for embeddings."""
    asked = body["input"]
    if isinstance(asked, str) or isinstance(asked[0], int):
        asked = [asked]
    entries = [
        {"object": "embedding", "index": number, "embedding": _vector(text, body)} for number, text in enumerate(asked)
    ]
    read = sum(count(text) if isinstance(text, str) else len(text) for text in asked)
    usage = {"prompt_tokens": read, "total_tokens": read}
    return as_json({"object": "list", "data": entries, "model": body["model"], "usage": usage})


def _vector(text: Any, body: Json) -> Any:
    digest = hashlib.sha512(str(text).encode()).digest()
    numbers = [byte / 256 - 0.5 for byte in digest[: body.get("dimensions") or DIMENSIONS]]
    if body.get("encoding_format") == "base64":
        return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
    return numbers


def form_of(request: Request) -> Json:
    """Return a multipart form: fields as text, several of one name as a list, and of the file what it was."""
    _, options = parse_options_header(request.headers["content-type"])
    form: Json = {}
    for part in MultipartParser(BytesIO(request.body), options["boundary"], spool_limit=1 << 24, memory_limit=1 << 26):
        if part.filename is not None:
            digest = hashlib.sha256(part.raw).hexdigest()
            said = f"{part.filename} {part.content_type} {part.size} {digest}"
            if part.name.endswith("[]"):
                form.setdefault(part.name, []).append(said)
            else:
                form[part.name] = said
        elif part.name.endswith("[]"):
            form.setdefault(part.name, []).append(part.value)
        else:
            form[part.name] = part.value
        part.close()
    return form


def hear(form: Json, *, translates: bool) -> Answer:
    """Answer a request for the text of a recording."""
    said = f"{'Translated' if translates else 'Heard'}: {form['file']}"
    usage: Json = {"type": "duration", "seconds": 62}
    if form["model"].startswith("hears-tokens"):
        details = {"text_tokens": 0, "audio_tokens": 600}
        usage = {"type": "tokens", "total_tokens": 612, "input_tokens": 600, "output_tokens": 12}
        usage["input_token_details"] = details
    if form.get("stream") == "true":
        return as_events(_heard(said, usage))
    kind = form.get("response_format", "json")
    if kind in _TEXT_TYPES:
        timed = f"1\n00:00:00,000 --> 00:01:01,500\n{said}\n\n"
        whole = {"text": f"{said}\n", "srt": timed, "vtt": f"WEBVTT\n\n{timed}"}[kind]
        return Answer([whole.encode()], 200, {**HEADERS, "content-type": _TEXT_TYPES[kind]})
    answer: Json = {"text": said, "usage": usage}
    if kind == "verbose_json":
        segment = {"id": 0, "seek": 0, "start": 0.0, "end": SECONDS, "text": said, "tokens": [1, 2], "temperature": 0.0}
        segment |= {"avg_logprob": -0.25, "compression_ratio": 1.0, "no_speech_prob": 0.01}
        more = {"task": "translate" if translates else "transcribe", "language": "korean", "duration": SECONDS}
        answer |= {**more, "segments": [segment]}
        if "word" in form.get("timestamp_granularities[]", ()):
            answer["words"] = [{"word": word, "start": 0.0, "end": 0.5} for word in said.split()]
    return as_json(answer)


def _heard(said: str, usage: Json) -> Iterator[bytes]:
    for word in pieces(said):
        yield named("transcript.text.delta", {"delta": word})
    yield named("transcript.text.done", {"text": said, "usage": usage})
    yield DONE


def draw(body: Json) -> Answer:
    """Answer a request for images."""
    number = body.get("n") or 1
    usage: Json = {"total_tokens": 100 * number + count(body["prompt"]), "output_tokens": 100 * number}
    usage |= {
        "input_tokens": count(body["prompt"]),
        "input_tokens_details": {"text_tokens": count(body["prompt"]), "image_tokens": 0},
    }
    if body.get("stream"):
        return as_events(_drawn(body, usage))
    images = [_image(body, at) for at in range(number)]
    answer: Json = {"created": CREATED, "data": images}
    if not body["model"].startswith("draws-plain"):
        answer |= {"background": "opaque", "output_format": "png", "quality": "low", "size": "1024x1024"}
        answer["usage"] = usage
    return as_json(answer)


def _image(body: Json, number: int) -> Json:
    if body.get("response_format") == "url":
        return {"url": f"https://images.example.com/{identity('img-', {**body, 'number': number})}.png"}
    return {"b64_json": _png(number)}


def _drawn(body: Json, usage: Json) -> Iterator[bytes]:
    look = {"size": "1024x1024", "quality": "low", "background": "opaque", "output_format": "png"}
    for part in range(body.get("partial_images") or 0):
        event = {"b64_json": _png(part), "created_at": CREATED, "partial_image_index": part, **look}
        yield named("image_generation.partial_image", event)
    yield named("image_generation.completed", {"b64_json": _png(9), "created_at": CREATED, **look, "usage": usage})


def _png(shade: int) -> str:
    def chunk(kind: bytes, held: bytes) -> bytes:
        return struct.pack(">I", len(held)) + kind + held + struct.pack(">I", zlib.crc32(kind + held))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    row = chunk(b"IDAT", zlib.compress(bytes([0, shade])))
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + head + row + chunk(b"IEND", b"")).decode()


_SOUNDS = {"mp3": "audio/mpeg", "opus": "audio/opus", "wav": "audio/wav", "pcm": "audio/pcm"}
_PIECE = bytes(range(256)) * 16


def speak(body: Json) -> Answer:
    """Answer a request for a speech: a piece of sound for each word, or events with them and the usage."""
    words = pieces(body["input"])
    sounds = [hashlib.sha256(word.encode()).digest() + b"\n\ndata: {" + _PIECE for word in words]
    if body.get("stream_format") == "sse":
        usage = {"input_tokens": len(words), "output_tokens": 20 * len(words), "total_tokens": 21 * len(words)}
        return as_events(_spoken(sounds, usage))
    kind = _SOUNDS[body.get("response_format") or "mp3"]
    return Answer(sounds, 200, {**HEADERS, "content-type": kind})


def _spoken(sounds: list[bytes], usage: Json) -> Iterator[bytes]:
    for sound in sounds:
        yield named("speech.audio.delta", {"audio": base64.b64encode(sound).decode()})
    yield named("speech.audio.done", {"usage": usage})


def moderate(body: Json) -> Answer:
    """Answer a request for moderation: what speaks of harm is harmful."""
    asked = body["input"] if isinstance(body["input"], list) else [body["input"]]
    results = [_judged(each if isinstance(each, str) else str(each)) for each in asked]
    return as_json({"id": identity("modr-", body), "model": body["model"], "results": results})


def _judged(text: str) -> Json:
    is_harmful = "harm" in text
    return {
        "flagged": is_harmful,
        "categories": {name: is_harmful and name == "violence" for name in _HARMS},
        "category_scores": {name: 0.9 if is_harmful and name == "violence" else 0.1 for name in _HARMS},
        "category_applied_input_types": {name: ["text"] for name in _HARMS},
    }


_HARMS = (
    *("harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm"),
    *("self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic"),
)


def edit(form: Json) -> Answer:
    """Answer a request to change images, or to vary one: by what was sent, so that no byte of it may be lost."""
    number, prompt = int(form.get("n") or 1), form.get("prompt", "")
    pictures = [name for name in form if name.startswith(("image", "mask"))]
    shown = sum(300 * (len(form[name]) if isinstance(form[name], list) else 1) for name in pictures)
    if not shown:
        raise KeyError("image")
    read = count(prompt) + shown
    usage: Json = {"total_tokens": 100 * number + read, "input_tokens": read, "output_tokens": 100 * number}
    usage["input_tokens_details"] = {"text_tokens": count(prompt), "image_tokens": shown}
    if form.get("stream") == "true":
        return as_events(_edited(form, usage))
    images: list[Json] = [_image({}, at) | {"revised_prompt": identity("img-", form)} for at in range(number)]
    return as_json({"created": CREATED, "data": images, "usage": usage})


def _edited(form: Json, usage: Json) -> Iterator[bytes]:
    look: Json = {"size": "1024x1024", "quality": "low", "background": "opaque", "output_format": "png"}
    look |= {"created_at": CREATED, "x_of": identity("img-", form)}
    for part in range(int(form.get("partial_images") or 0)):
        yield named("image_edit.partial_image", {"b64_json": _png(part), "partial_image_index": part, **look})
    yield named("image_edit.completed", {"b64_json": _png(9), **look, "usage": usage})
