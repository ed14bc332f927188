"""Whose work a run or an evaluation is: its state file, attempts, sign of life."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Generic, Literal, TypeVar

from tunixrt_core.errors import BrokenFile, Busy, OutputError, Superseded
from tunixrt_core.runs.record import OwnedState, RunStatus
from tunixrt_core.util import owners
from tunixrt_core.util.files.atomic import write_state
from tunixrt_core.util.files.regular import read_object, read_object_or_none

log = logging.getLogger(__name__)

S = TypeVar("S", bound=OwnedState)
Condition = Literal["alive", "lost", "over"]


class OwnedFolder(Generic[S]):
    """The folder of a run or an evaluation: the owner of its last attempt alone writes its `state.json`."""

    def __init__(self, path: Path, kind: type[S]) -> None:
        self.path = path
        self._kind = kind

    @property
    def state_file(self) -> Path:
        return self.path / "state.json"

    @property
    def queued_file(self) -> Path:
        """While it waits in a server's queue: what was requested, as of the modules of `jobs.kinds`."""
        return self.path / "queued.json"

    @property
    def stop_file(self) -> Path:
        """The stop request: its existence stops the work, from another process too."""
        return self.path / "stop"

    def written_state(self) -> S | None:
        """The state as it was written, its owner may be dead; None where there is none. Raises BrokenFile."""
        if (found := read_object(self.state_file)) is None:
            return None
        try:
            return self._kind.from_dict(found)
        except ValueError as error:
            raise BrokenFile(self.state_file, f"holds a wrong value ({error})") from None

    def write_state(self, state: S) -> None:
        """Raises Superseded where the work was started again since, with a higher attempt than that of `state`."""
        self.require_attempt(state.attempt)
        write_state(self.state_file, state.to_dict())

    def last_attempt(self) -> int:
        """The number of the last start; 0 where there was none, or an older version wrote the file."""
        found = (read_object_or_none(self.state_file) or {}).get("attempt")
        return found if isinstance(found, int) else 0

    def require_attempt(self, number: int) -> None:
        """Raises Superseded where the work was started again since that attempt."""
        if number < (last := self.last_attempt()) and number:
            raise Superseded(self.path.name, number, last)

    def next_attempt(self) -> owners.Attempt:
        """The attempt of a start in this process: the one that waits here, or the one after the last."""
        waits = False
        with suppress(BrokenFile):
            state = self.written_state()
            waits = state is not None and state.status is RunStatus.QUEUED and owners.is_ours(state.owner)
        return owners.Attempt(owners.this_owner(), self.last_attempt() + (0 if waits else 1))

    def condition(self, attempt: int) -> Condition:
        """Whether an attempt is over or another one was started since, or has an owner that is alive, or has lost it.
        Raises BrokenFile.
        """
        state = self.written_state()
        if state is None or is_lost(state):
            return "lost"
        return "over" if state.status.over or state.attempt > attempt else "alive"

    def beat(self) -> None:
        """Write again that it waits for this process, which is alive. Nothing where it belongs to another one."""
        state = self.written_state()
        if state is not None and owners.is_ours(state.owner):
            self.write_state(replace(state, updated_at=time.time()))


class LiveState(Generic[S]):
    """The state of work that this process does. A change of it needs `lock`, as a heartbeat writes it too."""

    def __init__(self, folder: OwnedFolder[S], state: S, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        self.state = state
        self.written_at = 0.0  # Unix seconds
        self.lock = threading.RLock()

    def write(self, state: S) -> None:
        """Make it the state, in the file too. Raises Superseded where the work was started again elsewhere."""
        with self.lock:
            self.written_at = self._clock()
            self.state = replace(state, updated_at=self.written_at)
            self._folder.write_state(self.state)

    def beat(self) -> None:
        """Write the state as it is: its owner is alive. Nothing once it is over."""
        try:
            with self.lock:
                if not self.state.status.over:
                    self.write(self.state)
        except (Superseded, OutputError, OSError) as error:  # the next progress meets it too
            log.warning("%s: %s", self._folder.path.name, error)


def is_lost(state: OwnedState) -> bool:
    """Whether the owner of the work died before its end."""
    return not state.status.over and state.owner != "" and not owners.alive(state.owner, state.updated_at)


def require_over(folder: Path, state: OwnedState) -> None:
    """Raises Busy, which says which process holds the run in `folder` and what to do, for one that is not over."""
    if state.status.over:
        return
    if state.owner == "" or owners.is_ours(state.owner):
        raise Busy(f"{folder.name} is {state.status}; it can be resumed when it is over.")
    since = f" since {datetime.fromtimestamp(state.started_at):%H:%M}" if state.started_at else ""
    raise Busy(
        f"{folder} is {state.status} in {owners.words(state.owner)}{since}, which may be of another "
        "home; it can be resumed when it is over. Wait for its end, or stop it with "
        f"`tunixrt runs stop {folder}`."
    )
