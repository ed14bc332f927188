"""The data file of a manifest: description and checks."""

from __future__ import annotations

from pathlib import Path

import orjson

from tunixrt_core.errors import InvalidManifest
from tunixrt_core.manifest.sections import DataSection
from tunixrt_core.util.files.disks import require_answer
from tunixrt_core.util.hashing import file_sha256


def describe_data(path: Path) -> DataSection:
    """The data section of a Tunix SFT JSONL file: its hash and its rows by split. Raises InvalidManifest."""
    require_answer(path)
    if not path.is_file():
        raise InvalidManifest("dataset_path", f"there is no file {path}; export a dataset version first")
    counts = {"train": 0, "eval": 0}
    with path.open("rb") as handle:
        for number, line in enumerate(handle, 1):
            if line.strip():
                counts[_split_of(line, number, path)] += 1
    if not counts["train"]:
        raise InvalidManifest("dataset_path", f"{path} holds no rows to train on")
    return DataSection(
        path=str(path),
        sha256=file_sha256(path),
        rows=sum(counts.values()),
        train_rows=counts["train"],
        eval_rows=counts["eval"],
    )


def _split_of(line: bytes, number: int, path: Path) -> str:
    try:
        row = orjson.loads(line)
        split = (row.get("metadata") or {}).get("split") or "train"
    except (orjson.JSONDecodeError, AttributeError):
        raise InvalidManifest("dataset_path", f"{path}, line {number}: is not a JSON object") from None
    if missing := [key for key in ("prompt", "trace_steps", "final_answer") if key not in row]:
        raise InvalidManifest("dataset_path", f"{path}, line {number}: {missing[0]} is missing; export as tunix_sft")
    if split not in ("train", "eval"):
        raise InvalidManifest("dataset_path", f"{path}, line {number}: metadata.split is {split!r}, not train or eval")
    return str(split)


def locate_data(data: DataSection, beside: Path) -> DataSection:
    """The section with the absolute path of its file: as written, or of the same name in `beside`."""
    named = Path(data.path).expanduser()
    for candidate in (beside / named, named, beside / named.name):
        require_answer(candidate)
        if candidate.is_file():
            return data.model_copy(update={"path": str(candidate.resolve())})
    raise InvalidManifest("data.path", f"there is no file {named}, nor {named.name} beside the manifest")


def check_data_unchanged(data: DataSection) -> None:
    """Raises InvalidManifest where the data file is missing or is not the one that the manifest was made for."""
    path = Path(data.path)
    require_answer(path)
    if not path.is_file():
        raise InvalidManifest("data.path", f"there is no file {path}; copy it there, or build the manifest again")
    if file_sha256(path) != data.sha256:
        raise InvalidManifest(
            "data.sha256", f"{path} has changed since the manifest was made; build the manifest again"
        )
