"""One training in the calling thread, for queue and command."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from platform import platform, python_version
from typing import Any

from tunixrt_core.errors import OutputError, Superseded, TunixRTError
from tunixrt_core.manifest.data_file import check_data_unchanged
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import RunState, RunStatus
from tunixrt_core.training.backend import Backend
from tunixrt_core.training.base_model import record_base, require_same_base
from tunixrt_core.training.recording.alerts import Watch
from tunixrt_core.training.recording.recorder import RunRecorder
from tunixrt_core.training.recording.sinks import SparedSink
from tunixrt_core.training.recording.webhook import Webhook
from tunixrt_core.training.stop import StopRequest
from tunixrt_core.training.trainer import DryRunReport, NoObserver, TrainControls, TrainOutcome
from tunixrt_core.util.files.atomic import write_json
from tunixrt_core.util.files.regular import read_object_or_none
from tunixrt_core.util.files.space import unwritable
from tunixrt_core.util.owners import Attempt, Heartbeat

log = logging.getLogger(__name__)

_LONGEST = 300  # characters of an unexpected error in the message of a run
_PACKAGES = ("tunix-rt", "google-tunix", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "qwix", "numpy")


def execute_training(
    manifest: RunManifest,
    folder: RunDir,
    backend: Backend,
    *,
    stop: threading.Event,
    on_status: Callable[[RunState], None] | None = None,
    on_begun: Callable[[], None] = lambda: None,
    allow: Iterable[str] = (),
    webhook: Webhook | None = None,
    attempt: Attempt | None = None,
    processes: int = 1,
) -> RunState:
    """Run one manifest in this thread, from its data file to `result.json`; never raises for a failed run.

    Blocking findings of the preflight fail the run before it trains, except those with a code in `allow`.
    The folder holds the outcome: status, metrics, alerts, log, checkpoints. A `stop` file in it, or the event, ends the
    run after the current train step, with a checkpoint; a `save` file saves one and the run continues.

    A run that was trained before keeps manifest, result and records as they were until its first new train step; an end
    before that is no end of the run, whose state then says in `refused` why. `on_begun` is called when that train step
    is made. `webhook` gets its alerts and its end.

    `attempt`: whose start this is; that of this process where none is given. If another process has started the run
    again, this one stops and writes nothing more to the folder; the state returned is interrupted and says so.
    `processes`: how many train it together; this is the first of them, the others call `train_along`.
    """
    folder.create()
    folder.stop_file.unlink(missing_ok=True)
    folder.save_file.unlink(missing_ok=True)
    recorder = RunRecorder(
        folder,
        watch=Watch(manifest),
        on_status=on_status,
        before=folder.before_resume(),
        attempt=attempt,
        processes=processes,
    )
    recorder.once_begun(lambda: folder.write_manifest(manifest.to_yaml()))
    recorder.once_begun(lambda: folder.result_file.unlink(missing_ok=True))
    if not recorder.has_begun:
        recorder.once_begun(on_begun)
    controls = TrainControls(stop)
    try:
        _train_to_its_end(manifest, folder, backend, recorder, controls, allow, webhook)
    except Superseded as error:
        log.warning("%s", error)
        return replace(recorder.state, status=RunStatus.INTERRUPTED, message=str(error))
    finally:
        recorder.close()
    return recorder.state


def train_along(manifest: RunManifest, folder: RunDir, backend: Backend, *, stop: threading.Event) -> None:
    """Train as one of several processes of which another one calls `execute_training`. Raises its error."""
    backend.begin_together(ready=True)
    backend.trainer().train(manifest, folder.path, observer=NoObserver(), controls=TrainControls(stop))


def _train_to_its_end(
    manifest: RunManifest,
    folder: RunDir,
    backend: Backend,
    recorder: RunRecorder,
    controls: TrainControls,
    allow: Iterable[str],
    webhook: Webhook | None,
) -> None:
    """Raises Superseded, and no other error: the folder records it."""
    try:
        with Heartbeat(recorder.beat), _watch_files(folder, controls, recorder):
            with _begin_together(backend):
                _check_before(manifest, folder, backend, recorder, allow)
            _train(manifest, folder, backend, recorder, controls, webhook)
    except Superseded:
        raise
    except TunixRTError as error:
        recorder.log(f"Failed: {error}")
        recorder.finish(RunStatus.FAILED, message=str(error))
    except Exception as error:  # the worker's outermost frame: the run must record any error
        recorder.log(traceback.format_exc())
        why = unwritable(folder.path, error) or f"{type(error).__name__}: {_short(error)}. The log holds the details."
        recorder.finish(RunStatus.FAILED, message=why)
        log.exception("run in %s failed", folder.path)
    if webhook is not None:
        webhook.ended(recorder.state)


def _short(error: Exception) -> str:
    """The first line of an error: some libraries add pages of their own state."""
    line = str(error).strip().partition("\n")[0]
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


@contextmanager
def _begin_together(backend: Backend) -> Iterator[None]:
    """The result of the block decides for all processes that train together whether they begin."""
    ready = False
    try:
        yield
        ready = True
    finally:
        backend.begin_together(ready=ready)


def _check_before(
    manifest: RunManifest, folder: RunDir, backend: Backend, recorder: RunRecorder, allow: Iterable[str]
) -> None:
    """Write `preflight.json` and log its warnings. Raises PreflightFailed. A resume allows what the start did."""
    recorder.phase("loading")
    check_data_unchanged(manifest.data)
    backend.fetch_model(manifest, recorder.log)
    base = backend.base_directory(manifest)
    require_same_base(folder, manifest, base)
    recorder.once_begun(lambda: record_base(folder, manifest, base))
    allowed = {*allow, *_allowed_before(folder)}
    found = backend.preflight(manifest, folder, is_new=False, sample_rows=0).allowing(allowed)
    recorder.once_begun(lambda: write_json(folder.preflight_file, {**found.summary(), "allowed": sorted(allowed)}))
    for finding in found.warnings:
        recorder.log(f"{'Allowed' if finding.allowed else 'Warning'} ({finding.code}): {finding.sentence}")
    found.require()


def _allowed_before(folder: RunDir) -> list[str]:
    allowed = (read_object_or_none(folder.preflight_file) or {}).get("allowed")
    return [code for code in allowed if isinstance(code, str)] if isinstance(allowed, list) else []


def _train(
    manifest: RunManifest,
    folder: RunDir,
    backend: Backend,
    recorder: RunRecorder,
    controls: TrainControls,
    webhook: Webhook | None,
) -> None:
    recorder.once_begun(lambda: write_json(folder.env_file, environment()))
    sinks = [*backend.sinks(manifest, folder.path), *([webhook] if webhook else [])]
    recorder.sinks = [SparedSink(sink, recorder.log) for sink in sinks]
    outcome = backend.trainer().train(manifest, folder.path, observer=recorder, controls=controls)
    status = RunStatus.STOPPED if outcome.stopped else RunStatus.SUCCEEDED
    if outcome.stopped and not recorder.has_begun:
        recorder.finish(status, message=_why(outcome, controls.stop))
        return
    recorder.begin()  # where all of its train steps were done before
    write_json(folder.result_file, {"status": status, **_result(outcome), "manifest_hash": manifest.content_hash})
    recorder.finish(status, message=_why(outcome, controls.stop), train_step=outcome.train_step)


def _result(outcome: TrainOutcome) -> dict[str, Any]:
    return {
        "train_step": outcome.train_step,
        "train_loss": outcome.train_loss,
        "eval_loss": outcome.eval_loss,
        "checkpoint": outcome.checkpoint.name if outcome.checkpoint else None,
        "ended_early": outcome.ended_early,
        "best_eval_loss": outcome.best_eval_loss,
        "best_checkpoint": outcome.best_checkpoint.name if outcome.best_checkpoint else None,
    }


def _why(outcome: TrainOutcome, stop: threading.Event) -> str:
    if outcome.ended_early:
        return "Ended early: the eval loss had not become lower for early_stopping evaluations."
    return stop.why if outcome.stopped and isinstance(stop, StopRequest) else ""


def execute_dry_run(
    manifest: RunManifest,
    backend: Backend,
    scratch: Path,
    *,
    on_phase: Callable[[str], None] = lambda phase: None,
    stop: threading.Event | None = None,
) -> DryRunReport | None:
    """The largest train step, one evaluation, one checkpoint and one generation of a manifest, in this thread.

    No files are kept. An error that would end the run ends this too. None if it was stopped.
    """
    check_data_unchanged(manifest.data)
    backend.fetch_model(manifest, on_phase)
    return backend.dry_run()(manifest, scratch, on_phase=on_phase, stop=stop or threading.Event())


@contextmanager
def _watch_files(folder: RunDir, controls: TrainControls, recorder: RunRecorder) -> Iterator[None]:
    """Within the block, a `stop` file or the event marks the run as stopping; a `save` file requests a checkpoint."""
    ended = threading.Event()

    def look() -> None:
        if folder.save_file.exists():
            folder.save_file.unlink(missing_ok=True)
            controls.save.set()
        if controls.stop.is_set() or folder.stop_file.exists():
            controls.stop.set()
            recorder.stopping()

    def watch() -> None:
        while not ended.wait(0.2):
            try:
                look()
            except (Superseded, OutputError, OSError) as error:  # the next record of the trainer meets it too
                log.warning("%s: %s", folder.path.name, error)
                return

    watcher = threading.Thread(target=watch, name="tunixrt-file-watcher", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def environment() -> dict[str, Any]:
    """Versions and platform, for `env.json`. No host name, no paths, no environment variables."""
    return {"python": python_version(), "platform": platform(), "packages": dict(_versions())}


def _versions() -> Iterator[tuple[str, str]]:
    for name in _PACKAGES:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue


def run_folder_of(manifest: RunManifest, base: Path) -> RunDir:
    """The folder of a manifest's run: `output_dir`, relative to `base` where it is not absolute."""
    return RunDir(base / Path(manifest.output_dir).expanduser())
