"""Small real things that several tests need: a manifest with its data file, and a record of what a store was told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from tunixrt_core.manifest import RunManifest, build_sft_manifest


def make_manifest(tmp_path: Path, *, train_steps: int, eval_rows: int = 3) -> RunManifest:
    path = tmp_path / f"data-{eval_rows}.jsonl"
    splits = ["train"] * 4 + ["eval"] * eval_rows
    rows = [
        {"prompt": f"Task {i}:", "trace_steps": ["s"], "final_answer": str(i), "metadata": {"split": split}}
        for i, split in enumerate(splits)
    ]
    if not path.exists():  # a run that is under way may be reading it
        path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    built = build_sft_manifest(path, "tiny", tmp_path / "run", {"train_steps": train_steps})
    return RunManifest.from_dict(built)


class Records:
    """What the store would have been told."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, dict[str, Any]]] = []

    def mirror(self, run_id: str, **changes: Any) -> None:
        self.changes.append((run_id, changes))

    def update(self, eval_id: str, **changes: Any) -> None:
        self.changes.append((eval_id, changes))

    def statuses(self, name: str) -> list[str]:
        return [str(changes["status"]) for known, changes in self.changes if known == name]
