"""Playground: what a Pipeline does to ask a run's models one thing, and to keep what models wrote as new traces."""

from __future__ import annotations

from pathlib import Path

from tunixrt_core.errors import Conflict
from tunixrt_core.evaluation.harvest import harvest, origin, trace_of
from tunixrt_core.evaluation.question_execution import AskedRun
from tunixrt_core.evaluation.questions import Question, QuestionState
from tunixrt_core.ingest.report import ImportReport
from tunixrt_core.jobs.questions import KIND, Playground
from tunixrt_core.jobs.queue import JobManager
from tunixrt_core.jobs.registry import Registry
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.pipeline.ingest_verbs import insert_counted
from tunixrt_core.runs.evaluation_record import Target
from tunixrt_core.runs.record import RunDir
from tunixrt_core.store.store import Store


class PlayVerbs:
    """The part of a Pipeline that closes the loop: from a run's models back to traces."""

    store: Store
    jobs: JobManager
    registry: Registry
    playground: Playground

    def ask(self, question: Question) -> QuestionState:
        """Queue a question to a run's models; the answers come into the state that `question` gives.

        Raises Conflict for a run that goes on, and where a run or an evaluation holds or waits for the accelerator,
        NotFound for a run or checkpoint that is not there, TunixMissing.
        """
        self.jobs.backend.require()
        run = self.registry.run(question.run_id)
        if not run.status.over:
            raise Conflict(f"{run.id} is {run.status}; ask it when it is over.")
        asked = AskedRun(run.id, RunManifest.from_dict(run.manifest), RunDir(Path(run.directory)))
        return self.playground.ask(question, asked)

    def question(self, question_id: str) -> QuestionState:
        """How it goes, with the answers so far. Raises NotFound."""
        return self.playground.get(question_id)

    def stop_question(self, question_id: str) -> QuestionState:
        """Ask it to end, or drop it where it waits; answers that are there stay. Raises NotFound, Conflict if over."""
        return self.playground.stop(question_id)

    def keep_answer(
        self,
        question_id: str,
        target: Target,
        *,
        final_answer: str | None = None,
        reference_answer: str | None = None,
    ) -> tuple[str, bool]:
        """Keep an answer as a trace that names its model; its hash, and whether it was new.

        `final_answer` is for an answer in which none could be read. Raises NotFound, Conflict where that model has not
        answered, InvalidTrace.
        """
        state = self.playground.get(question_id)
        answered = state.answer_of(target)
        if answered is None:
            raise Conflict(f"The {target} model has not answered question {question_id}.")
        question = state.question
        manifest = RunManifest.from_dict(self.registry.run(question.run_id).manifest)
        trace = trace_of(
            question.prompt,
            answered.output,
            manifest.rendering.reasoning,
            system=question.system,
            reference=reference_answer,
            source=KIND,
            model=answered.model,
            meta=origin(manifest, question.run_id, answered.train_step, question.sampling),
            final_answer=final_answer,
        )
        return trace.content_hash, self.store.traces.insert_one(trace)

    def release_playground(self) -> None:
        """Give the memory of the models that questions loaded back. Raises Conflict while one is being answered."""
        self.playground.release()

    def keep_predictions(self, eval_id: str, *, only_correct: bool = True, scorer: str = "exact_match") -> ImportReport:
        """Keep the answers of an evaluation as traces with their score, in one transaction; by default the right ones.

        Rejected are those in which no final answer can be read. Raises NotFound, Conflict for an evaluation that is
        not finished, InvalidEvaluation for a scorer that did not score it.
        """
        record = self.registry.evaluation(eval_id)
        manifest = RunManifest.from_dict(self.registry.run(record.run_id).manifest)
        found = harvest(record, manifest, scorer=scorer, only_correct=only_correct)
        return insert_counted(self.store, found, eval_id, "evaluation")
