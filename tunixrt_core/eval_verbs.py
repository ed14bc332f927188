"""Did it learn to reason? Evaluations of a run's base and tuned model: start, stop, read, compare."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tunixrt_core.errors import Conflict
from tunixrt_core.eval_execution import plan_evaluation
from tunixrt_core.evaluation import (
    TARGETS,
    Comparison,
    EvalRecord,
    EvalRequest,
    EvalState,
    Prediction,
    Target,
    base_and_tuned,
    compare,
)
from tunixrt_core.evaluations import Evaluations
from tunixrt_core.jobs import JobManager
from tunixrt_core.manifest import RunManifest
from tunixrt_core.registry import Registry
from tunixrt_core.runs import RunDir

_AS_USUAL = EvalRequest()


@dataclass(frozen=True, slots=True)
class EvalView:
    """An evaluation with its files read: what it is doing, and the answers so far."""

    record: EvalRecord
    state: EvalState
    predictions: tuple[Prediction, ...]


class EvalVerbs:
    """The part of a Pipeline that evaluates."""

    jobs: JobManager
    registry: Registry
    evals: Evaluations
    _starting: threading.Lock

    def start_evaluation(
        self,
        run_id: str,
        targets: Iterable[Target] = TARGETS,
        request: EvalRequest = _AS_USUAL,
        *,
        again: bool = False,
    ) -> list[EvalRecord]:
        """Queue the evaluation of a run's base and tuned model.

        One that is queued, under way or done already is given back as it is; a stopped one goes on where it was. With
        `again` everything is answered anew. Raises Conflict for a run that goes on, InvalidEvaluation, InvalidDataset
        for an empty eval split, NotFound for a checkpoint that is not there, TunixMissing.
        """
        self.jobs.backend.require()
        with self._starting:
            run = self.registry.run(run_id)
            if not run.status.over:
                raise Conflict(f"{run.id} is {run.status}; evaluate it when it is over.")
            manifest, folder = RunManifest.from_dict(run.manifest), RunDir(Path(run.directory))
            plans = [plan_evaluation(manifest, folder, target, request) for target in dict.fromkeys(targets)]
            return self.evals.queue(run.id, plans, again=again)

    def stop_evaluation(self, eval_id: str) -> EvalRecord:
        """Stop an evaluation after the batch under way; its answers are kept. Raises NotFound, Conflict if over."""
        self.evals.stop(eval_id)
        return self.registry.evaluation(eval_id)

    def evaluations(self, run_id: str | None = None) -> list[EvalRecord]:
        """Evaluations, newest first; of one run where given. What the command wrote beside a run is found too."""
        return self.registry.evaluations(run_id)

    def evaluation(self, eval_id: str) -> EvalView:
        """One evaluation with its answers so far. Raises NotFound."""
        record = self.registry.evaluation(eval_id)
        state = record.folder.state() or EvalState(record.status, message=record.message)
        return EvalView(record, state, tuple(record.folder.predictions()))

    def compare_evaluations(self, first: str, second: str, scorer: str = "exact_match") -> Comparison:
        """Two evaluations row by row, on the rows that both have answered. Raises NotFound."""
        records = [self.registry.evaluation(eval_id) for eval_id in (first, second)]
        return compare(*(record.folder.predictions() for record in records))

    def comparison(self, run_id: str) -> Comparison | None:
        """Base against tuned on the same rows, of the newest pair that was asked the same; None without one."""
        pair = base_and_tuned(self.evaluations(run_id))
        if pair is None:
            return None
        base, tuned = (record.folder.predictions() for record in pair)
        return compare(base, tuned) if base and tuned else None
