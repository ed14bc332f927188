"""Check of a home's runs and files, and repair of what cannot be read."""

from __future__ import annotations

import os
import shutil
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from tunixrt_core.errors import BrokenFile, InvalidManifest, OutputError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.health import is_object, problems_of
from tunixrt_core.runs.metrics import Alert, TrainMetric, read_answers, read_metrics
from tunixrt_core.runs.record import Run, RunState, RunStatus
from tunixrt_core.settings import Settings, is_strong_token
from tunixrt_core.store.sql.reading import path_in
from tunixrt_core.util.files.atomic import is_leftover, write_atomic
from tunixrt_core.util.files.regular import open_regular, read_object, read_text

_LINES: dict[str, Callable[[bytes], bool]] = {
    "metrics.jsonl": lambda line: bool(read_metrics(line)),
    "samples.jsonl": lambda line: bool(read_answers(line)),
    "predictions.jsonl": is_object,
}
_OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem of a home. `run` is the run that it belongs to; `fix` says what a repair does about it, and `done`
    whether that was done.
    """

    path: Path
    reason: str
    fix: str
    run: str = ""
    done: bool = False


@dataclass(frozen=True, slots=True)
class _Fix:
    """A finding, and how to fix it. Raises OSError, OutputError."""

    finding: Finding
    act: Callable[[], object]


def look_through(
    settings: Settings, runs: list[Run], move_aside: Callable[[str], object], *, repair: bool
) -> list[Finding]:
    """Every problem of the home's own files and of the folders of `runs`; with `repair`, each is fixed if it can be.

    `move_aside` takes a run off the list. A run that is active is not touched.
    """
    aside = _Aside(settings.aside_dir)
    fixes = [*_of_home(settings, aside)]
    for run in runs:
        fixes += _of_run(run, aside, move_aside) if run.status.over else []
    return [_fixed(fix) if repair else fix.finding for fix in fixes]


def _fixed(fix: _Fix) -> Finding:
    found = fix.finding
    try:
        fix.act()
    except OutputError as error:
        return Finding(found.path, found.reason, str(error), found.run)
    except (OSError, BrokenFile) as error:
        why = error.reason if isinstance(error, BrokenFile) else error.strerror or str(error)
        return Finding(found.path, found.reason, f"not fixed: {why}", found.run)
    return Finding(found.path, found.reason, found.fix, found.run, done=True)


class _Aside:
    """The folder for what is moved aside in one repair, made with the first thing that is moved."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / f"files-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"

    def take(self, path: Path, run: str = "") -> None:
        """Move a file or folder here, if there is one."""
        if not os.path.lexists(path):
            return
        target = self._folder / run
        target.mkdir(parents=True, exist_ok=True)
        number = len(os.listdir(target))
        path.rename(target / (path.name if not os.path.lexists(target / path.name) else f"{path.name}.{number}"))


# --- runs ------------------------------------------------------------------------------------------------------------


def _of_run(run: Run, aside: _Aside, move_aside: Callable[[str], object]) -> Iterator[_Fix]:
    folder = RunDir(Path(run.directory))
    for problem in problems_of(folder):
        fix, act = _fix_of(run, folder, problem, aside, move_aside)
        yield _Fix(Finding(problem.path, problem.reason, fix, run.id), act)
        if problem.path == folder.path:
            return


def _fix_of(
    run: Run, folder: RunDir, problem: BrokenFile, aside: _Aside, move_aside: Callable[[str], object]
) -> tuple[str, Callable[[], object]]:
    path = problem.path
    if path == folder.path:
        return "move the run aside", lambda: move_aside(run.id)
    if path == folder.state_file:
        return "rebuild it from the run's other files", lambda: _rebuild_state(run, folder, aside)
    if path == folder.manifest_file:
        if (manifest := _kept_manifest(run)) is None:
            return "move the run aside", lambda: move_aside(run.id)
        return "write it again as the database has it", lambda: _rewrite_manifest(run, folder, manifest, aside)
    if path.name in _LINES and path.is_file() and not path.is_symlink():
        return "keep the lines that can be read", lambda: _keep_lines(run, path, aside)
    return "move it aside", lambda: aside.take(path, run.id)


def _kept_manifest(run: Run) -> RunManifest | None:
    try:
        return RunManifest.from_dict(dict(run.manifest))
    except InvalidManifest:
        return None


def _rewrite_manifest(run: Run, folder: RunDir, manifest: RunManifest, aside: _Aside) -> None:
    aside.take(folder.manifest_file, run.id)
    folder.write_manifest(manifest.to_yaml())


