"""Format `oasst`: the best ranked path of OpenAssistant's message trees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.chats import chat_trace
from tunixrt_core.ingest.formats.fields import Item, Options, rest, source_of
from tunixrt_core.ingest.reasoning.exchange import exchange_of
from tunixrt_core.ingest.reasoning.turn import ROLES_IN_FILES, Turn
from tunixrt_core.util.kinds import kind_of

NAME = "oasst"

MESSAGES = "tree_messages"  # of a tree whose messages are rows of the file
_LISTS = (MESSAGES, "messages")
_NODE = frozenset({"message_id", "parent_id", "role", "text"})
_FIELD = "messages, prompt, steps, final_answer"


class _Node(NamedTuple):
    """A message with its place in the row and the replies to it."""

    message: Mapping[str, Any]
    field: str
    replies: Sequence[_Node]

    @property
    def role(self) -> str:
        return ROLES_IN_FILES.get(str(self.message.get("role")), "")

    @property
    def rank(self) -> float:
        """0 is the best; one without a rank comes behind those that have one."""
        found = self.message.get("rank")
        return found if isinstance(found, int | float) and not isinstance(found, bool) else float("inf")

    @property
    def is_usable(self) -> bool:
        """Whether it was neither deleted nor refused by its reviewers."""
        return self.message.get("deleted") is not True and self.message.get("review_result") is not False

    def answers(self) -> list[_Node]:
        return [reply for reply in self.replies if reply.role == "assistant" and reply.is_usable]


def is_node(row: Mapping[str, Any]) -> bool:
    """Whether a row is one message of a tree."""
    return row.keys() >= _NODE and "message_tree_id" in row


def matches(row: Mapping[str, Any]) -> bool:
    if isinstance(root := row.get("prompt"), Mapping):
        return isinstance(root.get("replies"), list) and "text" in root
    return _column(row) is not None


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return {_column(row) or "prompt": _FIELD, "source": "source"}


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """From the first message to the reply with the best rank, and so on. `meta` names the path and says how many
    messages are beside it.
    """
    column = _column(row)
    root = _nested(row.get("prompt"), "prompt") if column is None else _linked(row[column], column)
    path = list(_path(root))
    found = exchange_of([_turn(node) for node in path], column or "prompt")
    last = path[-1].message
    told = {
        **rest(row, (column or "prompt", "source")),
        "path": [node.message.get("message_id") for node in path],
        "beside": _size(root) - len(path),
        "answer": rest(last, ("text", "role", "replies", "message_id", "parent_id", "message_tree_id", "model_name")),
    }
    model = last.get("model_name")
    return [
        chat_trace(
            found,
            options,
            meta={NAME: told},
            names={"prompt": root.field, "steps": found.answer.field},
            source=source_of(row, options),
            model=model if isinstance(model, str) and model.strip() else None,
        )
    ]


def _column(row: Mapping[str, Any]) -> str | None:
    for name in _LISTS:
        held = row.get(name)
        if isinstance(held, list) and held and all(isinstance(one, Mapping) and one.keys() >= _NODE for one in held):
            return name
    return None


def _nested(message: Any, field: str) -> _Node:
    if not isinstance(message, Mapping) or not isinstance(message.get("text"), str):
        raise InvalidTrace(field, f"must be a message with text as `text`, not {kind_of(message)}. Leave the tree out")
    replies = message.get("replies")
    listed = replies if isinstance(replies, list) else []
    return _Node(message, field, [_nested(one, f"{field}.replies[{i}]") for i, one in enumerate(listed)])


def _linked(messages: Sequence[Mapping[str, Any]], column: str) -> _Node:
    """The tree of messages that name their parents."""
    replies: dict[str | None, list[_Node]] = {}
    seen: set[str] = set()
    for i, message in enumerate(messages):
        for key in ("message_id", "text") if message["parent_id"] is None else ("message_id", "parent_id", "text"):
            if not isinstance(message[key], str):
                raise InvalidTrace(f"{column}[{i}].{key}", f"must be text, not {kind_of(message[key])}. Leave it out")
        if message["message_id"] in seen:
            raise InvalidTrace(f"{column}[{i}].message_id", "is that of an earlier message. Leave one of them out")
        seen.add(message["message_id"])
        own = replies.setdefault(message["message_id"], [])
        replies.setdefault(message["parent_id"], []).append(_Node(message, f"{column}[{i}]", own))
    roots = replies.get(None, [])
    if len(roots) != 1:
        raise InvalidTrace(
            column,
            f"holds {len(roots)} messages without a parent, and a tree has one. Sort the file by `message_tree_id`, so "
            "that the messages of a tree follow one another",
        )
    return roots[0]


def _path(root: _Node) -> Iterator[_Node]:
    """Up to the last answer: by rank, and of those without one by their order."""
    node: _Node | None = root
    while node is not None and (answers := node.answers()):
        yield node
        answer = min(answers, key=lambda one: one.rank)
        yield answer
        asked = [one for one in answer.replies if one.role == "user" and one.is_usable and one.answers()]
        node = min(asked, key=lambda one: one.rank, default=None)
    if node is root:
        raise InvalidTrace(root.field, "has no answer of an assistant that was not refused. Leave the tree out")


def _turn(node: _Node) -> Turn:
    said = node.message["text"]
    return Turn(node.role, said, {}, {"role": node.role, "text": said}, node.field)


def _size(root: _Node) -> int:
    waiting, count = [root], 0
    while waiting:
        node = waiting.pop()
        count += 1
        waiting += node.replies
    return count
