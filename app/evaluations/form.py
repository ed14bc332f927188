"""Form of a new evaluation: model, eval set, sampling, scorers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import streamlit as st

from app.evaluations.evaluated import metric_words
from app.evaluations.sets import choose_eval_file
from app.state import get_pipeline
from app.ui.boundary import escape_markdown, say_missing, show_error
from app.ui.components import card, foot_bar
from app.ui.forms.answer_fields import checkpoint_options, checkpoint_words, most_tokens, sampling_fields
from app.ui.forms.submissions import next_submission
from app.ui.navigation import go
from app.ui.visitors import act_button
from app.ui.words import named, plural
from tunixrt_core.errors import TunixRTError
from tunixrt_core.evaluation.scorers.known import known_scorers
from tunixrt_core.evaluation.sets.setup import EvalRequest
from tunixrt_core.runs.evaluation_record import TARGETS, Target
from tunixrt_core.runs.record import Run

_WORDS = {"base": "Base model", "tuned": "Tuned model"}


def show_form(runs: Sequence[Run], why_not: str | None) -> None:
    """The form, and the start. `runs` are over; `why_not` says why no evaluation can start."""
    with card("New evaluation", note="existing answers are kept", key="eval-form"):
        run = _choose_run(runs)
        with st.container(horizontal=True, key="eval-models"):
            targets = st.pills(
                "Models",
                TARGETS,
                selection_mode="multi",
                default=TARGETS,
                format_func=_WORDS.__getitem__,
                key="eval-targets",
            )
            checkpoint = st.selectbox(
                "Checkpoint",
                checkpoint_options(run.id),
                format_func=checkpoint_words,
                key="eval-checkpoint",
                width=200,
                help="Checkpoint of the tuned model. The best one has the lowest eval loss.",
            )
        try:
            eval_file = choose_eval_file()
            folded = st.expander("Answers and scorers", key="eval-answers")
            with folded:
                request = _request(checkpoint, eval_file)
        except TunixRTError as error:
            show_error(error)
            return
        with folded:
            if "base" in (targets or ()):
                request = replace(request, own_prompt=_own_prompt())
            again = st.checkbox("Regenerate existing answers", key="eval-again")
    with foot_bar():
        _start(run, list(targets or ()), request, why_not, again=again)


def _own_prompt() -> bool:
    return st.checkbox(
        "Ask the base model in its own prompt too",
        value=True,
        key="eval-own-prompt",
        help="A second time, in its own chat template with a plain instruction, scored in any form: a part of what a "
        "run gains over its base may be the prompt. Doubles the time of the base model.",
    )


def _choose_run(runs: Sequence[Run]) -> Run:
    by_id = {run.id: run for run in runs}
    wanted = st.query_params.get("run", "")
    ids = list(by_id)
    if wanted and wanted not in by_id:
        say_missing("finished run", wanted)
    chosen = st.selectbox(
        "Run",
        ids,
        index=ids.index(wanted) if wanted in by_id else 0,
        format_func=lambda run_id: f"{run_id} · {by_id[run_id].name}",
        key="eval-run",
    )
    return by_id[chosen]


def _request(checkpoint: str, eval_file: Path | None) -> EvalRequest:
    """The values of the rest of the form. Raises InvalidEvaluation."""
    with st.container(horizontal=True, key="eval-size"):
        limit = st.number_input(
            "Prompts",
            1,
            None,
            None,
            key="eval-limit",
            placeholder="All",
            width=140,
            help="Maximum number of rows to evaluate. Default: all.",
        )
        samples = st.number_input(
            "Answers per prompt",
            1,
            1000,
            1,
            key="eval-samples",
            width=140,
            help="Number of answers per prompt. Default: 1; more need a temperature above 0.",
        )
        tokens = most_tokens("eval")
    sampling = sampling_fields("eval")
    known = [one for one in known_scorers() if not one.setting and not one.problem]
    chosen = st.pills(
        "Scorers",
        [one.name for one in known],
        selection_mode="multi",
        default=[one.name for one in known if not one.package],
        format_func=metric_words,
        key="eval-scorers",
        help="\n\n".join(f"**{metric_words(one.name)}**: {one.about}" for one in known),
    )
    pattern = st.text_input(
        "Also score answers that match",
        key="eval-regex",
        placeholder="A regular expression (optional)",
        help="Adds the scorer `regex` with this pattern.",
    )
    return EvalRequest(
        checkpoint=checkpoint,
        eval_file=eval_file,
        limit=limit,
        samples=samples,
        sampling=sampling,
        max_new_tokens=tokens,
        scorers=(*(chosen or ()), *((f"regex={pattern}",) if pattern else ())),
    )


def _start(run: Run, targets: list[Target], request: EvalRequest, why_not: str | None, *, again: bool) -> None:
    why = why_not or (None if targets else "Choose at least one model.")
    said = f"{named(run)}: {_prompts(run, request)}, {plural(request.samples, 'answer')} each"
    st.caption(escape_markdown(said), width="content")
    busy = get_pipeline().queue.state().holder is not None
    submission = next_submission("evaluation", [run.id, targets, request.to_dict(), again])
    if act_button(
        f"{'Add to queue' if busy else 'Evaluate'}: {plural(len(targets), 'model')}",
        type="primary",
        icon=":material/leaderboard:",
        key=submission.key("start-evaluation"),
        disabled=why is not None,
        help=why,
    ):
        try:
            records = get_pipeline().evaluations.start(run.id, targets, request, again=again, request_id=submission.id)
        except TunixRTError as error:
            show_error(error)
            return
        go("evaluations", run=run.id, set=records[0].setup["eval_set"]["sha256"][:8])


def _prompts(run: Run, request: EvalRequest) -> str:
    """`57 prompts`; a file is counted where it is chosen."""
    if request.eval_file is not None:
        return "all prompts of the file" if request.limit is None else f"at most {plural(request.limit, 'prompt')}"
    rows = int(run.manifest["data"]["eval_rows"])
    return plural(rows if request.limit is None else min(request.limit, rows), "prompt")
