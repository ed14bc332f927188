"""One turn, and the turns that the content of a message makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tunixrt_core.ingest.reasoning.calls import hermes_calls
from tunixrt_core.ingest.reasoning.parts import Part
from tunixrt_core.traces.conversation import Call


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
