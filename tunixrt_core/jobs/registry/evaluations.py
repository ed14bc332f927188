"""Evaluations of a home: rows that follow their folders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tunixrt_core.runs.evaluation_record import EvalRecord
from tunixrt_core.runs.record import Run, RunStatus

if TYPE_CHECKING:
    from tunixrt_core.evaluation.folder import EvalDir
    from tunixrt_core.store.store import Store


_GONE = "Its folder is gone, or the files that tell how far it was. Evaluate again."


class EvaluationRegistry:
    """Reads the folder of an evaluation whenever its row is read, and adds folders without a row to the store."""

    def __init__(self, store: Store) -> None:
        self._runs = store.runs
        self._evals = store.evals
        self._seen: dict[str, tuple[str, int]] = {}  # folder of an evaluation -> its `_written` at the last look

    def recover(self) -> None:
        """At start: mark those whose folder is gone as interrupted."""
        for record in self._evals.unfinished():
            self._look_at(record.run_id, _eval_dir(record.directory), record)

    def left_in_queue(self) -> Iterator[EvalDir]:
        """The folders of evaluations that waited in the queue of a server that ended."""
        for directory in self._runs.index().values():
            for file in Path(directory).glob("evals/*/queued.json"):
                if (folder := _eval_dir(file.parent)).left_in_queue:
                    yield folder

    def list(self, run_id: str | None = None) -> list[EvalRecord]:
        """Evaluations, newest first; of one run where given. Includes those in a run's folder."""
        held = {record.directory: record for record in self._evals.list(run_id)}
        # a page of one run asks at each of its script runs: not all runs for that
        one = () if run_id is None else self._runs.named([run_id])
        wanted = self._runs.index() if run_id is None else {run.id: run.directory for run in one}
        for known, directory in wanted.items():
            self._look_into(known, directory, held)
        return self._evals.list(run_id)

    def look_for(self, run: Run) -> None:
        """Update the store from the evaluations in one run's folder."""
        self._look_into(run.id, run.directory, {record.directory: record for record in self._evals.list(run.id)})

    def _look_into(self, run_id: str, directory: str, held: Mapping[str, EvalRecord]) -> None:
        unfinished = (Path(path) for path, record in held.items() if record.run_id == run_id and not record.status.over)
        for path in sorted({*Path(directory).glob("evals/*"), *unfinished}):
            self._look_at(run_id, _eval_dir(path), held.get(str(path)))

    def get(self, eval_id: str) -> EvalRecord:
        """Raises NotFound."""
        record = self._evals.get(eval_id)
        self._look_at(record.run_id, _eval_dir(record.directory), record)
        return self._evals.get(eval_id)

    def add(self, run_id: str, folder: EvalDir) -> EvalRecord:
        """A row for a waiting evaluation, replacing an earlier one."""
        record = _eval_record(run_id, folder, datetime.now(UTC))
        assert record is not None, "its spec is written before an evaluation is queued"
        self._evals.put(record)
        return record

    def mirror(self, eval_id: str, folder: EvalDir) -> None:
        """Update the row from the folder."""
        held = self._evals.get(eval_id)
        told = _eval_record(held.run_id, folder, held.created_at)
        if told is None:
            why = "spec.json cannot be read. Evaluate again."
            self._evals.mirror(eval_id, status=RunStatus.BROKEN, message=why)
            return
        changes = {name: getattr(told, name) for name in ("status", "message", "metrics", "ended_at")}
        self._evals.mirror(eval_id, **changes)

    def _look_at(self, run_id: str, folder: EvalDir, held: EvalRecord | None) -> None:
        """Update the row of an evaluation from its folder. One that is over and was not written since is left; one
        that is not over, and whose folder tells nothing any more, is interrupted.
        """
        if (written := _written(folder)) is None:
            if held and not held.status.over:
                self._evals.mirror(held.id, status=RunStatus.INTERRUPTED, message=_GONE)
            return
        if held and held.status.over and self._seen.get(held.directory) == written:
            return
        self._seen[str(folder.path)] = written
        if held is not None:
            self.mirror(held.id, folder)
            return
        _bring_up_to_date(folder)
        if record := _eval_record(run_id, folder, datetime.fromtimestamp(written[1] / 1e9, UTC)):
            self._evals.put(record)


def _written(folder: EvalDir) -> tuple[str, int] | None:
    """The file that tells the status of an evaluation, and when it was written (nanoseconds): the state, or the summary
    where the state is lost; None where it never began.
    """
    for file in (folder.state_file, folder.summary_file):
        try:
            return file.name, file.lstat().st_mtime_ns
        except OSError:
            continue
    return None


def _eval_dir(path: str | Path) -> EvalDir:
    """The folder of an evaluation; it is not read when runs are listed."""
    from tunixrt_core.evaluation.folder import EvalDir

    return EvalDir(Path(path))


def _bring_up_to_date(folder: EvalDir) -> None:
    if not folder.spec_file.exists():
        from tunixrt_core.jobs.registry.earlier import describe

        describe(folder)


def _eval_record(run_id: str, folder: EvalDir, created_at: datetime) -> EvalRecord | None:
    """The record of an evaluation, read from its folder; None without a readable spec."""
    spec, state = folder.spec(), folder.state()
    if spec is None or state is None:
        return None
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
