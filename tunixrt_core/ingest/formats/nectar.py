"""Format `nectar`: ranked `answers`, of which the first and the last are a pair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunixrt_core.errors import InvalidTrace
from tunixrt_core.ingest.formats.fields import Item, Options, rest
from tunixrt_core.ingest.formats.ranked import Rated, pair_of
from tunixrt_core.util.kinds import kind_of

NAME = "nectar"

_FIELDS = {"prompt": "messages, prompt", "answers": "steps, final_answer, score, model", "source": "source"}


def matches(row: Mapping[str, Any]) -> bool:
    found = row.get("answers")
    if "prompt" not in row or not isinstance(found, list):
        return False
    return any(isinstance(one, Mapping) and {"answer", "rank"} <= one.keys() for one in found)


def columns(row: Mapping[str, Any]) -> Mapping[str, str]:
    return _FIELDS


def read(row: Mapping[str, Any], options: Options) -> list[Item]:
    """Rank 1 is the best. The answers between are kept in `meta` beside the best one."""
    answers = [_rated(one, i) for i, one in enumerate(row["answers"])] if isinstance(row.get("answers"), list) else []
    if answers:
        best = max(range(len(answers)), key=lambda n: answers[n].rating)
        others = [dict(one) for i, one in enumerate(row["answers"]) if i != best]
        answers[best] = answers[best]._replace(about={NAME: {**answers[best].about[NAME], "others": others}})
    source = row.get("source")
    if isinstance(source, list) and source and all(isinstance(name, str) for name in source):
        source = ", ".join(source)
    return pair_of({**rest(row, ("answers",)), "source": source}, answers, "answers", options)


def _rated(one: Any, i: int) -> Rated:
    if not isinstance(one, Mapping) or not isinstance(one.get("answer"), str):
        raise InvalidTrace(f"answers[{i}]", f"must be an object with text as `answer`, not {kind_of(one)}")
    rank, model = one.get("rank"), one.get("model")
    if isinstance(rank, bool) or not isinstance(rank, int | float):
        raise InvalidTrace(f"answers[{i}].rank", f"must be a number, not {kind_of(rank)}. Leave the answer out")
    named = model if isinstance(model, str) and model.strip() else None
    about = {"rank": rank, **rest(one, ("answer", "rank", "model"))}
    return Rated(one["answer"], -float(rank), f"answers[{i}].answer", named, {NAME: about})
