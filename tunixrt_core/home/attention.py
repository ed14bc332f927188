"""Failed, warned or stale items, each with the action that resolves it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import orjson

from tunixrt_core.datasets.gates.findings import GateOutcome
from tunixrt_core.datasets.gates.registry import GATES
from tunixrt_core.datasets.held import HeldRows
from tunixrt_core.datasets.versions import DatasetVersion
from tunixrt_core.errors import BrokenFile
from tunixrt_core.runs.evaluation_record import EvalRecord
from tunixrt_core.runs.record import Run, RunState, RunStatus
from tunixrt_core.util.files.atomic import write_json
from tunixrt_core.util.files.regular import read_object

log = logging.getLogger(__name__)

Kind = Literal["damaged", "failed", "interrupted", "alert", "warning", "stale"]
Action = Literal["check database", "view run", "resume", "review rows", "view dataset", "score again", "evaluate again"]
_ORDER: tuple[Kind, ...] = ("damaged", "failed", "interrupted", "alert", "warning", "stale")
_MOST_SEEN = 2_000


@dataclass(frozen=True, slots=True)
class Attention:
    """One item: a sentence about a `subject`, and the action that resolves it.

    `key` identifies the item, so that a new one about the same subject is shown again. `target` is the run, the
    evaluation or the dataset version (`name:version`) that the action applies to; `rows` of the gate `gate` are to be
    reviewed. `name` is that of the run which `subject` is the id of.
    """

    key: str
    kind: Kind
    subject: str
    text: str
    action: Action
    target: str
    at: datetime
    gate: str = ""
    rows: int = 0
    name: str = ""


def of_run(run: Run, state: RunState) -> Iterator[Attention]:
    """A run that is broken, failed or was interrupted; any other run if it was not resumed or raised alerts."""
    at = run.ended_at or run.created_at
    key = f"{run.id} {run.status} {at.isoformat()}"
    if run.status is RunStatus.BROKEN:
        yield Attention(
            f"{run.id} broken {run.message}", "damaged", run.id, run.message, "view run", run.id, at, name=run.name
        )
    elif run.status is RunStatus.FAILED:
        yield Attention(key, "failed", run.id, _why(run, state), "view run", run.id, at, name=run.name)
    elif run.status is RunStatus.INTERRUPTED:
        yield Attention(key, "interrupted", run.id, _why(run, state), "resume", run.id, at, name=run.name)
    elif state.refused:
        text = f"was not resumed, and is as before: {state.refused}"
        yield Attention(
            f"{run.id} refused {state.refused}", "warning", run.id, text, "view run", run.id, at, name=run.name
        )
    elif state.alerts:
        times = ", ".join(f"{_plain(name)}{f' ({n} times)' if n > 1 else ''}" for name, n in state.alerts.items())
        key = f"{run.id} alerts {sorted(state.alerts.items())}"
        yield Attention(key, "alert", run.id, f"raised alerts: {times}.", "view run", run.id, at, name=run.name)


def of_version(version: DatasetVersion, outcomes: Sequence[GateOutcome]) -> Iterator[Attention]:
    """A dataset version that keeps rows which a gate warned of, with the most important gate."""
    warned = [one for one in outcomes if one.action == "warn" and one.rows and one.gate in GATES]
    if not warned:
        return
    # eval prompts among the training rows make every score of the version worthless
    worst = min(warned, key=lambda one: (one.gate != "contamination", -one.rows))
    more = f", and {len(warned) - 1} more" if len(warned) > 1 else ""
    rows = f"{worst.rows:,} {'row' if worst.rows == 1 else 'rows'}"
    yield Attention(
        key=f"{version.content_hash} {[(one.gate, one.version, one.rows) for one in warned]}",
        kind="warning",
        subject=f"{version.name} v{version.version}",
        text=f"keeps {rows} that a gate warned of: {GATES[worst.gate].title.lower()}{more}.",
        action="review rows",
        target=f"{version.name}:{version.version}",
        at=version.created_at,
        gate=worst.gate,
        rows=worst.rows,
    )


def of_missing(missing: HeldRows, at: datetime) -> Attention:
    """A dataset version that lists deleted traces."""
    return Attention(
        key=f"{missing.label} missing {missing.rows}",
        kind="warning",
        subject=missing.label,
        text=missing.missing_words,
        action="view dataset",
        target=f"{missing.name}:{missing.version}",
        at=at,
        rows=missing.rows,
    )


def of_evaluations(
    records: Iterable[EvalRecord], scorers: Mapping[str, int], trained: Mapping[str, tuple[int, datetime]]
) -> Iterator[Attention]:
    """Stale or failed evaluations. `records` are newest first; only the newest per question counts.

    `scorers` holds their current versions; `trained` holds the train step that a run has reached, and when.
    """
    seen: set[tuple[object, ...]] = set()
    for record in records:
        question = (record.run_id, record.target, orjson.dumps(dict(record.setup), option=orjson.OPT_SORT_KEYS))
        if question not in seen:
            seen.add(question)
            yield from _of_evaluation(record, scorers, trained.get(record.run_id))


def _of_evaluation(
    record: EvalRecord, scorers: Mapping[str, int], trained: tuple[int, datetime] | None
) -> Iterator[Attention]:
    what = f"{record.run_id}, {record.target}"
    at = record.ended_at or record.created_at
    if record.status in (RunStatus.FAILED, RunStatus.INTERRUPTED):
        text = f"was not evaluated: {record.message}"
        yield Attention(f"{record.id} {record.status} {at}", "failed", what, text, "evaluate again", record.run_id, at)
    if record.status is not RunStatus.SUCCEEDED:
        return
    step = record.train_step
    if trained and step is not None and step < trained[0] and record.created_at < trained[1]:
        text = f"was evaluated at train step {step:,}; the run has trained on to {trained[0]:,}."
        yield Attention(f"{record.id} {trained[0]}", "stale", what, text, "evaluate again", record.run_id, at)
    elif older := list(_older(record, scorers)):
        name, was, now = older[0]
        more = f" and {len(older) - 1} more" if len(older) > 1 else ""
        text = f"was scored by {name} v{was}, which is v{now} now{more}."
        yield Attention(f"{record.id} {older}", "stale", what, text, "score again", record.id, at)


def _older(record: EvalRecord, scorers: Mapping[str, int]) -> Iterator[tuple[str, int, int]]:
    for asked, version in sorted(record.metrics.get("scorers", {}).items()):
        now = scorers.get(asked.partition("=")[0], 0)
        if version < now:
            yield asked, version, now


def ordered(items: Iterable[Attention]) -> list[Attention]:
    """The most severe first, then the newest."""
    return sorted(items, key=lambda item: (_ORDER.index(item.kind), -item.at.timestamp()))


def _why(run: Run, state: RunState) -> str:
    why = run.message or "No reason was recorded."
    return why if not state.train_step or "train step" in why else f"at train step {state.train_step:,}: {why}"


def _plain(name: str) -> str:
    return {"nan": "loss became NaN"}.get(name, name.replace("_", " "))


class Seen:
    """Items marked as seen, kept in a file of the home. Safe to use from several threads."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()

    def keys(self) -> frozenset[str]:
        return frozenset(self._read())

    def add(self, keys: Iterable[str]) -> None:
        """Mark these as well; beyond a large number, the oldest are forgotten."""
        with self._lock:
            kept = {**self._read(), **dict.fromkeys(keys, time.time())}
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_json(self._file, dict(list(kept.items())[-_MOST_SEEN:]))

    def _read(self) -> dict[str, float]:
        try:
            return read_object(self._file) or {}
        except BrokenFile as error:
            log.warning("%s; everything counts as not seen.", error)
            return {}
