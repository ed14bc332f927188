"""Dataset versions as a listing shows them."""

from __future__ import annotations

from tunixrt_core.datasets.spec import DatasetSpec
from tunixrt_core.datasets.versions import DatasetVersion
from tunixrt_core.errors import NotFound
from tunixrt_core.store.query import NEWEST
from tunixrt_core.store.sql.reading import Reader, StoredRow, json_object, moment


def find_version(reader: Reader, name: str, version: int | None) -> StoredRow:
    """The row of a version, of the latest where none is given. Raises NotFound."""
    only, values = _only(version=version)
    wanted = f"SELECT * FROM dataset_versions WHERE name = :name{only} ORDER BY version DESC LIMIT 1"
    rows = reader.rows(wanted, name=name, **values)
    if not rows:
        raise NotFound("dataset", name if version is None else f"{name} v{version}")
    return rows[0]


def list_versions(reader: Reader, name: str | None, limit: int | None) -> list[DatasetVersion]:
    """All versions, of one name where given, newest first."""
    only, values = _only(name=name)
    wanted = f"SELECT * FROM dataset_versions WHERE 1 = 1{only} ORDER BY id DESC LIMIT :most"
    return [version_of(row) for row in reader.rows(wanted, most=NEWEST if limit is None else limit, **values)]


def version_of(row: StoredRow) -> DatasetVersion:
    """A version by the columns of its row."""
    return DatasetVersion(
        name=row["name"],
        version=row["version"],
        # a spec that does not say it is of a version from before there was a choice
        spec=DatasetSpec.from_dict({"negatives": "include", **json_object(row["spec"])}),
        content_hash=row["content_hash"],
        train_rows=row["train_rows"],
        eval_rows=row["eval_rows"],
        parent=row["parent"],
        created_at=moment(row["created_at"]),
    )


def _only(**values: object) -> tuple[str, dict[str, object]]:
    """The conditions for columns whose value is given, and those values."""
    given = {name: value for name, value in values.items() if value is not None}
    return "".join(f" AND {name} = :{name}" for name in given), given
