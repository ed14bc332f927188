"""What was said about traces, as a listing reads it: tags, a note and scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from tunixrt_core.store.query import Note, StoredScore
from tunixrt_core.store.sql.reading import WHOLE, Reader, StoredRow, moment
from tunixrt_core.traces.scores import GivenScore

# Every page of traces asks this, all three at once: a statement costs more than its rows. Scores first: they give the
# types.
_SAID = """
WITH wanted (id) AS ({})
SELECT trace_id, kind, name, value, step, note, scorer, version, created_at, id, against FROM trace_scores
    WHERE trace_id IN (SELECT id FROM wanted)
UNION ALL SELECT trace_id, 'note', NULL, NULL, NULL, text, NULL, NULL, written_at, NULL, NULL FROM trace_notes
    WHERE trace_id IN (SELECT id FROM wanted)
UNION ALL SELECT trace_id, 'tag', tag, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM trace_tags
    WHERE trace_id IN (SELECT id FROM wanted)
"""


class Said(NamedTuple):
    """What was said about one trace."""

    tags: tuple[str, ...] = ()
    note: Note | None = None
    scores: tuple[StoredScore, ...] = ()


_NOTHING = Said()


def said_about(reader: Reader, ids: Sequence[int]) -> dict[int, Said]:
    """What was said about some traces, by id: tags and scores in the order of their names."""
    about: dict[int, list[StoredRow]] = {}
    for row in reader.rows(_SAID.format(reader.numbers), numbers=orjson.dumps(ids).decode()):
        about.setdefault(row["trace_id"], []).append(row)
    return {one: _said(about[one]) if one in about else _NOTHING for one in ids}


def _said(rows: Iterable[StoredRow]) -> Said:
    note = next((Note(row["note"], moment(row["created_at"])) for row in rows if row["kind"] == "note"), None)
    scores = sorted(
        (row for row in rows if row["kind"] not in ("note", "tag")),
        key=lambda row: (row["name"], row["step"], row["id"]),
    )
    return Said(
        tuple(sorted(row["name"] for row in rows if row["kind"] == "tag")),
        note,
        tuple(score_of(row, moment(row["created_at"])) for row in scores),
    )


def score_of(row: Mapping[str, Any], created_at: datetime) -> StoredScore:
    """A score by the columns of its row."""
    given = GivenScore(
        name=row["name"],
        value=row["value"],
        step=None if row["step"] == WHOLE else row["step"],
        note=row["note"],
        scorer=row["scorer"],
        version=row["version"],
        kind=row["kind"],
        against=row["against"] or None,
    )
    return StoredScore(given, created_at)
