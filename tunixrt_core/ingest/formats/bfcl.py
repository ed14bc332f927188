"""Format `bfcl`: questions of the Berkeley leaderboard, answered by calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.chats import chat_trace, with_tools
from tunixrt_core.ingest.formats.fields import Item, Options, present, rest, source_of
from tunixrt_core.ingest.reasoning.calls import read_any_arguments
from tunixrt_core.ingest.reasoning.exchange import exchange_of
from tunixrt_core.ingest.reasoning.python_calls import read_python_calls
from tunixrt_core.ingest.reasoning.turn import Turn
from tunixrt_core.ingest.reasoning.turns import read_turns
from tunixrt_core.traces.conversation import Call
from tunixrt_core.util.kinds import kind_of

NAME = "bfcl"

_FIELDS = {
    "question": "system, messages, prompt",
    "function": "tools",
    "ground_truth": "calls, final_answer",
    "source": "source",
    "model": "model",
}
_ANSWERS = frozenset({"answer", "answers", "final_answer", "output", "response", "completion"})  # of other formats
_LEFT_OUT = ""  # among the values of an argument that a call may leave out


def matches(row: Mapping[str, Any]) -> bool:
    asks = isinstance(row.get("question"), str | list) and isinstance(row.get("function"), list | Mapping)
    return asks and _ANSWERS.isdisjoint(row)


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return _FIELDS


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """The calls of `ground_truth` are the answer; of several values that are right the first one is taken."""
    turns = _asked(present(row, "question"))
    calls, is_chosen = _calls(row)
    raw = {"role": "assistant", "content": ""}
    answer = Turn("assistant", "", {}, raw, "ground_truth", calls=calls)
    found, used = with_tools(exchange_of([*turns, answer], "question"), {"tools": present(row, "function")})
    kept = rest(row, ("question", "source", "model", *(("function",) if used else ())))
    return [
        chat_trace(
            found,
            options,
            meta=kept if is_chosen else rest(kept, ("ground_truth",)),
            names={"prompt": "question", "calls": "ground_truth", "tools": "function"},
            source=source_of(row, options),
            model=row.get("model"),
        )
    ]


def _asked(question: Any) -> list[Turn]:
    """The turns of a question: text, messages, or a list of one list of messages."""
    if isinstance(question, str):
        return [Turn("user", question, {}, {"role": "user", "content": question}, "question")]
    if isinstance(question, list) and question and all(isinstance(turn, list) for turn in question):
        if len(question) > 1:
            raise InvalidTrace(
                "question",
                f"holds {len(question)} turns, between which the functions have to be run. Run a model on them, and "
                "import its messages",
            )
        return read_turns(question[0], "question[0]")
    return read_turns(question, "question")


def _calls(row: Mapping[str, Any]) -> tuple[tuple[Call, ...], bool]:
    """The calls, and whether their values were chosen among several."""
    truth = row.get("ground_truth")
    if truth is None:
        raise InvalidTrace(
            "ground_truth",
            "is missing: it is in a file of its own, `possible_answer`, and rows that ask for no call have none. "
            "Put it into the row with the same `id`",
        )
    listed: Sequence[Any] = truth if isinstance(truth, list) else [truth]
    if not listed:
        raise InvalidTrace("ground_truth", "holds no call. Leave the row out")
    calls = [_call(one, f"ground_truth[{i}]") for i, one in enumerate(listed)]
    return tuple(call for found in calls for call in found), any(isinstance(one, Mapping) for one in listed)


def _call(value: Any, field: str) -> Sequence[Call]:
    if isinstance(value, str):
        if (found := read_python_calls(value)) is None:
            raise InvalidTrace(field, "is no call such as f(a=1), with a name and a value for each argument")
        return found
    if not isinstance(value, Mapping) or not value or not all(isinstance(held, Mapping) for held in value.values()):
        raise InvalidTrace(field, f"must be a call as text, or values of arguments by name, not {kind_of(value)}")
    return [Call(str(name), _arguments(held, f"{field}.{name}")) for name, held in value.items()]


def _arguments(held: Mapping[str, Any], field: str) -> str:
    """The first right value of each argument; one that may be left out first is left out."""
    found: dict[str, Any] = {}
    for name, values in held.items():
        if not isinstance(values, list) or not values:
            raise InvalidTrace(f"{field}.{name}", f"must be a list of the values that are right, not {kind_of(values)}")
        if _holds_objects(values[0]):
            raise InvalidTrace(
                f"{field}.{name}",
                "holds objects whose own values are lists of those that are right. Write the call as text, f(a=1)",
            )
        if values[0] != _LEFT_OUT:
            found[name] = values[0]
    return read_any_arguments(found)


def _holds_objects(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and any(map(_holds_objects, value)))
