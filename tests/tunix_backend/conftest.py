"""What the tests of the Tunix backend share: manifests over small data files, and an observer that keeps all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from tunixrt_core.manifest.manifest import RunManifest, build_sft_manifest
from tunixrt_core.runs.metrics import Known, Record, SampleAnswer, TrainPlan
from tunixrt_core.traces.examples import example_traces
from tunixrt_core.traces.rows import to_row
from tunixrt_core.traces.trace import Trace
from tunixrt_core.training.trainer import TrainControls, TrainOutcome


@dataclass
class KeptReports:
    """A trainer.TrainObserver that keeps everything; `on_train_step` may act on a train step's report."""

    phases: list[str] = field(default_factory=list)
    plans: list[TrainPlan] = field(default_factory=list)
    records: list[Known] = field(default_factory=list)
    answers: list[SampleAnswer] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    on_train_step: Callable[[int], None] = lambda train_step: None

    def phase(self, phase: str) -> None:
        if self.phases[-1:] != [phase]:
            self.phases.append(phase)

    def plan(self, plan: TrainPlan) -> None:
        self.plans.append(plan)

    def record(self, record: Record) -> None:
        if isinstance(record, SampleAnswer):
            self.answers.append(record)
            return
        self.records.append(record)
        if record.kind == "train":
            self.on_train_step(record.train_step)

    def log(self, text: str) -> None:
        self.lines.append(text)

    def of(self, kind: str, name: str = "loss") -> dict[int, Any]:
        """One value by train step."""
        return {r.train_step: getattr(r, name) for r in self.records if r.kind == kind}


def write_rows(path: Path, train: Iterable[Trace], evals: Iterable[Trace] = ()) -> Path:
    rows = [to_row(trace, "train") for trace in train] + [to_row(trace, "eval") for trace in evals]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


def make_manifest(folder: Path, *, model: str = "tiny-micro", rows: Path | None = None, **hyper: Any) -> RunManifest:
    """A manifest for 24 train and 5 eval rows of the example on the smallest model."""
    traces = list(example_traces(29))
    path = rows or write_rows(folder / "rows.jsonl", traces[:24], traces[24:])
    values = {
        "batch_size": 8,
        "eval_every": 4,
        "checkpoint_every": 4,
        "learning_rate": 5e-3,
        "sample_prompts": 0,
        **hyper,
    }
    if "train_steps" not in values and "epochs" not in values:
        values["train_steps"] = 8
    return RunManifest.from_dict(build_sft_manifest(path, model, folder / "run", values))


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def train(
    manifest: RunManifest,
    models_dir: Path,
    reports: KeptReports | None = None,
    controls: TrainControls | None = None,
) -> TrainOutcome:
    from tunixrt_core.tunix_backend.train.sft import TunixTrainer

    trainer = TunixTrainer(models_dir)
    folder = Path(manifest.output_dir)
    return trainer.train(manifest, folder, observer=reports or KeptReports(), controls=controls or TrainControls())
