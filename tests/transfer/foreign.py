"""Exports of other products, as their formats are: small, with one of everything, and ways to write them as files."""

import io
import json
import zipfile
from typing import Any

NOW = 1_790_000_000_000
"""A moment in September 2026, in milliseconds."""
_CITE = "\ue200cite\ue202turn0search0\ue201"


def node(
    name: str,
    parent: str | None,
    role: str,
    content: dict[str, Any] | str,
    *,
    at: float | None = None,
    recipient: str = "all",
    **metadata: Any,
) -> dict[str, Any]:
    """A node of ChatGPT with a message, without the links downwards, as newer exports have them."""
    given = {"content_type": "text", "parts": [content]} if isinstance(content, str) else content
    message: dict[str, Any] = {
        "id": name,
        "author": {"role": role, "name": None, "metadata": {}},
        "create_time": at,
        "content": given,
        "status": "finished_successfully",
        "recipient": recipient,
        "metadata": metadata,
    }
    return {"id": name, "parent": parent, "message": message}


def chatgpt(name: str, nodes: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A conversation of ChatGPT."""
    given = {
        "title": f"About {name}",
        "create_time": 1756000000.25,
        "update_time": 1756000400.5,
        "mapping": {each["id"]: each for each in nodes},
        "current_node": nodes[-1]["id"],
        "conversation_id": name,
        "is_archived": False,
        "default_model_slug": "gpt-5",
    }
    return {**given, **more}


def simple(name: str, question: str = "What is a tree?", answer: str = "A plant, 나무.") -> dict[str, Any]:
    """A conversation of ChatGPT with one question and its answer."""
    root = {"id": f"{name}-root", "parent": None, "message": None, "children": [f"{name}-q"]}
    return chatgpt(
        name,
        [
            root,
            node(f"{name}-q", f"{name}-root", "user", question, at=1756000001),
            node(f"{name}-a", f"{name}-q", "assistant", answer, at=1756000002, model_slug="gpt-5"),
        ],
    )


def research() -> dict[str, Any]:
    """A conversation of ChatGPT with hidden nodes, thoughts, code, a search, an image, a recording and two versions."""
    picture = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://file-1", "width": 10}
    spoken = {"content_type": "audio_transcription", "text": "Spoken words"}
    source = {"matched_text": _CITE, "items": [{"title": "Trees [of all]", "url": "https://example.org/trees"}]}
    thoughts = {"content_type": "thoughts", "thoughts": [{"summary": "Looking", "content": "Where do trees grow?"}]}
    nodes = [
        {"id": "root", "parent": None, "message": None},
        node("system", "root", "system", "You are ChatGPT", is_visually_hidden_from_conversation=True),
        node("about", "system", "user", {"content_type": "user_editable_context", "user_profile": "SRE"}),
        node(
            "q1",
            "about",
            "user",
            {"content_type": "multimodal_text", "parts": [picture, spoken, "Count these trees"]},
            at=1756000001.0,
            attachments=[{"id": "file-1", "name": "wood.png"}, {"id": "file-2", "name": "list*.pdf"}],
        ),
        node("t1", "q1", "assistant", thoughts, at=1756000002.0),
        node("r1", "t1", "assistant", {"content_type": "reasoning_recap", "content": "Thought for 8s"}),
        node("s1", "r1", "assistant", {"content_type": "code", "text": "search('trees')"}, recipient="web.run"),
        node("w1", "s1", "tool", {"content_type": "tether_browsing_display", "result": "a long page"}),
        node("c1", "w1", "assistant", {"content_type": "code", "text": "print(3)"}, recipient="python"),
        node("o1", "c1", "tool", {"content_type": "execution_output", "text": "3\n"}),
        node(
            "a1",
            "o1",
            "assistant",
            f'There are three.{_CITE} \ue200cite\ue202turn9\ue201\ue200entity\ue202["city","Seoul"]\ue201',
            model_slug="gpt-5-thinking",
            content_references=[source],
        ),
        node("q2", "a1", "user", "Are you sure?", at=1756000010.0),
        node("a2", "q2", "assistant", "Yes.", at=1756000011.0),
        node("a2b", "q2", "assistant", "On second thought, four.", at=1756000020.0),
        node("q1b", "about", "user", "Count them again", at=1756000030.0),
    ]
    return chatgpt("research", nodes, current_node="a2", title="Trees", is_archived=True, is_starred=True)


def shown(pointer: str) -> dict[str, Any]:
    """A part of ChatGPT that shows an image."""
    return {"content_type": "image_asset_pointer", "asset_pointer": pointer, "width": 10, "height": 10}


def with_images(name: str, *pointers: str, images: dict[str, Any] | None = None) -> dict[str, Any]:
    """A conversation of ChatGPT whose question shows these images, with those beside it that our page read."""
    content = {"content_type": "multimodal_text", "parts": [*map(shown, pointers), "What is this?"]}
    nodes = [node(f"{name}-q", None, "user", content, at=1756000001), node(f"{name}-a", f"{name}-q", "assistant", "!")]
    return chatgpt(name, nodes, **({} if images is None else {"daehwa_images": images}))


def claude(name: str = "c1", *, linked: bool = True) -> dict[str, Any]:
    """A conversation of Claude; `linked`: its messages name the one before, as in newer exports."""
    thinking = {"type": "thinking", "thinking": "A tree has a trunk."}
    use = {"type": "tool_use", "id": "toolu_1", "name": "artifacts", "input": {"title": "tree.py", "content": "x = 1"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "OK"}]}
    messages: list[dict[str, Any]] = [
        {
            "uuid": "m1",
            "sender": "human",
            "text": "",
            "content": [{"type": "text", "text": "What is in these?"}],
            "created_at": "2025-01-02T03:04:05.678901Z",
            "attachments": [{"file_name": "notes.txt", "extracted_content": "Note ```one```"}],
            "files": [{"file_name": "photo.JPG"}, {"file_name": "plan.pdf"}],
            "parent_message_uuid": "00000000-0000-4000-8000-000000000000",
        },
        {
            "uuid": "m2",
            "sender": "assistant",
            "text": "A trunk.",
            "content": [thinking, use, result, {"type": "text", "text": "A trunk."}],
            "created_at": "2025-01-02T03:04:10Z",
            "attachments": [],
            "files": [],
            "parent_message_uuid": "m1",
        },
        {
            "uuid": "m3",
            "sender": "assistant",
            "text": "Leaves.",
            "content": [],
            "created_at": "2025-01-02T03:05:10Z",
            "parent_message_uuid": "m1",
        },
    ]
    if not linked:
        messages = [{k: v for k, v in each.items() if k != "parent_message_uuid"} for each in messages[:2]]
    times = {"created_at": "2025-01-02T03:04:05Z", "updated_at": "2025-01-02T03:05:10Z"}
    return {"uuid": name, "name": "On trees", **times, "account": {"uuid": "u"}, "chat_messages": messages}


def open_webui(name: str = "w1") -> dict[str, Any]:
    """A conversation of Open WebUI with what stands around it."""
    thought = (
        '<details type="reasoning" done="true" duration="3">\n<summary>Thought</summary>\n&gt; a &lt; b\n</details>\n'
    )
    head = '<details type="tool_calls" name="weather" id="call_1" arguments="&quot;{}&quot;">'
    tool = f"{head}<summary>T</summary></details>"
    nodes: dict[str, Any] = {
        "u": {
            "id": "u",
            "parentId": None,
            "role": "user",
            "content": "Rain?",
            "timestamp": 1700000000,
            "childrenIds": [],
        },
        "a": {
            "id": "a",
            "parentId": "u",
            "role": "assistant",
            "content": f"{thought}{tool}No rain.",
            "model": "llama3",
            "timestamp": 1700000010,
        },
        "b": {"id": "b", "parentId": "u", "role": "assistant", "content": "Some.", "model": "qwen", "done": False},
    }
    nodes["u"]["files"] = [{"type": "image", "url": "data:image/png;base64,AAAA", "name": "sky.png"}]
    chat = {"title": "Weather", "models": ["llama3"], "history": {"messages": nodes, "currentId": "a"}}
    return {
        "id": name,
        "title": "Weather",
        "chat": chat,
        "created_at": 1700000000,
        "updated_at": 1700000020,
        "pinned": True,
    }


def librechat(depth: int = 2, *, is_recursive: bool = True) -> dict[str, Any]:
    """A conversation of LibreChat of so many messages."""
    messages: list[dict[str, Any]] = []
    for number in range(depth):
        is_user = number % 2 == 0
        messages.append(
            {
                "messageId": f"l{number}",
                "parentMessageId": f"l{number - 1}" if number else "00000000-0000-0000-0000-000000000000",
                "isCreatedByUser": is_user,
                "sender": "user" if is_user else "GPT-4",
                "text": f"Words {number}" if is_user else "",
                "content": []
                if is_user
                else [{"type": "think", "think": "hm"}, {"type": "text", "text": f"Said {number}"}],
                "createdAt": f"2024-04-09T14:{number // 60 % 60:02}:{number % 60:02}.230Z",
            }
        )
    given = {"conversationId": "lc", "title": "Libre", "options": {"model": "gpt-4"}, "recursive": is_recursive}
    if not is_recursive:
        return {**given, "messages": messages}
    within: list[dict[str, Any]] = []
    for message in reversed(messages):
        within = [{**message, "children": within}]
    return {**given, "messagesTree": within}


def nested_text(conversation: dict[str, Any]) -> bytes:
    """Return a conversation as JSON, however deep: Python's own writer gives up at a thousand."""
    head = {name: value for name, value in conversation.items() if name != "messagesTree"}
    levels, ends = [], 0
    below = conversation["messagesTree"]
    while below:
        inner = below[0]["children"]
        levels.append(json.dumps({k: v for k, v in below[0].items() if k != "children"})[:-1] + ', "children": [')
        below, ends = inner, ends + 1
    return (json.dumps(head)[:-1] + ', "messagesTree": [' + "".join(levels) + "]}" * ends + "]}").encode()


def as_json(value: object) -> bytes:
    """Return a value as JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def zipped(members: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return files as a ZIP."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", kind) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()
