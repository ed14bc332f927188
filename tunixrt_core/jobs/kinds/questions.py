"""Playground questions in the queue, with models kept in memory."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tunixrt_core.errors import Busy, Conflict
from tunixrt_core.evaluation.questions.execution import AskedRun, execute_question
from tunixrt_core.evaluation.questions.question import Answered, Question, QuestionState
from tunixrt_core.jobs.spec import Follower, JobSpec, Kind, Tell
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.evaluation_record import Target
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.training.stop import StopRequest
from tunixrt_core.util.latest import Latest

if TYPE_CHECKING:
    from tunixrt_core.jobs.kinds.workplace import Workplace
    from tunixrt_core.jobs.queue import JobManager

KIND: Kind = "playground"
_STATUS = {"loading": RunStatus.LOADING, "compiling": RunStatus.COMPILING, "generating": RunStatus.RUNNING}


def work(spec: JobSpec, place: Workplace, stop: StopRequest, tell: Tell) -> None:
    """Ask each model; news are phases, the text so far, answers, and at last whether all have answered."""
    question = Question.from_dict(spec.body["question"])
    asked = AskedRun(spec.body["name"], RunManifest.from_dict(spec.body["manifest"]), RunDir(Path(spec.body["folder"])))
    with place.models.using() as models:
        answers = execute_question(
            question,
            asked,
            models,
            on_phase=lambda target, name: tell({"target": target, "phase": name}),
            on_answer=lambda answered: tell({"answered": asdict(answered)}),
            on_text=lambda target, text: tell({"target": target, "written": text}),
            stop=stop,
        )
    tell({"all_answered": len(answers) == len(question.targets)})


class Questions(Follower):
    """The questions of this process. The loaded models are released before any other job begins, when another run is
    asked, after a while without a question, and on request.
    """

    def __init__(self, jobs: JobManager) -> None:
        self._jobs = jobs
        self._states: Latest[QuestionState] = Latest("question")

    def busy(self) -> str:
        """A sentence about the job other than a question that holds or waits for the accelerator; empty without one."""
        queue = self._jobs.queue()
        if queue.holder is not None and queue.holder.kind != KIND:
            return f"The accelerator is held by {queue.holder}. Ask when it is free."
        waiting = next((job for job in queue.waiting if job.kind != KIND), None)
        if waiting is not None:
            return f"{waiting.run} waits for the accelerator ({waiting.kind}). Ask when it is done."
        return ""

    def ask(self, question: Question, asked: AskedRun) -> QuestionState:
        """Queue a question. Raises Busy if another job holds or waits for the accelerator, NotFound for a missing
        checkpoint.
        """
        if busy := self.busy():
            raise Busy(busy)
        for target in question.targets:
            asked.train_step(target, question.checkpoint)
        state, _ = self._states.add(lambda: QuestionState(id=f"q-{uuid.uuid4().hex[:8]}", question=question))
        body = {
            "question": question.to_dict(),
            "name": asked.name,
            "manifest": asked.manifest.to_dict(),
            "folder": str(asked.folder.path),
        }
        self._jobs.submit(JobSpec(state.id, question.run_id, KIND, body), self)
        return state

    def get(self, question_id: str) -> QuestionState:
        """Raises NotFound for one that this process does not know (any more)."""
        return self._states.get(question_id)

    def stop(self, question_id: str) -> QuestionState:
        """Stop a question, or remove it from the queue; existing answers stay. Raises NotFound, Conflict if over."""
        if self.get(question_id).over or not self._jobs.stop_job(question_id):
            raise Conflict(f"Question {question_id} is over; there is nothing to stop.")
        return self.get(question_id)

    @property
    def loaded(self) -> tuple[Target, ...]:
        """Which models are in memory."""
        return self._jobs.models.held

    def release(self) -> None:
        """Release the memory of the loaded models. Raises Busy while a question is being answered."""
        self._jobs.models.release()

    def close(self) -> None:
        """For the end of the process, after the queue was closed. A model that is still loading is left to it."""
        with suppress(Busy):
            self.release()

    # --- the follower of its jobs ------------------------------------------------------------------------------------

    def told(self, spec: JobSpec, news: Mapping[str, Any]) -> None:
        if "phase" in news:
            phase = news["phase"]
            self._states.change(spec.id, status=_STATUS[phase], phase=phase, target=news["target"])
        elif "written" in news:
            # the first text says that compiling is over
            now = {"status": RunStatus.RUNNING, "phase": "generating"}
            self._states.change(spec.id, **now, target=news["target"], written=news["written"])
        elif "answered" in news:
            answered = msgspec.convert(news["answered"], Answered)
            self._states.change(spec.id, answers=(*self.get(spec.id).answers, answered), written="")
        elif news["all_answered"]:
            self._end(spec, RunStatus.SUCCEEDED, "")
        else:
            self._end(spec, RunStatus.STOPPED, "Stopped.")

    def dropped(self, spec: JobSpec) -> None:
        self._end(spec, RunStatus.STOPPED, "Stopped before it began.")

    def failed(self, spec: JobSpec, message: str) -> None:
        self._end(spec, RunStatus.FAILED, message)

    def _end(self, spec: JobSpec, status: RunStatus, message: str) -> None:
        self._states.change(spec.id, status=status, message=message, phase="", target=None, written="")
