"""Training, evaluation, questions and exports without the database."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from tunixrt_core.errors import InvalidInput, InvalidManifest
from tunixrt_core.evaluation.execution import execute_evaluation
from tunixrt_core.evaluation.folder import EvalState
from tunixrt_core.evaluation.planning import EvalPlan, plan_evaluation, plan_evaluations
from tunixrt_core.evaluation.questions.execution import AskedRun, LoadedModels, OnPhase, execute_question
from tunixrt_core.evaluation.questions.question import Answered, Question
from tunixrt_core.evaluation.sets.setup import EvalRequest
from tunixrt_core.home.audit import AuditLog
from tunixrt_core.jobs.accelerator import Accelerator, Holder
from tunixrt_core.jobs.kinds.model_exports import execute_export
from tunixrt_core.jobs.kinds.trainings import require_shares, show_waiting
from tunixrt_core.jobs.slices import SliceReports
from tunixrt_core.manifest.data_file import check_data_unchanged
from tunixrt_core.manifest.manifest import RunManifest, load_run_manifest
from tunixrt_core.manifest.models import BUILTIN_MODEL_IDS
from tunixrt_core.pipeline.acts import Acts
from tunixrt_core.pipeline.elsewhere import train_elsewhere
from tunixrt_core.pipeline.namespaces.starting import rate_change_of, with_duration
from tunixrt_core.runs.evaluation_record import TARGETS, Target
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.ownership import require_over
from tunixrt_core.runs.record import RunState, RunStatus
from tunixrt_core.settings import Settings
from tunixrt_core.training.ahead.slices import Slice
from tunixrt_core.training.estimates.memory import DEVICE_MEMORY, GPUS, Advice, MemoryNeed, advise, need_of
from tunixrt_core.training.execution import execute_dry_run, execute_training, train_along
from tunixrt_core.training.learning_rate import RateChange
from tunixrt_core.training.model_export import ExportReport, ModelExportOptions
from tunixrt_core.training.preflight.report import Preflight, RowView
from tunixrt_core.training.recording.webhook import Webhook
from tunixrt_core.training.stop import StopRequest
from tunixrt_core.training.trainer import DryRunReport
from tunixrt_core.tunix_backend.backend import TunixBackend
from tunixrt_core.tunix_backend.memory.count import estimate_manifest, measure
from tunixrt_core.tunix_backend.model.models import local_model
from tunixrt_core.tunix_backend.preflight.faults.memory import DeviceMemory, device_memory, gpu_limit
from tunixrt_core.tunix_backend.preflight.machine import this_machine

Work = Literal["train", "evaluate", "export", "dry run", "playground"]
Phase = Callable[[str], None]

BASE: Literal["base"] = "base"  # a baseline that is the base model, not a run


@dataclass(frozen=True, slots=True)
class MemoryFound:
    """The memory of a train step compared with that of a device, and advice to reduce it."""

    need: MemoryNeed
    advice: list[Advice]


class Foreground:
    """What the command does in its own process with a home's models and accelerator. Opens no database."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._backend = TunixBackend(settings.models_dir, settings.compiled_dir)
        self._processes = 1
        self._elsewhere: str | None = None  # the cluster that trains
        self.slices = SliceReports(settings.models_dir, settings.slices_dir)
        Acts(AuditLog(settings.audit_dir)).guard("foreground", self)

    def require(self) -> None:
        """Raises TunixMissing where training is not possible on this machine."""
        self._backend.require()

    @contextmanager
    def hold(self, folder: RunDir, work: Work, *, wait: bool, on_wait: Callable[[str], None]) -> Iterator[None]:
        """Hold the accelerator within the block.

        `on_wait` is called repeatedly with its holder. Raises Conflict if it is held and waiting is not allowed.
        """

        def told(holder: Holder | None) -> None:
            on_wait(f"{holder or 'another process'}")

        if self._elsewhere is not None:
            yield  # that of this machine is not used
            return
        with Accelerator(self._settings.accelerator_lock).hold(folder.path.name, work, wait=wait, on_wait=told):
            yield

    # --- train -------------------------------------------------------------------------------------------------------

    def prepare(self, manifest: RunManifest, folder: RunDir, *, resume: bool, allow: Iterable[str] = ()) -> None:
        """Make the folder of a run that is about to train, and show it as queued.

        Raises InvalidInput where its batch does not divide over the processes,
        InvalidManifest where it holds a run and that is not to be resumed, Busy for one that is active, Conflict
        for one that has finished all of its train steps, OutputError.
        """
        if folder.state_file.exists():
            state = folder.read_state()
            if not resume:
                raise InvalidManifest(
                    "output_dir", f"{folder.path} already holds a run ({state.status}); choose another, or add --resume"
                )
            require_over(folder.path, state)
            state.status.to(RunStatus.QUEUED)
            if state.status is RunStatus.SUCCEEDED:
                with_duration(manifest, state, **manifest.duration.model_dump())
        require_shares(manifest, self._processes)
        show_waiting(manifest, folder, allow=allow, processes=self._processes)
        if self._elsewhere is None:
            folder.queued_file.unlink()  # no server queues it again: it trains here now

    def rate_change(self, manifest: RunManifest, folder: RunDir) -> RateChange | None:
        """What a resume of the run in this folder with a manifest does to its learning rate; None where the schedule
        stays, and where there is no run that is over.
        """
        if not folder.state_file.exists() or not (state := folder.state_or_broken()).status.over:
            return None
        if state.status is RunStatus.BROKEN:
            return None
        return rate_change_of(load_run_manifest(folder), manifest, state)

    def train(self, manifest: RunManifest, folder: RunDir, *, stop: StopRequest, allow: Iterable[str] = ()) -> RunState:
        """Train to the end, or until `stop` is set; never raises for a failed run, whose state says why."""
        if self._elsewhere is not None:
            return train_elsewhere(
                self._settings,
                self._elsewhere,
                manifest,
                folder,
                self._backend,
                processes=self._processes,
                stop=stop,
                allow=allow,
            )
        url = self._settings.webhook
        webhook = Webhook(url, folder.path.name, manifest.name) if url else None
        return execute_training(
            manifest, folder, self._backend, stop=stop, allow=allow, webhook=webhook, processes=self._processes
        )

    def use_cluster(self, processes: int) -> None:
        """Train in processes of the cluster in TUNIXRT_EXECUTOR, if it is set. Raises InvalidInput where it must be."""
        if self._settings.executor is None and processes > 1:
            raise InvalidInput(
                f"--processes {processes}: this machine trains in one process. Add --coordinator and --process-index, "
                "and call the command on each machine; or name a Ray cluster in TUNIXRT_EXECUTOR."
            )
        self._processes, self._elsewhere = processes, self._settings.executor

    def join(self, coordinator: str, processes: int, index: int) -> None:
        """Make this process one of several that train together. Call it before anything else."""
        self._backend.join(coordinator, processes, index)
        self._processes = processes

    def train_along(self, manifest: RunManifest, folder: RunDir, *, stop: StopRequest) -> None:
        """Train as one of several processes of which another shows and writes what happens."""
        train_along(manifest, folder, self._backend, stop=stop)

    def dry_run(self, manifest: RunManifest, folder: RunDir, *, on_phase: Phase) -> DryRunReport | None:
        """The largest train step, one evaluation, checkpoint and generation; no files are kept."""
        return execute_dry_run(manifest, self._backend, folder.path.parent, on_phase=on_phase)

    # --- check -------------------------------------------------------------------------------------------------------

    def preflight(self, manifest: RunManifest, folder: RunDir, *, on_progress: Callable[[int, int], None]) -> Preflight:
        """What the trainer would see and what is wrong with it. Raises TunixMissing."""
        self.require()
        return self._backend.preflight(manifest, folder, on_progress=on_progress)

    def preflight_rows(self, manifest: RunManifest, numbers: Sequence[int]) -> list[RowView]:
        """Rows token by token, by their line in the data file; lines that do not exist are left out."""
        return self._backend.preflight_rows(manifest, numbers)

    def memory(
        self, manifest: RunManifest, *, device: str | None = None, devices: int = 1, only_estimate: bool = False
    ) -> MemoryFound | None:
        """The memory of one train step on each device, and advice; None where no device is named and this machine's
        is not known.

        `device` is a key of DEVICE_MEMORY. Without `only_estimate` the train step is compiled, which takes from
        seconds to minutes. Raises ModelError; TunixMissing where it would be compiled.
        """
        found = _this_device() if device is None else _named_device(device)
        if found is None:
            return None
        report, sizes = estimate_manifest(manifest, self._settings.models_dir, devices=devices)
        if not only_estimate:
            self.require()
            report = measure(manifest, self._settings.models_dir, devices=devices)
        need = need_of(report, found.limit, found.where, shared=found.shared)
        return MemoryFound(need, advise(need, manifest, sizes, devices))

    def slice_memory(self, manifest: RunManifest, on: Slice) -> MemoryNeed:
        """An estimate of the memory of one train step on each device of a slice. Raises ModelError; TunixMissing for a
        built-in model that was never written.
        """
        report, _ = estimate_manifest(manifest, self._settings.models_dir, devices=on.devices)
        return need_of(report, on.chip.device_memory, f"each device of {on.name}", shared=False)

    def script(self, manifest: RunManifest) -> tuple[str, str]:
        """A manifest as a Python file and as a notebook that need Tunix alone. Raises ModelError, TunixMissing."""
        from tunixrt_core.tunix_backend.script.script import notebook, standalone_script  # loads numpy

        check_data_unchanged(manifest.data)
        if manifest.schedule.extensions:
            raise InvalidManifest(
                "schedule.extensions", "a script has one schedule for all train steps; remove the key"
            )
        if manifest.model.id in BUILTIN_MODEL_IDS:
            self.require()  # the built-in models are written with what comes with it
        text = standalone_script(manifest, local_model(manifest.model.id, self._settings.models_dir).absolute())
        return text, notebook(text)

    # --- evaluate, ask, export ---------------------------------------------------------------------------------------

    def plan_evaluations(
        self,
        folder: RunDir,
        targets: Sequence[Target],
        request: EvalRequest,
        baseline: tuple[RunDir, str] | Literal["base"] | None = None,
    ) -> list[EvalPlan]:
        """Evaluations that can begin: the baseline's first, then that of the model in question; last, where the base
        model is among them, the one with its own prompt.

        A baseline is `base`, or another run and its checkpoint, whose tuned model answers the same rows. Raises
        NotFound, InvalidEvaluation, InvalidDataset, UnreadableFile.
        """
        wanted = targets if baseline is None else TARGETS if baseline == BASE else ("tuned",)
        manifest = load_run_manifest(folder)
        plans = plan_evaluations(manifest, folder, wanted, request)
        if baseline is None or isinstance(baseline, str):
            return plans
        other, checkpoint = baseline
        alike = replace(request, checkpoint=checkpoint, max_new_tokens=plans[-1].spec.setup.max_new_tokens)
        found = load_run_manifest(other)
        return [plan_evaluation(found, other, "tuned", alike, eval_set=plans[-1].eval_set), *plans]

    def evaluate(
        self, plan: EvalPlan, *, again: bool, on_state: Callable[[EvalState], None], stop: StopRequest
    ) -> bool:
        """Generate and score the missing answers; False if `stop` ended it before.

        Only new answers need Tunix. Raises TunixMissing.
        """
        if plan.is_done and not again:
            return True
        self.require()
        execute_evaluation(plan, self._backend, again=again, on_state=on_state, stop=stop)
        return plan.is_done or not stop.is_set()

    def ask(self, question: Question, folder: RunDir, *, on_phase: OnPhase, stop: StopRequest) -> tuple[Answered, ...]:
        """One answer per model in question; fewer if `stop` ended it before."""
        asked = AskedRun(folder.path.name, load_run_manifest(folder), folder)
        return execute_question(question, asked, LoadedModels(self._backend), on_phase=on_phase, stop=stop)

    def export_model(
        self, folder: RunDir, target: Path, *, checkpoint: str, options: ModelExportOptions, on_phase: Phase
    ) -> ExportReport:
        """Write the tuned model of a run to a new directory and check it. Raises Conflict, NotFound, ModelError."""
        manifest = load_run_manifest(folder)
        return execute_export(
            manifest, folder, target, self._backend, checkpoint=checkpoint, options=options, on_phase=on_phase
        )


def _this_device() -> DeviceMemory | None:
    return device_memory(this_machine())


def _named_device(name: str) -> DeviceMemory:
    limit, where = DEVICE_MEMORY[name.lower()], name
    if name.lower() in GPUS:
        limit, where = gpu_limit(limit, name, os.environ)
    return DeviceMemory(1, limit, where)
