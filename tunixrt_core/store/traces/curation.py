"""Tags, notes and scores of traces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from sqlalchemy import delete, func, insert, select

from tunixrt_core.errors import InvalidQuery, NotFound
from tunixrt_core.store.query import ScoreName
from tunixrt_core.store.sql.engine import Database
from tunixrt_core.store.sql.pools import reader_of
from tunixrt_core.store.sql.reading import WHOLE, moment
from tunixrt_core.store.sql.tables import trace_notes, trace_scores, trace_tags, utc_text
from tunixrt_core.store.traces.lookup import find
from tunixrt_core.store.traces.said import score_of
from tunixrt_core.store.traces.writing import put_scores
from tunixrt_core.traces.scores import GivenScore, ScoreKind
from tunixrt_core.util.names import MAX_NAME, check_encodable, check_name, check_names, check_note


class CurationStore:
    """The tags, notes and scores of one database. Each method raises NotFound for an unknown trace."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._db = database
        self._clock = clock

    def tag(self, ref: str, tags: Iterable[str]) -> None:
        """Give a trace tags; those that it has already stay. Raises InvalidQuery for one that cannot be."""
        names = check_names("tag", tags)
        with self._db.write() as connection:
            number = find(reader_of(connection), ref)["id"]
            has = set(connection.execute(select(trace_tags.c.tag).where(trace_tags.c.trace_id == number)).scalars())
            if new := [{"tag": name, "trace_id": number} for name in names if name not in has]:
                connection.execute(insert(trace_tags), new)

    def untag(self, ref: str, tags: Iterable[str]) -> None:
        """Take tags from a trace; one that it does not have is no error."""
        with self._db.write() as connection:
            number = find(reader_of(connection), ref)["id"]
            names = [tag.strip() for tag in tags]
            connection.execute(delete(trace_tags).where(trace_tags.c.trace_id == number, trace_tags.c.tag.in_(names)))

    def write_note(self, ref: str, text: str) -> None:
        """Keep a note in place of the one before; an empty one removes it. Raises InvalidQuery where it is too long."""
        check_note(text)
        with self._db.write() as connection:
            number = find(reader_of(connection), ref)["id"]
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
            row = find(reader_of(connection), ref)
            checked = [(row["id"], _checked(score, row["step_count"])) for score in scores]
            put_scores(connection, checked, utc_text(self._clock()))

    def unscore(self, ref: str, name: str, *, kind: ScoreKind, scorer: str, step: int | None = None) -> None:
        """Remove what a scorer gave under a name, of all its versions. Raises NotFound where there is none."""
        with self._db.write() as connection:
            number = find(reader_of(connection), ref)["id"]
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
        """The scores of a trace and of its steps, by name and step; none for an unknown trace."""
        wanted = (
            "SELECT trace_scores.* FROM trace_scores JOIN traces ON traces.id = trace_scores.trace_id "
            "WHERE traces.hash = :hash ORDER BY name, step, trace_scores.id"
        )
        with self._db.reading() as reader:
            return tuple(score_of(row, moment(row["created_at"])).given for row in reader.rows(wanted, hash=trace_hash))

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
