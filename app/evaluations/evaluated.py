"""Choices of the Evaluations page: eval set, scorer, two evaluations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from app.state import get_pipeline
from app.ui.words import named, plural, whole
from tunixrt_core.evaluation.folder import EvalDir
from tunixrt_core.evaluation.predictions import Prediction
from tunixrt_core.evaluation.results.leaderboard import Board
from tunixrt_core.evaluation.scorers.known import KnownScorer
from tunixrt_core.evaluation.sets.setup import EvalSetup
from tunixrt_core.runs.evaluation_record import EvalRecord
from tunixrt_core.runs.record import Run
from tunixrt_core.traces.rendering.styles import ReasoningStyle


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two evaluations that are compared, with its answers."""

    record: EvalRecord
    run: Run | None
    predictions: Sequence[Prediction]

    @property
    def title(self) -> str:
        return title_of(self.record, self.run)

    @property
    def style(self) -> ReasoningStyle:
        """How this model was trained to write its reasoning."""
        rendering = self.run.manifest["rendering"] if self.run else {}
        return ReasoningStyle(rendering.get("reasoning", ReasoningStyle.TAGS.value))


def title_of(record: EvalRecord, run: Run | None) -> str:
    """`tiny-dial (r-0003), train step 120`, or the base model's name with the run that it was evaluated for."""
    if record.target == "base":
        model = str(run.manifest["model"]["id"]).rstrip("/").rsplit("/", 1)[-1] if run else "base model"
        own = ", own prompt" if record.prompt == "own" else ""
        return f"{model} (base of {record.run_id}{own})"
    return f"{named(run) if run else record.run_id}, train step {whole(record.train_step)}"


def read_side(record: EvalRecord, run: Run | None) -> Side:
    """The answers so far, read again only if the file has changed."""
    file = EvalDir.of(record).predictions_file
    written = file.stat().st_mtime_ns if file.exists() else 0
    return Side(record, run, _read(record.id, str(file), written))


@st.cache_resource(max_entries=16, show_spinner=False)
def _read(eval_id: str, file: str, written: int) -> tuple[Prediction, ...]:
    return get_pipeline().evaluations.get(eval_id).predictions


def on_board(records: Sequence[EvalRecord], board: Board) -> list[EvalRecord]:
    """Every evaluation of the board's eval set, stopped and repeated ones too, newest first."""
    return [r for r in records if r.setup and r.setup["eval_set"]["sha256"] == board.eval_set.sha256]


def default_pair(records: Sequence[EvalRecord], run_id: str = "") -> tuple[EvalRecord | None, EvalRecord]:
    """The default choice: the newest tuned model (of a run, if one is named) and its base.

    Unfinished evaluations come after finished ones, but a tuned model before any base, as the choice stays in the
    address when all have finished. `records` are those of one board, newest first, at least one.
    """
    answered = [r for r in records if r.status.over and r.metrics.get("rows")]
    usable = [*answered, *(r for r in records if not r.status.over)] or list(records)
    tuned = [r for r in usable if r.target == "tuned"]
    second = next((r for r in [*tuned, *usable] if r.run_id == run_id), (tuned or usable)[0])
    rest = [r for r in usable if r.id != second.id]
    own_base = (r for r in rest if r.run_id == second.run_id and r.target == "base" and r.setup == second.setup)
    return next(own_base, next(iter(rest), None)), second


def asked_words(setup: EvalSetup) -> str:
    """`60 prompts · greedy · at most 64 tokens`."""
    sampling = setup.sampling
    how = "greedy" if sampling.greedy else f"temperature {sampling.temperature:g}"
    samples = f" · {plural(setup.samples, 'answer')} each" if setup.samples > 1 else ""
    return f"{plural(setup.eval_set.rows, 'prompt')}{samples} · {how} · at most {setup.max_new_tokens:,} tokens"


def metric_names(records: Sequence[EvalRecord], known: Mapping[str, KnownScorer]) -> list[str]:
    """Scorers of which some evaluation has a mean, in the order of the list of scorers."""
    there = {name for r in records for name in r.metrics.get("scorers", {}) if r.metrics.get(name) is not None}
    return [name for name in known if name in there] + sorted(there - set(known)) or ["exact_match"]


def metric_words(name: str) -> str:
    """`Exact match`."""
    return name.replace("_", " ").capitalize()


def value_words(value: float | None, unit: str) -> str:
    """A share as a percentage, anything else as a number."""
    if value is None:
        return "–"
    return f"{100 * value:.1f}%" if unit == "share" else f"{value:,.1f}"
