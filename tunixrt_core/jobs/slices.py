"""Reports of TPU slices as background tasks."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tunixrt_core.errors import JobFailed
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.training.ahead.choice import Comparison, Option, candidates, compare, held_bytes, with_rows
from tunixrt_core.training.ahead.costs import STEPS, SliceReport, StepKind
from tunixrt_core.training.ahead.slices import find_slice
from tunixrt_core.util.tasks import Progress, Task, Tasks

if TYPE_CHECKING:
    from tunixrt_core.tunix_backend.ahead.compile import SliceCompiler

KIND = "slice report"


class SliceReports:
    """Compiles for TPU slices, one at a time, in a process of its own. Needs no accelerator.

    `folder` keeps what was compiled, and config.json of models that are not on this machine.
    """

    def __init__(self, models_dir: Path, folder: Path) -> None:
        self._models_dir = models_dir
        self._folder = folder
        self.tasks: Tasks[SliceReport] = Tasks(KIND, at_once=1)

    def start(self, manifest: RunManifest, name: str, kinds: tuple[StepKind, ...] = STEPS) -> Task[SliceReport]:
        """Begin a report; one of the same under way is returned instead. Raises CompilerMissing, TunixMissing,
        InvalidSlice for an unknown slice, and ModelError for a model that is not on this machine.
        """
        on = find_slice(name)
        if self.kept(manifest, name, kinds) is None:
            self.require()

        def work(progress: Progress, stop: threading.Event) -> SliceReport:
            return self.report(manifest, on.name, kinds, progress=progress, stop=stop)

        return self.tasks.start(work, key=self.key(manifest, name, kinds), title=on.name)

    def require(self) -> None:
        """Raises CompilerMissing where nothing can be compiled for a slice, and TunixMissing."""
        from tunixrt_core.tunix_backend.ahead.environment import require_compiler

        require_compiler()

    def key(self, manifest: RunManifest, name: str, kinds: tuple[StepKind, ...]) -> tuple[object, ...]:
        """The key of the task of a report."""
        return (manifest.content_hash, find_slice(name).name, kinds)

    def kept(self, manifest: RunManifest, name: str, kinds: tuple[StepKind, ...] = STEPS) -> SliceReport | None:
        """The report from before, at once and without a connection; None where there is none."""
        return self._compiler().kept(manifest, find_slice(name), kinds)

    def report(
        self,
        manifest: RunManifest,
        name: str,
        kinds: tuple[StepKind, ...] = STEPS,
        *,
        progress: Progress,
        stop: threading.Event,
    ) -> SliceReport:
        """The report of a slice, in this thread. Raises as `start`, and Stopped."""
        return self._compiler().report(manifest, find_slice(name), kinds, progress=progress, stop=stop)

    def compare(
        self,
        manifest: RunManifest,
        chips: Sequence[str],
        rows: Sequence[int],
        *,
        progress: Progress,
        stop: threading.Event,
    ) -> Comparison:
        """The slices of these chips with these numbers of rows per batch. Raises as `start`, and Stopped."""
        from tunixrt_core.tunix_backend.memory.count import sizes_of
        from tunixrt_core.tunix_backend.model.configs.reading import read_architecture

        compiler = self._compiler()
        sizes = sizes_of(read_architecture(compiler.model(manifest)), manifest)
        planned = [(on, count) for on in candidates(manifest, chips) for count in rows or (manifest.batch.size,)]
        if not planned:
            raise JobFailed("mesh: no slice of these chips has as many devices. Lower mesh.fsdp or mesh.tp.")
        options, following = [], _Following(progress, len(planned))
        for on, count in planned:
            changed = with_rows(manifest, count)
            need, limit = held_bytes(sizes, changed, on), on.chip.device_memory
            found, failed = None, ""
            if need <= limit:
                tell = following.next(f"{on.name}, {count} rows")
                try:
                    found = self.report(changed, on.name, ("train",), progress=tell, stop=stop)
                except JobFailed as error:  # of this slice or these rows; the others may have a program
                    failed = str(error)
            need = found.steps[0].total if found else need
            options.append(Option(on.name, on.chips, count, limit, need, found, failed))
            following.done += 1
        if all(option.failed for option in options):
            raise JobFailed(options[0].failed)
        return compare(options, manifest, sizes)

    def close(self, timeout: float | None = None) -> None:
        """Stop what is being compiled."""
        self.tasks.close(timeout)

    def _compiler(self) -> SliceCompiler:
        from tunixrt_core.tunix_backend.ahead.compile import SliceCompiler

        return SliceCompiler(self._models_dir, self._folder)


class _Following:
    """Progress over several slices: seconds passed, and expected at the pace so far."""

    def __init__(self, progress: Progress, count: int) -> None:
        self._progress, self._count, self._began = progress, count, time.monotonic()
        self.done = 0

    def next(self, name: str) -> Progress:
        """The progress of one slice, as a part of all."""
        at = f"{name} ({self.done + 1} of {self._count})"

        def tell(phase: str, done: int, total: int) -> None:
            share = (self.done + (min(1.0, done / total) if total else 0.0)) / self._count
            passed = time.monotonic() - self._began
            self._progress(f"{at}: {phase}", round(passed), round(passed / share) if share else 0)

        return tell
