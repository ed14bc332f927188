"""Histogram of row lengths, counted in the background."""

from __future__ import annotations

import threading

import plotly.graph_objects as plots
import streamlit as st

from app.manifest.form import local_models
from app.state import PerPipeline, get_pipeline
from app.ui import blocks
from app.ui.address import kept_in_address
from app.ui.background import ask
from app.ui.boundary import error_boundary
from app.ui.charts.figure import show_figure
from app.ui.words import plural
from tunixrt_core.datasets.lengths import Lengths, SplitLengths
from tunixrt_core.datasets.versions import DatasetVersion
from tunixrt_core.util.tasks import Progress, Tasks

MOST_COUNTED = 50_000  # rows whose tokens are counted; a larger version is sampled
ESTIMATE = "Estimate (bytes / 4)"
TICK = 1.0

# a version does not change: each tokenizer counts it once
_tasks: PerPipeline[Tasks[Lengths]] = PerPipeline(lambda _: Tasks("lengths", at_once=1, keep=64))


def tokenizer() -> str | None:
    """The model in the address whose tokenizer is used; None for the estimate."""
    wanted = st.query_params.get("tokenizer")
    return wanted if wanted in _models() else None


def pick_tokenizer() -> None:
    """Choose the tokenizer. Without Tunix only the estimate is available."""
    if not get_pipeline().home.tunix_status().available:
        return
    options = [ESTIMATE, *_models()]
    write = kept_in_address("tokenizer", options, ESTIMATE, key="tokenizer")
    st.selectbox("Counted by", options, key="tokenizer", width=240, on_change=write)


def _models() -> list[str]:
    rt = get_pipeline()
    return list(local_models(rt.settings.models_dir)) if rt.home.tunix_status().available else []


def lengths_of(version: DatasetVersion) -> Lengths | None:
    """None while tokens are being counted. Raises TunixMissing, ModelError."""
    rt, model = get_pipeline(), tokenizer()
    tasks, key = _tasks.of(rt), (version.content_hash, model)

    def count(on_progress: Progress, stop: threading.Event) -> Lengths:
        return rt.datasets.lengths(version.name, version.version, model=model, most=MOST_COUNTED)

    if (known := tasks.last(key)) and known.status == "failed":
        tasks.forget(key)  # a retry may succeed: the model may have been downloaded since
    task = ask(tasks, key, count)
    return task.value() if task.over and task.status != "stopped" else None


def wait_for_lengths(version: DatasetVersion) -> None:
    """Report that tokens are being counted, and rerun the page at the end."""
    st.fragment(_wait, run_every=TICK)(version)


def _wait(version: DatasetVersion) -> None:
    with error_boundary():
        if lengths_of(version) is not None:
            st.rerun()
        st.caption(f"Counting the tokens of {plural(min(version.rows, MOST_COUNTED), 'row')} …")


def show_lengths(lengths: Lengths) -> None:
    """Stacked bar chart of tokens per row, train and eval."""
    figure = plots.Figure()
    width = lengths.width
    bars = len(lengths.train.bars)
    spans = [f"{i * width:,} to {(i + 1) * width - 1:,}" for i in range(bars)]
    spans[-1] = f"{(bars - 1) * width:,} or more"
    for name, counts, color in (("Train", lengths.train.bars, blocks.BLUE), ("Eval", lengths.eval.bars, blocks.TEAL)):
        if any(counts):
            figure.add_bar(
                x=[(i + 0.5) * width for i in range(bars)],
                y=counts,
                width=[width] * bars,
                name=name,
                marker_color=color,
                customdata=spans,
                hovertemplate="%{customdata} tokens: %{y:,} rows<extra>" + name + "</extra>",
            )
    figure.update_layout(
        barmode="stack",
        height=280,
        margin={"l": 8, "r": 8, "t": 28, "b": 8},
        xaxis={
            "title": f"Tokens per row (bars of {width:,})",
            "range": [width * (_first(lengths) - 0.5), width * (bars + 0.5)],
        },
        yaxis_title="Rows",
        bargap=0.04,
        legend={"orientation": "h", "y": 1.14, "x": 1, "xanchor": "right", "traceorder": "normal"},
    )
    show_figure(figure, key="length-histogram", alt=finding(lengths))
    counted = f"{plural(lengths.rows, 'row')} counted. " if lengths.rows >= MOST_COUNTED else ""
    st.caption(f"{counted}Prompt, reasoning and answer as plain text; a chat format adds some tokens.")


def _first(lengths: Lengths) -> int:
    """The first bar with rows in it."""
    return next((i for i, both in enumerate(zip(lengths.train.bars, lengths.eval.bars, strict=True)) if any(both)), 0)


def finding(lengths: Lengths) -> str:
    """The histogram in words."""
    sides = [
        f"{side} rows: median {split.median:,}, longest {split.longest:,}, most have {_mode(split, lengths.width)}"
        for side, split in (("Train", lengths.train), ("Eval", lengths.eval))
        if split.rows
    ]
    return f"Tokens per row, {lengths.counted_by}. " + ". ".join(sides) + "." if sides else "There are no rows."


def _mode(split: SplitLengths, width: int) -> str:
    highest = split.bars.index(max(split.bars))
    return f"{highest * width:,} to {(highest + 1) * width - 1:,}"
