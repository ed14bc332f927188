"""Columns of preference rows: prompt, better and worse answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.fields import filled, rest, text
from tunixrt_core.ingest.formats.transcripts import transcript_turns
from tunixrt_core.ingest.reasoning.turn import Turn
from tunixrt_core.ingest.reasoning.turns import read_turns
from tunixrt_core.util.kinds import not_text

_PAIRS = (
    ("chosen", "rejected"),
    ("chosen_response", "rejected_response"),
    ("response_chosen", "response_rejected"),
    ("preferred_output", "non_preferred_output"),
    ("preferred", "rejected"),
    ("preferred", "dispreferred"),
    ("accepted", "rejected"),
    ("response_j", "response_k"),  # of StackExchange, j is the better one
)
_CHATS = ("conversations", "conversation", "messages", "dialog")
_QUESTIONS = ("question", "query", "problem")
_TEXTS = ("instruction", *_QUESTIONS)  # beside which earlier turns may be in `history`
_SYSTEMS = ("system", "system_prompt")
_BETWEEN = "\n\n"  # instruction and input, as in format alpaca


class PairColumns(NamedTuple):
    """The columns of a row; None for those that it does not have. `prompt` may be any kind of prompt."""

    chosen: str
    rejected: str
    prompt: str | None
    system: str | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> PairColumns | None:
        """None where the row is no pair."""
        sides = next((pair for pair in _PAIRS if _is_pair(row, *pair)), None)
        if sides is None:
            return None
        names = ("prompt", *_CHATS, "instruction", *_QUESTIONS, "input")
        prompt = next((name for name in names if row.get(name) is not None), None)
        return cls(*sides, prompt, next((name for name in _SYSTEMS if filled(row.get(name))), None))

    def fields(self) -> Mapping[str, str]:
        """Column -> field of a trace."""
        found = dict.fromkeys((self.chosen, self.rejected), "steps, final_answer, score")
        found |= {} if self.prompt is None else {self.prompt: "prompt"}
        found |= {"input": "prompt"} if self.prompt == "instruction" else {}
        found |= {} if self.system is None else {self.system: "system"}
        return {**found, "source": "source", "model": "model"}

    def used(self) -> set[str]:
        """Columns that are not kept under `meta`."""
        blank = set() if self.system else {"system"}
        history = {"history"} if self.prompt in _TEXTS else set()
        return {*self.fields(), *blank, *history, "prompt"}


def _is_pair(row: Mapping[str, Any], chosen: str, rejected: str) -> bool:
    if chosen not in row or rejected not in row:
        return False
    return chosen == "chosen" or all(isinstance(row[side], str | list | dict) for side in (chosen, rejected))


def prompt_turns(row: Mapping[str, Any], found: PairColumns) -> tuple[list[Turn], dict[str, Any], str | None]:
    """The turns of a row's prompt, what of it is kept in `meta`, and the system text that is beside it."""
    column, system = str(found.prompt), filled(row.get(found.system or ""))
    value = row[column]
    kept: dict[str, Any] = {}
    if column == "instruction":
        given = row.get("input")
        if given is not None and not isinstance(given, str):
            raise InvalidTrace("input", not_text(given))
        value = text(row, column)
        if given:
            kept = {"input_from": len(value) + len(_BETWEEN)}
            value = f"{value}{_BETWEEN}{given}"
    if isinstance(value, Mapping):
        kept = {column: more} if (more := rest(value, ("messages",))) else {}
        value, column = value.get("messages"), f"{column}.messages"
    turns = _turns(value, column)
    return [*(history_turns(row) if found.prompt in _TEXTS else ()), *turns], kept, system


def _turns(value: Any, column: str) -> list[Turn]:
    if isinstance(value, str):
        said = transcript_turns(value, column, answered=False)
        return said or [Turn("user", value, {}, {"role": "user", "content": value}, column)]
    return read_turns(value, column)


def history_turns(row: Mapping[str, Any]) -> list[Turn]:
    """Earlier turns as LLaMA-Factory has them beside an instruction: pairs of what was asked and answered."""
    history = row.get("history")
    if not isinstance(history, list):
        return []
    said = [text for pair in history if isinstance(pair, list) for text in pair]
    if len(said) != 2 * len(history) or not all(isinstance(text, str) for text in said):
        raise InvalidTrace("history", "must be a list of pairs of texts: what was asked, and the answer. Write it so")
    roles = ("user", "assistant")
    return [
        Turn(roles[i % 2], text, {}, {"role": roles[i % 2], "content": text}, f"history[{i // 2}][{i % 2}]")
        for i, text in enumerate(said)
    ]
