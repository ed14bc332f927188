"""What people and scorers say about traces: tags, a note, scores of the whole and of single steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Row, delete, func, insert, select

from tunixrt_core.errors import InvalidQuery, NotFound
from tunixrt_core.store.query import Note, ScoreName, StoredScore
from tunixrt_core.store.sql.engine import Database
from tunixrt_core.store.sql.tables import WHOLE, trace_notes, trace_scores, trace_tags, traces, utc_text
from tunixrt_core.store.traces.lookup import find
from tunixrt_core.store.traces.writing import put_scores
from tunixrt_core.traces.scores import GivenScore, ScoreKind

MAX_NAME = 80  # characters of a tag, and of the name, the scorer and the version of a score
MAX_NOTE = 20_000


# Every page of traces asks this: as text with one parameter, in a third of the time that a list of ids takes, and all
# three at once, as SQLAlchemy takes longer for each statement than the database. Scores first: they give the types.
_SAID = """
WITH wanted (id) AS ({})
SELECT trace_id, kind, name, value, step, note, scorer, version, created_at, id FROM trace_scores
    WHERE trace_id IN (SELECT id FROM wanted)
UNION ALL SELECT trace_id, 'note', NULL, NULL, NULL, text, NULL, NULL, written_at, NULL FROM trace_notes
    WHERE trace_id IN (SELECT id FROM wanted)
UNION ALL SELECT trace_id, 'tag', tag, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM trace_tags
    WHERE trace_id IN (SELECT id FROM wanted)
"""
_SAID_ABOUT = {
    "sqlite": _SAID.format("SELECT value FROM json_each(?)"),
    "postgresql": _SAID.format("SELECT value::bigint FROM json_array_elements_text(%s::json)"),
}
_SCORE_ORDER = (trace_scores.c.name, trace_scores.c.step, trace_scores.c.id)


class Said(NamedTuple):
    """What was said about one trace."""

    tags: tuple[str, ...] = ()
    note: Note | None = None
    scores: tuple[StoredScore, ...] = ()


_NOTHING = Said()


class CurationStore:
    """The tags, notes and scores of one database. Each method raises NotFound where the trace is not there."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._db = database
        self._clock = clock

    def tag(self, ref: str, tags: Iterable[str]) -> None:
        """Give a trace tags; those that it has already stay. Raises InvalidQuery for one that cannot be."""
        names = [check_name("tag", tag) for tag in tags]
        with self._db.write() as connection:
            number = find(connection, ref).id
            has = set(connection.execute(select(trace_tags.c.tag).where(trace_tags.c.trace_id == number)).scalars())
            if new := [{"tag": name, "trace_id": number} for name in dict.fromkeys(names) if name not in has]:
                connection.execute(insert(trace_tags), new)

    def untag(self, ref: str, tags: Iterable[str]) -> None:
        """Take tags from a trace; one that it does not have is no error."""
        with self._db.write() as connection:
            number = find(connection, ref).id
            names = [tag.strip() for tag in tags]
            connection.execute(delete(trace_tags).where(trace_tags.c.trace_id == number, trace_tags.c.tag.in_(names)))

    def write_note(self, ref: str, text: str) -> None:
        """Keep a note in place of the one before; an empty one removes it. Raises InvalidQuery where it is too long."""
        if len(text) > MAX_NOTE:
            raise InvalidQuery(f"A note has at most {MAX_NOTE:,} characters; this one has {len(text):,}.")
        check_encodable("note", text)
        with self._db.write() as connection:
            number = find(connection, ref).id
            connection.execute(delete(trace_notes).where(trace_notes.c.trace_id == number))
            if text.strip():
                note = {"trace_id": number, "text": text, "written_at": self._clock()}
                connection.execute(insert(trace_notes).values(note))

    def score(self, ref: str, scores: Sequence[GivenScore]) -> None:
        """Keep scores, each in place of the one that the same scorer gave before. Raises InvalidQuery.

        A human score replaces that person's earlier one; an automatic one that of the same scorer and version.
        """
        if not scores:
            return
        with self._db.write() as connection:
            row = find(connection, ref)
            checked = [(row.id, _checked(score, row.step_count)) for score in scores]
            put_scores(connection, checked, utc_text(self._clock()))

    def unscore(self, ref: str, name: str, *, kind: ScoreKind, scorer: str, step: int | None = None) -> None:
        """Remove what a scorer gave under a name, of all its versions. Raises NotFound where there is none."""
        with self._db.write() as connection:
            number = find(connection, ref).id
            mine = (
                trace_scores.c.trace_id == number,
                trace_scores.c.name == name,
                trace_scores.c.kind == kind,
                trace_scores.c.scorer == scorer,
                trace_scores.c.step == (WHOLE if step is None else step),
            )
            if not connection.execute(delete(trace_scores).where(*mine)).rowcount:
                raise NotFound("score", name, f"{scorer} gave this trace none of that name.")

    def scores_of(self, trace_hash: str) -> tuple[GivenScore, ...]:
        """The scores of a trace and of its steps, by name and step; none for a trace that is not there."""
        mine = trace_scores.join(traces, traces.c.id == trace_scores.c.trace_id)
        wanted = select(trace_scores).select_from(mine).where(traces.c.hash == trace_hash)
        with self._db.read() as connection:
            return tuple(
                _score(row, row.created_at).given for row in connection.execute(wanted.order_by(*_SCORE_ORDER))
            )

    def tags(self) -> list[tuple[str, int]]:
        """Every tag with its number of traces, the most used first."""
        count = func.count()
        wanted = select(trace_tags.c.tag, count).group_by(trace_tags.c.tag).order_by(count.desc(), trace_tags.c.tag)
        with self._db.read() as connection:
            return [(tag, number) for tag, number in connection.execute(wanted)]

    def score_names(self) -> list[ScoreName]:
        """Every name that scores go by, human and automatic ones apart, by name."""
        name, kind, value = trace_scores.c.name, trace_scores.c.kind, trace_scores.c.value
        wanted = select(name, kind, func.count(), func.min(value), func.max(value)).group_by(name, kind)
        with self._db.read() as connection:
            return [ScoreName(*row) for row in connection.execute(wanted.order_by(name, kind))]


