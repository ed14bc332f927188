"""Small real things that several tests need: a manifest with its data file, and a record of what a store was told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from tunixrt_core.evaluation.folder import EvalDir, EvalSpec, EvalState
from tunixrt_core.evaluation.sets.setup import EvalSetRef, EvalSetup
from tunixrt_core.manifest.manifest import RunManifest, build_sft_manifest
from tunixrt_core.runs.evaluation_record import PromptForm, Target
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.util.files.atomic import write_json


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

    def statuses(self, name: str) -> list[str]:
        return [str(changes["status"]) for known, changes in self.changes if known == name]


def write_evaluation(
    folder: RunDir, target: Target, summary: dict[str, Any], train_step: int = 6, prompt: PromptForm = "run"
) -> None:
    """What an evaluation that is over leaves in a run's folder."""
    reference = EvalSetRef("split", "mine v1", "ab", summary["rows"])
    setup = EvalSetup(eval_set=reference, max_new_tokens=8, prompt=prompt)
    step = train_step if target == "tuned" else None
    spec = EvalSpec(target=target, train_step=step, setup=setup, scorers=("exact_match",))
    found = EvalDir(folder.evals / spec.name)
    found.path.mkdir(parents=True)
    write_json(found.spec_file, spec.to_dict())
    write_json(found.summary_file, summary)
    found.write_state(EvalState(status=RunStatus.SUCCEEDED))
