"""The backend protocol: trainer, generator, exporter and checks.

tunix_backend has the one that trains with Tunix; the tests have one that needs no Tunix.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.traces.rendering.context import Asked
from tunixrt_core.training.estimates.memory import MemoryNeed
from tunixrt_core.training.model_export import Exporter
from tunixrt_core.training.preflight.report import Preflight, RowView
from tunixrt_core.training.trainer import DryRun, LoadGenerator, MetricSink, Trainer


class Backend(Protocol):
    """Called inside the worker, because importing Tunix is slow."""

    def require(self) -> None:
        """Raises TunixMissing where training is not possible on this machine."""

    def preflight(
        self,
        manifest: RunManifest,
        folder: RunDir,
        *,
        is_new: bool = True,
        sample_rows: int = 1,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Preflight:
        """Check a manifest before it runs in `folder`, which must be free where the run `is_new`."""

    def preflight_rows(self, manifest: RunManifest, numbers: Sequence[int]) -> list[RowView]:
        """Rows as the trainer will see them, by their line in the data file."""

    def memory_estimate(self, manifest: RunManifest) -> MemoryNeed | None:
        """The memory of a train step, from config.json alone. Raises ModelError."""

    def base_directory(self, manifest: RunManifest) -> Path | None:
        """The directory of the manifest's model; None where it is not on this machine, or there is no directory."""

    def fetch_model(self, manifest: RunManifest, log: Callable[[str], None]) -> None:
        """Make sure that the manifest's model is on this machine; `log` receives a sentence about a download."""

    def begin_together(self, *, ready: bool) -> None:
        """Wait for the other processes of this training, if there are any. Raises TrainingError in one that is ready if
        another is not.
        """

    def trainer(self) -> Trainer: ...

    def dry_run(self) -> DryRun: ...

    def sinks(self, manifest: RunManifest, folder: Path) -> Sequence[MetricSink]:
        """The metric sinks besides metrics.jsonl. Raises TrackingError if a requested one cannot be opened."""

    def load_generator(self) -> LoadGenerator: ...

    def own_prompts(self, manifest: RunManifest, asked: Sequence[Asked]) -> list[str] | None:
        """Each prompt in the base model's own chat template; None where it has none. Raises ModelError."""

    def exporter(self) -> Exporter: ...
