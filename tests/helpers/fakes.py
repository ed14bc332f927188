"""Trainer, generator and exporter that keep the promises of trainer.py without a model: for the queue alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from tunixrt_core.errors import TrainingError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.metrics import CheckpointMetric, EvalMetric, TrainMetric
from tunixrt_core.traces.rendering.context import Asked
from tunixrt_core.traces.rows import read_rows
from tunixrt_core.training.estimates.memory import MemoryNeed
from tunixrt_core.training.model_export import ExportCheck, Exporter, ExportReport, ModelExportOptions
from tunixrt_core.training.preflight.checks import CHECKS
from tunixrt_core.training.preflight.report import Finding, Preflight, RowView
from tunixrt_core.training.trainer import (
    GREEDY,
    DryRun,
    DryRunReport,
    Generation,
    Generator,
    LoadGenerator,
    MetricSink,
    Sampling,
    TrainControls,
    Trainer,
    TrainObserver,
    TrainOutcome,
)
from tunixrt_core.util.files.atomic import scratch_beside, write_atomic, write_json


class FakeBackend:
    """Counts train steps, keeps the count as its checkpoint, and answers what it was told to."""

    def __init__(
        self,
        *,
        step_seconds: float = 0.0,
        fail_at: int | None = None,
        crash_at: int | None = None,
        right: bool = True,
        sinks: Sequence[MetricSink] = (),
        loss: Callable[[int], float] = lambda step: 1 / max(step, 1),
    ) -> None:
        self.step_seconds = step_seconds
        self.fail_at = fail_at
        self.crash_at = crash_at
        self.right = right
        self.metric_sinks = sinks
        self.loss = loss
        self.trained: list[str] = []
        self.findings: tuple[Finding, ...] = ()  # what every preflight finds
        self.memory: MemoryNeed | None = None  # and what it says of the memory

    def require(self) -> None:
        pass

    def preflight(
        self,
        manifest: RunManifest,
        folder: RunDir,
        *,
        is_new: bool = True,
        sample_rows: int = 1,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Preflight:
        return Preflight(manifest.content_hash, self.findings, checked=tuple(CHECKS), memory=self.memory)

    def preflight_rows(self, manifest: RunManifest, numbers: Sequence[int]) -> list[RowView]:
        return []

    def memory_estimate(self, manifest: RunManifest) -> MemoryNeed | None:
        return self.memory

    def begin_together(self, *, ready: bool) -> None:
        """A fake trains alone."""

    def base_directory(self, manifest: RunManifest) -> Path | None:
        """A fake has no files."""
        return None

    def fetch_model(self, manifest: RunManifest, log: Callable[[str], None]) -> None:
        """A fake needs none."""

    def trainer(self) -> Trainer:
        return _FakeTrainer(self)

    def dry_run(self) -> DryRun:
        def dry_run(
            manifest: RunManifest, scratch: Path, *, on_phase: Callable[[str], None], stop: threading.Event
        ) -> DryRunReport:
            on_phase("compiling")
            if self.fail_at == 1:
                raise TrainingError("The loss became NaN at train step 1.")
            return DryRunReport(100, 1.0, 2.0, 2.5, 1000, 0.1, 1 << 20, "so", 0.5, 2.0)

        return dry_run

    def sinks(self, manifest: RunManifest, folder: Path) -> Sequence[MetricSink]:
        return self.metric_sinks

    def load_generator(self) -> LoadGenerator:
        def load(manifest: RunManifest, checkpoints: Path | None, *, on_phase: Callable[[str], None]) -> Generator:
            on_phase("compiling")
            return _FakeGenerator(manifest, right=self.right and checkpoints is not None)

        return load

    def own_prompts(self, manifest: RunManifest, asked: Sequence[Asked]) -> list[str] | None:
        """A fake has no chat template."""
        return None

    def exporter(self) -> Exporter:
        def export(
            manifest: RunManifest,
            checkpoints: Path,
            target: Path,
            *,
            options: ModelExportOptions,
            card: Callable[[ExportReport], str],
            on_phase: Callable[[str], None],
        ) -> ExportReport:
            on_phase("writing")
            step = int((checkpoints / "last").read_text())
            check = ExportCheck("tunix", 1e-6, 1e-4, 1.0)
            report = ExportReport(target, options.layout, step, "float32", 1, 4, 8, 80, (check,))
            with scratch_beside(target) as folder:
                (folder / "README.md").write_text(card(report), encoding="utf-8")
                write_json(folder / "export.json", report.to_dict())
                folder.rename(target)
            return report

        return export


class _FakeTrainer:
    def __init__(self, backend: FakeBackend) -> None:
        self._backend = backend

    def train(
        self, manifest: RunManifest, run_dir: Path, *, observer: TrainObserver, controls: TrainControls
    ) -> TrainOutcome:
        checkpoint = run_dir / "checkpoints" / "last"
        restored = int(checkpoint.read_text()) if checkpoint.exists() else 0
        total = manifest.total_train_steps(manifest.data.train_rows)
        observer.plan({"total_train_steps": total, "restored_train_step": restored, "device": "fake"})
        observer.phase("compiling")
        observer.phase("training")
        step = restored
        while step < total and not controls.stop.is_set():
            step += 1
            if step == self._backend.fail_at:
                raise TrainingError(f"The loss became NaN at train step {step}.")
            if step == self._backend.crash_at:
                raise ZeroDivisionError("a bug")
            time.sleep(self._backend.step_seconds)
            observer.record(TrainMetric(train_step=step, loss=self._backend.loss(step)))
            if controls.save.is_set():
                checkpoint.parent.mkdir(exist_ok=True)
                write_atomic(checkpoint, str(step).encode())
                observer.record(CheckpointMetric(train_step=step, reason="asked", seconds=0.0))
                controls.save.clear()
        checkpoint.parent.mkdir(exist_ok=True)
        write_atomic(checkpoint, str(step).encode())
        observer.record(EvalMetric(train_step=step, loss=self._backend.loss(step)))
        self._backend.trained.append(run_dir.name)
        return TrainOutcome(step, step < total, checkpoint, self._backend.loss(step), self._backend.loss(step))


class _FakeGenerator:
    def __init__(self, manifest: RunManifest, *, right: bool) -> None:
        rows = read_rows(Path(manifest.data.path))
        self._answers = {row.trace.prompt: row.trace.final_answer for row in rows} if right else {}

    compiles = 1

    def close(self) -> None:
        """A fake holds nothing."""

    def plan(self, prompts: Sequence[str], max_new_tokens: int) -> list[tuple[int, ...]]:
        return [tuple(range(first, min(first + 2, len(prompts)))) for first in range(0, len(prompts), 2)]

    def generate(
        self,
        prompts: Sequence[str],
        *,
        max_new_tokens: int,
        sampling: Sampling = GREEDY,
        skip: Collection[int] = (),
        on_batch: Callable[[Mapping[int, Generation]], None] | None = None,
        on_text: Callable[[Mapping[int, str]], None] | None = None,
        stop: threading.Event | None = None,
    ) -> dict[int, Generation]:
        done: dict[int, Generation] = {}
        for first in range(0, len(prompts), 2):
            places = range(first, min(first + 2, len(prompts)))
            if stop and stop.is_set():
                break
            if all(place in skip for place in places):
                continue
            batch = {place: self._answer(prompts[place]) for place in places}
            if on_text:
                for count in range(0, 60, 15):
                    on_text({place: found.text[:count] for place, found in batch.items()})
            done |= batch
            if on_batch:
                on_batch(batch)
        return done

    def _answer(self, prompt: str) -> Generation:
        found = next((answer for known, answer in self._answers.items() if known in prompt), "wrong")
        return Generation(f"<reasoning>\nso\n</reasoning>\n<answer>{found}</answer>", 5, False, len(prompt.split()))
