"""Completions as OpenAI answers them: a prompt goes on, with its echo, its stops and its choices."""

from collections.abc import Iterator

from openai_like.wording import CREATED, FINGERPRINT, Json, as_events, as_json, count, data, identity, pieces, shortened
from upstream import DONE, Answer


def complete(body: Json) -> Answer:
    """Answer a request for a completion."""
    prompts = body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
    asked = [prompt for prompt in prompts for _ in range(body.get("n") or 1)]
    choices = [_choice(body, prompt, number) for number, prompt in enumerate(asked)]
    head = {
        "id": identity("cmpl-", body),
        "object": "text_completion",
        "created": CREATED,
        "model": body["model"],
        "system_fingerprint": FINGERPRINT,
    }
    usage = _usage(prompts, [choice["text"] for choice in choices])
    if not body.get("stream"):
        return as_json({**head, "choices": choices, "usage": usage})
    with_usage = (body.get("stream_options") or {}).get("include_usage")
    return as_events(_stream(head, choices, usage if with_usage else None))


def _choice(body: Json, prompt: str, number: int) -> Json:
    limit = body.get("max_tokens")
    said, finish = shortened(
        f" and so it goes on, after {count(prompt)} words.", 16 if limit is None else limit, body.get("stop")
    )
    whole = (prompt if body.get("echo") else "") + said + (body.get("suffix") or "")
    known = None
    if body.get("logprobs") is not None:
        words = pieces(whole)
        known = {
            "tokens": words,
            "token_logprobs": [-0.5] * len(words),
            "top_logprobs": [{word: -0.5} for word in words],
            "text_offset": [sum(map(len, words[:before])) for before in range(len(words))],
        }
    return {"text": whole, "index": number, "logprobs": known, "finish_reason": finish}


def _stream(head: Json, choices: list[Json], usage: Json | None) -> Iterator[bytes]:
    none: Json = {} if usage is None else {"usage": None}
    for choice in choices:
        for word in pieces(choice["text"]):
            yield data({**head, "choices": [{**choice, "text": word, "finish_reason": None}], **none})
        yield data({**head, "choices": [{**choice, "text": ""}], **none})
    if usage is not None:
        yield data({**head, "choices": [], "usage": usage})
    yield DONE


def _usage(prompts: list[str], said: list[str]) -> Json:
    prompt, completion = count(*prompts), count(*said)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
