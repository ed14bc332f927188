"""Batched inserts of an import in the caller's transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from operator import attrgetter

from sqlalchemy import Connection, delete, func, select

from tunixrt_core.datasets.gates.rules.answer import answer_matches
from tunixrt_core.store.sql.dialects import Dialect, NewTrace
from tunixrt_core.store.sql.reading import WHOLE
from tunixrt_core.store.sql.search import indexed_text
from tunixrt_core.store.sql.tables import trace_scores, trace_tallies, traces, utc_text
from tunixrt_core.traces.scores import GivenScore, ScoredTrace
from tunixrt_core.traces.trace import Trace, group_key_of

BATCH_ROWS = 500
BATCH_BYTES = 4 << 20
LARGE = 10_000  # traces

_ANSWERS = {1: "right", 0: "wrong", None: "unknown"}
# built once: SQLAlchemy takes longer to build such a statement than SQLite takes to answer it
_A_TOMBSTONE = select(traces.c.id).where(traces.c.deleted_at.is_not(None)).limit(1)
_NEWEST = select(func.max(traces.c.id))
_EMPTY_TALLIES = delete(trace_tallies).where(trace_tallies.c.traces == 0)
_COUNTED = attrgetter("source", "model", "correct")
_new_trace = NewTrace._make
Tally = tuple[str, str]  # kind and value, as the table has them
_SCORE_COLUMNS = ("trace_id", "step", "name", "kind", "scorer", "version", "value", "note", "created_at", "against")


class TraceWriter:
    """Inserts traces that are new. A deleted trace counts as new; its tombstone is removed."""

    def __init__(self, connection: Connection, dialect: Dialect, now: datetime) -> None:
        self.inserted = 0
        self._connection = connection
        self._dialect = dialect
        self._now = utc_text(now)
        self._tallies: Counter[Tally] = Counter()
        self._has_tombstones = connection.execute(_A_TOMBSTONE).first() is not None
        self._asks = self._has_tombstones  # which traces are there, before it brings them
        self._build: Callable[[], object] | None = None

    def add(self, batch: Sequence[Trace | ScoredTrace]) -> Collection[str]:
        """Store a batch. Returns the hashes of new traces. Scores of traces that already exist are stored too."""
        bare = {one.content_hash: one for one in (item if isinstance(item, Trace) else item.trace for item in batch)}
        ids = self._known(list(bare)) if self._asks else {}
        unknown = [trace for one, trace in bare.items() if one not in ids] if ids else list(bare.values())
        new: Mapping[str, int] = {}
        if unknown:
            rows = [_row(trace, self._now) for trace in unknown]
            new = self._dialect.insert_traces(self._connection, rows, map(_text, unknown))
            self.inserted += len(new)
            self._count(rows if len(new) == len(rows) else [row for row in rows if row.hash in new])
            self._put_off()
        # a file that was all new so far is likely to stay so; otherwise a query is quicker than sending existing rows
        self._asks = self._has_tombstones or len(new) < len(bare)
        scored = [item for item in batch if isinstance(item, ScoredTrace) and item.scores]
        if scored:
            # asked again: another transaction may have stored a trace of this batch meanwhile
            ids = self._known([item.trace.content_hash for item in scored])
            put_scores(
                self._connection,
                [(ids[item.trace.content_hash], score) for item in scored for score in item.scores],
                self._now,
            )
        return new

    def finish(self) -> None:
        """What is done once, at the end: the tallies, for which other writers wait, and what was put off."""
        if self._build is not None:
            self._build()
        change_tallies(self._connection, self._tallies)

    def _put_off(self) -> None:
        """In a large import, one that more than doubles the store."""
        if self._build is None and self.inserted >= LARGE:
            stored: int = self._connection.execute(_NEWEST).scalar_one()
            if self.inserted >= stored / 2:
                self._build = self._dialect.put_off(self._connection)

    def _known(self, hashes: list[str]) -> dict[str, int]:
        ids = self._dialect.known(self._connection, hashes)
        if not (self._has_tombstones and ids):
            return ids
        gone = select(traces.c.hash).where(traces.c.deleted_at.is_not(None), traces.c.id.in_(ids.values()))
        if tombstones := list(self._connection.execute(gone).scalars()):
            self._connection.execute(delete(traces).where(traces.c.hash.in_(tombstones)))
        return {one: number for one, number in ids.items() if one not in tombstones}

    def _count(self, rows: Iterable[NewTrace]) -> None:
        for (source, model, correct), number in Counter(map(_COUNTED, rows)).items():
            for tally in tallies_of(source, model, correct):
                self._tallies[tally] += number


def batches(new: Iterable[Trace | ScoredTrace]) -> Iterator[list[Trace | ScoredTrace]]:
    """Batches of at most 500 traces and about 4 MiB: what an import holds in memory."""
    batch: list[Trace | ScoredTrace] = []
    size = 0
    for item in new:
        batch.append(item)
        size += len(item.canonical if isinstance(item, Trace) else item.trace.canonical)
        if len(batch) >= BATCH_ROWS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def tallies_of(source: str | None, model: str | None, correct: int | None) -> list[Tally]:
    """The tallies in which a trace with these values is counted."""
    found: list[Tally] = [("all", ""), ("answer", _ANSWERS[correct])]
    if source is not None:
        found.append(("source", source))
    if model is not None:
        found.append(("model", model))
    return found


def change_tallies(connection: Connection, changes: Counter[Tally]) -> None:
    """Add to the tallies, or take away. In one order always, so that two writers cannot wait for each other."""
    if not changes:
        return
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    connection.exec_driver_sql(
        f"INSERT INTO trace_tallies (kind, value, traces) VALUES ({mark}, {mark}, {mark}) "
        "ON CONFLICT (kind, value) DO UPDATE SET traces = trace_tallies.traces + excluded.traces",
        [(kind, value, number) for (kind, value), number in sorted(changes.items())],
    )
    if any(number <= 0 for number in changes.values()):
        connection.execute(_EMPTY_TALLIES)


def put_scores(connection: Connection, scores: Sequence[tuple[int, GivenScore]], now: str) -> None:
    """Keep scores, each in place of the one by the same scorer (and version, of an automatic one) against the same
    trace, if there is one.
    """
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    names = ", ".join(_SCORE_COLUMNS)
    rows = {_score_key(number, score): _score_row(number, score, now) for number, score in scores}
    connection.exec_driver_sql(
        f"INSERT INTO {trace_scores.name} ({names}) VALUES ({', '.join([mark] * len(_SCORE_COLUMNS))}) "
        "ON CONFLICT (trace_id, name, kind, scorer, version, step, against) "
        "DO UPDATE SET value = excluded.value, note = excluded.note, created_at = excluded.created_at",
        list(rows.values()),
    )


def _score_key(number: int, score: GivenScore) -> tuple[object, ...]:
    return number, score.step, score.name, score.kind, score.scorer, _version(score), score.against


def _version(score: GivenScore) -> str:
    # a person who scores again has changed their mind, whatever version a file gave
    return "" if score.kind == "human" else score.version


def _score_row(number: int, score: GivenScore, now: str) -> tuple[object, ...]:
    step = WHOLE if score.step is None else score.step
    version, value, against = _version(score), float(score.value), score.against or ""
    return number, step, score.name, score.kind, score.scorer, version, value, score.note, now, against


def flat_row(trace: Trace, stored: datetime) -> NewTrace:
    """The columns of a trace."""
    return _row(trace, utc_text(stored))


def _row(trace: Trace, now: str) -> NewTrace:
    body = trace.canonical
    # `trace.group_key` would take a lock, and keep what nobody asks again
    return _new_trace(
        (
            trace.content_hash,
            group_key_of(trace.prompt, trace.conversation.messages),
            trace.source,
            trace.model,
            body.decode(),
            len(trace.steps),
            len(body),
            _correct(trace),
            now,
        )
    )


def _correct(trace: Trace) -> int | None:
    if trace.reference_answer == trace.final_answer:  # the most common case needs no reading of numbers
        return 1
    matches = answer_matches(trace)
    return None if matches is None else int(matches)


def _text(trace: Trace) -> str:
    # of the same words as `text_of_body` gives: the index forgets a deleted trace by the words of its text
    said = [turn.content for turn in (*trace.conversation.messages, *trace.conversation.turns)]
    return indexed_text("\n".join([*said, trace.prompt, *[step.content for step in trace.steps], trace.final_answer]))
