"""Evaluations, comparisons and leaderboards on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tunixrt_core.cli.show.terminal import err, out, table

if TYPE_CHECKING:
    from tunixrt_core.evaluation.planning import EvalPlan
    from tunixrt_core.evaluation.results.comparison import Comparison
    from tunixrt_core.evaluation.results.leaderboard import Board
    from tunixrt_core.evaluation.results.statistics import Estimate
    from tunixrt_core.evaluation.scorers.known import KnownScorer
    from tunixrt_core.evaluation.sets.leaks import Leaks
    from tunixrt_core.runs.evaluation_record import EvalRecord


def show_results(plans: Sequence[EvalPlan]) -> None:
    """One line per model: right answers in format with their interval and in any form, and leaked prompts."""
    columns = (
        "Model",
        "Rows",
        "Exact match",
        "95 % interval",
        "Right in any form",
        "Format valid",
        "Mean tokens",
        "Hit the limit",
    )
    lines = []
    for plan in plans:
        if (found := plan.folder.summary()) is not None:
            interval = f"{found['exact_match_low']:.3f} to {found['exact_match_high']:.3f}"
            in_format = (found["exact_match"], interval, found.get("flexible_match", ""), found.get("format_valid", ""))
            if plan.spec.setup.prompt == "own":  # it was not asked for the format
                in_format = ("", "", found.get("flexible_match", ""), "")
            lines.append((plan.label, found["rows"], *in_format, found["mean_tokens"], found["hit_limit"]))
    table(columns, lines)
    for plan in plans:
        if (leaks := plan.folder.leaks()) is not None:
            _show_leaks(plan.label, leaks)


def _show_leaks(label: str, leaks: Leaks) -> None:
    if leaks.exact:
        err.print(
            f"{label} was trained on {leaks.exact:,} of these {leaks.eval_rows:,} prompts: scores on them show memory, "
            "not reasoning.",
            style="yellow",
        )
    if leaks.overlap:
        err.print(
            f"{leaks.overlap:,} of {leaks.eval_rows:,} prompts share {leaks.ngram} or more consecutive words with a "
            "train row: so do prompts made from one template, and copied ones."
        )


def show_comparison(first: str, second: str, found: Comparison) -> None:
    """Rows that the second model fixed or broke, the significance of that, and its groups."""
    difference = _interval(found.difference)
    out.print(
        f"{second} against {first}: {found.fixed} fixed, {found.broken} broken of {found.rows}; "
        f"{found.scorer} {difference}, {'McNemar' if found.binary else 'sign test'} p = {found.p_value:.2g}"
    )
    if found.format_gain is not None:
        out.print(found.format_gain.sentence)
    if found.own_gain is not None:
        out.print(found.own_gain.sentence)
    if found.groups:
        table(
            ("Column", "Value", "Rows", "First", "Second", "Better", "Worse", "p (Holm)"),
            [
                (g.column, g.value, g.rows, _mean(g.first), _mean(g.second), g.wins, g.losses, g.p_holm)
                for g in found.groups
            ],
        )
    for warning in found.warnings:
        err.print(warning, style="yellow")


def _interval(estimate: Estimate | None) -> str:
    if estimate is None:
        return "unknown"
    return f"{estimate.value:+.3f} ({estimate.low:+.3f} to {estimate.high:+.3f})"


def _mean(estimate: Estimate | None) -> float | None:
    return None if estimate is None else estimate.value


def show_evaluations(records: Iterable[EvalRecord]) -> None:
    """One line per evaluation, newest first."""
    table(
        ("Evaluation", "State", "Eval set", "Prompt", "Rows", "Exact match", "Right in any form", "Message"),
        [
            (
                record.id,
                record.status.value,
                record.setup.get("eval_set", {}).get("name", ""),
                record.prompt,
                record.metrics.get("rows"),
                record.metrics.get("exact_match"),
                record.metrics.get("flexible_match"),
                record.message,
            )
            for record in records
        ],
        empty="No evaluations were found: `tunixrt evaluate RUN` makes one.",
    )


def show_board(board: Board, metric: str) -> None:
    """The models of one eval set, best first."""
    out.print(f"{' / '.join(board.names)}: {board.eval_set.rows:,} prompts, ranked by {metric}")
    table(
        ("#", "Evaluation", "Model", metric, "95 % interval", "In format", "In any form", "Notes"),
        [
            (
                place,
                e.eval_id,
                e.model,
                e.value,
                "" if e.low is None else f"{e.low:.3f} to {e.high:.3f}",
                e.exact_match,
                e.flexible_match,
                "; ".join(e.notes),
            )
            for place, e in enumerate(board.entries, 1)
        ],
    )


def show_scorers(known: Iterable[KnownScorer]) -> None:
    """Every scorer, and why an unusable one cannot be used."""
    table(
        ("Scorer", "Version", "Unit", "About"),
        [(one.usage, one.version, one.unit, one.problem or one.about) for one in known],
    )
