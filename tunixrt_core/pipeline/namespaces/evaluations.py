"""Evaluations of base and tuned models: start, read and compare."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunixrt_core.errors import Busy, Conflict
from tunixrt_core.evaluation.folder import EvalDir, EvalState
from tunixrt_core.evaluation.predictions import Prediction
from tunixrt_core.evaluation.sets.setup import EvalRequest
from tunixrt_core.runs.evaluation_record import TARGETS, EvalRecord, PromptForm, Target
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.util.files.atomic import write_atomic
from tunixrt_core.util.files.regular import read_object
from tunixrt_core.util.hashing import sha256_hex
from tunixrt_core.util.once import made_once

if TYPE_CHECKING:
    from tunixrt_core.evaluation.planning import EvalPlan
    from tunixrt_core.evaluation.results.comparison import Comparison
    from tunixrt_core.evaluation.results.leaderboard import Leaderboard
    from tunixrt_core.evaluation.sets.leaks import Leaks
    from tunixrt_core.evaluation.sets.report import EvalFileReport
    from tunixrt_core.ingest.report import ImportReport
    from tunixrt_core.jobs.kinds.evaluations import QueuedEvaluations
    from tunixrt_core.jobs.queue import JobManager
    from tunixrt_core.jobs.registry.runs import Registry
    from tunixrt_core.jobs.requests import Requests
    from tunixrt_core.jobs.waiting.left import Left
    from tunixrt_core.manifest.manifest import RunManifest
    from tunixrt_core.pipeline.namespaces.traces import Traces
    from tunixrt_core.settings import Settings
    from tunixrt_core.store.store import Store

_AS_USUAL = EvalRequest()


@dataclass(frozen=True, slots=True)
class EvalView:
    """An evaluation with its files read: what it is doing, the answers so far, and what the run was trained on."""

    record: EvalRecord
    state: EvalState
    predictions: tuple[Prediction, ...]
    leaks: Leaks | None


class Evaluations:
    """Evaluations of the base and tuned models of a home's runs."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        jobs: JobManager,
        registry: Registry,
        requests: Requests,
        starting: threading.Lock,
        traces: Traces,
    ) -> None:
        self._settings = settings
        self._store = store
        self._jobs = jobs
        self._registry = registry
        self._requests = requests
        self._starting = starting
        self._traces = traces

    @made_once
    def queued(self) -> QueuedEvaluations:
        from tunixrt_core.jobs.kinds.evaluations import QueuedEvaluations

        return QueuedEvaluations(self._jobs, self._registry)

    def start(
        self,
        run_id: str,
        targets: Iterable[Target] = TARGETS,
        request: EvalRequest = _AS_USUAL,
        *,
        again: bool = False,
        request_id: str | None = None,
    ) -> list[EvalRecord]:
        """Queue the evaluation of a run's base and tuned model, and of the base model with its own prompt.

        One that is queued, in progress or done is returned as it is; a stopped one continues where it ended. With
        `again` all answers are regenerated, unless the `request_id` was used before: then none is. Raises Conflict
        for an active run, InvalidEvaluation, InvalidDataset for an empty eval split, NotFound for a missing
        checkpoint, TunixMissing, RequestReused.
        """
        self._jobs.backend.require()
        if request.eval_file is not None:
            from tunixrt_core.manifest.places import check_eval_file

            check_eval_file(request.eval_file, self._settings)
        wanted = tuple(dict.fromkeys(targets))
        return self._requests.once(
            request_id,
            "evaluation",
            {"run": run_id, "targets": list(wanted), "request": request.to_dict(), "again": again},
            lambda: self._start_evaluation(run_id, wanted, request, again=again),
            note=lambda records: {"evaluations": [record.id for record in records]},
            find=lambda kept: [self._registry.evals.get(eval_id) for eval_id in kept["evaluations"]],
        )

    def _start_evaluation(
        self, run_id: str, targets: Iterable[Target], request: EvalRequest, *, again: bool
    ) -> list[EvalRecord]:
        from tunixrt_core.evaluation.planning import plan_evaluations

        return self._queue(
            run_id, lambda manifest, folder: plan_evaluations(manifest, folder, targets, request), again=again
        )

    def _queue(
        self, run_id: str, plan: Callable[[RunManifest, RunDir], list[EvalPlan]], *, again: bool
    ) -> list[EvalRecord]:
        with self._starting:
            run, manifest = self._registry.whole(run_id)
            if not run.status.over:
                raise Busy(f"{run.id} is {run.status}; evaluate it when it is over.")
            return self.queued.queue(run.id, plan(manifest, RunDir(Path(run.directory))), again=again)

    def left_in_queue(self) -> list[Left]:
        """The evaluations that waited when the server of this home ended."""
        from tunixrt_core.jobs.waiting.left import Left

        runs = {folder.path: run_id for run_id, folder in self._registry.folders().items()}
        left = []
        for folder in self._registry.evals.left_in_queue():
            run_id = runs[folder.path.parent.parent]
            eval_id = f"{run_id}-{folder.path.name}"
            left.append(
                Left(
                    eval_id,
                    folder.queued_file.lstat().st_mtime_ns,
                    partial(self._queue_again, run_id, eval_id, folder),
                    partial(self.queued.refuse, eval_id, folder),
                )
            )
        return left

    def _queue_again(self, run_id: str, eval_id: str, folder: EvalDir) -> None:
        queued = read_object(folder.queued_file) or {}
        if queued.get("score_again"):
            self.score_again(eval_id)
            return
        from tunixrt_core.evaluation.planning import plan_evaluation

        request = EvalRequest.from_dict(queued.get("request", {}))
        target: Target = "tuned" if queued.get("target") == "tuned" else "base"
        prompt: PromptForm = "own" if queued.get("prompt") == "own" else "run"
        (record,) = self._queue(
            run_id,
            lambda manifest, folder: [plan_evaluation(manifest, folder, target, request, prompt=prompt)],
            again=bool(queued.get("again")),
        )
        if record.id != eval_id:
            raise Conflict(f"{run_id} was trained since {eval_id} was queued. Evaluate again.")

    def score_again(self, eval_id: str) -> EvalRecord:
        """Queue a new scoring of an evaluation's answers, such as by newer versions of its scorers.

        Needs neither Tunix nor the model. Raises NotFound, Conflict if answers are missing.
        """
        with self._starting:
            record = self._registry.evals.get(eval_id)
            if record.status.over and EvalDir.of(record).summary() is None:
                raise Conflict(f"{eval_id} was not answered to its end ({record.status}); evaluate again.")
            return self.queued.score_again(record, self._registry.whole(record.run_id)[1])

    def stop(self, eval_id: str) -> EvalRecord:
        """Stop an evaluation after the current batch; its answers are kept. Raises NotFound, Conflict if over."""
        self.queued.stop(eval_id)
        return self._registry.evals.get(eval_id)

    def records(self, run_id: str | None = None) -> list[EvalRecord]:
        """Evaluations, newest first; of one run where given. Includes those in a run's folder."""
        return self._registry.evals.list(run_id)

    def get(self, eval_id: str) -> EvalView:
        """One evaluation with its answers so far. Raises NotFound."""
        record = self._registry.evals.get(eval_id)
        state = EvalDir.of(record).state() or EvalState(record.status, message=record.message)
        return EvalView(record, state, tuple(EvalDir.of(record).predictions()), EvalDir.of(record).leaks())

    def leaks(self, eval_id: str) -> Leaks | None:
        """Which rows the run was trained on; None if that was not checked (yet). Raises NotFound."""
        return EvalDir.of(self._registry.evals.get(eval_id)).leaks()

    def leaderboard(self, metric: str = "exact_match", **filters: Any) -> Leaderboard:
        """Finished evaluations ranked by a metric, one board per eval set; `filters` are those of `leaderboard`."""
        from tunixrt_core.evaluation.results.leaderboard import leaderboard

        records = self.records()
        return leaderboard(records, self._store.runs.named(r.run_id for r in records), metric=metric, **filters)

    def keep_predictions(self, eval_id: str, *, only_correct: bool = True, scorer: str = "exact_match") -> ImportReport:
        """Keep the answers of an evaluation as traces with their score, in one transaction; by default the right ones.

        Answers without a readable final answer are rejected. Raises NotFound, Conflict for an evaluation that is
        not finished, InvalidEvaluation for a scorer that did not score it.
        """
        from tunixrt_core.evaluation.harvest import harvest

        record = self._registry.evals.get(eval_id)
        manifest = self._registry.whole(record.run_id)[1]
        found = harvest(record, manifest, scorer=scorer, only_correct=only_correct)
        return self._traces.add_many(found, eval_id, "evaluation")

    # --- eval files --------------------------------------------------------------------------------------------------

    def check_file(self, path: Path) -> EvalFileReport:
        """What the file would ask, and every bad row. Raises UnreadableFile."""
        from tunixrt_core.evaluation.sets.file import read_eval_file

        return read_eval_file(path)[1]

    def keep_file(self, name: str, content: bytes) -> Path:
        """Keep an uploaded file in the home, under a name derived from its content; an identical file is kept once."""
        folder = self._settings.eval_sets_dir
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{sha256_hex(content)[:8]}-{Path(name).name}"
        if not path.exists():
            write_atomic(path, content)
        return path

    def files(self) -> list[Path]:
        """Files that were kept, by name."""
        return sorted(p for p in self._settings.eval_sets_dir.glob("*") if p.is_file())

    # --- compare -----------------------------------------------------------------------------------------------------

    def compare(self, first: str, second: str, scorer: str = "exact_match") -> Comparison:
        """Two evaluations row by row, on the rows that both have answered.

        Raises NotFound, InvalidEvaluation where one of them has no scores by that name.
        """
        from tunixrt_core.evaluation.results.comparison import compare

        a, b = (self._registry.evals.get(eval_id) for eval_id in (first, second))
        return compare(
            EvalDir.of(a).predictions(),
            EvalDir.of(b).predictions(),
            scorer,
            own=self._own(a) if b.target == "tuned" else (),
            higher_is_better=_higher_is_better(scorer),
        )

    def _own(self, base: EvalRecord) -> list[Prediction]:
        """The answers of a base model to its own prompt, where it was asked so; else none."""
        from tunixrt_core.evaluation.results.pairs import own_base

        found = own_base(self.records(base.run_id), base)
        return EvalDir.of(found).predictions() if found else []

    def comparison(self, run_id: str) -> Comparison | None:
        """Base against tuned on the same rows, of the newest pair with the same prompts; None without one."""
        from tunixrt_core.evaluation.results.comparison import compare
        from tunixrt_core.evaluation.results.pairs import base_and_tuned

        pair = base_and_tuned(self.records(run_id))
        if pair is None:
            return None
        base, tuned = (EvalDir.of(record).predictions() for record in pair)
        return compare(base, tuned, own=self._own(pair[0])) if base and tuned else None


def _higher_is_better(scorer: str) -> bool:
    """Of a score whose direction is not known, more counts as better."""
    from tunixrt_core.evaluation.scorers.known import known_scorers

    found = next((one for one in known_scorers() if one.name == scorer.partition("=")[0]), None)
    return found is None or found.higher_is_better is not False
