"""Dataset versions by the traces that they list."""

from __future__ import annotations

from collections.abc import Iterable

from tunixrt_core.datasets.held import HeldRows
from tunixrt_core.store.sql.reading import Reader

Counted = tuple[tuple[str, int, int], ...]  # name, version, rows

_DELETED = "SELECT hash FROM traces WHERE deleted_at IS NOT NULL"


def deletions(reader: Reader) -> tuple[object, ...]:
    """Changes with every deletion, every deleted trace that comes again and every new version; begins with 0 where no
    trace is deleted."""
    gone = reader.rows(
        "SELECT count(*) AS traces, sum(id) AS ids, max(deleted_at) AS last FROM traces WHERE deleted_at IS NOT NULL"
    )[0]
    newest = reader.rows("SELECT max(id) AS id FROM dataset_versions")[0]["id"]
    return gone["traces"], str(gone["ids"]), str(gone["last"]), newest


def count_deleted(reader: Reader) -> Counted:
    """How many deleted traces each version lists, the newest version first; those that list none are left out."""
    rows = reader.rows(
        "SELECT v.name AS name, v.version AS version, count(*) AS rows FROM dataset_versions v "
        f"JOIN dataset_rows r ON r.version_id = v.id WHERE r.hash IN ({_DELETED}) "
        "GROUP BY v.id, v.name, v.version ORDER BY v.id DESC"
    )
    return tuple((row["name"], row["version"], row["rows"]) for row in rows)


def deleted_hashes(reader: Reader, version_id: int) -> list[str]:
    """The deleted traces that a version lists, in its order."""
    wanted = f"SELECT hash FROM dataset_rows WHERE version_id = :id AND hash IN ({_DELETED}) ORDER BY position"
    return [row["hash"] for row in reader.rows(wanted, id=version_id)]


def with_holders(reader: Reader, counted: Iterable[tuple[str, int, int]]) -> list[HeldRows]:
    """These versions with the runs made from them and the evaluations of these runs."""
    mine = "SELECT id FROM runs WHERE dataset_name = :name AND dataset_version = :version"
    held = []
    for name, version, rows in counted:
        made = reader.rows(f"{mine} ORDER BY seq", name=name, version=version)
        asked = reader.rows(f"SELECT id FROM evals WHERE run_id IN ({mine}) ORDER BY seq", name=name, version=version)
        runs, evaluations = (tuple(str(row["id"]) for row in found) for found in (made, asked))
        held.append(HeldRows(name, version, rows, runs, evaluations))
    return held
