"""Manifests: build, clone and check before a run starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunixrt_core.errors import InvalidManifest, ModelError, NotFound
from tunixrt_core.jobs.kinds.dry_runs import DryRuns
from tunixrt_core.jobs.slices import SliceReports
from tunixrt_core.manifest.data_file import describe_data
from tunixrt_core.manifest.manifest import RunManifest, make_manifest
from tunixrt_core.manifest.places import check_places
from tunixrt_core.manifest.variants import Variant, make_variant
from tunixrt_core.training.ahead.costs import STEPS, SliceReport, StepKind
from tunixrt_core.training.estimates.pace import Pace, pace_for
from tunixrt_core.training.execution import run_folder_of
from tunixrt_core.util.host import device_kind
from tunixrt_core.util.tasks import Task

if TYPE_CHECKING:
    from tunixrt_core.jobs.queue import JobManager
    from tunixrt_core.jobs.registry.runs import Registry
    from tunixrt_core.manifest.sections import DataSection
    from tunixrt_core.pipeline.namespaces.datasets import Datasets
    from tunixrt_core.pipeline.namespaces.exports import Exports
    from tunixrt_core.settings import Settings
    from tunixrt_core.store.store import Store
    from tunixrt_core.training.estimates.memory import MemoryNeed
    from tunixrt_core.training.preflight.report import Preflight, RowView
    from tunixrt_core.training.trainer import DryRunState

_LOOKED_AT = 50  # runs, the newest


class Manifests:
    """Manifests of runs, and checks and estimates before they start."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        jobs: JobManager,
        registry: Registry,
        datasets: Datasets,
        exports: Exports,
    ) -> None:
        self._settings = settings
        self._store = store
        self._jobs = jobs
        self._registry = registry
        self._datasets = datasets
        self._exports = exports
        self.dry_runs = DryRuns(jobs)
        self.slices = SliceReports(settings.models_dir, settings.slices_dir)

    def build(
        self,
        dataset: str | None = None,
        version: int | None = None,
        *,
        data_file: Path | None = None,
        model_id: str,
        output_dir: str | None = None,
        hyperparams: Mapping[str, Any] | None = None,
    ) -> RunManifest:
        """A runnable manifest for a dataset version (exported as needed) or for an exported file."""
        ref: dict[str, Any] | None = None
        if data_file is not None:
            data = describe_data(data_file)
        elif dataset is not None:
            frozen = self._datasets.get(dataset, version)
            ref, data = frozen.ref, self.data(frozen.name, frozen.version)
        else:
            raise NotFound("dataset", "", "Name a dataset version or a data file.")
        values = {"name": _run_name(model_id, ref), **(hyperparams or {})}
        return make_manifest(data, model_id, output_dir or self.next_run_dir(), values, dataset=ref)

    def data(self, dataset: str, version: int | None = None) -> DataSection:
        """The data section of manifests for a dataset version, whose rows are exported for it."""
        return describe_data(self._exports.write(dataset, version).path)

    def clone(self, run_id: str, changes: Mapping[str, Any] | None = None) -> Variant:
        """The manifest of a run with flat hyperparameters changed, for the next folder. Raises InvalidManifest."""
        manifest = self._registry.whole(run_id)[1]
        return make_variant(manifest, changes or {}, str(self._registry.next_dir()))

    def next_run_dir(self) -> str:
        """The default folder of the next run."""
        return str(self._registry.next_dir())

    # --- check -------------------------------------------------------------------------------------------------------

    def preflight(
        self,
        manifest: RunManifest,
        *,
        is_new: bool = True,
        sample_rows: int = 1,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Preflight:
        """The rows as the trainer would see them, and all findings, before a start. Reads all rows, loads no model.

        `is_new`: it is about a run to start, whose output_dir must be free. Raises TunixMissing without Tunix.
        """
        self._jobs.backend.require()
        check_places(manifest, self._settings)
        folder = run_folder_of(manifest, self._settings.runs_dir)
        return self._jobs.backend.preflight(
            manifest, folder, is_new=is_new, sample_rows=sample_rows, on_progress=on_progress
        )

    def preflight_rows(self, manifest: RunManifest, numbers: Sequence[int]) -> list[RowView]:
        """Rows token by token, by their line in the data file; missing lines are left out."""
        self._jobs.backend.require()
        check_places(manifest, self._settings)
        return self._jobs.backend.preflight_rows(manifest, numbers)

    def memory_estimate(self, manifest: RunManifest) -> MemoryNeed | None:
        """What a train step would need of this machine's device, at once, from config.json alone.

        None if the model is not on this machine or unknown, or if the device's memory is unknown. The preflight
        computes the same with the actual length of the rows.
        """
        try:
            check_places(manifest, self._settings)
            return self._jobs.backend.memory_estimate(manifest)
        except (ModelError, InvalidManifest):
            return None

    def pace(self, manifest: RunManifest) -> Pace | None:
        """How fast the newest run of the same kind trained on this device; None without such a run."""
        return pace_for(manifest, self._store.runs.list(limit=_LOOKED_AT).items, device_kind())

    def start_dry_run(self, manifest: RunManifest) -> DryRunState:
        """Queue the largest train step, one evaluation, one checkpoint and one generation; no files are kept.

        Raises TunixMissing without Tunix.
        """
        self._jobs.backend.require()
        check_places(manifest, self._settings)
        return self.dry_runs.start(manifest, self._settings.runs_dir)

    def dry_run(self, dry_run_id: str) -> DryRunState:
        """The state of a dry run, and its report when it succeeded. Raises NotFound."""
        return self.dry_runs.get(dry_run_id)

    def stop_dry_run(self, dry_run_id: str) -> DryRunState:
        """Stop a dry run, or remove it from the queue. Raises NotFound."""
        state = self.dry_runs.get(dry_run_id)
        self._jobs.stop(state.id)
        return state

    def start_slice_report(
        self, manifest: RunManifest, name: str, kinds: tuple[StepKind, ...] = STEPS
    ) -> Task[SliceReport]:
        """Compile the steps of a manifest for a TPU slice in the background: memory, work and bounds.

        Raises InvalidSlice for an unknown slice, ModelError, and CompilerMissing or TunixMissing where nothing can
        be compiled here.
        """
        check_places(manifest, self._settings)
        return self.slices.start(manifest, name, kinds)

    def stop_slice_report(self, task_id: str) -> Task[SliceReport]:
        """Stop the report of a slice. Raises NotFound."""
        return self.slices.tasks.stop(task_id)


def _run_name(model_id: str, dataset: Mapping[str, Any] | None) -> str:
    model = model_id.rstrip("/").rsplit("/", 1)[-1]
    return f"{model}-{dataset['name']}-v{dataset['version']}" if dataset else model
