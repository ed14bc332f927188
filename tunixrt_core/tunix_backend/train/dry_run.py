"""Dry run: largest train step, evaluation, checkpoint, generation."""

from __future__ import annotations

import math
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.metrics import CheckpointMetric, CompileMetric, Record, TrainMetric
from tunixrt_core.training.trainer import DryRunReport, NoObserver, TrainControls
from tunixrt_core.tunix_backend.data.rows import traces_of
from tunixrt_core.tunix_backend.generate.completions import TunixGenerator
from tunixrt_core.tunix_backend.train.sft import TunixTrainer

_NEW_TOKENS = 16


class _Kept(NoObserver):
    """Keeps the last record of each kind, and passes phases on."""

    def __init__(self, on_phase: Any) -> None:
        self.train: TrainMetric | None = None
        self.compilation: CompileMetric | None = None
        self.checkpoint: CheckpointMetric | None = None
        self._on_phase = on_phase

    def phase(self, phase: str) -> None:
        self._on_phase(phase)

    def record(self, record: Record) -> None:
        match record:
            case TrainMetric():
                self.train = record
            case CompileMetric():
                self.compilation = record
            case CheckpointMetric():
                self.checkpoint = record


def dry_run(
    manifest: RunManifest, scratch: Path, *, models_dir: Path, on_phase: Any, stop: threading.Event
) -> DryRunReport | None:
    """Train one train step on the longest rows, with all parts of a run, in a temporary folder under `scratch`. None
    where it was stopped. Raises the errors of a run.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    kept, began = _Kept(on_phase), time.perf_counter()
    with tempfile.TemporaryDirectory(prefix=".dry-run-", dir=scratch) as folder:
        short = RunManifest.from_dict(
            {
                **manifest.to_dict(),
                "duration": {"train_steps": 1},
                "tracking": {"tensorboard": False},
                "cadence": {"eval_every": 1, "checkpoint_every": 1, "keep_checkpoints": 1, "sample_prompts": 0},
                "output_dir": folder,
            }
        )
        trainer = TunixTrainer(models_dir, longest_first=True)
        outcome = trainer.train(short, Path(folder), observer=kept, controls=TrainControls(stop))
        if stop.is_set():
            return None
        assert outcome.checkpoint is not None
        saved = sum(file.stat().st_size for file in outcome.checkpoint.rglob("*") if file.is_file())
        trained = time.perf_counter()
        text = _generate(short, outcome.checkpoint.parent, models_dir, on_phase)
    train, saving = kept.train, kept.checkpoint
    assert train, "one train step was done"
    assert saving, "its checkpoint was saved"
    return DryRunReport(
        tokens=train.tokens or 0,
        compile_seconds=kept.compilation.seconds if kept.compilation else 0.0,
        train_loss=math.nan if train.loss is None else train.loss,
        eval_loss=outcome.eval_loss,
        checkpoint_bytes=saved,
        checkpoint_seconds=saving.seconds or 0.0,
        peak_memory_bytes=train.peak_memory_bytes or 0,
        generated=text,
        generate_seconds=time.perf_counter() - trained,
        seconds=time.perf_counter() - began,
    )


def _generate(manifest: RunManifest, checkpoints: Path, models_dir: Path, on_phase: Any) -> str:
    generator = TunixGenerator.load(manifest, checkpoints, models_dir=models_dir, on_phase=on_phase)
    prompt = manifest.rendering.asked(next(traces_of(manifest, "train")))
    try:
        return generator.generate([prompt], max_new_tokens=_NEW_TOKENS)[0].text
    finally:
        generator.close()
