"""Exports of ChatGPT: the branch that was seen last, with its thoughts, calls and results."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.ingest.formats.test_formats import contents, convert
from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.reader import read_traces
from tunixrt_core.traces.conversation import Message
from tunixrt_core.traces.trace import Trace


def message(role: str, *parts: Any, kind: str = "text", **more: Any) -> dict[str, Any]:
    content = {"content_type": kind, "parts": list(parts)} if parts else {"content_type": kind}
    about = {"content": {**content, **more.pop("content", {})}, "recipient": "all", "weight": 1.0, "metadata": {}}
    return {"id": "m", "author": {"role": role, "name": more.pop("name", None), "metadata": {}}, **about, **more}


def chat(*messages: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    """A conversation of one branch."""
    nodes = {
        f"n{i}": {
            "id": f"n{i}",
            "message": said,
            "parent": f"n{i - 1}" if i else None,
            "children": [f"n{i + 1}"] if i + 1 < len(messages) else [],
        }
        for i, said in enumerate(messages)
    }
    return {"title": "T", "create_time": 1.5, "mapping": nodes, "current_node": f"n{len(messages) - 1}", **more}


USER, ANSWER = message("user", "27 * 19?"), message("assistant", "513", metadata={"model_slug": "gpt-4"})


def test_the_branch_that_was_seen_last_is_the_conversation() -> None:
    row = chat(None, message("system", ""), USER, message("assistant", "512"), message("user", "Sure?"), ANSWER)
    other = {"id": "x", "message": message("assistant", "511"), "parent": "n2", "children": []}
    row["mapping"]["n2"]["children"] = ["x", "n3"]
    found = convert("chatgpt", {**row, "mapping": {"x": other, **row["mapping"]}})
    assert (found.prompt, found.final_answer, found.model, found.system) == ("Sure?", "513", "gpt-4", None)
    assert found.conversation.messages == (Message("user", "27 * 19?"), Message("assistant", "512"))
    assert found.meta["chatgpt"] == {"title": "T", "create_time": 1.5, "beside": 1}
    unnamed = {key: value for key, value in row.items() if key != "current_node"}
    assert convert("chatgpt", unnamed).final_answer == "513", "the last replies, where no node is the current one"


def test_thoughts_are_the_reasoning_and_a_message_to_a_tool_is_a_call() -> None:
    thoughts = message(
        "assistant",
        kind="thoughts",
        content={
            "thoughts": [{"summary": "Plan", "content": "I use Python."}, {"summary": "Then answer", "content": ""}]
        },
    )
    call = message("assistant", kind="code", content={"language": "python", "text": "27 * 19"}, recipient="python")
    result = message("tool", kind="execution_output", content={"text": "513"}, name="python")
    recap = message("assistant", kind="reasoning_recap", content={"content": "Thought for 2s"})
    found = convert("chatgpt", chat(message("system", "Be short."), USER, thoughts, call, result, recap, ANSWER))
    assert (found.system, found.final_answer) == ("Be short.", "513")
    called, came = found.conversation.turns
    assert (called.reasoning, called.calls[0].name, called.calls[0].arguments) == (
        "I use Python.\n\nThen answer",
        "python",
        "27 * 19",
    )
    assert (came.role, came.name, came.content) == ("tool", "python", "513")
    alone = convert("chatgpt", chat(USER, thoughts, recap, ANSWER))
    assert contents(alone) == ["I use Python.", "Then answer"]


@pytest.mark.parametrize(
    "beside",
    [
        message("user", kind="user_editable_context", content={"user_profile": "p", "user_instructions": "i"}),
        message("system", "hidden", metadata={"is_visually_hidden_from_conversation": True}),
        message("assistant", "withdrawn", weight=0.0),
        None,
    ],
)
def test_what_is_no_part_of_the_conversation_is_left_out(beside: dict[str, Any] | None) -> None:
    found = convert("chatgpt", chat(beside, USER, ANSWER))
    assert (found.system, found.prompt, found.conversation.messages) == (None, "27 * 19?", ())


def test_of_speech_the_words_are_read() -> None:
    spoken = [{"content_type": "audio_transcription", "text": "27 * 19?"}, {"content_type": "audio_asset_pointer"}]
    assert convert("chatgpt", chat(message("user", *spoken, kind="multimodal_text"), ANSWER)).prompt == "27 * 19?"


def _circle() -> dict[str, Any]:
    row = chat(USER, ANSWER)
    row["mapping"]["n0"]["parent"] = "n1"
    return row


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        (
            chat(message("user", {"content_type": "image_asset_pointer"}, "?", kind="multimodal_text"), ANSWER),
            "mapping.n0.message.content.parts[0]",
            "is a part of type 'image_asset_pointer'; only text can be read",
        ),
        (chat(USER, ANSWER, current_node="gone"), "current_node", "names no node of `mapping`"),
        (_circle(), "mapping.n1.parent", "leads back to itself"),
        (chat(USER), "mapping", "holds no turn of the assistant"),
        (chat({**USER, "author": {}}, ANSWER), "mapping.n0.message.author", "names no role"),
        (chat({**USER, "content": None}, ANSWER), "mapping.n0.message", "has null as `content`"),
    ],
)
def test_what_cannot_be_read_is_named_by_its_node(row: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(InvalidTrace) as error:
        convert("chatgpt", row)
    assert error.value.field == field
    assert error.value.reason.startswith(reason)


@pytest.mark.parametrize("whole", [True, False])
def test_conversations_json_is_read_as_it_is_exported(whole: bool) -> None:
    rows = [chat(USER, ANSWER, title=str(n)) for n in range(2)]
    data = json.dumps(rows if whole else rows[0], indent=None if whole else 1).encode()
    reader = read_traces(io.BytesIO(data), name="conversations.json")
    found = [item for item in reader if isinstance(item, Trace)]
    assert reader.format == "chatgpt"
    assert [one.meta["chatgpt"]["title"] for one in found] == (["0", "1"] if whole else ["0"])


@pytest.mark.parametrize("packed", [True, False])
def test_of_a_whole_export_the_conversations_are_read(tmp_path: Path, packed: bool) -> None:
    files = {
        "chat.html": "<html></html>",
        "conversations-000.json": json.dumps([chat(USER, ANSWER)]),
        "conversations-001.json": json.dumps([chat(message("user", "2+2?"), message("assistant", "4"))]),
        "message_feedback.json": json.dumps([{"id": "f", "rating": "thumbs_up"}]),
        "shared_conversations.json": "[]",
        "user.json": json.dumps({"id": "u"}),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    source = tmp_path
    if packed:
        source = tmp_path / "export.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for name in files:
                archive.write(tmp_path / name, name)
    found = list(read_traces(source, name="export"))
    assert [item.final_answer for item in found if isinstance(item, Trace)] == ["513", "4"]
    assert len(found) == 2
