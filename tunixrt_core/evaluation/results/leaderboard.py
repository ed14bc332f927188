"""Leaderboards: evaluations ranked per eval set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tunixrt_core.evaluation.sets.setup import EvalSetRef, EvalSetup
from tunixrt_core.runs.evaluation_record import EvalRecord, Target
from tunixrt_core.runs.record import Run, RunStatus
from tunixrt_core.training.trainer import Sampling


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One evaluated model. `notes` name settings that differ from most entries of its board.

    `runs` are all runs with this evaluation of the same base model; for a tuned model it is its run, called `name`.
    `low` and `high` are the metric's 95 % interval where the evaluation has one. Beside the metric, `exact_match` is
    the share of right answers in format, `flexible_match` of those in any form, where the evaluation has them.
    """

    eval_id: str
    runs: tuple[str, ...]
    model: str | None  # None where the run was removed
    dataset: str | None  # name of the dataset that the run trained on
    target: Target
    train_step: int | None
    created_at: datetime
    value: float
    low: float | None
    high: float | None
    rows: int
    scorer_version: int | None
    setup: EvalSetup
    notes: tuple[str, ...] = ()
    exact_match: float | None = None
    flexible_match: float | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """The entries of one eval set, best first. The same rows may have several names."""

    eval_set: EvalSetRef
    names: tuple[str, ...]
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Boards, the one with the newest evaluation first, and the number of evaluations on no board, by reason."""

    metric: str
    boards: tuple[Board, ...]
    without_setup: int  # their eval set is unknown, so they cannot be compared
    without_metric: int


def leaderboard(
    records: Iterable[EvalRecord],
    runs: Iterable[Run],
    *,
    metric: str = "exact_match",
    higher_is_better: bool = True,
    dataset: str | None = None,
    model: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Leaderboard:
    """Finished evaluations ranked by a metric; of equal values the newer first.

    `dataset` is the name of the dataset that the run trained on, `model` the id of the model in its manifest; `since`
    and `until` are moments with a time zone, both included.
    """
    by_id = {run.id: run for run in runs}
    wanted = [
        record
        for record in records
        if record.status is RunStatus.SUCCEEDED
        and (since is None or record.created_at >= since)
        and (until is None or record.created_at <= until)
        and (dataset is None or _dataset(by_id.get(record.run_id)) == dataset)
        and (model is None or _model(by_id.get(record.run_id)) == model)
    ]
    told = [record for record in wanted if record.setup]
    entries = [
        _entry(record, by_id.get(record.run_id), metric, value)
        for record in told
        if (value := _number(record.metrics, metric)) is not None
    ]
    sets: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=lambda e: e.created_at, reverse=True):
        sets.setdefault(entry.setup.eval_set.sha256, []).append(entry)
    boards = tuple(_board(found, metric, higher_is_better) for found in sets.values())
    return Leaderboard(metric, boards, len(wanted) - len(told), len(told) - len(entries))


def _entry(record: EvalRecord, run: Run | None, metric: str, value: float) -> Entry:
    # summaries of older versions have only the interval of exact match
    older = (_number(record.metrics, f"{metric}_low"), _number(record.metrics, f"{metric}_high"))
    interval = record.metrics.get("intervals", {}).get(metric, older)
    return Entry(
        eval_id=record.id,
        runs=(record.run_id,),
        model=_model(run),
        dataset=_dataset(run),
        target=record.target,
        train_step=record.train_step,
        created_at=record.created_at,
        value=value,
        low=interval[0],
        high=interval[1],
        rows=record.metrics.get("rows", 0),
        scorer_version=record.metrics.get("scorers", {}).get(metric),
        setup=EvalSetup.from_dict(record.setup),
        exact_match=_number(record.metrics, "exact_match"),
        flexible_match=_number(record.metrics, "flexible_match"),
        name=run.name if run and record.target == "tuned" else None,
    )


def _board(newest_first: Sequence[Entry], metric: str, higher_is_better: bool) -> Board:
    entries = _bases_once(newest_first)
    ways = [_way(entry, metric) for entry in entries]
    usual = {name: Counter(way[name] for way in ways).most_common(1)[0][0] for name in ways[0]}
    noted = [
        replace(entry, notes=(*entry.notes, *_differences(way, usual)))
        for entry, way in zip(entries, ways, strict=True)
    ]
    noted.sort(key=lambda e: -e.value if higher_is_better else e.value)  # stable: newer first where equal
    names = sorted({entry.setup.eval_set.name for entry in newest_first})
    return Board(newest_first[0].setup.eval_set, tuple(names), tuple(noted))


def _bases_once(entries: Sequence[Entry]) -> list[Entry]:
    """The newest entry of each base model with the same setup and scorers, for all its runs."""
    found: dict[object, list[Entry]] = {}
    for entry in entries:
        same = entry.target == "base" and entry.model is not None
        key = (entry.model, entry.setup.hash, entry.scorer_version) if same else entry.eval_id
        found.setdefault(key, []).append(entry)
    return [_together(same) for same in found.values()]


def _together(same: Sequence[Entry]) -> Entry:
    low, high = min(entry.value for entry in same), max(entry.value for entry in same)
    runs = tuple(dict.fromkeys(run for entry in same for run in entry.runs))
    # the prompt's template and the type of the weights come from the run, so the same model may answer differently
    notes = (f"its {len(same)} evaluations differ: {low:.3g} to {high:.3g}",) if low != high else ()
    return replace(same[0], runs=runs, notes=notes)


def _way(entry: Entry, metric: str) -> dict[str, str]:
    """The settings, besides the rows, that affect a score, as text."""
    setup, version = entry.setup, entry.scorer_version
    return {
        "sampling": _sampling(setup.sampling),
        "answers per row": str(setup.samples),
        "max_new_tokens": str(setup.max_new_tokens),
        "prompt": "the run's" if setup.prompt == "run" else "the model's own",
        f"version of {metric}": "unknown" if version is None else str(version),
    }


def _differences(way: Mapping[str, str], usual: Mapping[str, str]) -> Iterator[str]:
    for name, told in way.items():
        if told != usual[name]:
            yield f"{name}: {told}, others {usual[name]}"


def _sampling(sampling: Sampling) -> str:
    if sampling.greedy:
        return "greedy"
    top_k = "" if sampling.top_k is None else f", top_k {sampling.top_k}"
    return f"temperature {sampling.temperature:g}, top_p {sampling.top_p:g}{top_k}, seed {sampling.seed}"


def _model(run: Run | None) -> str | None:
    return None if run is None else str(run.manifest["model"]["id"])


def _dataset(run: Run | None) -> str | None:
    return None if run is None or run.dataset is None else run.dataset.name


def _number(metrics: Mapping[str, Any], name: str) -> float | None:
    value = metrics.get(name)
    return float(value) if isinstance(value, int | float) else None
