"""Runs and evaluations of a home: rows that follow their folders."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunixrt_core.errors import InvalidManifest
from tunixrt_core.runs.evaluation_record import EvalRecord
from tunixrt_core.runs.record import DatasetRef, Run, RunDir, RunState, RunStatus, find_run_dirs
from tunixrt_core.store.query import Page

if TYPE_CHECKING:
    from tunixrt_core.evaluation.predictions import EvalDir
    from tunixrt_core.manifest.manifest import RunManifest
    from tunixrt_core.store.store import Store

log = logging.getLogger(__name__)

_RUN_ID = re.compile(r"r-(\d{4,})")


class Registry:
    """Reads a run's folder whenever its row is read, and adds folders without a row to the store."""

    def __init__(self, store: Store, runs_dir: Path) -> None:
        self._runs = store.runs
        self._evals = store.evals
        self._runs_dir = runs_dir
        self._seen: dict[str, int] = {}  # state.json of an evaluation -> when it was written, at the last look

    def recover(self) -> None:
        """At start: add runs that are only on disk, and mark those of a dead process as interrupted.

        If the home was moved or copied, its runs are those of the new place.
        """
        index = self._runs.index()
        known = set(index.values())
        for folder in find_run_dirs(self._runs_dir):
            if str(folder.path) in known or (manifest := self._manifest(folder)) is None:
                continue
            if (held := index.get(folder.path.name)) and self._was_moved(folder, manifest, Path(held)):
                self._relocate(folder, manifest, Path(held))
            else:
                self.add(manifest, folder, folder.state())
        for run in self._runs.unfinished():
            self._fresh(run)
        for record in self._evals.unfinished():
            if _eval_dir(record.directory).state() is None:
                self._evals.mirror(record.id, status=RunStatus.INTERRUPTED, message="Its folder is gone.")

    def run(self, run_id: str) -> Run:
        return self._fresh(self._runs.get(run_id))

    def unfinished(self) -> list[Run]:
        """The runs that are not over according to their folders, oldest first."""
        fresh = [self._fresh(run) for run in self._runs.unfinished()]
        return [run for run in fresh if not run.status.over]

    def run_by_request(self, request_id: str) -> Run | None:
        found = self._runs.by_request(request_id)
        return self._fresh(found) if found else None

    def page(self, *, limit: int, after: str | None) -> Page[Run]:
        page = self._runs.list(limit=limit, after=after)
        return Page(tuple(self._fresh(run) for run in page.items), page.next)

    def add(self, manifest: RunManifest, folder: RunDir, state: RunState, *, request_id: str | None = None) -> Run:
        """A row for the run in a folder: named by the folder where that is a run's, else by the next number."""
        times = state.times()
        run = Run(
            id=self._id_for(folder),
            name=manifest.name,
            status=state.status,
            manifest=manifest.to_dict(),
            directory=str(folder.path),
            created_at=times["started_at"] or datetime.now(UTC),
            **times,
            message=state.message,
            dataset=DatasetRef(**manifest.dataset.model_dump()) if manifest.dataset else None,
            request_id=request_id,
        )
        self._runs.add(run)
        return run

    def is_numbered(self, folder: Path) -> bool:
        """Whether a folder is one that this home chose: `r-0001` among its runs."""
        return bool(_RUN_ID.fullmatch(folder.name)) and folder.parent == self._runs_dir

    def next_dir(self) -> Path:
        """The folder of the next run: `r-0001`, `r-0002`, …"""
        numbers = [int(found[1]) for name in self._taken() if (found := _RUN_ID.fullmatch(name))]
        return self._runs_dir / f"r-{max(numbers, default=0) + 1:04d}"

    def evaluations(self, run_id: str | None = None) -> list[EvalRecord]:
        """Evaluations, newest first; of one run where given. Includes those in a run's folder."""
        index = self._runs.index()
        held = {record.directory: record for record in self._evals.list(run_id)}
        wanted = index if run_id is None else {run_id: index[run_id]} if run_id in index else {}
        for known, directory in wanted.items():
            self._look_into(known, directory, held)
        return self._evals.list(run_id)

    def look_for_evaluations(self, run: Run) -> None:
        """Update the store from the evaluations in one run's folder."""
        self._look_into(run.id, run.directory, {record.directory: record for record in self._evals.list(run.id)})

    def _look_into(self, run_id: str, directory: str, held: Mapping[str, EvalRecord]) -> None:
        for state_file in sorted(Path(directory).glob("evals/*/state.json")):
            self._look_at(run_id, _eval_dir(state_file.parent), held.get(str(state_file.parent)))

    def evaluation(self, eval_id: str) -> EvalRecord:
        """Raises NotFound."""
        record = self._evals.get(eval_id)
        self._look_at(record.run_id, _eval_dir(record.directory), record)
        return self._evals.get(eval_id)

    def add_evaluation(self, run_id: str, folder: EvalDir) -> EvalRecord:
        """A row for a waiting evaluation, replacing an earlier one."""
        record = _eval_record(run_id, folder, datetime.now(UTC))
        self._evals.put(record)
        return record

    def mirror_evaluation(self, eval_id: str, folder: EvalDir) -> None:
        """Update the row from the folder."""
        held = self._evals.get(eval_id)
        told = _eval_record(held.run_id, folder, held.created_at)
        changes = {name: getattr(told, name) for name in ("status", "message", "metrics", "ended_at")}
        self._evals.mirror(eval_id, **changes)

    def _fresh(self, run: Run) -> Run:
        folder = RunDir(Path(run.directory))
        if not folder.state_file.exists():
            return run
        state = folder.state()
        told: dict[str, Any] = {**state.times(), "status": state.status, "message": state.message}
        if all(getattr(run, name) == value for name, value in told.items()):
            return run
        if (manifest := self._manifest(folder)) is not None:
            told["manifest"] = manifest.to_dict()  # the command may have trained it for longer
        self._runs.mirror(run.id, **told)
        return replace(run, **told)

    def _was_moved(self, folder: RunDir, manifest: RunManifest, held: Path) -> bool:
        """Whether the run that the store knows in `held` is the one in this folder, which has that one's name."""
        same_place = folder.path.relative_to(self._runs_dir.parent) == held.relative_to(held.parents[1])
        return same_place and manifest.to_dict() == dict(self._runs.get(folder.path.name).manifest)

    def _relocate(self, folder: RunDir, manifest: RunManifest, held: Path) -> None:
        """Change paths in the home's old place to the new one: a resume must find its rows there."""
        from tunixrt_core.manifest.manifest import RunManifest

        here = RunManifest.from_dict(rebased(manifest.to_dict(), held.parents[1], self._runs_dir.parent))
        folder.write_manifest(here.to_yaml())
        self._runs.mirror(folder.path.name, directory=str(folder.path), manifest=here.to_dict())
        log.info("%s was in %s before the home was moved", folder.path.name, held)

    def _manifest(self, folder: RunDir) -> RunManifest | None:
        """The manifest in a folder; None if it cannot be read, or was not written yet."""
        from tunixrt_core.manifest.manifest import RunManifest

        try:
            return RunManifest.from_text(folder.manifest_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except InvalidManifest as error:
            # a folder from another version must not keep the server from starting
            log.warning("%s is not listed: its manifest cannot be read (%s)", folder.path, error)
            return None

    def _look_at(self, run_id: str, folder: EvalDir, held: EvalRecord | None) -> None:
        """Update the row of an evaluation from its folder. One that is over and was not written since is left."""
        if not folder.state_file.exists():
            return
        written = folder.state_file.stat().st_mtime_ns
        if held and held.status.over and self._seen.get(held.directory) == written:
            return
        self._seen[str(folder.path)] = written
        if held is not None:
            self.mirror_evaluation(held.id, folder)
        elif folder.spec() is not None:
            self._evals.put(_eval_record(run_id, folder, datetime.fromtimestamp(written / 1e9, UTC)))

    def _id_for(self, folder: RunDir) -> str:
        free = self.is_numbered(folder.path) and folder.path.name not in self._runs.index()
        return folder.path.name if free else self.next_dir().name

    def _taken(self) -> Iterator[str]:
        yield from self._runs.index()
        if self._runs_dir.is_dir():
            yield from (path.name for path in self._runs_dir.iterdir())


def rebased(value: Any, old: Path, new: Path) -> Any:
    """JSON in which paths within `old` have become paths within `new`."""
    if isinstance(value, dict):
        return {key: rebased(each, old, new) for key, each in value.items()}
    if isinstance(value, list):
        return [rebased(each, old, new) for each in value]
    if isinstance(value, str) and Path(value).is_relative_to(old):
        return str(new / Path(value).relative_to(old))
    return value


def _eval_dir(path: str | Path) -> EvalDir:
    """The folder of an evaluation; it is not read when runs are listed."""
    from tunixrt_core.evaluation.predictions import EvalDir

    return EvalDir(Path(path))


def _eval_record(run_id: str, folder: EvalDir, created_at: datetime) -> EvalRecord:
    """The record of an evaluation, read from its folder."""
    spec, state = folder.spec(), folder.state()
    assert spec is not None, "it is written before an evaluation is queued"
    assert state is not None, "it is written before an evaluation is queued"
    return EvalRecord(
        f"{run_id}-{folder.path.name}",
        run_id,
        spec.target,
        state.status,
        str(folder.path),
        created_at,
        metrics=folder.summary() or {},
        ended_at=datetime.fromtimestamp(state.ended_at, UTC) if state.ended_at else None,
        message=state.message,
        train_step=spec.train_step,
        setup=spec.setup.to_dict(),
    )
