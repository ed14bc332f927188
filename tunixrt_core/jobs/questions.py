"""Playground questions in the queue, with models kept in memory."""

from __future__ import annotations

import threading
import uuid
from contextlib import suppress
from functools import partial

from tunixrt_core.errors import Busy, Conflict
from tunixrt_core.evaluation.question_execution import AskedRun, LoadedModels, execute_question
from tunixrt_core.evaluation.questions import Answered, Question, QuestionState
from tunixrt_core.jobs.queue import JobManager, WaitingJob
from tunixrt_core.runs.evaluation_record import Target
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.util.latest import Latest

KIND = "playground"
_STATUS = {"loading": RunStatus.LOADING, "compiling": RunStatus.COMPILING, "generating": RunStatus.RUNNING}


class Questions:
    """The questions of this process. The loaded models are released before any other job begins, when another run is
    asked, after `idle_seconds` without a question, and on request.
    """

    def __init__(self, jobs: JobManager, *, idle_seconds: float = 600.0) -> None:
        self._jobs = jobs
        self._idle_seconds = idle_seconds
        self._states: Latest[QuestionState] = Latest("question")
        self._models = LoadedModels(jobs.backend)
        self._using = threading.Lock()  # held while the models are used
        self._idle: threading.Timer | None = None
        jobs.before_each(self._before)

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
        self._jobs.submit(
            WaitingJob(state.id, question.run_id, KIND),
            partial(self._work, state.id, question, asked),
            dropped=lambda: self._end(state.id, RunStatus.STOPPED, "Stopped before it began."),
            failed=lambda message: self._fail(state.id, message),
        )
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
        return self._models.held

    def release(self) -> None:
        """Release the memory of the loaded models. Raises Busy while a question is being answered."""
        if not self._using.acquire(blocking=False):
            raise Busy("A question is being answered. Stop it, or wait for its end, and free the memory then.")
        try:
            self._models.close()
        finally:
            self._using.release()

    def close(self) -> None:
        """For the end of the process, after the queue was closed. A model that is still loading is left to it."""
        self._stay()
        self._leave()

    def _before(self, job: WaitingJob) -> None:
        """In the worker, before a job: training and evaluations need the memory."""
        if job.kind != KIND:
            self._make_room()

    def _make_room(self) -> None:
        self._stay()
        with self._using:
            self._models.close()

    def _work(self, question_id: str, question: Question, asked: AskedRun, stop: threading.Event) -> None:
        def phase(target: Target, name: str) -> None:
            self._states.change(question_id, status=_STATUS[name], phase=name, target=target)

        def write(target: Target, text: str) -> None:
            # the first text says that compiling is over
            self._states.change(question_id, status=RunStatus.RUNNING, phase="generating", target=target, written=text)

        def keep(answered: Answered) -> None:
            self._states.change(question_id, answers=(*self.get(question_id).answers, answered), written="")

        self._stay()
        with self._using:
            answers = execute_question(
                question, asked, self._models, on_phase=phase, on_answer=keep, on_text=write, stop=stop
            )
        self._leave_later()
        if len(answers) < len(question.targets):
            self._end(question_id, RunStatus.STOPPED, "Stopped.")
        else:
            self._end(question_id, RunStatus.SUCCEEDED, "")

    def _fail(self, question_id: str, message: str) -> None:
        self._make_room()  # a model that failed, such as for lack of memory, must not hold any
        self._end(question_id, RunStatus.FAILED, message)

    def _end(self, question_id: str, status: RunStatus, message: str) -> None:
        self._states.change(question_id, status=status, message=message, phase="", target=None, written="")

    def _leave_later(self) -> None:
        self._idle = threading.Timer(self._idle_seconds, self._leave)
        self._idle.daemon = True
        self._idle.start()

    def _leave(self) -> None:
        with suppress(Busy):  # a question came meanwhile, and will release them later
            self.release()

    def _stay(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
