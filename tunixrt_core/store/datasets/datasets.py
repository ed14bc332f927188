"""Dataset versions in the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice

import orjson
from sqlalchemy import ColumnElement, Connection, func, insert, or_, select
from sqlalchemy.exc import IntegrityError

from tunixrt_core.datasets.gates.findings import Finding, GateOutcome
from tunixrt_core.datasets.held import HeldRows
from tunixrt_core.datasets.rows import DatasetRow
from tunixrt_core.datasets.versions import DatasetVersion
from tunixrt_core.errors import Busy
from tunixrt_core.store.datasets.gates import insert_outcomes, read_findings, read_outcomes
from tunixrt_core.store.datasets.held import deleted_hashes, with_holders
from tunixrt_core.store.datasets.versions import find_version, list_versions, version_of
from tunixrt_core.store.query import TraceQuery, check_limit
from tunixrt_core.store.sql.engine import Database
from tunixrt_core.store.sql.pools import reader_of
from tunixrt_core.store.sql.reading import WHOLE
from tunixrt_core.store.sql.tables import dataset_rows, dataset_versions, trace_scores, traces
from tunixrt_core.store.traces.filters import IS_NEGATIVE, narrow
from tunixrt_core.traces.chat_messages import ChatParts, chat_parts
from tunixrt_core.traces.conversation import FIELDS
from tunixrt_core.traces.rows import Split

_BATCH = 5_000
_BODIES = 128  # traces fetched at once: at most as many MiB


class DatasetStore:
    """The dataset versions of one database. A version is never changed."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(
        self,
        version: DatasetVersion,
        rows: Iterable[DatasetRow],
        outcomes: Sequence[GateOutcome] = (),
        findings: Mapping[str, Iterable[Finding]] | None = None,
    ) -> None:
        """Keep a version with its rows, in order, and what the gates found, which is kept by gate.

        Raises Busy where that name and version is taken.
        """
        try:
            with self._db.write() as connection:
                values = {
                    "name": version.name,
                    "version": version.version,
                    # said in every case: a spec without it is of a version from before there was a choice
                    "spec": version.spec.to_dict() | {"negatives": version.spec.negatives},
                    "content_hash": version.content_hash,
                    "train_rows": version.train_rows,
                    "eval_rows": version.eval_rows,
                    "parent": version.parent,
                    "created_at": version.created_at,
                }
                added = insert(dataset_versions).values(values).returning(dataset_versions.c.id)
                number = connection.execute(added).scalar_one()
                _insert_rows(connection, number, rows)
                insert_outcomes(connection, number, outcomes, findings or {})
        except IntegrityError:
            raise Busy(
                f"Dataset {version.name} has a version {version.version} already. Build it again for the next one."
            ) from None

    def get(self, name: str, version: int | None = None) -> DatasetVersion:
        """A version, the latest where none is given. Raises NotFound."""
        with self._db.reading() as reader:
            return version_of(find_version(reader, name, version))

    def find(self, name: str, content_hash: str) -> DatasetVersion | None:
        """The version of that name with that content, if there is one: building the same again need not add one."""
        wanted = "SELECT * FROM dataset_versions WHERE name = :name AND content_hash = :hash ORDER BY id DESC LIMIT 1"
        with self._db.reading() as reader:
            rows = reader.rows(wanted, name=name, hash=content_hash)
        return version_of(rows[0]) if rows else None

    def latest_number(self, name: str) -> int | None:
        """The number of the latest version of that name; None where there is none."""
        with self._db.read() as connection:
            number: int | None = connection.execute(
                select(func.max(dataset_versions.c.version)).where(dataset_versions.c.name == name)
            ).scalar()
        return number

    def rows(self, name: str, version: int | None = None, split: Split | None = None) -> Iterator[DatasetRow]:
        """The rows of a version in order, of one split where given, streamed. Raises NotFound at the first row."""
        with self._db.read() as connection:
            number = find_version(reader_of(connection), name, version)["id"]
            wanted = select(dataset_rows.c.hash, dataset_rows.c.split).where(dataset_rows.c.version_id == number)
            if split is not None:
                wanted = wanted.where(dataset_rows.c.split == split)
            ordered = wanted.order_by(dataset_rows.c.position)
            for row in connection.execution_options(yield_per=_BATCH).execute(ordered):
                yield DatasetRow(row.hash, row.split)

    def bodies(
        self, name: str, version: int | None = None, *, split: Split | None = None, by_prompt: bool = False
    ) -> Iterator[tuple[str, str | None, Split]]:
        """Hash, canonical JSON and split of every row, of one split where given, streamed by one query; the JSON is
        None where the trace was deleted. In the version's order, or with `by_prompt` those of one prompt together.
        """
        with self._db.read() as connection:
            number = find_version(reader_of(connection), name, version)["id"]
            joined = dataset_rows.outerjoin(traces, traces.c.hash == dataset_rows.c.hash)
            wanted = select(dataset_rows.c.hash, traces.c.body, dataset_rows.c.split).select_from(joined)
            wanted = wanted.where(dataset_rows.c.version_id == number)
            if split is not None:
                wanted = wanted.where(dataset_rows.c.split == split)
            # hashes of hexadecimal digits sort alike in every collation
            order = (traces.c.group_key, dataset_rows.c.hash) if by_prompt else (dataset_rows.c.position,)
            streamed = connection.execution_options(yield_per=_BODIES).execute(wanted.order_by(*order))
            for rows in streamed.partitions():
                yield from rows

    def chat_parts(self, name: str, version: int | None = None, *, pairs: bool = False) -> ChatParts:
        """What any trace of a version holds of a chat; with `pairs` also those that its traces were compared with.
        Raises NotFound.
        """
        with self._db.read() as connection:
            number = find_version(reader_of(connection), name, version)["id"]
            own = select(dataset_rows.c.hash).where(dataset_rows.c.version_id == number)
            meant: ColumnElement[bool] = traces.c.hash.in_(own)
            if pairs:
                scored = traces.alias()
                compared = select(trace_scores.c.against).join(scored, scored.c.id == trace_scores.c.trace_id)
                meant = or_(meant, traces.c.hash.in_(compared.where(scored.c.hash.in_(own))))

            def any_has(part: str) -> bool:
                # text of these keys may be elsewhere in a trace, too
                holds = or_(*(traces.c.body.contains(f'"{key}":') for key in _KEYS[part]))
                wanted = select(traces.c.body).where(meant, holds)
                streamed = connection.execution_options(yield_per=_BODIES).execute(wanted)
                return any(getattr(chat_parts(orjson.loads(found)), part) for found in streamed.scalars())

            talks = any_has("conversation")
            return ChatParts(any_has("system"), talks, talks and any_has("keys"))

    def outcomes(self, name: str, version: int | None = None) -> Sequence[GateOutcome]:
        """What each gate did for a version, in the order of the gates; none for one without gates. Raises NotFound."""
        with self._db.read() as connection:
            return read_outcomes(connection, find_version(reader_of(connection), name, version)["id"])

    def findings(
        self, name: str, version: int | None, gate: str, *, reason: str | None = None, after: int = -1, limit: int = 50
    ) -> Sequence[tuple[int, Finding]]:
        """Findings of one gate beyond the position `after`, each with its position. Raises NotFound."""
        with self._db.read() as connection:
            number = find_version(reader_of(connection), name, version)["id"]
            found = read_findings(connection, number, gate, reason=reason, after=after, limit=check_limit(limit))
            return tuple(found)

    def groups(self, name: str, version: int | None = None) -> Mapping[str, str]:
        """The prompt group of every row's hash; rows whose trace was deleted are left out. Raises NotFound."""
        with self._db.read() as connection:
            number = find_version(reader_of(connection), name, version)["id"]
            joined = select(traces.c.hash, traces.c.group_key).join(dataset_rows, dataset_rows.c.hash == traces.c.hash)
            wanted = joined.where(dataset_rows.c.version_id == number, traces.c.group_key.is_not(None))
            return {row.hash: row.group_key for row in connection.execute(wanted)}

    def sources(self, name: str, version: int | None = None) -> Sequence[tuple[str, int]]:
        """The sources of a version's rows with how many each has, the largest first; empty text for none named.

        Rows whose trace was deleted are left out. Raises NotFound.
        """
        source, count = func.coalesce(traces.c.source, ""), func.count()
        joined = select(source, count).select_from(traces).join(dataset_rows, dataset_rows.c.hash == traces.c.hash)
        with self._db.read() as connection:
            number = find_version(reader_of(connection), name, version)["id"]
            wanted = joined.where(dataset_rows.c.version_id == number, traces.c.deleted_at.is_(None))
            found = connection.execute(wanted.group_by(source).order_by(count.desc(), source))
            return [(value, rows) for value, rows in found]

    def negatives(self, name: str, version: int | None = None) -> frozenset[str]:
        """The hashes of a version's rows that are negative examples. Raises NotFound."""
        joined = select(traces.c.hash).join(dataset_rows, dataset_rows.c.hash == traces.c.hash)
        with self._db.read() as connection:
            mine = dataset_rows.c.version_id == find_version(reader_of(connection), name, version)["id"]
            return frozenset(connection.execute(joined.where(mine, IS_NEGATIVE)).scalars())

    def scores(self, name: str) -> Iterator[tuple[str, float]]:
        """The hash of every whole trace that has a score of that name, and the mean of the human ones, or, where there
        are none, of the automatic ones; streamed.
        """
        score = trace_scores.c
        wanted = (
            select(traces.c.hash, score.kind, func.avg(score.value).label("mean"))
            .join(traces, traces.c.id == score.trace_id)
            .where(score.name == name, score.step == WHOLE)
            .group_by(traces.c.hash, score.kind)
            # human sorts after automatic, so it is the one that stays
            .order_by(traces.c.hash, score.kind)
        )
        with self._db.read() as connection:
            rows = connection.execution_options(yield_per=_BATCH).execute(wanted)
            for hash, same in groupby(rows, lambda row: str(row.hash)):
                *_, last = same
                yield hash, last.mean

    def gated(self, limit: int) -> Sequence[tuple[DatasetVersion, Sequence[GateOutcome]]]:
        """The latest version of each name with what its gates did, the newest `limit` of them, newest first."""
        latest = "SELECT max(id) FROM dataset_versions GROUP BY name"
        wanted = f"SELECT * FROM dataset_versions WHERE id IN ({latest}) ORDER BY id DESC LIMIT :most"
        with self._db.read() as connection:
            rows = reader_of(connection).rows(wanted, most=limit)
            return [(version_of(row), read_outcomes(connection, row["id"])) for row in rows]

    def missing_hashes(self, name: str, version: int) -> Sequence[str]:
        """The deleted traces that a version lists, in its order. Raises NotFound."""
        with self._db.reading() as reader:
            return deleted_hashes(reader, find_version(reader, name, version)["id"])

    def holding(self, wanted: TraceQuery | str) -> Sequence[HeldRows]:
        """The versions that list a trace, named by its full hash, or any of those that match a query; newest first."""
        version, row = dataset_versions.c, dataset_rows.c
        with self._db.read() as connection:
            hashes = select(traces.c.hash)
            if isinstance(wanted, str):
                hashes = hashes.where(traces.c.hash == wanted)
            else:
                hashes, _ = narrow(connection, self._db.dialect, hashes, wanted)
            counted = select(version.name, version.version, func.count()).join(
                dataset_rows, row.version_id == version.id
            )
            counted = counted.where(row.hash.in_(hashes)).group_by(version.id, version.name, version.version)
            found = [
                (name, number, rows) for name, number, rows in connection.execute(counted.order_by(version.id.desc()))
            ]
            return with_holders(reader_of(connection), found)

    def list(self, name: str | None = None, *, limit: int | None = None) -> list[DatasetVersion]:
        """All versions, of one name where given, newest first."""
        with self._db.reading() as reader:
            return list_versions(reader, name, limit)


def _insert_rows(connection: Connection, number: int, rows: Iterable[DatasetRow]) -> None:
    values = (
        {"version_id": number, "position": position, "hash": row.hash, "split": row.split}
        for position, row in enumerate(rows)
    )
    while batch := list(islice(values, _BATCH)):
        connection.execute(insert(dataset_rows), batch)


# the keys that a trace has in its canonical JSON where it holds a part of a chat
_KEYS = {
    "system": ("system",),
    "conversation": FIELDS,
    "keys": ("turns", "tools", "calls", "reasoning", "call_id", "name", "train"),
}