def said_about(connection: Connection, ids: Sequence[int]) -> dict[int, Said]:
    """What was said about some traces, by id: tags and scores in the order of their names."""
    found = connection.exec_driver_sql(_SAID_ABOUT[connection.dialect.name], (orjson.dumps(ids).decode(),))
    about: dict[int, list[Row[Any]]] = {}
    for row in found:
        about.setdefault(row.trace_id, []).append(row)
    return {one: _said(about[one]) if one in about else _NOTHING for one in ids}


def _said(rows: Iterable[Row[Any]]) -> Said:
    note = next((Note(row.note, datetime.fromisoformat(row.created_at)) for row in rows if row.kind == "note"), None)
    scores = sorted(
        (row for row in rows if row.kind not in ("note", "tag")), key=lambda row: (row.name, row.step, row.id)
    )
    return Said(
        tuple(sorted(row.name for row in rows if row.kind == "tag")),
        note,
        tuple(_score(row, datetime.fromisoformat(row.created_at)) for row in scores),
    )


def _score(row: Row[Any], created_at: datetime) -> StoredScore:
    given = GivenScore(
        name=row.name,
        value=row.value,
        step=None if row.step == WHOLE else row.step,
        note=row.note,
        scorer=row.scorer,
        version=row.version,
        kind=row.kind,
    )
    return StoredScore(given, created_at)


def _checked(score: GivenScore, steps: int) -> GivenScore:
    for what, text in (("score", score.name), ("scorer", score.scorer)):
        check_name(what, text)
    if len(score.version) > MAX_NAME:
        raise InvalidQuery(f"The version of a scorer has at most {MAX_NAME} characters.")
    if score.step is not None and not 0 <= score.step < steps:
        last = f"its steps are 0 to {steps - 1}" if steps else "it has none"
        raise InvalidQuery(f"The trace has no step {score.step}; {last}.")
    if score.note is not None:
        check_encodable("note", score.note)
    return score


def check_name(what: str, text: str) -> str:
    """The name without white space around it. Raises InvalidQuery where it is blank, long, or of several lines."""
    name = text.strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise InvalidQuery(f"A {what} has 1 to {MAX_NAME} characters on one line; {text[:100]!r} does not.")
    return name


def check_encodable(what: str, text: str) -> None:
    """Raises InvalidQuery where a database cannot keep the text as it is."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidQuery(f"The {what} holds a lone surrogate, which is not valid Unicode.") from None
    if "\0" in text:
        raise InvalidQuery(f"The {what} holds a NUL character, which cannot be stored.")
