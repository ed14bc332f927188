"""Form of a question: earlier turns, system prompt, prompt, reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from app.playground.columns import Column, columns_of
from app.playground.earlier import earlier_turns
from app.playground.form_keys import PROMPT, REFERENCE, SYSTEM, TALK
from app.state import get_pipeline
from app.ui.components import card
from tunixrt_core.errors import NotFound
from tunixrt_core.evaluation.questions.question import Question
from tunixrt_core.traces.conversation import NO_CONVERSATION, Conversation, conversation_of
from tunixrt_core.traces.scores import is_negative


@dataclass(frozen=True, slots=True)
class Asking:
    """What every column is asked."""

    prompt: str
    system: str | None = None
    reference: str | None = None
    conversation: Conversation = NO_CONVERSATION

    def of(self, column: Column) -> Question:
        """The question of a column. Raises InvalidEvaluation."""
        return Question(
            run_id=column.run_id,
            prompt=self.prompt,
            system=self.system,
            targets=(column.target,),
            checkpoint=column.checkpoint,
            sampling=column.sampling,
            max_new_tokens=column.max_new_tokens,
            conversation=self.conversation,
        )


def prefill() -> None:
    """Fill the fields once from the trace, the prediction or the earlier questions in the address."""
    where = _named()
    if not where or (st.session_state.get("play-from") == where and PROMPT in st.session_state):
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


def _source(where: dict[str, str]) -> Asking | None:
    """None for questions that are no longer kept. Raises NotFound for a missing trace or evaluation."""
    rt = get_pipeline()
    if ids := where.get("question"):
        return _asked_before(ids.split(","))
    if ref := where.get("trace"):
        stored = rt.traces.get(ref)
        trace = stored.trace
        own = None if is_negative(score.given for score in stored.scores) else trace.final_answer
        return Asking(trace.prompt, trace.system, trace.reference_answer or own, trace.conversation)
    row = where["row"]
    told = next((p for p in rt.evaluations.get(where["eval"]).predictions if p.id == row), None)
    if told is None:
        raise NotFound("row", row, "The evaluation has not answered it.")
    return Asking(told.prompt, told.system, told.reference, conversation_of(told.conversation))


def _asked_before(ids: Sequence[str]) -> Asking | None:
    """What these questions asked; their models become the columns."""
    try:
        questions = [get_pipeline().playground.get(id).question for id in ids if id]
    except NotFound:
        return None
    if not questions:
        return None
    if all(ids):
        columns_of(questions)
    first = questions[0]
    return Asking(first.prompt, first.system, conversation=first.conversation)


def prompt_fields() -> Asking:
    """The fields of what all columns are asked."""
    with card("Question", key="play-form"):
        talk = earlier_turns()
        prompt = st.text_area("Prompt", key=PROMPT, height=120, placeholder="Ask what the run was trained for.")
        with st.grid(2, min_column_width=300):
            system = st.text_area("System prompt", key=SYSTEM, height=68, placeholder="The run's own")
            reference = st.text_area(
                "Reference answer",
                key=REFERENCE,
                height=68,
                placeholder="Not known",
                help="Correct answer. The models do not see it; it is stored with a kept answer.",
            )
    return Asking(prompt, system.strip() or None, reference.strip() or None, talk)
