"""Form of a question: run, checkpoint, prompt, sampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from app.playground.earlier import earlier_turns
from app.playground.form_keys import PROMPT, REFERENCE, SYSTEM, TALK
from app.state import get_pipeline
from app.ui.components import address_select, card
from app.ui.forms.answer_fields import checkpoint_options, checkpoint_words, most_tokens, sampling_fields
from tunixrt_core.errors import NotFound
from tunixrt_core.evaluation.questions import Question
from tunixrt_core.runs.evaluation_record import TARGETS
from tunixrt_core.runs.record import Run
from tunixrt_core.traces.conversation import NO_CONVERSATION, Conversation, conversation_of
from tunixrt_core.traces.scores import is_negative
from tunixrt_core.training.trainer import GREEDY, Sampling

MODEL_WORDS = {"base": "Base model", "tuned": "Tuned model"}


@dataclass(frozen=True, slots=True)
class _Source:
    """The source of the prompt."""

    prompt: str
    system: str | None = None
    reference: str | None = None
    conversation: Conversation = NO_CONVERSATION


def prefill() -> None:
    """Fill the fields once from the trace, the prediction or the earlier question in the address."""
    where = _named()
    if not where or st.session_state.get("play-from") == where:
        return
    st.session_state["play-from"] = where
    if "question" in where and st.session_state.get(PROMPT):  # asked from these fields
        return
    if (source := _source(where)) is not None:
        st.session_state[PROMPT] = source.prompt
        st.session_state[SYSTEM] = source.system or ""
        st.session_state[REFERENCE] = source.reference or ""
        st.session_state[TALK] = source.conversation.without_calls()


def _named() -> dict[str, str]:
    """The part of the address that names the source of the prompt. A trace or a prediction contains more than the
    question made from it.
    """
    there = dict(st.query_params.items())
    for names in (("trace",), ("eval", "row"), ("question",)):
        if names[0] in there:
            return {name: there.get(name, "") for name in names}
    return {}


def _source(where: dict[str, str]) -> _Source | None:
    """None for a question that is no longer kept. Raises NotFound for a missing trace or evaluation."""
    rt = get_pipeline()
    if question_id := where.get("question"):
        try:
            question = rt.playground.get(question_id).question
        except NotFound:
            return None
        return _Source(question.prompt, question.system, conversation=question.conversation)
    if ref := where.get("trace"):
        stored = rt.traces.get(ref)
        trace = stored.trace
        own = None if is_negative(score.given for score in stored.scores) else trace.final_answer
        return _Source(trace.prompt, trace.system, trace.reference_answer or own, trace.conversation)
    row = where["row"]
    told = next((p for p in rt.evaluations.get(where["eval"]).predictions if p.id == row), None)
    if told is None:
        raise NotFound("row", row, "The evaluation has not answered it.")
    return _Source(told.prompt, told.system, told.reference, conversation_of(told.conversation))


def question_form(runs: Sequence[Run]) -> Question | None:
    """The fields; the question from them, or None without a prompt. Raises InvalidEvaluation."""
    with card("Question", key="play-form"):
        with st.container(horizontal=True, vertical_alignment="bottom", key="play-models"):
            run_id = _choose_run(runs)
            checkpoint = address_select(
                "Checkpoint",
                checkpoint_options(run_id),
                "checkpoint",
                checkpoint_words,
                key="play-checkpoint",
                width=200,
                help="Checkpoint of the tuned model. The best one has the lowest eval loss.",
            )
            targets = st.pills(
                "Models",
                TARGETS,
                selection_mode="multi",
                default=TARGETS,
                format_func=MODEL_WORDS.__getitem__,
                key="play-targets",
            )
        talk = earlier_turns()
        prompt = st.text_area("Prompt", key=PROMPT, height=120, placeholder="Ask what the run was trained for.")
        with st.expander("System prompt, reference and sampling", key="play-more"):
            system, sampling, tokens = _more()
    if not prompt.strip():
        return None
    return Question(
        run_id=run_id,
        prompt=prompt,
        system=system or None,
        targets=tuple(target for target in TARGETS if target in (targets or ())),
        checkpoint=checkpoint,
        sampling=sampling,
        max_new_tokens=tokens,
        conversation=talk,
    )


def _choose_run(runs: Sequence[Run]) -> str:
    by_id = {run.id: run for run in runs}
    return address_select(
        "Run", list(by_id), "run", lambda one: f"{one} · {by_id[one].name}", key="play-run", width=360
    )


def _more() -> tuple[str, Sampling, int | None]:
    system = st.text_area("System prompt", key=SYSTEM, height=80, placeholder="The run's own")
    st.text_input(
        "Reference answer",
        key=REFERENCE,
        placeholder="Not known",
        help="Correct answer. The models do not see it; it is stored with a kept answer.",
    )
    sampling = sampling_fields("play")
    tokens = most_tokens("play")
    if sampling == GREEDY:
        st.caption("Greedy: always the likeliest token, so the same question gets the same answer.")
    return system.strip(), sampling, tokens
