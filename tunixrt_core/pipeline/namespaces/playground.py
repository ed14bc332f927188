"""Questions to a run's models, and answers kept as traces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tunixrt_core.errors import Busy, Conflict
from tunixrt_core.evaluation.harvest import origin, trace_of
from tunixrt_core.evaluation.questions.execution import AskedRun
from tunixrt_core.jobs.kinds.questions import KIND, Questions
from tunixrt_core.runs.folder import RunDir

if TYPE_CHECKING:
    from tunixrt_core.evaluation.questions.question import Question, QuestionState
    from tunixrt_core.jobs.queue import JobManager
    from tunixrt_core.jobs.registry.runs import Registry
    from tunixrt_core.runs.evaluation_record import Target
    from tunixrt_core.store.store import Store


class Playground:
    """Single questions to a run's base and tuned model."""

    def __init__(self, store: Store, jobs: JobManager, registry: Registry) -> None:
        self._store = store
        self._jobs = jobs
        self._registry = registry
        self._questions = Questions(jobs)

    def ask(self, question: Question) -> QuestionState:
        """Queue a question to a run's models; `question` returns its state with the answers.

        Raises Busy for an active run, and if a run or an evaluation holds or waits for the accelerator, NotFound for a
        missing run or checkpoint, TunixMissing.
        """
        self._jobs.backend.require()
        run, manifest = self._registry.whole(question.run_id)
        if not run.status.over:
            raise Busy(f"{run.id} is {run.status}; ask it when it is over.")
        asked = AskedRun(run.id, manifest, RunDir(Path(run.directory)))
        return self._questions.ask(question, asked)

    def get(self, question_id: str) -> QuestionState:
        """The state of a question, with the answers so far. Raises NotFound."""
        return self._questions.get(question_id)

    def stop(self, question_id: str) -> QuestionState:
        """Stop a question, or remove it from the queue; existing answers stay. Raises NotFound, Conflict if over."""
        return self._questions.stop(question_id)

    def keep(
        self,
        question_id: str,
        target: Target,
        *,
        final_answer: str | None = None,
        reference_answer: str | None = None,
    ) -> tuple[str, bool]:
        """Keep an answer as a trace that names its model; its hash, and whether it was new.

        `final_answer` is for an answer without a readable one. `meta` says how many characters of the answer a person
        began with. Raises NotFound, Conflict where that model has not
        answered, InvalidTrace.
        """
        state = self._questions.get(question_id)
        answered = state.answer_of(target)
        if answered is None:
            raise Conflict(f"The {target} model has not answered question {question_id}.")
        question = state.question
        manifest = self._registry.whole(question.run_id)[1]
        trace = trace_of(
            question.prompt,
            answered.output,
            manifest.rendering.reasoning,
            system=question.system,
            conversation=question.conversation,
            reference=reference_answer,
            source=KIND,
            model=answered.model,
            meta=origin(manifest, question.run_id, answered.train_step, question.sampling)
            | ({"begun": len(question.begun)} if question.begun else {}),
            final_answer=final_answer,
        )
        return trace.content_hash, self._store.traces.insert_one(trace)

    def release(self) -> None:
        """Release the memory of the models that questions loaded. Raises Busy while one is being answered."""
        self._questions.release()

    @property
    def loaded(self) -> tuple[Target, ...]:
        """Which models are in memory."""
        return self._questions.loaded

    def busy(self) -> str:
        """A sentence about the job other than a question that holds or waits for the accelerator; empty without one."""
        return self._questions.busy()

    def close(self) -> None:
        """For the end of the process, after the queue was closed."""
        self._questions.close()
