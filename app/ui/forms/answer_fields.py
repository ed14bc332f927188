"""Form fields of generation: checkpoint, sampling, token limit."""

from __future__ import annotations

import streamlit as st

from app.state import get_pipeline
from tunixrt_core.training.trainer import Sampling


def checkpoint_options(run_id: str) -> list[str]:
    """The last one, the best one where an evaluation found it, and every train step that was saved."""
    folder = get_pipeline().runs.folder(run_id)
    best = ["best"] if folder.best_file.is_file() else []
    return ["last", *best, *map(str, folder.checkpoint_steps())]


def checkpoint_words(name: str) -> str:
    return f"Train step {name}" if name.isdigit() else f"{name.capitalize()} one"


def sampling_fields(prefix: str) -> Sampling:
    """How the next token is chosen; the fields stand side by side. Raises InvalidEvaluation."""
    with st.container(horizontal=True):
        temperature = st.number_input(
            "Temperature",
            0.0,
            10.0,
            0.0,
            0.1,
            key=f"{prefix}-temperature",
            width=140,
            help="0 takes the likeliest token.",
        )
        top_p = st.number_input("Top p", 0.01, 1.0, 1.0, 0.05, key=f"{prefix}-top-p", width=140)
        top_k = st.number_input("Top k", 1, None, None, key=f"{prefix}-top-k", placeholder="All", width=140)
        seed = st.number_input(
            "Seed", 0, 2**31 - 1, 0, key=f"{prefix}-seed", width=140, help="The same seed draws the same answers."
        )
    return Sampling(temperature, top_p, top_k, seed)


def most_tokens(prefix: str) -> int | None:
    """The limit of an answer; None is that of the longest row trained on."""
    return st.number_input(
        "Most tokens",
        1,
        None,
        None,
        key=f"{prefix}-tokens",
        placeholder="As trained",
        width=140,
        help="Of an answer. Otherwise those of the longest row that was trained on.",
    )
