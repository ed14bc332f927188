"""Columns of the playground: the model of each, and how it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from app.playground.form_keys import COLUMNS, EDITED, column_key
from app.ui.boundary import say_missing
from app.ui.forms.answer_fields import checkpoint_options, checkpoint_words, most_tokens, sampling_fields
from tunixrt_core.evaluation.questions.question import Question
from tunixrt_core.runs.evaluation_record import Target
from tunixrt_core.runs.record import Run
from tunixrt_core.training.trainer import GREEDY, Sampling

MOST = 3  # columns
_BASE = "base"  # the choice of the base model; any other choice is a checkpoint of the tuned one


@dataclass(frozen=True, slots=True)
class Column:
    """One model, and how it is asked."""

    number: int
    run_id: str
    target: Target
    checkpoint: str
    sampling: Sampling
    max_new_tokens: int | None


def columns_now(runs: Sequence[Run]) -> list[int]:
    """The numbers of the columns. Those of the address, or the base and the tuned model of a run, at first."""
    found: list[int] = st.session_state.get(COLUMNS, [])
    if "run" in st.query_params:  # a link to the page
        found = _begin(
            [(st.query_params["run"], one) for one in (_BASE, st.query_params.get("checkpoint", "last"))], runs
        )
        for name in ("run", "checkpoint"):
            st.query_params.pop(name, None)
    elif not found or column_key("run", found[0]) not in st.session_state:  # the page was left, and its fields with it
        told = [one.partition(":")[::2] for one in st.query_params.get("models", "").split(",") if one]
        found = _begin(told[:MOST] or [(runs[0].id, one) for one in (_BASE, "last")], runs)
    return found


def keep_models(columns: Sequence[Column]) -> None:
    """Write the models of the columns into the address."""
    named = ",".join(f"{one.run_id}:{_BASE if one.target == 'base' else one.checkpoint}" for one in columns)
    if st.query_params.get("models") != named:
        st.query_params["models"] = named


def _begin(models: Sequence[tuple[str, str]], runs: Sequence[Run]) -> list[int]:
    ids = [run.id for run in runs]
    for missing in dict.fromkeys(run_id for run_id, _ in models if run_id not in ids):
        say_missing("run", missing)
    for number, (run_id, model) in enumerate(models):
        _choose(number, run_id if run_id in ids else ids[0], model)
    st.session_state[COLUMNS] = list(range(len(models)))
    return list(range(len(models)))


def columns_of(questions: Sequence[Question]) -> None:
    """Make the columns those of earlier questions."""
    st.session_state[COLUMNS] = list(range(len(questions)))
    for number, asked in enumerate(questions):
        _choose(number, asked.run_id, _BASE if asked.targets == ("base",) else asked.checkpoint)
        chosen = asked.sampling
        values = {"temperature": chosen.temperature, "top-p": chosen.top_p, "top-k": chosen.top_k, "seed": chosen.seed}
        for name, value in {**values, "tokens": asked.max_new_tokens}.items():
            st.session_state[column_key(name, number)] = value


def column_fields(number: int, runs: Sequence[Run]) -> Column:
    """The fields of a column. Raises InvalidEvaluation."""
    by_id = {run.id: run for run in runs}
    run_key, model_key = column_key("run", number), column_key("model", number)
    if st.session_state.get(run_key) not in by_id:
        st.session_state[run_key] = runs[0].id
    run_id = st.selectbox("Run", list(by_id), format_func=lambda one: f"{one} · {by_id[one].name}", key=run_key)
    options = [_BASE, *checkpoint_options(run_id)]
    if st.session_state.get(model_key) not in options:
        st.session_state[model_key] = "last"
    with st.container(horizontal=True, vertical_alignment="bottom", key=column_key("choice", number), gap="small"):
        model = st.selectbox("Model", options, format_func=model_words, key=model_key)
        with st.popover("Settings", icon=":material/tune:", key=column_key("settings", number)):
            sampling = sampling_fields(f"play-{number}")
            tokens = most_tokens(f"play-{number}")
    with st.container(horizontal=True, vertical_alignment="center", key=column_key("how", number), gap="small"):
        st.caption(settings_words(sampling, tokens), width="stretch")
        if len(st.session_state[COLUMNS]) > 1:
            st.button(
                "Remove",
                icon=":material/close:",
                key=column_key("remove", number),
                type="tertiary",
                on_click=_remove,
                args=(number,),
            )
    target: Target = "base" if model == _BASE else "tuned"
    return Column(number, run_id, target, "last" if target == "base" else model, sampling, tokens)


def offer_column(numbers: Sequence[int]) -> None:
    """Button that adds a column: a copy of the last one."""
    st.button(
        "Add a model",
        icon=":material/add:",
        key="play-add",
        disabled=len(numbers) >= MOST,
        help=f"The same prompt to up to {MOST} models, or to one with other settings.",
        on_click=_add,
    )


def model_words(choice: str) -> str:
    """`Base model`, or which checkpoint of the tuned one."""
    return "Base model" if choice == _BASE else f"Tuned: {checkpoint_words(choice).lower()}"


def settings_words(sampling: Sampling, tokens: int | None) -> str:
    """`Greedy`, or what differs from it: `Temperature 0.7 · top p 0.9 · seed 1 · at most 64 tokens`."""
    parts = ["Greedy"] if sampling.greedy else [f"Temperature {sampling.temperature:g}"]
    if not sampling.greedy:
        parts += [f"top p {sampling.top_p:g}"] if sampling.top_p < GREEDY.top_p else []
        parts += [f"top k {sampling.top_k}"] if sampling.top_k else []
        parts += [f"seed {sampling.seed}"]
    return " · ".join([*parts, *([f"at most {tokens:,} tokens"] if tokens else [])])


def ids_in_address(columns: Sequence[int]) -> list[str]:
    """The question of each column; empty for one that was not asked."""
    told = st.query_params.get("question", "").split(",")
    return [told[place] if place < len(told) else "" for place in range(len(columns))]


def keep_ids(ids: Sequence[str]) -> None:
    """Write the question of each column into the address."""
    if any(ids):
        st.query_params["question"] = ",".join(ids)
    else:
        st.query_params.pop("question", None)


def _choose(number: int, run_id: str, model: str) -> None:
    st.session_state[column_key("run", number)] = run_id
    st.session_state[column_key("model", number)] = model


def _add() -> None:
    numbers: list[int] = st.session_state[COLUMNS]
    new = max(numbers) + 1
    for name in ("run", "model", "temperature", "top-p", "top-k", "seed", "tokens"):
        if (value := st.session_state.get(column_key(name, numbers[-1]))) is not None:
            st.session_state[column_key(name, new)] = value
    st.session_state[COLUMNS] = [*numbers, new]


def _remove(number: int) -> None:
    numbers: list[int] = st.session_state[COLUMNS]
    ids = ids_in_address(numbers)
    keep_ids([id for one, id in zip(numbers, ids, strict=True) if one != number])
    st.session_state[COLUMNS] = [one for one in numbers if one != number]
    if st.session_state.get(EDITED) == number:
        del st.session_state[EDITED]