def _rebuild_state(run: Run, folder: RunDir, aside: _Aside) -> None:
    """The state as far as result, metrics, checkpoints and the row tell it; a run without a result was interrupted."""
    aside.take(folder.state_file, run.id)
    records, result = folder.metrics()[0], folder.result() or {}
    steps = [record.train_step for record in records if isinstance(record, TrainMetric)]
    done = max([*steps, *folder.checkpoint_steps()], default=0)
    times = [record.time for record in records if record.time is not None]
    manifest = _kept_manifest(run)
    status = result.get("status")
    over = status if status in (RunStatus.SUCCEEDED, RunStatus.STOPPED) else RunStatus.INTERRUPTED
    written = folder.path.lstat().st_mtime
    started = run.started_at.timestamp() if run.started_at else written - (times[-1] if times else 0.0)
    folder.write_state(
        RunState(
            status=RunStatus(over),
            train_step=done,
            total_train_steps=manifest.total_train_steps(manifest.data.train_rows) if manifest else done,
            started_at=max(0.0, started),
            updated_at=written,
            ended_at=run.ended_at.timestamp() if run.ended_at else written,
            message="Its state was rebuilt from its other files.",
            alerts=dict(Counter(record.alert for record in records if isinstance(record, Alert))),
        )
    )


def _keep_lines(run: Run, path: Path, aside: _Aside) -> None:
    readable = _LINES[path.name]
    with open_regular(path) as file:
        kept = b"".join(line for line in file if line.endswith(b"\n") and readable(line.strip()))
    aside.take(path, run.id)
    write_atomic(path, kept)


# --- the home --------------------------------------------------------------------------------------------------------


def _of_home(settings: Settings, aside: _Aside) -> Iterator[_Fix]:
    yield from _folders(settings, aside)
    yield from _objects(settings, aside)
    yield from _token(settings, aside)
    yield from _permissions(settings)
    yield from _leftovers(settings)


def _folders(settings: Settings, aside: _Aside) -> Iterator[_Fix]:
    for folder in (
        settings.runs_dir,
        settings.exports_dir,
        settings.models_dir,
        settings.drafts_dir,
        settings.eval_sets_dir,
        settings.compiled_dir,
        settings.server_log.parent,
    ):
        if os.path.lexists(folder) and not folder.is_dir():
            finding = Finding(folder, "is in the place of a folder of the home", "move it aside")
            yield _Fix(finding, partial(aside.take, folder))


def _objects(settings: Settings, aside: _Aside) -> Iterator[_Fix]:
    for path in (settings.check_file, settings.seen_file, *sorted(settings.drafts_dir.glob("*.json"))):
        try:
            read_object(path)
        except BrokenFile as error:
            yield _Fix(Finding(path, error.reason, "move it aside"), partial(aside.take, path))


def _token(settings: Settings, aside: _Aside) -> Iterator[_Fix]:
    path = settings.token_file
    fix = "move it aside; the server makes a new one"
    try:
        weak = not is_strong_token(read_text(path).strip())
    except FileNotFoundError:
        return
    except BrokenFile as error:
        yield _Fix(Finding(path, error.reason, fix), partial(aside.take, path))
        return
    if weak:
        yield _Fix(Finding(path, "is too short or not printable ASCII", fix), partial(aside.take, path))


def _permissions(settings: Settings) -> Iterator[_Fix]:
    """What other users of the machine may read or write: the home itself, its token and its database."""
    for path in (settings.home, settings.token_file, *_database_files(settings)):
        try:
            mode = path.lstat().st_mode
        except OSError:
            continue
        if not stat.S_ISLNK(mode) and mode & _OPEN_TO_OTHERS:
            private = stat.S_IMODE(mode) & ~_OPEN_TO_OTHERS
            finding = Finding(path, f"is open to other users ({stat.filemode(mode)})", "make it private")
            yield _Fix(finding, partial(path.chmod, private))


def _database_files(settings: Settings) -> list[Path]:
    database = path_in(settings.database_url)
    return [] if database is None else [database.with_name(database.name + side) for side in ("", "-wal", "-shm")]


def _leftovers(settings: Settings) -> Iterator[_Fix]:
    """Half-written files and folders of processes that died."""
    exports, runs = settings.exports_dir, settings.runs_dir
    places = [settings.home, exports, settings.drafts_dir, settings.eval_sets_dir, settings.models_dir]
    found = {path for place in places for path in place.glob(".*.tmp")}
    found |= {*exports.glob("*/.*.tmp"), *runs.glob("*/.*.tmp")}
    found |= {*runs.glob("*/export/.*.tmp"), *runs.glob("*/evals/*/.*.tmp")}
    for path in sorted(filter(is_leftover, found)):
        yield _Fix(Finding(path, "was left by a process that died", "delete it"), partial(_delete, path))


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
