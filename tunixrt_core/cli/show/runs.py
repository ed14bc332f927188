"""Runs on a terminal: live, finished and compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from tunixrt_core.cli.show import terminal
from tunixrt_core.runs.evaluation_record import SIDES
from tunixrt_core.runs.metrics import (
    Alert,
    ChangeMetric,
    CheckpointMetric,
    CompileMetric,
    EvalMetric,
    Metric,
    SamplesMetric,
    TrainMetric,
)
from tunixrt_core.runs.record import RunStatus

if TYPE_CHECKING:
    from tunixrt_core.evaluation.reports.run_summary import RunSummary
    from tunixrt_core.manifest.variants import Difference
    from tunixrt_core.runs.folder import RunDir
    from tunixrt_core.runs.record import RunState
    from tunixrt_core.training.base_model import BaseCheck
    from tunixrt_core.training.trainer import DryRunReport


class RunDisplay:
    """Follows a run's folder while inside: a bar with the newest numbers below it, and a line for each evaluation,
    checkpoint, compilation and alert. Where standard error is no terminal, only the lines. A resume begins with a line
    that says where it continues."""

    def __init__(self, folder: RunDir) -> None:
        self._folder = folder
        earlier, self._cursor = folder.metrics()
        # of a resume: its first new train step cuts records from the file
        self._earlier = earlier if folder.state_or_broken().before is not None else None
        self._told = False
        self._train: TrainMetric | None = None
        self._eval: EvalMetric | None = None
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=terminal.err,
        )
        self._task = self._bar.add_task("loading", total=None)
        self._live = Live(self._drawn(), console=terminal.err, refresh_per_second=4)

    def __enter__(self) -> Self:
        if terminal.err.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def update(self, state: RunState) -> None:
        """Read the folder again."""
        for record in self._new(state):
            if isinstance(record, TrainMetric):
                self._train = record
                continue
            if isinstance(record, EvalMetric):
                self._eval = record
            if line := event_line(record, self._train):
                terminal.err.print(line, style="yellow" if isinstance(record, Alert) else None)
        self._bar.update(
            self._task,
            description=state.phase or str(state.status),
            completed=max(state.train_step, self._train.train_step if self._train else 0),
            total=state.total_train_steps or None,
        )
        self._live.update(self._drawn())

    def _new(self, state: RunState) -> list[Metric]:
        """The records since the last look; of a resume none before its first new train step."""
        if self._earlier is None:
            records, self._cursor = self._folder.metrics(self._cursor)
            return records
        restored = state.plan.get("restored_train_step")
        # a run that waits, or whose resume was refused, shows the plan from before it
        if restored is None or state.status is RunStatus.QUEUED or state.refused:
            return []
        if not self._told:
            terminal.err.print(f"Continues after train step {restored:,} of {state.total_train_steps:,}.")
            self._told = True
        if state.train_step <= restored:
            return []
        from tunixrt_core.training.recording.resuming import is_made_again  # of a resume alone

        kept = sum(not is_made_again(record, restored) for record in self._earlier)
        self._earlier = None
        records, self._cursor = self._folder.metrics()
        return records[kept:]

    def _drawn(self) -> Group:
        return Group(self._bar, Text(numbers_line(self._train, self._eval), style="dim"))


def numbers_line(train: TrainMetric | None, evaluation: EvalMetric | None) -> str:
    """The newest numbers of a run: `loss 0.812 · eval loss 0.827 · lr 0.0002 · 12,460 tokens/s · 12% padding`."""
    now = train or TrainMetric(train_step=0)
    waited, seconds = now.input_wait_seconds, now.step_seconds
    parts = [
        _part(now.loss, lambda v: f"loss {v:.3f}"),
        _part(evaluation and evaluation.loss, lambda v: f"eval loss {v:.3f}"),
        _part(now.learning_rate, lambda v: f"lr {v:.3g}"),
        _part(now.grad_norm, lambda v: f"gradient {v:.3g}"),
        _part(now.tokens_per_second, lambda v: f"{v:,.0f} tokens/s"),
        _part(seconds, lambda v: f"{v:.3g} s per train step"),
        _part(waited / seconds if waited is not None and seconds else None, lambda v: f"{v:.0%} waiting for rows"),
        _part(now.padding_share, lambda v: f"{v:.0%} padding"),
        _part(now.memory_bytes, lambda v: f"{v / 1e9:.2f} GB"),
        _part(now.mfu, lambda v: f"{v:.0%} MFU"),
    ]
    return " · ".join(part for part in parts if part)


def event_line(record: Metric, train: TrainMetric | None = None) -> str:
    """One line for a record other than a train step's; "" for unknown kinds."""
    words = _event_words(record, train)
    return f"train step {record.train_step:,}: {words}" if words else ""


def _event_words(record: Metric, train: TrainMetric | None) -> str:
    match record:
        case EvalMetric():
            return f"{numbers_line(train, record)}{' (the best so far)' if record.best else ''}"
        case SamplesMetric():
            shares = f"{_share(record.exact_match)} right, {_share(record.format_valid)} well formed"
            tokens = _part(record.mean_tokens, lambda v: f", {v:,.0f} tokens on average")
            return f"of {record.rows:,} fixed prompts {shares}{tokens}"
        case CheckpointMetric():
            took = _part(record.seconds, lambda v: f", {v:.1f} s")
            return f"checkpoint saved ({record.reason}{took})"
        case CompileMetric():
            again = "" if record.expected else ", for the second time"
            return f"compiled rows of {record.length:,} tokens in {record.seconds:.1f} s{again}"
        case ChangeMetric():
            return f"resumed with another manifest: {record.words}"
        case Alert():
            return f"{record.alert}: {record.evidence}. {change_words(record.change)}"
    return ""


