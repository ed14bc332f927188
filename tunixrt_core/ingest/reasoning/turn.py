"""One turn, its role in any dialect, and the turns of the parts of a message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from tunixrt_core.ingest.reasoning.calls import hermes_calls
from tunixrt_core.ingest.reasoning.parts import Part
from tunixrt_core.traces.conversation import Call

ROLES_IN_FILES: Mapping[str, str] = (
    dict.fromkeys(("user", "human", "prompter"), "user")
    | dict.fromkeys(("assistant", "gpt", "model", "chatgpt", "bot", "ai", "agent", "chatbot"), "assistant")
    | dict.fromkeys(("system", "developer"), "system")
    | dict.fromkeys(("tool", "function", "ipython", "observation", "environment"), "tool")
    | dict.fromkeys(("tool_response", "function_response", "tool_result", "function_result"), "tool")
)
ROLE_KEYS = ("role", "from", "speaker", "sender", "author")
_ROLES_OF_TYPES = {"function_call": "assistant", "reasoning": "assistant", "function_call_output": "tool"}
_ROLES_OF_CLASSES = {  # of LangChain
    "HumanMessage": "user",
    "AIMessage": "assistant",
    "SystemMessage": "system",
    "ToolMessage": "tool",
    "FunctionMessage": "tool",
}
_CALLING = frozenset({"function_call", "tool_call", "tool_calls"})  # roles whose text is a call of the assistant
_SHOWN = 8


class Turn(NamedTuple):
    """One turn. `more` holds keys of its message besides those that are read; `field` is its path in the row.

    The other fields are those of a `Message`.
    """

    role: str
    text: str
    more: dict[str, Any]
    raw: dict[str, Any]
    field: str
    reasoning: str = ""
    calls: tuple[Call, ...] = ()
    call_id: str | None = None
    name: str | None = None
    train: bool | None = None


def of_text(turn: Turn, text: str) -> Sequence[Turn]:
    """The turns of a text, which may hold calls or results as Hermes writes them."""
    if "<tool_" not in text:
        return (turn._replace(text=text),)
    if turn.role == "assistant" and not turn.calls:
        content, calls = hermes_calls(text)
        return (turn._replace(text=content, calls=calls),)
    if turn.role in ("user", "tool") and (results := _hermes_results(text)):
        made = [turn._replace(role="tool", text=result, more={}, train=None) for result in results]
        made[-1] = made[-1]._replace(more=turn.more)
        return made
    return (turn._replace(text=text),)


def _hermes_results(text: str) -> list[str]:
    """The results that are all of a text; none where writing them gives another text."""
    opener, closer = "<tool_response>\n", "\n</tool_response>"
    inner = text.removeprefix(opener).removesuffix(closer)
    found = inner.split(f"{closer}\n{opener}")
    same = f"{opener}{inner}{closer}" == text
    return found if same and not any("tool_response>" in one for one in found) else []


def of_parts(turn: Turn, parts: Sequence[Part], content: list[Any]) -> Sequence[Turn]:
    """The turns of the parts of a content, which is kept where the turns do not hold all of it."""
    made = list(_joined(turn, parts)) or [turn]
    if len(made) > 1 and (last := made[-1]).reasoning and not (last.text or last.calls) and made[-2].role == last.role:
        # thinking with nothing behind it is that of the text before it
        made[-2:] = [made[-2]._replace(reasoning=made[-2].reasoning + last.reasoning)]
    if turn.calls:  # calls beside the content are behind it
        made[-1] = made[-1]._replace(calls=made[-1].calls + turn.calls)
    if turn.reasoning:
        made[0] = made[0]._replace(reasoning=turn.reasoning + made[0].reasoning)
    kept = {"content": content} if any(part.rest for part in parts) or _joins(made, parts) else {}
    return [*(one._replace(more={}) for one in made[:-1]), made[-1]._replace(more={**turn.more, **kept})]


def _joins(turns: Sequence[Turn], parts: Sequence[Part]) -> bool:
    """Whether the turns do not tell where a text ended and the next began."""
    texts = sum(1 for part in parts if part.kind in ("text", "thinking"))
    return texts > sum((turn.role != "tool" and bool(turn.text)) + bool(turn.reasoning) for turn in turns) and texts > 1


def _joined(turn: Turn, parts: Sequence[Part]) -> Iterator[Turn]:
    """Text and thinking up to the next call or result make a turn; thinking behind text begins another one."""
    if turn.role == "tool":
        yield from _results(turn, parts)
        return
    blank = turn._replace(text="", reasoning="", calls=())
    now, begun = blank, False
    for part in parts:
        if part.kind == "result":
            if begun:
                yield now
            yield blank._replace(role="tool", text=part.text, call_id=part.call_id, name=part.name, train=None)
            now, begun = blank, False
            continue
        if begun and (now.calls if part.kind in ("text", "thinking") else False):
            yield now
            now = blank
        if begun and part.kind == "thinking" and now.text:
            yield now
            now = blank
        now, begun = _with(now, part), True
    if begun:
        yield now


def _with(turn: Turn, part: Part) -> Turn:
    if part.kind == "text":
        return turn._replace(text=turn.text + part.text)
    if part.kind == "thinking":
        return turn._replace(reasoning=turn.reasoning + part.text)
    assert part.call is not None, "a part of kind call has one"
    return turn._replace(calls=(*turn.calls, part.call))


def _results(turn: Turn, parts: Sequence[Part]) -> Iterator[Turn]:
    """Parts of a tool's message: its own results, or the text of the one that the message answers."""
    if all(part.kind == "text" for part in parts):
        yield turn._replace(text="".join(part.text for part in parts))
        return
    for part in parts:
        yield turn._replace(text=part.text, call_id=part.call_id or turn.call_id, name=part.name or turn.name)


