"""Format `chatgpt`: conversations of ChatGPT's export, trees of messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.chats import chat_trace
from tunixrt_core.ingest.formats.fields import Item, Options, rest, source_of
from tunixrt_core.ingest.reasoning.exchange import exchange_of
from tunixrt_core.ingest.reasoning.turn import Turn, usual_role
from tunixrt_core.traces.conversation import Call
from tunixrt_core.util.kinds import kind_of

NAME = "chatgpt"

_FIELDS = {"mapping": "system, messages, prompt, turns, steps, final_answer, model", "source": "source"}
_TEXTS = ("text", "result", "content")  # of contents that are no list of parts
_BESIDE = ("user_editable_context", "model_editable_context", "reasoning_recap")  # settings, and `Thought for 5s`
_TRANSCRIBED = ("audio_asset_pointer", "real_time_user_audio_video_asset_pointer")  # the text is beside them
_EVERYONE = (None, "all", "assistant")  # recipients of what is no call


def matches(row: Mapping[str, Any]) -> bool:
    nodes = row.get("mapping")
    return isinstance(nodes, Mapping) and any(
        isinstance(node, Mapping) and {"message", "parent"} & node.keys() for node in nodes.values()
    )


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return _FIELDS


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """The branch that the user saw last: the path to `current_node`. Other branches are counted in `meta`.

    Thoughts are the reasoning of the answer behind them, and a message to a tool is a call.
    """
    nodes = row["mapping"] if isinstance(row.get("mapping"), Mapping) else {}
    path = _path(nodes, row.get("current_node"))
    found = exchange_of(list(_turns(nodes, path)), "mapping")
    left = nodes.keys() - set(path)
    beside = sum(1 for name in left if _message(nodes[name]) is not None)
    kept = rest(row, ("mapping", "current_node", "source")) | ({"beside": beside} if beside else {})
    about = found.answer.raw.get("metadata")
    model = (about.get("model_slug") if isinstance(about, Mapping) else None) or row.get("default_model_slug")
    return [
        chat_trace(
            found,
            options,
            meta={NAME: kept},
            names={"prompt": "mapping", "steps": found.answer.field, "system": "mapping"},
            source=source_of(row, options),
            model=model if isinstance(model, str) and model.strip() else None,
        )
    ]


def _path(nodes: Mapping[str, Any], current: Any) -> list[str]:
    """The names of the nodes from the first one to the current one, or along the last replies where none is named."""
    if current is None:
        return _last_branch(nodes)
    path: dict[str, None] = {}  # in its order
    at = current
    while isinstance(at, str) and at in nodes and isinstance(nodes[at], Mapping):
        if at in path:
            raise InvalidTrace(f"mapping.{at}.parent", "leads back to itself. Export the conversation again")
        path[at] = None
        at = nodes[at].get("parent")
    if not path:
        raise InvalidTrace("current_node", "names no node of `mapping`. Export the conversation again")
    return [*path][::-1]


def _last_branch(nodes: Mapping[str, Any]) -> list[str]:
    at = next((name for name, node in nodes.items() if isinstance(node, Mapping) and not node.get("parent")), None)
    path: dict[str, None] = {}
    while isinstance(at, str) and at in nodes and at not in path:
        path[at] = None
        children = nodes[at].get("children") if isinstance(nodes[at], Mapping) else None
        at = children[-1] if isinstance(children, list) and children else None
    return [*path]


def _message(node: Any) -> Mapping[str, Any] | None:
    found = node.get("message") if isinstance(node, Mapping) else None
    return found if isinstance(found, Mapping) else None


def _turns(nodes: Mapping[str, Any], path: Sequence[str]) -> Iterator[Turn]:
    thoughts: list[str] = []
    for name in path:
        message = _message(nodes[name])
        if message is None:
            continue
        field = f"mapping.{name}.message"
        content = message.get("content")
        if not isinstance(content, Mapping):
            raise InvalidTrace(field, f"has {kind_of(content)} as `content`. Export the conversation again")
        if content.get("content_type") == "thoughts":
            thoughts += _thoughts(content)
        elif not _is_beside(message, content):
            turn = _turn(message, _text(content, f"{field}.content"), field)
            if turn.role == "system" and not turn.text.strip():
                continue
            if turn.role == "assistant":
                turn, thoughts = turn._replace(reasoning="\n\n".join(thoughts)), []
            yield turn


def _is_beside(message: Mapping[str, Any], content: Mapping[str, Any]) -> bool:
    """Whether a message is none of the conversation: settings, a recap, one that is hidden or was withdrawn."""
    about = message.get("metadata")
    hidden = isinstance(about, Mapping) and about.get("is_visually_hidden_from_conversation") is True
    return hidden or content.get("content_type") in _BESIDE or message.get("weight") == 0


def _turn(message: Mapping[str, Any], text: str, field: str) -> Turn:
    author = message.get("author")
    told = author.get("role") if isinstance(author, Mapping) else None
    if not isinstance(told, str):
        raise InvalidTrace(f"{field}.author", "names no role. Export the conversation again")
    turn = Turn(usual_role(told), text, {}, dict(message), field)
    name = author.get("name") if isinstance(author, Mapping) else None
    if turn.role == "tool":
        return turn._replace(name=name if isinstance(name, str) and name else None)
    recipient = message.get("recipient")
    if turn.role == "assistant" and recipient not in _EVERYONE:
        return turn._replace(text="", calls=(Call(str(recipient), text or "{}"),))
    return turn


def _thoughts(content: Mapping[str, Any]) -> Iterator[str]:
    listed = content.get("thoughts")
    for one in listed if isinstance(listed, list) else []:
        held = [one.get("content"), one.get("summary")] if isinstance(one, Mapping) else []
        told = next((text for text in held if isinstance(text, str) and text.strip()), None)
        if told is not None:
            yield told


def _text(content: Mapping[str, Any], field: str) -> str:
    if isinstance(parts := content.get("parts"), list):
        return "".join(_part(part, f"{field}.parts[{i}]") for i, part in enumerate(parts))
    found: str | None = next((content[key] for key in _TEXTS if isinstance(content.get(key), str)), None)
    if found is None:
        kind = content.get("content_type")
        raise InvalidTrace(field, f"is of type {kind!r}; only text can be read. Leave the conversation out")
    return found


def _part(part: Any, field: str) -> str:
    if isinstance(part, str):
        return part
    kind = part.get("content_type") if isinstance(part, Mapping) else kind_of(part)
    if kind in _TRANSCRIBED:
        return ""
    text: Any = part.get("text") if isinstance(part, Mapping) else None
    if isinstance(text, str):
        return text
    raise InvalidTrace(field, f"is a part of type {kind!r}; only text can be read. Leave the conversation out")
