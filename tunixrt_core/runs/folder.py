"""The folder of a run: its files and its state."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tunixrt_core.errors import BrokenFile, NotFound, OutputError
from tunixrt_core.runs.files import check_folder, check_manifest, is_folder, read_lines
from tunixrt_core.runs.metrics import Metric, SampleAnswer, read_answers, read_metrics
from tunixrt_core.runs.ownership import OwnedFolder, is_lost
from tunixrt_core.runs.paths import RunPaths
from tunixrt_core.runs.record import RunState, RunStatus
from tunixrt_core.util import owners
from tunixrt_core.util.files.atomic import write_atomic
from tunixrt_core.util.files.regular import read_object_or_none
from tunixrt_core.util.files.space import unwritable
from tunixrt_core.util.files.tails import tail

RUN_ID = re.compile(r"r-(\d{4,12})", re.ASCII)  # folders that a home numbers: r-0001
INTERRUPTED = "The process that ran it ended. Resume continues from the last checkpoint."
NOT_RESUMED = (
    "The process that resumed it ended before the first new train step, so nothing was changed. Resume it again."
)
NEVER_BEGAN = "It waited in the queue of a server that ended. The server queues it again when it starts; or resume it."


class RunDir(RunPaths, OwnedFolder[RunState]):
    """The folder of one run. `result.json` is written last: without it the run did not end by itself.

    A resume writes to `state.json` and the log alone until its first new train step, so that one that is refused, fails
    or is killed before it changes nothing: the state in `before` holds again.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, RunState)

    def checkpoint(self, which: str) -> Path:
        """Path of a checkpoint: `last`, `best` (lowest eval loss) or a train step. NotFound if it is missing."""
        if which == "last":
            return self.checkpoints
        if which == "best":
            which = str((read_object_or_none(self.best_file) or {}).get("train_step"))
        if not _is_number(which) or not (self.checkpoints / which).is_dir():
            there = ", ".join(map(str, self.checkpoint_steps())) or "none"
            raise NotFound("checkpoint", which, f"There are {there}; or use last or best.")
        return self.checkpoints / which

    def checkpoint_step(self, which: str) -> int:
        """The train step of `checkpoint(which)`. Raises NotFound."""
        path = self.checkpoint(which)
        if path != self.checkpoints:
            return int(path.name)
        return max(self.checkpoint_steps(), default=self.state().train_step)

    def checkpoint_steps(self) -> list[int]:
        """The train steps of the checkpoints, in order."""
        try:
            return sorted(int(name) for name in os.listdir(self.checkpoints) if _is_number(name))
        except OSError:
            return []

    def create(self) -> None:
        """Make the folder. Raises OutputError where that is not possible."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe = self.path / ".write-test"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            if why := unwritable(self.path, error):
                raise OutputError(f"{self.path} cannot be written. {why}") from None
            raise OutputError(
                f"The output directory {self.path} cannot be written ({error.strerror or error}). "
                "Choose another output_dir, or fix its permissions."
            ) from None

    def state(self) -> RunState:
        """The state of the run; interrupted if its process is gone, broken if it cannot be read.

        Raises NotFound if there is no run.
        """
        try:
            return self.read_state()
        except BrokenFile as error:
            return RunState(RunStatus.BROKEN, message=str(error))

    def state_or_broken(self) -> RunState:
        """As `state`; broken also where the folder, the state or the manifest is missing or cannot be read."""
        try:
            self.require_whole()
            return self.read_state()
        except BrokenFile as error:
            return RunState(RunStatus.BROKEN, message=str(error))

    def read_state(self) -> RunState:
        """As `state`. Raises NotFound, and BrokenFile if it cannot be read."""
        return self.state_now(self.written_state())

    def state_now(self, state: RunState | None) -> RunState:
        """What a state that was read from the file says now: its owner may be dead. Raises as `read_state` does."""
        if state is None:
            raise NotFound("run folder", str(self.path))
        if not is_lost(state):
            return state
        if state.before is not None:
            # without that file the command was about to train it, and no server queues it again
            waited = state.status is RunStatus.QUEUED and os.path.lexists(self.queued_file)
            return self._not_resumed(state, NEVER_BEGAN if waited else NOT_RESUMED)
        why = NEVER_BEGAN if state.status is RunStatus.QUEUED else INTERRUPTED
        return replace(state, status=RunStatus.INTERRUPTED, message=why, ended_at=state.updated_at)

    def _not_resumed(self, state: RunState, why: str) -> RunState:
        try:
            return state.not_resumed(why)
        except ValueError as error:
            raise BrokenFile(self.state_file, f"holds a wrong value ({error})") from None

    def require_whole(self) -> None:
        """Raises BrokenFile if the folder, its state or its manifest is missing or cannot be read."""
        check_folder(self.path)
        try:
            self.read_state()
        except NotFound:
            raise BrokenFile(self.state_file, "the file is missing") from None
        check_manifest(self.manifest_file)

    def write_manifest(self, text: str) -> None:
        """Write the manifest as YAML; a reader meanwhile sees the whole old one."""
        write_atomic(self.manifest_file, text.encode())

    def write_queued(self, processes: int = 1) -> None:
        """Show the run as queued by this process for N `processes`, with the progress from before a resume."""
        now = self.state() if self.state_file.exists() else RunState()
        self.write_state(
            replace(
                now,
                status=RunStatus.QUEUED,
                owner=owners.this_owner(),
                attempt=now.attempt + 1,
                updated_at=time.time(),
                phase="",
                message="",
                refused="",
                processes=processes,
                before=self.before_resume(),
            )
        )

    def before_resume(self) -> Mapping[str, Any] | None:
        """The state that a resume goes back to until its first new train step; None for a run that never began."""
        state = self.state() if self.state_file.exists() else RunState()
        if state.before is not None:
            return state.before
        return state.to_dict() if state.status.over and state.started_at else None

    def write_waits(self, why: str) -> bool:
        """Show why a queued run of this process does not begin. Whether that is new; False where it does not wait."""
        state = self.state()
        waits = state.status is RunStatus.QUEUED and owners.is_ours(state.owner)
        if not waits or state.message == why:
            return False
        self.write_state(replace(state, message=why, updated_at=time.time()))
        return True

    def write_stopped_before_start(self) -> None:
        """As `write_never_began`, by its user."""
        resumes = self.state().before is not None
        why = "The resume left the queue before it began." if resumes else "Stopped before it began."
        self.write_never_began(RunStatus.STOPPED, why)

    def write_never_began(self, status: RunStatus, why: str) -> None:
        """Write the end of a run that waited, of a resume that it was refused. Nothing where it does not wait for this
        process any more.
        """
        state = self.state()
        if state.status is not RunStatus.QUEUED or (state.owner and not owners.is_ours(state.owner)):
            return
        if state.before is not None:
            self.write_state(state.not_resumed(why))
        else:
            self.write_state(replace(state, status=status, message=why))

    def metrics(self, since: int = 0) -> tuple[list[Metric], int]:
        """Records written after byte `since`, and the offset to ask from next time. A half-written line is left."""
        lines, following = read_lines(self.metrics_file, since)
        return read_metrics(lines), following

    def samples(self, since: int = 0) -> tuple[list[SampleAnswer], int]:
        """The model's answers to the fixed prompts at each evaluation; read as `metrics` is."""
        lines, following = read_lines(self.samples_file, since)
        return read_answers(lines), following

    def log_tail(self, lines: int = 200) -> str:
        """The last lines of `train.log`; reads at most 256 KiB."""
        return tail(self.log_file, lines)

    def log(self, text: str) -> None:
        """Append a line for a person to `train.log`, between two trainings. Raises OSError."""
        with self.log_file.open("a", encoding="utf-8") as file:
            file.write(log_line(text, time.time()))

    def result(self) -> dict[str, Any] | None:
        """The content of `result.json`; None if it is missing or cannot be read."""
        return read_object_or_none(self.result_file)


def log_line(text: str, now: float) -> str:
    """A line of `train.log`, with its time (Unix seconds)."""
    return f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%S}  {text}\n"


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit()


def find_run_dirs(root: Path) -> Iterator[RunDir]:
    """Everything under `root` that holds a run's state, or has the number of a run: broken ones too."""
    try:
        names = sorted(os.listdir(root))
    except OSError:
        return
    for name in names:
        path = root / name
        # not is_file(): what is in the place of the file or the folder may be anything
        if os.path.lexists(path / "state.json") or (RUN_ID.fullmatch(name) and not is_folder(path)):
            yield RunDir(path)
