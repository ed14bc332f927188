"""Format `preference`: a `chosen` and a `rejected` answer, two traces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.chats import chat_trace, with_tools
from tunixrt_core.ingest.formats.fields import (
    Item,
    Options,
    extended,
    filled,
    flag,
    labelled,
    named_as,
    object_in,
    rest,
    scored,
    source_of,
)
from tunixrt_core.ingest.formats.pair_columns import PairColumns, prompt_turns
from tunixrt_core.ingest.formats.prompt_completion import rebuilt
from tunixrt_core.ingest.formats.transcripts import transcript_turns
from tunixrt_core.ingest.formats.verdicts import PAIR_SCORER
from tunixrt_core.ingest.reasoning.exchange import Exchange, exchange_of
from tunixrt_core.ingest.reasoning.split import split_completion
from tunixrt_core.ingest.reasoning.turn import Turn, last_role
from tunixrt_core.ingest.reasoning.turns import read_turns
from tunixrt_core.traces.scores import PREFERRED, scores_in
from tunixrt_core.traces.trace import Trace

NAME = "preference"

SIDES = {"chosen": 1.0, "rejected": 0.0}


class _Side(NamedTuple):
    """One side of a row: its column, its text where it is one, and what it says to the prompt."""

    column: str
    text: str | None
    found: Exchange


def matches(row: Mapping[str, Any]) -> bool:
    return PairColumns.of(row) is not None


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    found = PairColumns.of(row)
    return {} if found is None else found.fields()


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """Each side is a trace with the score `preferred`, 1 or 0, for `verdicts.judged` to make a pair of.

    The prompt may be text, messages, a transcript, or the turns with which both sides begin. Raises InvalidTrace where
    the sides do not answer one prompt, or say the same.
    """
    found = PairColumns.of(row)
    if found is None:
        raise InvalidTrace("chosen", "is missing, or `rejected` is. Name both sides of the pair")
    if (known := _exported(row, options)) is not None:
        return known
    sides, more = _sides(row, found)
    items = [_trace(side, row, found, dict(more), options) for side in sides]
    return _scored(items, found)


def _scored(items: list[Trace | InvalidTrace], found: PairColumns) -> list[Item]:
    hashes = {item.content_hash for item in items if isinstance(item, Trace)}
    if len(hashes) < sum(isinstance(item, Trace) for item in items):
        raise InvalidTrace(found.rejected, f"is the same as {found.chosen}, so neither is preferred. Remove the row")
    return [
        item if isinstance(item, InvalidTrace) else scored(item, flag(PREFERRED, value, scorer=PAIR_SCORER))
        for item, value in zip(items, SIDES.values(), strict=True)
    ]


def _trace(
    side: _Side, row: Mapping[str, Any], columns: PairColumns, more: dict[str, Any], options: Options
) -> Trace | InvalidTrace:
    asked, tools = with_tools(side.found, row)
    held = more.get(str(columns.prompt))
    if not tools and isinstance(held, Mapping):  # OpenAI has them beside the messages
        asked, inner = with_tools(asked, held)
        more = rest(more, (str(columns.prompt),)) | ({str(columns.prompt): left} if (left := rest(held, inner)) else {})
    try:
        return chat_trace(
            asked,
            options,
            meta=extended(rest(row, {*columns.used(), *tools}), more),
            names={"prompt": columns.prompt or side.column, "steps": side.column, "final_answer": side.column},
            split=None if side.text is None else split_completion(side.text, side.column, options.rule),
            source=source_of(row, options),
            model=row.get("model"),
        )
    except InvalidTrace as fault:
        return fault


def _exported(row: Mapping[str, Any], options: Options) -> list[Item] | None:
    """The traces of a row that Tunix RT exported, whose metadata holds that of both sides; None of any other row."""
    metadata = object_in(row, "metadata")
    if not isinstance(metadata, dict):
        return None
    items: list[Item] = []
    for side in SIDES:
        own = metadata.get(side)
        if not isinstance(own, dict) or "trace_id" not in own:
            return None
        trace = rebuilt(row.get("prompt"), row.get(side), row.get("tools"), own)
        if trace is None:
            return None
        items.append(scored(labelled(trace, options), scores_in(own)))
    return items


# --- which conversation both sides answer ----------------------------------------------------------------------------


def _sides(row: Mapping[str, Any], found: PairColumns) -> tuple[list[_Side], dict[str, Any]]:
    """Both sides with the conversation that they answer, and what else is kept in `meta`."""
    told = {column: _told(row[column], column) for column in (found.chosen, found.rejected)}
    whole = [value for value in told.values() if isinstance(value, list) and any(t.role == "user" for t in value)]
    if len(whole) == 2:
        return _implicit(row, found, told)
    if whole:
        raise InvalidTrace(
            found.rejected,
            f"and {found.chosen} must both hold the prompt, or neither of them, but one of them has no turn of "
            "the user. Write both in the same way",
        )
    if found.prompt is None:
        raise InvalidTrace("prompt", "is missing. Name it, or begin both sides with its turns")
    turns, kept, system = prompt_turns(row, found)
    _check_prompt(turns, found.prompt)
    return [_side(column, turns, value, system) for column, value in told.items()], kept


def _implicit(
    row: Mapping[str, Any], found: PairColumns, told: Mapping[str, str | list[Turn]]
) -> tuple[list[_Side], dict[str, Any]]:
    """The turns with which both sides begin, up to the last of the user that they share, are the prompt."""
    (one, chosen), (other, rejected) = told.items()
    assert isinstance(chosen, list), "only sides of turns hold their prompt"
    assert isinstance(rejected, list), "only sides of turns hold their prompt"
    shared = _shared(chosen, rejected)
    end = max((i + 1 for i in range(shared) if chosen[i].role == "user"), default=0)
    if end == 0 or any(turn.role == "user" for turn in (*chosen[end:], *rejected[end:])):
        raise InvalidTrace(
            other, f"answers another prompt than {one}: the turns before their last answers differ. Pair other answers"
        )
    asked, system = chosen[:end], filled(row.get(found.system or ""))
    sides = [_side(one, asked, chosen[end:], system), _side(other, asked, rejected[end:], system)]
    return sides, _kept_prompt(row, found, asked)


def _shared(one: list[Turn], other: list[Turn]) -> int:
    """With how many equal turns both begin."""
    same = 0
    for a, b in zip(one, other, strict=False):
        if a._replace(raw={}, field="") != b._replace(raw={}, field=""):
            break
        same += 1
    return same


def _kept_prompt(row: Mapping[str, Any], found: PairColumns, turns: list[Turn]) -> dict[str, Any]:
    """The prompt column of a row whose sides hold the prompt, unless it only says that again."""
    value = None if found.prompt is None else row[found.prompt]
    if value is None or value == turns[-1].text or any(value == turn.text for turn in turns):
        return {}
    if isinstance(value, list) and value == [turn.raw for turn in turns]:
        return {}
    return {str(found.prompt): value}


def _check_prompt(turns: Sequence[Turn], field: str) -> None:
    if not turns or turns[-1].role not in ("user", "tool"):
        raise InvalidTrace(
            field,
            f"must end with a turn of the user, not {last_role(turns)}. Put answers into the sides of the pair",
        )


def _side(column: str, asked: Sequence[Turn], value: str | list[Turn], system: str | None) -> _Side:
    if isinstance(value, str):
        said = Turn("assistant", value, {}, {"role": "assistant", "content": value}, column)
        return _Side(column, value, exchange_of([*asked, said], column, system))
    if not value or value[-1].role != "assistant":
        found = f", not {last_role(value)}" if value else ""
        raise InvalidTrace(column, f"must end with a turn of the assistant{found}. Put the answer last")
    return _Side(column, None, exchange_of([*asked, *value], column, system))


def _told(value: Any, column: str) -> str | list[Turn]:
    """A side as text, or as the turns of a transcript, a message or a list of messages."""
    if isinstance(value, str):
        return transcript_turns(value, column, answered=True) or value
    if isinstance(value, Mapping):
        with named_as({f"{column}[0]": column}):
            return [turn._replace(field=column) for turn in read_turns([value], column)]
    return read_turns(value, column)
