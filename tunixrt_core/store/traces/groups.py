"""Prompt groups: traces of one prompt, accuracy and agreement."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from tunixrt_core.errors import InvalidQuery
from tunixrt_core.store.query import Page, PromptGroup, check_limit
from tunixrt_core.store.sql.engine import Database
from tunixrt_core.store.sql.tables import traces
from tunixrt_core.traces.answers.comparison import compare
from tunixrt_core.traces.answers.reading.readings import Verdict
from tunixrt_core.traces.trace import Trace

_KEY = re.compile("[0-9a-f]{64}")


class GroupStore:
    """The prompt groups of one database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def page(self, *, min_traces: int = 2, after: str | None = None, limit: int = 20) -> Page[PromptGroup]:
        """Groups of at least that many traces, in the order of their keys: read off one index, however many there are.

        `after` is the `next` of the page before. Raises InvalidQuery.
        """
        if min_traces < 1:
            raise InvalidQuery(f"min_traces: {min_traces} is not 1 or more.")
        keys = select(traces.c.group_key).where(traces.c.group_key > (_key(after) if after else ""))
        wanted = keys.group_by(traces.c.group_key).having(func.count() >= min_traces)
        wanted = wanted.order_by(traces.c.group_key).limit(check_limit(limit) + 1)
        with self._db.read() as connection:
            found = list(connection.execute(wanted).scalars())
            groups = _groups(connection, found[:limit])
        return Page(tuple(groups), found[limit - 1] if len(found) > limit else None)


def _key(cursor: str) -> str:
    if not _KEY.fullmatch(cursor):
        raise InvalidQuery("This page cursor is not one that the listing gave. Begin again at the first page.")
    return cursor


def _groups(connection: Connection, keys: Sequence[str]) -> list[PromptGroup]:
    found: dict[str, list[Row[Any]]] = defaultdict(list)
    columns = (traces.c.group_key, traces.c.hash, traces.c.size, traces.c.correct, traces.c.body)
    wanted: Select[Any] = select(*columns).where(traces.c.group_key.in_(keys))
    for row in connection.execute(wanted.order_by(traces.c.id)):
        found[row.group_key].append(row)
    return [_group(key, found[key]) for key in keys]


def _group(key: str, rows: Sequence[Row[Any]]) -> PromptGroup:
    verdicts = Counter(row.correct for row in rows)
    right = [row for row in rows if row.correct == 1]
    shortest = min(right, key=lambda row: (row.size, row.hash), default=None)
    loaded = [Trace.from_canonical(row.body.encode()) for row in rows]
    return PromptGroup(
        key=key,
        prompt=loaded[0].prompt,
        traces=len(rows),
        right=verdicts[1],
        wrong=verdicts[0],
        answers=_differing([trace.final_answer for trace in loaded]),
        shortest_right=shortest.hash if shortest else None,
    )


def _differing(answers: Sequence[str]) -> int:
    """How many different answers there are, by the rule that says whether an answer is right."""
    kept: list[str] = []
    for answer in dict.fromkeys(answers):
        if not any(compare(other, answer) is Verdict.SAME for other in kept):
            kept.append(answer)
    return len(kept)
