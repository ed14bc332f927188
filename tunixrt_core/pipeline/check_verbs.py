"""Before a run: what a Pipeline does to check a manifest: preflight, memory, a dry run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tunixrt_core.errors import ModelError
from tunixrt_core.jobs.dry_runs import DryRuns
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.settings import Settings
from tunixrt_core.store.store import Store
from tunixrt_core.training.execution import run_folder_of
from tunixrt_core.training.memory import MemoryNeed
from tunixrt_core.training.pace import Pace, pace_for
from tunixrt_core.training.preflight import Preflight, RowView
from tunixrt_core.training.trainer import DryRunState
from tunixrt_core.util.host import device_kind

_LOOKED_AT = 50  # runs, the newest


class CheckVerbs:
    """The part of a Pipeline that looks at a manifest before a run is made of it."""

    settings: Settings
    store: Store
    jobs: JobManager
    dry_runs: DryRuns

    def preflight(
        self,
        manifest: RunManifest,
        *,
        is_new: bool = True,
        sample_rows: int = 1,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Preflight:
        """What the trainer would see and what is wrong, before anything starts. Reads all rows, loads no model.

        `is_new`: it is about a run to start, whose output_dir must be free. Raises TunixMissing without Tunix.
        """
        self.jobs.backend.require()
        folder = run_folder_of(manifest, self.settings.runs_dir)
        return self.jobs.backend.preflight(
            manifest, folder, is_new=is_new, sample_rows=sample_rows, on_progress=on_progress
        )

    def preflight_rows(self, manifest: RunManifest, numbers: Sequence[int]) -> list[RowView]:
        """Rows token by token, by their line in the data file; lines that are not there are left out."""
        self.jobs.backend.require()
        return self.jobs.backend.preflight_rows(manifest, numbers)

    def memory_estimate(self, manifest: RunManifest) -> MemoryNeed | None:
        """What a train step would need of this machine's device, at once, from config.json alone.

        None where the model is not here yet, is none that is known, or where the device's memory is not known. The
        preflight says the same with the length that the rows really have.
        """
        try:
            return self.jobs.backend.memory_estimate(manifest)
        except ModelError:
            return None

    def pace(self, manifest: RunManifest) -> Pace | None:
        """How fast the newest run of the same kind trained on this device; None where no run tells."""
        return pace_for(manifest, self.store.runs.list(limit=_LOOKED_AT).items, device_kind())

    def start_dry_run(self, manifest: RunManifest) -> DryRunState:
        """Queue the largest train step, one evaluation, one checkpoint and one generation; nothing of it is kept.

        Raises TunixMissing without Tunix.
        """
        self.jobs.backend.require()
        return self.dry_runs.start(manifest, self.settings.runs_dir)

    def dry_run(self, dry_run_id: str) -> DryRunState:
        """How it goes, or what it found. Raises NotFound."""
        return self.dry_runs.get(dry_run_id)

    def stop_dry_run(self, dry_run_id: str) -> DryRunState:
        """Ask it to end, or drop it where it still waits. Raises NotFound."""
        state = self.dry_runs.get(dry_run_id)
        self.jobs.stop(state.id)
        return state
