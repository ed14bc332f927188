"""Progress and end of an evaluation, written into its folder."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tunixrt_core.errors import Superseded, TunixRTError
from tunixrt_core.evaluation.folder import EvalDir, EvalState
from tunixrt_core.runs.ownership import LiveState
from tunixrt_core.runs.record import RunStatus
from tunixrt_core.util.files.space import unwritable
from tunixrt_core.util.owners import Attempt, Heartbeat

NOT_AGAIN = "Not evaluated again, the earlier answers are kept:"


class Report(LiveState[EvalState]):
    """Writes the state of an evaluation while it runs, and notices the `stop` file."""

    def __init__(
        self, folder: EvalDir, state: EvalState, on_state: Callable[[EvalState], None], stop: threading.Event
    ) -> None:
        super().__init__(folder, state)
        self.stop = stop
        self._stop_file = folder.stop_file
        self._on_state = on_state

    def phase(self, name: str) -> None:
        status = self.state.status
        if status in (RunStatus.QUEUED, RunStatus.LOADING):
            known = {"compiling": RunStatus.COMPILING, "generating": RunStatus.RUNNING}
            status = known.get(name, RunStatus.LOADING)
        self.tell(status=status, phase=name)

    def tell(self, **changes: Any) -> None:
        if self._stop_file.exists():
            self.stop.set()
        with self.lock:
            fresh = replace(self.state, **changes)
            if fresh == self.state:
                return
            self.write(fresh)
        self._on_state(self.state)


@contextmanager
def reported(
    folder: EvalDir,
    total: int,
    on_state: Callable[[EvalState], None],
    stop: threading.Event | None,
    attempt: Attempt | None,
) -> Iterator[Report]:
    """Inside, the state follows the progress; afterwards it holds the outcome, also after an error.

    Raises Superseded where the evaluation was started again elsewhere; then nothing more is written.
    """
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.stop_file.unlink(missing_ok=True)
    owner, number = attempt or folder.next_attempt()
    begins = EvalState(owner=owner, attempt=number)
    report = Report(folder, begins, on_state, stop or threading.Event())
    report.tell(started_at=time.time(), total=total)
    try:
        with Heartbeat(report.beat):
            yield report
    finally:
        error = sys.exc_info()[1]
        if not isinstance(error, Superseded):
            status, message = _end(folder, error)
            report.tell(status=status, message=message, phase="", ended_at=time.time())


def _end(folder: EvalDir, error: BaseException | None) -> tuple[RunStatus, str]:
    if isinstance(error, TunixRTError):
        return failed(folder, str(error))
    if error is not None:
        return failed(folder, unwritable(folder.path, error) or f"{type(error).__name__}: {error}")
    if folder.summary() is None:
        return RunStatus.STOPPED, "Stopped; evaluate again to resume."
    return RunStatus.SUCCEEDED, ""


def failed(folder: EvalDir, message: str) -> tuple[RunStatus, str]:
    """The outcome of an evaluation that failed. One that was finished before, and is to be answered or scored again,
    stays finished: its answers are all there.
    """
    if folder.summary() is not None:
        return RunStatus.SUCCEEDED, f"{NOT_AGAIN} {message}"
    return RunStatus.FAILED, message
