"""Trainings in the queue."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tunixrt_core.errors import InvalidInput, NotFound, StoreError
from tunixrt_core.jobs.spec import Follower, JobSpec, Tell
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.ownership import Condition
from tunixrt_core.runs.record import RunState, RunStatus
from tunixrt_core.training.stop import StopRequest
from tunixrt_core.util import owners
from tunixrt_core.util.files.atomic import write_json

if TYPE_CHECKING:
    from tunixrt_core.jobs.kinds.workplace import Workplace
    from tunixrt_core.manifest.manifest import RunManifest

log = logging.getLogger(__name__)


def work(spec: JobSpec, place: Workplace, stop: StopRequest, tell: Tell) -> None:
    """Train; the folder records how it ends."""
    from tunixrt_core.manifest.manifest import RunManifest
    from tunixrt_core.training.execution import execute_training
    from tunixrt_core.training.recording.webhook import Webhook

    manifest, folder = RunManifest.from_dict(spec.body["manifest"]), _folder(spec)
    folder.queued_file.unlink(missing_ok=True)
    execute_training(
        manifest,
        folder,
        place.backend,
        stop=stop,
        on_status=lambda state: tell({}),
        on_begun=lambda: tell({"begun": True}),
        allow=spec.body["allow"],
        attempt=place.attempt(spec),
        processes=spec.processes,
        webhook=Webhook(place.webhook, spec.run, manifest.name) if place.webhook else None,
    )


def work_along(spec: JobSpec, place: Workplace, stop: StopRequest) -> None:
    """Train as one of the processes of which the first one does `work`. Raises its error."""
    from tunixrt_core.manifest.manifest import RunManifest
    from tunixrt_core.training.execution import train_along

    train_along(RunManifest.from_dict(spec.body["manifest"]), _folder(spec), place.backend, stop=stop)


def require_shares(manifest: RunManifest, processes: int) -> None:
    """Raises InvalidInput where the rows of a batch do not divide over the processes."""
    if manifest.batch.size % processes:
        raise InvalidInput(
            f"processes: {processes}, over which {manifest.batch.size} rows per batch do not divide. Change one."
        )


def show_waiting(
    manifest: RunManifest,
    folder: RunDir,
    *,
    allow: Iterable[str] = (),
    processes: int = 1,
    request_id: str | None = None,
) -> None:
    """Make the folder of a run show `queued`, and its manifest; of a resume not before its first new train step.

    What is needed to queue it again after a kill is written before its state, the request id with it.
    """
    folder.create()
    resumes = folder.before_resume() is not None
    if not resumes:
        folder.write_manifest(manifest.to_yaml())
    waiting = {
        "allow": sorted(allow),
        "manifest": manifest.to_dict() if resumes else None,
        "processes": processes,
        "request": request_id,
    }
    write_json(folder.queued_file, waiting)
    folder.stop_file.unlink(missing_ok=True)  # of its last training
    folder.write_queued(processes)


def training(
    run_id: str, manifest: RunManifest, folder: RunDir, *, allow: Iterable[str] = (), processes: int = 1
) -> JobSpec:
    """The job of a run. Its folder shows that it waits, as of `show_waiting`, and is made to where it does not.

    `allow` are codes of findings that must not block it, `processes` how many train together.
    """
    allowed = sorted(allow)
    if not _shows_waiting(folder):
        show_waiting(manifest, folder, allow=allowed, processes=processes)
    body = {
        "manifest": manifest.to_dict(),
        "folder": str(folder.path),
        "allow": allowed,
        "processes": processes,
    }
    return JobSpec(run_id, run_id, "train", body, folder.next_attempt().number)


def _again(spec: JobSpec) -> JobSpec:
    """The job of a run whose worker was lost: its next attempt."""
    from tunixrt_core.manifest.manifest import RunManifest

    manifest = RunManifest.from_dict(spec.body["manifest"])
    return training(spec.run, manifest, _folder(spec), allow=spec.body["allow"], processes=spec.processes)


def _shows_waiting(folder: RunDir) -> bool:
    """Whether the folder shows that the run waits for this process."""
    if not folder.queued_file.exists():
        return False
    state = folder.state()
    return not state.status.over and owners.is_ours(state.owner)


def _folder(spec: JobSpec) -> RunDir:
    return RunDir(Path(spec.body["folder"]))


class RunRecords(Protocol):
    """The methods of the store that trainings use."""

    def mirror(self, run_id: str, **changes: Any) -> None: ...


class Trainings(Follower):
    """The follower of trainings: their rows follow their folders."""

    def __init__(self, runs: RunRecords) -> None:
        self._runs = runs

    def told(self, spec: JobSpec, news: Mapping[str, Any]) -> None:
        if why := news.get("waits"):
            self._show_waits(spec, why)
        elif news.get("begun"):
            self._mirror(spec.run, manifest=spec.body["manifest"])
        else:
            self._mirror_state(spec.run, _folder(spec).state())

    def dropped(self, spec: JobSpec) -> None:
        folder = _folder(spec)
        folder.queued_file.unlink(missing_ok=True)
        folder.write_stopped_before_start()
        self._mirror_state(spec.run, folder.state())

    def failed(self, spec: JobSpec, message: str) -> None:
        """A training that began has recorded its outcome itself."""
        log.warning("%s: %s", spec.run, message)
        folder = _folder(spec)
        folder.write_never_began(RunStatus.FAILED, message)
        self._write_failed(spec, message)
        self._mirror_state(spec.run, folder.state())

    def _show_waits(self, spec: JobSpec, why: str) -> None:
        folder = _folder(spec)
        if folder.write_waits(why):
            folder.log(why)
            self._mirror_state(spec.run, folder.state())

    def _write_failed(self, spec: JobSpec, message: str) -> None:
        """Of several processes one failed, and the first one had to be ended before it could record that."""
        folder = _folder(spec)
        state = folder.read_state()
        if spec.processes > 1 and not state.status.over:
            failed = replace(state, status=RunStatus.FAILED, message=message, phase="", ended_at=state.updated_at)
            folder.write_state(failed if state.before is None else state.not_resumed(message))
            folder.log(message)

    def lost(self, spec: JobSpec, why: str, *, again: bool) -> JobSpec | None:
        folder = _folder(spec)
        if (state := folder.written_state()) is None:
            raise NotFound("run folder", str(folder.path))
        if why:  # none of one that another server only let wait
            folder.log(f"{why} It is {'resumed from its last checkpoint' if again else 'not resumed again'}.")
        if why and not state.status.over:
            told = why if again else f"{why} It is given up; resume continues from the last checkpoint."
            interrupted = replace(state, status=RunStatus.INTERRUPTED, message=told, ended_at=state.updated_at)
            folder.write_state(interrupted if state.before is None else state.not_resumed(why))
        following = _again(spec) if again else None
        self._mirror_state(spec.run, folder.state())
        return following

    def condition(self, spec: JobSpec) -> Condition:
        return _folder(spec).condition(spec.attempt)

    def beat(self, spec: JobSpec) -> None:
        _folder(spec).beat()

    def _mirror_state(self, run_id: str, state: RunState) -> None:
        self._mirror(run_id, status=state.status, message=state.message, **state.times())

    def _mirror(self, run_id: str, **changes: Any) -> None:
        try:
            self._runs.mirror(run_id, **changes)
        except StoreError as error:
            # a database that is busy with a long import must not end a training; the folder holds the truth
            log.warning("status of %s not mirrored: %s", run_id, error)
