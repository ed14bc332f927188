"""Preflight: progress, checks, totals and row lengths."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import plotly.graph_objects as go
import streamlit as st

from app.state import PerPipeline, get_pipeline
from app.ui import blocks
from app.ui.background import computed
from app.ui.blocks import BLUE, TEAL, CheckState
from app.ui.boundary import escape_markdown, show_error
from app.ui.charts.figure import show_figure
from app.ui.components import tiles
from app.ui.words import percent, plural, whole
from tunixrt_core.errors import TunixRTError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.training.preflight.checks import CHECKS
from tunixrt_core.training.preflight.report import (
    Finding,
    Histogram,
    PolicyEffect,
    Preflight,
    Severity,
    Totals,
    counted,
)
from tunixrt_core.util.tasks import Progress, Task, Tasks

# kept until the manifest or its data change
_tasks: PerPipeline[Tasks[Preflight]] = PerPipeline(lambda _: Tasks("preflight", at_once=1, keep=16))
_NAMED = 8

_POLICY_WORDS = {"drop_row": "Leave the row out", "drop_steps": "Drop middle steps"}
_FEW_LENGTHS = 10  # up to this many different lengths, each has its own mark on the axis


def ask_preflight(manifest: RunManifest, *, is_new: bool = True) -> Preflight | None:
    """The preflight of a manifest. While it runs: None, with its progress shown; the page reruns at the end."""
    rt = get_pipeline()

    def check(on_progress: Progress, stop: threading.Event) -> Preflight:
        return rt.manifests.preflight(manifest, is_new=is_new, on_progress=partial(on_progress, "rows"))

    try:
        return computed(_tasks.of(rt), _key(manifest, is_new), check, _show_progress)
    except TunixRTError as error:
        show_error(error)
        return None


def forget_preflight(manifest: RunManifest, *, is_new: bool) -> None:
    """Forget the result, so that the next call checks again."""
    _tasks.of(get_pipeline()).forget(_key(manifest, is_new))


def _key(manifest: RunManifest, is_new: bool) -> tuple[str, bool]:
    # a run's name does not affect the checks, and every typed letter would repeat them
    return manifest.model_copy(update={"name": "run"}).content_hash, is_new


def _show_progress(task: Task[Preflight]) -> None:
    rows = f"{task.done:,} of {plural(task.total, 'row')}" if task.total else "the rows"
    st.progress(task.share, text=f"Encoding {rows}")


def show_banner(found: Preflight) -> None:
    """One sentence at the top if a check blocks."""
    if not found.blocking:
        return
    first, more = found.blocking[0], len(found.blocking) - 1
    rest = f" And {plural(more, 'more check')} below." if more else ""
    st.error(escape_markdown(f"{counted(found.blocking)}: {first.sentence}{rest}"), icon=":material/block:")


def why_blocked(found: Preflight | None) -> str | None:
    """Help text of a disabled button; None if no check blocks."""
    if found is None or not found.blocking:
        return None
    return escape_markdown(f"{counted(found.blocking)}: {found.blocking[0].message}")


def show_tiles(totals: Totals) -> None:
    cut = totals.rows_left_out + totals.rows_shortened
    tokens = totals.tokens or 1
    tiles(
        [
            ("Train rows", whole(totals.train_rows), f"{totals.eval_rows:,} eval rows; {totals.rows:,} in the file."),
            (
                "Trained tokens",
                whole(totals.trained_tokens),
                f"Per epoch: {percent(totals.trained_tokens / tokens)} of {totals.tokens:,} tokens. "
                f"The other {totals.masked_tokens:,} are prompts, which are not trained on.",
            ),
            (
                "Rows cut",
                percent(cut / totals.rows) if totals.rows else whole(0),
                f"{totals.rows_left_out:,} left out, {totals.rows_shortened:,} without some steps, "
                f"{totals.rows_empty:,} with nothing to train on.",
            ),
            ("Answers cut", whole(totals.answers_cut), "Both length policies keep the answer and the end of turn."),
            (
                "Padding",
                percent(totals.padding_share),
                f"{totals.packed_rows:,} rows of the batch hold {totals.train_rows:,} rows; lengths "
                f"{', '.join(f'{n:,}' for n in totals.batch_lengths) or 'none'}.",
            ),
            ("Train steps", whole(totals.train_steps), f"{totals.epochs:g} epochs."),
        ],
        key="preflight-totals",
        columns=6,
        width=140,
    )


def finding_lines(findings: Sequence[Finding]) -> list[tuple[CheckState, str, str]]:
    """Findings for blocks.checks: state, message, and the rows and keys concerned."""
    return [(_state(finding), CHECKS[finding.code].fault, _words(finding)) for finding in findings]


def passed_lines(found: Preflight) -> list[tuple[CheckState, str, str]]:
    return [("pass", CHECKS[code].promise, "") for code in found.passed]


def _state(finding: Finding) -> CheckState:
    return "blocked" if finding.severity is Severity.BLOCKING else "warning"


def _words(finding: Finding) -> str:
    parts = [finding.sentence]
    if finding.rows:
        more = " …" if finding.row_count > _NAMED else ""
        parts.append(f"Rows {', '.join(f'{n:,}' for n in finding.rows[:_NAMED])}{more}")
    if finding.keys:
        parts.append(f"Keys {', '.join(finding.keys)}")
    return "\n".join(parts)


def show_checks(found: Preflight) -> None:
    """All findings, then the checks that passed."""
    if found.findings:
        blocks.checks(finding_lines(found.findings))
    if found.passed:
        label = f"{plural(len(found.passed), 'check')} passed"
        with st.expander(label, key="preflight-passed"):
            blocks.checks(passed_lines(found))


def show_histogram(histogram: Histogram, totals: Totals, limit: int) -> None:
    """Row lengths in tokens, with the maximum length."""
    edges = histogram.edges
    widths = [b - a for a, b in pairwise(edges)]
    middles = [a + width / 2 for a, width in zip(edges, widths, strict=False)]
    spans = [f"{a:,} to {b - 1:,}" for a, b in pairwise(edges)]
    figure = go.Figure()
    for name, counts, color in (("Train", histogram.train, BLUE), ("Eval", histogram.eval, TEAL)):
        if any(counts):
            figure.add_bar(
                x=middles,
                y=counts,
                width=widths,
                name=name,
                marker_color=color,
                customdata=spans,
                hovertemplate="%{customdata} tokens: %{y:,} rows<extra>" + name + "</extra>",
            )
    if limit < edges[-1]:
        figure.add_vline(
            x=limit,
            line_dash="dash",
            line_color=blocks.RUST,
            annotation_text=f" at most {limit:,}",
            annotation_position="top right",
        )
    figure.update_layout(
        barmode="stack",
        height=260,
        margin={"l": 8, "r": 8, "t": 28, "b": 8},
        xaxis_title="Tokens per row",
        yaxis_title="Rows",
        bargap=0.04,
        legend={"orientation": "h", "y": 1.14, "x": 1, "xanchor": "right", "traceorder": "normal"},
    )
    if edges[-1] - edges[0] < _FEW_LENGTHS:
        # whole tokens only, and a limited bar width for a single length
        figure.update_xaxes(nticks=7, tickformat="d", range=[edges[0] - _FEW_LENGTHS / 2, edges[-1] + _FEW_LENGTHS / 2])
    over = totals.rows_left_out + totals.rows_shortened
    longer = f"{plural(over, 'row is', 'rows are')} longer than {limit:,}" if over else f"none is longer than {limit:,}"
    mean = "" if totals.shortest == totals.longest else f", {totals.mean:,.0f} on average"
    said = f"{length_words(totals)}{mean}; {longer}."
    show_figure(figure, key="preflight-histogram", alt=said)
    st.caption(said)


def length_words(totals: Totals) -> str:
    """`Rows have 40 to 83 tokens`."""
    if totals.shortest == totals.longest:
        return f"Every row has {totals.longest:,} tokens"
    return f"Rows have {totals.shortest:,} to {totals.longest:,} tokens"


def show_policies(policies: Sequence[PolicyEffect], chosen: str) -> None:
    """The effect of each length policy on the train rows."""
    st.table(
        [
            {
                "Too long": _POLICY_WORDS[p.policy] + (" (chosen)" if p.policy == chosen else ""),
                "Kept whole": whole(p.kept_whole),
                "Shortened": whole(p.shortened),
                "Left out": whole(p.left_out),
                "Trained tokens": whole(p.trained_tokens),
            }
            for p in policies
        ],
        border="horizontal",
        hide_index=True,
    )
    st.caption("Neither policy cuts an answer, the end of a turn, or the first or last step.")