def change_words(change: Mapping[str, Any] | str) -> str:
    """What to try: `Try a clone with learning_rate=0.0001.`"""
    if isinstance(change, str):
        return change
    return f"Try a clone with {', '.join(f'{name}={value}' for name, value in change.items())}."


def show_summary(summary: RunSummary) -> None:
    """The figures of a run, one per line; what was not measured is left out."""
    best = f"{_loss(summary.best_eval_loss)} at train step {summary.best_train_step}" if summary.best_eval_loss else ""
    lines: list[tuple[str, str]] = [
        ("Train step", f"{summary.train_step:,} of {summary.total_train_steps:,}"),
        ("Train loss", _loss(summary.train_loss)),
        ("Eval loss", _loss(summary.eval_loss)),
        ("Best eval loss", best),
        ("Time", _part(summary.seconds, _duration)),
        ("Trained tokens", _part(summary.trained_tokens, lambda v: f"{v:,}")),
        ("Tokens/s", _part(summary.tokens_per_second, lambda v: f"{v:,.0f} (median)")),
        ("Step time", _part(summary.step_seconds, lambda v: f"{v:.3g} s (median)")),
        ("Waiting for rows", _part(summary.input_wait_share, lambda v: f"{v:.1%} of the time")),
        ("Padding", _part(summary.padding_share, lambda v: f"{v:.1%}")),
        ("Peak memory", _part(summary.peak_memory_bytes, lambda v: f"{v / 1e9:.2f} GB")),
        ("Checkpoints saved", f"{summary.checkpoints}"),
        ("Alerts", f"{summary.alerts}"),
        *((f"Loss of {name}", _loss(value)) for name, value in summary.parts.items()),
        *((f"Exact match, {name}", f"{value:.1%}") for name, value in summary.exact_match.items()),
        *((f"Right in any form, {SIDES[name]}", f"{value:.1%}") for name, value in summary.flexible_match.items()),
    ]
    terminal.table(("", ""), [line for line in lines if line[1]])


def show_dry_run(report: DryRunReport) -> None:
    """The results of a dry run, with their time and memory."""
    lines = [
        ("Train step", f"loss {_loss(report.train_loss)} on {report.tokens:,} tokens"),
        ("Compiling it", _duration(report.compile_seconds)),
        ("Evaluation", f"loss {_loss(report.eval_loss)}" if report.eval_loss is not None else "no eval rows"),
        ("Checkpoint", f"{report.checkpoint_bytes / 1e6:,.1f} MB in {_duration(report.checkpoint_seconds)}"),
        ("Generation", f"{report.generated!r} in {_duration(report.generate_seconds)}"),
        ("Peak memory", f"{report.peak_memory_bytes / 1e9:.2f} GB"),
        ("Total", _duration(report.seconds)),
    ]
    terminal.table(("", ""), lines)


def show_comparison(names: Sequence[str], differences: Sequence[Difference], summaries: Sequence[RunSummary]) -> None:
    """The differences of the manifests, then the results: one column per run."""
    terminal.table(("Setting", *names), [(row.key, *map(_cell, row.values)) for row in differences])
    terminal.out.print()
    rows: list[tuple[str, Callable[[RunSummary], object]]] = [
        ("Status", lambda s: str(s.status)),
        ("Train step", lambda s: s.train_step),
        ("Train loss", lambda s: s.train_loss),
        ("Eval loss", lambda s: s.eval_loss),
        ("Best eval loss", lambda s: s.best_eval_loss),
        ("At train step", lambda s: s.best_train_step),
        ("Time", lambda s: _part(s.seconds, _duration)),
        ("Trained tokens", lambda s: s.trained_tokens),
        ("Tokens/s", lambda s: None if s.tokens_per_second is None else round(s.tokens_per_second)),
        ("Exact match, base", lambda s: s.exact_match.get("base")),
        ("Exact match, tuned", lambda s: s.exact_match.get("tuned")),
        ("Right in any form, base", lambda s: s.flexible_match.get("base")),
        (f"Right in any form, {SIDES['base_own']}", lambda s: s.flexible_match.get("base_own")),
        ("Right in any form, tuned", lambda s: s.flexible_match.get("tuned")),
        ("Alerts", lambda s: s.alerts),
    ]
    terminal.table(("Result", *names), [(name, *map(of, summaries)) for name, of in rows])


def _cell(value: object) -> str:
    return "null" if value is None else f"{value}"


def _part(value: Any, words: Callable[[Any], str]) -> str:
    return "" if value is None or not math.isfinite(value) else words(value)


def _share(value: float | None) -> str:
    return _part(value, lambda v: f"{v:.0%}") or "unknown"


def _loss(value: float | None) -> str:
    return _part(value, lambda v: f"{v:.4f}")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def show_base(found: BaseCheck, *, accepted: bool) -> None:
    """The recorded files of a base model, and what differs on this machine."""
    terminal.table(
        ("File", "Bytes", "Fingerprint", "sha256"),
        [(name, mark.size, mark.fingerprint[:16], mark.sha256 or "") for name, mark in found.found.items()],
    )
    if not found.changed:
        terminal.out.print(f"{found.recorded.model} is the base model of the run.")
    elif accepted:
        terminal.out.print(f"Accepted as the base model from now on: {'; '.join(found.changed)}.")
    else:
        terminal.err.print(f"Another base model: {'; '.join(found.changed)}.", style="red")
