"""Evaluations and their comparison, as the command prints them."""

from __future__ import annotations

from collections.abc import Sequence

from tunixrt_core.eval_execution import EvalPlan
from tunixrt_core.evaluation import Comparison
from tunixrt_core.terminal import out, table


def show_results(plans: Sequence[EvalPlan]) -> None:
    """One line a model: its exact match with the interval that says how sure that is."""
    columns = ("Model", "Rows", "Exact match", "95 % interval", "Format valid", "Mean tokens")
    lines = []
    for plan in plans:
        if (found := plan.folder.summary()) is not None:
            interval = f"{found['exact_match_low']:.3f} to {found['exact_match_high']:.3f}"
            valid = found.get("format_valid", "")
            lines.append((plan.label, found["rows"], found["exact_match"], interval, valid, found["mean_tokens"]))
    table(columns, lines)


def show_comparison(first: str, second: str, found: Comparison) -> None:
    """What the second has right that the first has not, and how sure that is."""
    out.print(
        f"{second} against {first}: {found.fixed} fixed, {found.broken} broken of {found.rows}; "
        f"McNemar p = {found.p_value:.2g}"
    )
