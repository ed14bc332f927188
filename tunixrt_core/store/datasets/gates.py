"""Gate findings of dataset versions in the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from sqlalchemy import Connection, insert, select

from tunixrt_core.datasets.gates.findings import Finding, GateOutcome
from tunixrt_core.store.sql.tables import dataset_findings, dataset_gates

_BATCH = 5_000


def insert_outcomes(
    connection: Connection, version_id: int, outcomes: Sequence[GateOutcome], findings: Mapping[str, Iterable[Finding]]
) -> None:
    """Keep outcomes and findings of a version that was just added, in their order."""
    if outcomes:
        connection.execute(
            insert(dataset_gates),
            [{"version_id": version_id, "position": i, "outcome": one.to_dict()} for i, one in enumerate(outcomes)],
        )
    for gate, found in findings.items():
        rows = ({"version_id": version_id, "gate": gate, "position": i, **one._asdict()} for i, one in enumerate(found))
        while batch := list(islice(rows, _BATCH)):
            connection.execute(insert(dataset_findings), batch)


def read_outcomes(connection: Connection, version_id: int) -> list[GateOutcome]:
    wanted = select(dataset_gates.c.outcome).where(dataset_gates.c.version_id == version_id)
    return [GateOutcome(**row.outcome) for row in connection.execute(wanted.order_by(dataset_gates.c.position))]


def read_findings(
    connection: Connection, version_id: int, gate: str, *, reason: str | None, after: int, limit: int
) -> Iterator[tuple[int, Finding]]:
    """Findings of one gate beyond the position `after`, each with its own position, in order."""
    found = dataset_findings.c
    wanted = select(dataset_findings).where(found.version_id == version_id, found.gate == gate, found.position > after)
    if reason is not None:
        wanted = wanted.where(found.reason == reason)
    for row in connection.execute(wanted.order_by(found.position).limit(limit)):
        yield row.position, Finding(row.hash, row.reason, row.detail)
