"""Trees of OpenAssistant: the best ranked path, from nested replies and from messages that name their parents."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from tests.ingest.formats.test_formats import convert
from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.reader import read_traces
from tunixrt_core.ingest.report import RowError
from tunixrt_core.traces.conversation import Message
from tunixrt_core.traces.trace import Trace


def node(name: str, *replies: dict[str, Any], rank: int | None = None, **more: Any) -> dict[str, Any]:
    role = "assistant" if name.startswith("a") else "prompter"
    return {
        "message_id": name,
        "text": f"{name}.",
        "role": role,
        "rank": rank,
        "lang": "en",
        "replies": [*replies],
        **more,
    }


TREE = node(
    "p1",
    node("a1", rank=2),
    node(
        "a2",
        node("p2", node("a3", rank=1), node("a4", rank=0, model_name="m")),
        node("p3"),
        rank=0,
    ),
    node("a5", rank=-1, deleted=True),
    node("a6", rank=-1, review_result=False),
)


def flat(tree: dict[str, Any], parent: str | None = None, name: str = "p1") -> list[dict[str, Any]]:
    """The messages of a tree, as the data set on the hub has them."""
    own = {key: value for key, value in tree.items() if key != "replies"}
    found = [{**own, "parent_id": parent, "message_tree_id": name}]
    return found + [row for reply in tree["replies"] for row in flat(reply, tree["message_id"], name)]


def read(rows: list[Any], name: str = "f.jsonl") -> list[Any]:
    data = "\n".join(json.dumps(row) for row in rows) if name.endswith("jsonl") else json.dumps(rows, indent=1)
    return list(read_traces(io.BytesIO(data.encode()), name=name))


def check(found: Any) -> None:
    assert isinstance(found, Trace)
    assert (found.prompt, found.final_answer, found.model) == ("p2.", "a4.", "m")
    assert found.conversation.messages == (Message("user", "p1."), Message("assistant", "a2."))
    about = found.meta["oasst"]
    assert (about["path"], about["beside"]) == (["p1", "a2", "p2", "a4"], 5)
    assert (about["answer"]["rank"], about["answer"]["lang"]) == (0, "en")


def test_the_best_ranked_reply_is_taken_each_time() -> None:
    found = convert("oasst", {"message_tree_id": "p1", "tree_state": "ready_for_export", "prompt": TREE})
    check(found)
    assert found.meta["oasst"]["tree_state"] == "ready_for_export"


@pytest.mark.parametrize("name", ["f.jsonl", "f.json"])
def test_messages_of_one_tree_that_are_rows_are_read_as_one(name: str) -> None:
    other = flat(node("p9", node("a9")), name="p9")
    first, second = read([*flat(TREE), *other], name)
    check(first)
    assert isinstance(second, Trace)
    assert (second.prompt, second.final_answer) == ("p9.", "a9.")


def test_a_row_may_hold_the_messages_of_a_tree() -> None:
    (found,) = read([{"message_tree_id": "p1", "messages": flat(TREE)}])
    check(found)


def test_without_ranks_the_first_answer_is_taken_and_questions_without_answers_are_passed_over() -> None:
    tree = node("p1", node("a1", node("p2"), node("p3", node("a2"))), node("a3"))
    assert convert("oasst", {"message_tree_id": "p1", "prompt": tree}).meta["oasst"]["path"] == ["p1", "a1", "p3", "a2"]


def test_a_tree_that_is_apart_in_the_file_says_to_sort_it() -> None:
    rows = flat(TREE)
    found = read([*rows[:3], *flat(node("p9", node("a9")), name="p9"), *rows[3:]])
    assert [type(item) for item in found] == [Trace, Trace, RowError]
    assert (found[2].field, found[2].line) == ("tree_messages", 6)
    assert found[2].reason.startswith("holds 0 messages without a parent, and a tree has one. Sort the file")


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        ({"prompt": node("p1")}, "prompt", "has no answer of an assistant that was not refused"),
        ({"prompt": node("p1", {"text": 5})}, "prompt.replies[0]", "must be a message with text as `text`"),
        (
            {"messages": [*flat(node("p1", node("a1"))), *flat(node("a1"))]},
            "messages[2].message_id",
            "is that of an earlier message",
        ),
        ({"messages": flat(node("p1", node("a1", text=5)))}, "messages[1].text", "must be text, not the number 5"),
    ],
)
def test_what_cannot_be_read_is_named(row: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(InvalidTrace) as error:
        convert("oasst", {"message_tree_id": "p1", **row})
    assert error.value.field == field
    assert error.value.reason.startswith(reason)