# --- roles -----------------------------------------------------------------------------------------------------------


def roles_of(turns: Sequence[Turn]) -> str:
    """The roles of turns, for a message."""
    return ", ".join(repr(turn.role) for turn in turns[:_SHOWN]) or "none"


def last_role(turns: Sequence[Turn]) -> str:
    """The role of the last turn, for a message."""
    return repr(turns[-1].role) if turns else "with nothing"


def roles_meant(turns: Sequence[Turn], wanted: str) -> str:
    """The existing roles, and the one that may be meant."""
    alike = get_close_matches(wanted, {turn.role for turn in turns}, 1, 0.7)
    hint = f". Did you mean {wanted!r} by {alike[0]!r}?" if alike and alike[0] != wanted else ""
    return f"its roles are {roles_of(turns)}{hint}"


def role_of(message: Any) -> str | None:
    """The role of a message in the words of a conversation; None for what has none."""
    if not isinstance(message, Mapping):
        return None
    said = message.get("role", message.get("from"))
    if isinstance(said, str) and (known := ROLES_IN_FILES.get(said)) is not None:  # most messages, in less time
        return known
    told = told_role(unwrapped(message))
    return None if told is None else usual_role(told)


def usual_role(told: str) -> str:
    """A role of a file in the words of a conversation; one that is not known stays."""
    return "assistant" if is_calling(told) else ROLES_IN_FILES.get(_word(told), told)


def is_calling(told: str) -> bool:
    """Whether the text of a message with this role is a call."""
    return _word(told) in _CALLING


def is_item(turn: Turn) -> bool:
    """Whether it is a part of a turn that OpenAI's responses write as an item of its own: reasoning, or a call."""
    return _ROLES_OF_TYPES.get(str(turn.raw.get("type"))) == "assistant" and turn.raw.keys().isdisjoint(ROLE_KEYS)


def told_role(message: Mapping[str, Any]) -> str | None:
    """The role in the words of the file; of LangChain's messages and of OpenAI's responses, the type says it."""
    key = next((key for key in ROLE_KEYS if key in message), None)
    if key is not None:
        told = message[key]
        told = told.get("role") if isinstance(told, Mapping) else told  # ChatGPT names the author so
        return told if isinstance(told, str) else None
    kind = message.get("type")
    if not isinstance(kind, str):
        return None
    return _ROLES_OF_TYPES.get(kind, kind if "content" in message and kind in ROLES_IN_FILES else None)


def unwrapped(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """A message of LangChain without what it is written in, `data` or the arguments of a class; others as they are."""
    inner = message.get("data")
    if isinstance(inner, Mapping) and isinstance(message.get("type"), str):
        return {**inner, "type": message["type"]}
    inner, path = message.get("kwargs"), message.get("id")
    if isinstance(inner, Mapping) and isinstance(path, list) and path and message.get("lc") is not None:
        role = _ROLES_OF_CLASSES.get(str(path[-1]).removesuffix("Chunk"))
        return inner if role is None else {**rest_of(inner, "type"), "role": role}
    return message


def rest_of(message: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The keys of a message without these."""
    return {key: value for key, value in message.items() if key not in names}


def _word(told: str) -> str:
    return told.strip().lower().replace("-", "_")
