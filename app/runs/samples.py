"""Answers to the fixed prompts at each evaluation, and their changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from app.ui import blocks
from app.ui.reading.reader import show_reading
from app.ui.reading.values import reading_of
from app.ui.words import one_line, plural, whole
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.runs.metrics import SampleAnswer
from tunixrt_core.traces.rendering.parse import parse_completion
from tunixrt_core.traces.rendering.styles import ReasoningStyle
from tunixrt_core.traces.trace import Step

Answers = Mapping[str, SampleAnswer]  # by the id of the prompt


def show_samples(records: Sequence[SampleAnswer], manifest: RunManifest) -> None:
    """The answers of one evaluation, chosen by its train step, each with what changed since the previous one.

    `records` are the lines of samples.jsonl.
    """
    by_step = group_by_step(records)
    if not by_step:
        st.caption(
            "At each evaluation the model answers a few fixed prompts of the eval split. The answers appear here."
            if manifest.cadence.sample_prompts
            else "This run answers no prompts while it trains: cadence.sample_prompts in its manifest is 0."
        )
        return
    steps = list(by_step)
    step = _choose_step(steps)
    before = by_step[steps[steps.index(step) - 1]] if step != steps[0] else {}
    st.caption(summary_line(step, by_step[step]))
    for answer in by_step[step].values():
        _show_answer(answer, before.get(answer.id), manifest.rendering.reasoning)


def group_by_step(records: Sequence[SampleAnswer]) -> dict[int, dict[str, SampleAnswer]]:
    """Answers by train step, in order, and by prompt. For a repeated train step, the last ones."""
    found: dict[int, dict[str, SampleAnswer]] = {}
    for record in records:
        found.setdefault(record.train_step, {})[record.id] = record
    return dict(sorted(found.items()))


def summary_line(step: int, answers: Answers) -> str:
    """`Greedy answers to 4 fixed prompts at train step 600: format valid 4 of 4, exact match 3 of 4.`"""
    said = []
    for name, words in (("format_valid", "format valid"), ("exact_match", "exact match")):
        right = sum(answer.scores.get(name) == 1 for answer in answers.values())
        said.append(f"{words} {right} of {len(answers)}")
    return f"Greedy answers to {plural(len(answers), 'fixed prompt')} at train step {step:,}: {', '.join(said)}."


def _choose_step(steps: Sequence[int]) -> int:
    # a reader of the newest answers moves on to the next ones; any other choice stays
    newest = st.session_state.get("sample-newest")
    st.session_state["sample-newest"] = steps[-1]
    if len(steps) == 1:
        return steps[0]
    held = st.session_state.get("sample-step")
    if held == newest or held not in steps:  # a choice from another run may be missing here
        st.session_state["sample-step"] = steps[-1]
    chosen: int = st.select_slider("Train step", options=steps, format_func=whole, key="sample-step", width=420)
    return chosen


def _show_answer(answer: SampleAnswer, before: SampleAnswer | None, style: ReasoningStyle) -> None:
    right = answer.scores.get("exact_match") == 1
    notes = [plural(answer.tokens, "token")]
    if answer.hit_limit:
        notes.append("cut at the limit")
    if before is not None:
        notes.append("as before" if before.output == answer.output else "changed")
    read = parse_completion(answer.output, style)
    said = reading_of(
        prompt=answer.prompt,
        steps=[Step(i, content) for i, content in enumerate(read.steps)],
        answer=answer.answer,
        reference=answer.reference,
        output=answer.output,
    )
    with st.container(border=True, key=f"sample-{answer.id[:16]}"):
        blocks.facts("", "Match" if right else "Differs", "green" if right else "amber", " · ".join(notes))
        show_reading(said, f"Answer to {one_line(answer.prompt, 60)}", key=f"sample-text-{answer.id[:16]}")
        if before is not None and before.output != answer.output:
            with st.expander("What changed", key=f"sample-changed-{answer.id[:16]}"):
                blocks.changed(before.output, answer.output)
