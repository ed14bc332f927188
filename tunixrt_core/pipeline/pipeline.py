"""READ FIRST. The verbs in order: ingest, build, export, manifest, start, evaluate; the parts are put together here.

A script, the command line, the API and the pages all work through a Pipeline:

    with open_pipeline(Settings.from_env(os.environ)) as rt:
        rt.ingest(Path("traces.jsonl"))
        version = rt.build_dataset(DatasetSpec("mine"))
        run = rt.start_run(rt.build_manifest("mine", model_id="tiny"))
        rt.wait()
        rt.start_evaluation(run.id)
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tunixrt_core.errors import Conflict, NotFound
from tunixrt_core.home.drafts import Drafts
from tunixrt_core.jobs.accelerator import Accelerator
from tunixrt_core.jobs.builds import Builds
from tunixrt_core.jobs.dry_runs import DryRuns
from tunixrt_core.jobs.evaluations import Evaluations
from tunixrt_core.jobs.model_exports import ModelExports
from tunixrt_core.jobs.questions import Playground
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.jobs.registry import Registry
from tunixrt_core.jobs.requests import Requests
from tunixrt_core.manifest.manifest import RunManifest, build_sft_manifest
from tunixrt_core.manifest.variants import keep_parent
from tunixrt_core.pipeline.check_verbs import CheckVerbs
from tunixrt_core.pipeline.eval_verbs import EvalVerbs
from tunixrt_core.pipeline.export_verbs import ExportVerbs, dataset_ref
from tunixrt_core.pipeline.home_verbs import HomeVerbs
from tunixrt_core.pipeline.ingest_verbs import IngestVerbs
from tunixrt_core.pipeline.play_verbs import PlayVerbs
from tunixrt_core.pipeline.run_verbs import RunVerbs
from tunixrt_core.pipeline.trace_verbs import TraceVerbs
from tunixrt_core.runs.record import Run, RunDir, RunState
from tunixrt_core.settings import Settings
from tunixrt_core.store.query import Page
from tunixrt_core.store.store import Store, open_store
from tunixrt_core.training.execution import run_folder_of
from tunixrt_core.tunix_backend import availability
from tunixrt_core.tunix_backend.backend import TunixBackend
from tunixrt_core.util.host import HostInfo, host_info
from tunixrt_core.util.tasks import Tasks

_UPKEEP_SECONDS = 5.0  # that the end waits for a database check, which hears of it between two traces


@dataclass(frozen=True, slots=True)
class TunixStatus:
    """What the Tunix panel shows. No import of jax or tunix is needed to know it."""

    available: bool
    version: str | None
    jax_version: str | None
    install: str

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


class Pipeline(IngestVerbs, TraceVerbs, ExportVerbs, CheckVerbs, RunVerbs, EvalVerbs, PlayVerbs, HomeVerbs):
    """One home with everything in it. Thread-safe: pages, API and worker share one.

    Its verbs stand in the order of the data: ingest_verbs, trace_verbs, dataset_verbs, export_verbs, check_verbs; here
    manifest and run; then run_verbs, for a run that is there, eval_verbs, play_verbs and home_verbs.
    """

    def __init__(self, settings: Settings, store: Store, jobs: JobManager) -> None:
        self.settings = settings
        self.store = store
        self.jobs = jobs
        self.builds = Builds()
        self.upkeep = Tasks()
        self.requests = Requests(store.requests)
        self.drafts = Drafts(settings.drafts_dir)
        self.registry = Registry(store, settings.runs_dir)
        self.dry_runs = DryRuns(jobs)
        self.evals = Evaluations(jobs, self.registry)
        self.playground = Playground(jobs)
        self.model_exports = ModelExports(jobs)
        # two clicks on Start must not both find that there is no run yet
        self._starting = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop what runs (it keeps its last checkpoint) and close the database."""
        self.builds.close()
        self.upkeep.close(_UPKEEP_SECONDS)
        self.jobs.close()
        self.playground.close()
        self.store.close()

    # --- manifest -----------------------------------------------------------------------------------------------

    def build_manifest(
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
        if data_file is None:
            if dataset is None:
                raise NotFound("dataset", "", "Name a dataset version or a data file.")
            frozen = self.dataset(dataset, version)
            ref = dataset_ref(frozen)
            data_file = self.export_dataset(frozen.name, frozen.version).path
        values = {"name": _run_name(model_id, ref), **(hyperparams or {})}
        folder = output_dir or str(self.registry.next_dir())
        return RunManifest.from_dict(build_sft_manifest(data_file, model_id, folder, values, dataset=ref))

    # --- run ----------------------------------------------------------------------------------------------------

    def start_run(
        self,
        manifest: RunManifest,
        *,
        request_id: str | None = None,
        allow: Iterable[str] = (),
        parent: str | None = None,
    ) -> Run:
        """Queue a run. A `request_id` that was used before gives the run that it started, and starts nothing.

        The worker makes the preflight before it trains; findings with a code in `allow` do not block it. `parent` is
        the run that this one is a clone of. Where the output_dir is a numbered folder of this home that holds a run by
        now, the next one is taken. Raises NotFound where the parent is not there, TunixMissing without Tunix, Conflict
        where another output_dir already holds a run, OutputError where it cannot be written, RequestReused where the
        `request_id` started something else.
        """
        self.jobs.backend.require()
        codes = sorted(allow)
        return self.requests.once(
            request_id,
            "run",
            {"manifest": self.asked_by(manifest), "allow": codes, "parent": parent},
            lambda: self._start_run(manifest, request_id, codes, parent),
            note=lambda run: {"run": run.id},
            find=lambda kept: self.run(kept["run"]),
        )

    def asked_by(self, manifest: RunManifest) -> dict[str, Any]:
        """What a manifest asks for: a folder that this home chose is no part of it, as the next one is another."""
        asked = manifest.to_dict()
        if self.registry.is_numbered(run_folder_of(manifest, self.settings.runs_dir).path):
            del asked["output_dir"]
        return asked

    def _start_run(
        self, manifest: RunManifest, request_id: str | None, allow: Iterable[str], parent: str | None
    ) -> Run:
        with self._starting:
            if request_id and (known := self.run_by_request(request_id)):
                return known  # its process died before it could answer
            before = RunManifest.from_dict(self.run(parent).manifest) if parent else None
            folder = run_folder_of(manifest, self.settings.runs_dir)
            if folder.state_file.exists():
                if not self.registry.is_numbered(folder.path):
                    raise Conflict(f"{folder.path} already holds a run. Choose another output_dir, or resume that run.")
                # this home chose the folder, and another start was quicker
                manifest = manifest.model_copy(update={"output_dir": self.next_run_dir()})
                folder = run_folder_of(manifest, self.settings.runs_dir)
            folder.create()
            if parent and before:
                keep_parent(folder, parent, before, manifest)
            run = self.registry.add(manifest, folder, RunState(), request_id=request_id)
            self.jobs.submit_training(run.id, manifest, folder, allow=tuple(allow))
        return run

    def runs(self, *, limit: int = 50, after: str | None = None) -> Page[Run]:
        """Runs, newest first, with the status that their folders tell."""
        return self.registry.page(limit=limit, after=after)

    def run(self, run_id: str) -> Run:
        return self.registry.run(run_id)

    def run_by_request(self, request_id: str) -> Run | None:
        """The run that an earlier start with this request id made, if any."""
        return self.registry.run_by_request(request_id)

    def run_folder(self, run_id: str) -> RunDir:
        return RunDir(Path(self.store.runs.get(run_id).directory))

    def run_state(self, run_id: str) -> RunState:
        """What a run is doing: phase, train step, device, totals."""
        return self.run_folder(run_id).state()

    def run_metrics(self, run_id: str, since: int = 0) -> tuple[list[dict[str, Any]], int]:
        """Metrics records after the cursor `since`, and the next cursor."""
        return self.run_folder(run_id).metrics(since)

    def run_samples(self, run_id: str) -> list[dict[str, Any]]:
        """What the model answered to the fixed prompts at each evaluation, a record an answer."""
        return self.run_folder(run_id).samples()[0]

    # --- around -------------------------------------------------------------------------------------------------

    def tunix_status(self) -> TunixStatus:
        return TunixStatus(
            availability.is_tunix_available(),
            availability.tunix_version(),
            availability.jax_version(),
            availability.INSTALL,
        )

    def host(self) -> HostInfo:
        return host_info(self.settings.home)

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the queue is empty; False on timeout. For scripts."""
        return self.jobs.wait(timeout)


def open_pipeline(settings: Settings, *, recover: bool = True) -> Pipeline:
    """The composition root: home, database, worker. Raises StoreError or OutputError as sentences."""
    store = open_store(settings.database_url)
    jobs = JobManager(
        store.runs,
        TunixBackend(settings.models_dir, settings.compiled_dir),
        Accelerator(settings.accelerator_lock),
    )
    pipeline = Pipeline(settings, store, jobs)
    if recover:
        pipeline.registry.recover()
    return pipeline


def _run_name(model_id: str, dataset: Mapping[str, Any] | None) -> str:
    model = model_id.rstrip("/").rsplit("/", 1)[-1]
    return f"{model}-{dataset['name']}-v{dataset['version']}" if dataset else model
