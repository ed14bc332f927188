"""The look for what needs attention in a home: facts of its newest parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tunixrt_core.errors import NotFound
from tunixrt_core.home import attention
from tunixrt_core.home.attention import Attention, Seen
from tunixrt_core.runs.folder import RunDir
from tunixrt_core.runs.record import Run, RunState, RunStatus

if TYPE_CHECKING:
    from tunixrt_core.home.overview import CheckedStore
    from tunixrt_core.jobs.registry.runs import Registry
    from tunixrt_core.runs.evaluation_record import EvalRecord
    from tunixrt_core.settings import Settings
    from tunixrt_core.store.store import Store

_LOOKED_AT = 20  # newest runs, troubled runs and dataset versions
_TROUBLE = (RunStatus.FAILED, RunStatus.INTERRUPTED)


class Lookout:
    """Looks through the newest parts of a home, and knows what was marked as seen."""

    def __init__(self, settings: Settings, store: Store, registry: Registry) -> None:
        self._store = store
        self._registry = registry
        self.seen = Seen(settings.seen_file)

    def items(self, evaluations: Sequence[EvalRecord], checked: CheckedStore | None) -> list[Attention]:
        """Failed, warned or stale items that are not marked as seen, the most severe first."""
        seen = self.seen.keys()
        found = (
            *self._of_store(checked),
            *self._of_runs(),
            *self._of_versions(),
            *self._of_evaluations(evaluations),
        )
        return attention.ordered(item for item in found if item.key not in seen)

    @cached_property
    def _scorer_versions(self) -> dict[str, int]:
        from tunixrt_core.evaluation.scorers.known import known_scorers

        # imports the user's own packages
        return {one.name: one.version for one in known_scorers() if not one.problem}

    @staticmethod
    def _of_store(checked: CheckedStore | None) -> Iterator[Attention]:
        if checked and checked.health.problems:
            found = checked.health.problems
            at = datetime.fromtimestamp(checked.checked_at, UTC)
            more = f" ({len(found) - 1} more)" if len(found) > 1 else ""
            key = f"database {checked.checked_at}"
            yield Attention(key, "damaged", "Database", f"{found[0]}{more}.", "check database", "", at)

    def _of_runs(self) -> Iterator[Attention]:
        self._registry.unfinished()  # marks those that a dead process left behind
        troubled = self._store.runs.with_status(_TROUBLE, _LOOKED_AT)
        newest = self._registry.page(limit=_LOOKED_AT, after=None).items
        for run in {run.id: run for run in (*troubled, *newest)}.values():
            yield from attention.of_run(run, self._state(run))

    def _of_versions(self) -> Iterator[Attention]:
        for version, outcomes in self._store.datasets.gated(_LOOKED_AT):
            yield from attention.of_version(version, outcomes)
        for missing in self._store.listing.missing()[:_LOOKED_AT]:
            frozen = self._store.listing.version(missing.name, missing.version)
            yield attention.of_missing(missing, frozen.created_at)

    def _of_evaluations(self, records: Sequence[EvalRecord]) -> Iterator[Attention]:
        asked_at = {record.run_id: record.created_at for record in reversed(records) if record.target == "tuned"}
        trained = {
            run_id: (self._train_step(directory), ended_at)
            for run_id, (directory, ended_at) in self._store.runs.ended(asked_at).items()
            if ended_at > asked_at[run_id]
        }
        yield from attention.of_evaluations(records, self._scorer_versions, trained)

    @staticmethod
    def _state(run: Run) -> RunState:
        try:
            return RunDir(Path(run.directory)).state()
        except NotFound:  # the folder was removed; the record remains
            return RunState(status=run.status, message=run.message)

    @staticmethod
    def _train_step(directory: str) -> int:
        try:
            return RunDir(Path(directory)).state().train_step
        except NotFound:
            return 0
