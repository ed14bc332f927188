"""The Tunix backend, with heavy modules imported on first use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tunixrt_core.tunix_backend.availability import require_tunix

if TYPE_CHECKING:
    from tunixrt_core.manifest.manifest import RunManifest
    from tunixrt_core.runs.folder import RunDir
    from tunixrt_core.traces.rendering.context import Asked
    from tunixrt_core.training.estimates.memory import MemoryNeed
    from tunixrt_core.training.model_export import Exporter
    from tunixrt_core.training.preflight.report import Preflight, RowView
    from tunixrt_core.training.trainer import DryRun, Generator, LoadGenerator, MetricSink, Trainer


class TunixBackend:
    """Backend of the jobs, with Tunix. Models given by name, not as a directory, are kept in `models_dir`.

    Compiled programs are kept in `compiled_dir`, where given, for the next start.
    """

    def __init__(self, models_dir: Path, compiled_dir: Path | None = None) -> None:
        self._models_dir = models_dir
        self._compiled_dir = compiled_dir
        self._processes = 1

    def require(self) -> None:
        require_tunix()

    def preflight(
        self,
        manifest: RunManifest,
        folder: RunDir,
        *,
        is_new: bool = True,
        sample_rows: int = 1,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Preflight:
        from tunixrt_core.tunix_backend.preflight.check import run_preflight
        from tunixrt_core.tunix_backend.preflight.machine import this_machine

        return run_preflight(
            manifest,
            folder,
            self._models_dir,
            is_new=is_new,
            sample_rows=sample_rows,
            machine=this_machine(self._processes),
            on_progress=on_progress,
        )

    def preflight_rows(self, manifest: RunManifest, numbers: Sequence[int]) -> list[RowView]:
        from tunixrt_core.tunix_backend.preflight.check import show_rows

        return show_rows(manifest, self._models_dir, numbers)

    def memory_estimate(self, manifest: RunManifest) -> MemoryNeed | None:
        from tunixrt_core.tunix_backend.memory.count import sizes_of
        from tunixrt_core.tunix_backend.model.configs.reading import read_architecture
        from tunixrt_core.tunix_backend.model.models import local_model
        from tunixrt_core.tunix_backend.preflight.faults.memory import memory_need
        from tunixrt_core.tunix_backend.preflight.machine import this_machine

        sizes = sizes_of(read_architecture(local_model(manifest.model.id, self._models_dir)), manifest)
        found = memory_need(manifest, sizes, this_machine(self._processes), manifest.max_seq_length)
        return found[0] if found else None

    def join(self, coordinator: str, processes: int, index: int, *, only_there: bool = False) -> None:
        """Make this process one of several that train together. Call it before any other method of the backend."""
        from tunixrt_core.tunix_backend.train.processes import join

        join(coordinator, processes, index, only_there=only_there)
        self._processes = processes

    def joined(self, processes: int) -> None:
        """As `join`, where another library has called `jax.distributed.initialize`. Raises TrainingError if not."""
        from tunixrt_core.tunix_backend.train.processes import require_joined

        require_joined(processes)
        self._processes = processes

    def begin_together(self, *, ready: bool) -> None:
        """Raises TrainingError in a ready process where another one is not ready; does nothing in a single process."""
        if self._processes > 1:
            from tunixrt_core.tunix_backend.train.processes import begin_together

            begin_together(ready=ready)

    def base_directory(self, manifest: RunManifest) -> Path | None:
        """The directory of the manifest's model; None where it is not on this machine yet."""
        from tunixrt_core.manifest.models import model_directory

        found = model_directory(manifest.model.id, self._models_dir)
        return found if found is not None and found.is_dir() else None

    def fetch_model(self, manifest: RunManifest, log: Callable[[str], None]) -> None:
        """Download the manifest's model where it is not on this machine yet; `log` gets the progress as text."""
        from tunixrt_core.tunix_backend.model.models import resolve_model

        told = -1

        def tell(done: int, total: int, file: str) -> None:
            nonlocal told
            if total and (tenth := 10 * done // total) > told:
                told = tenth
                log(f"Downloading {manifest.model.id}: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB ({file}).")

        resolve_model(manifest.model.id, self._models_dir, tell)

    def trainer(self) -> Trainer:
        from tunixrt_core.tunix_backend.train.sft import TunixTrainer

        self._keep_compiled()
        return TunixTrainer(self._models_dir)

    def dry_run(self) -> DryRun:
        from tunixrt_core.tunix_backend.train.dry_run import dry_run

        self._keep_compiled()
        return partial(dry_run, models_dir=self._models_dir)

    def sinks(self, manifest: RunManifest, folder: Path) -> Sequence[MetricSink]:
        from tunixrt_core.tunix_backend.train.reporting.tracking import make_sinks

        return make_sinks(manifest, folder)

    def load_generator(self) -> LoadGenerator:
        from tunixrt_core.tunix_backend.generate.completions import TunixGenerator

        self._keep_compiled()

        def load(manifest: RunManifest, checkpoints: Path | None, *, on_phase: Callable[[str], None]) -> Generator:
            return TunixGenerator.load(manifest, checkpoints, models_dir=self._models_dir, on_phase=on_phase)

        return load

    def own_prompts(self, manifest: RunManifest, asked: Sequence[Asked]) -> list[str] | None:
        from tunixrt_core.tunix_backend.generate.own_prompts import own_prompts

        return own_prompts(manifest, asked, self._models_dir)

    def exporter(self) -> Exporter:
        from tunixrt_core.tunix_backend.export.model import export_model

        self._keep_compiled()
        return partial(export_model, models_dir=self._models_dir)

    def _keep_compiled(self) -> None:
        if self._compiled_dir is not None:
            from tunixrt_core.tunix_backend.train.reporting.compiles import keep_compiled

            keep_compiled(self._compiled_dir)
