"""Form fields of generation: checkpoint, sampling, token limit."""

from __future__ import annotations

import streamlit as st

from app.state import get_pipeline
from tunixrt_core.training.trainer import Sampling


def checkpoint_options(run_id: str) -> list[str]:
    """The last checkpoint, the best one if an evaluation found it, and every saved train step."""
    folder = get_pipeline().runs.folder(run_id)
    best = ["best"] if folder.best_file.is_file() else []
    return ["last", *best, *map(str, folder.checkpoint_steps())]


def checkpoint_words(name: str) -> str:
    return f"Train step {name}" if name.isdigit() else f"{name.capitalize()} one"


def sampling_fields(prefix: str) -> Sampling:
    """Sampling fields, side by side. Raises InvalidEvaluation."""
    with st.container(horizontal=True):
        temperature = st.number_input(
            "Temperature",
            0.0,
            10.0,
            0.0,
            0.1,
            key=f"{prefix}-temperature",
            width=140,
            help="Sampling temperature. Default: 0, always the likeliest token.",
        )
        top_p = st.number_input("Top p", 0.01, 1.0, 1.0, 0.05, key=f"{prefix}-top-p", width=140)
        top_k = st.number_input("Top k", 1, None, None, key=f"{prefix}-top-k", placeholder="All", width=140)
        seed = st.number_input(
            "Seed",
            0,
            2**31 - 1,
            0,
            key=f"{prefix}-seed",
            width=140,
            help="Random seed. Default: 0. The same seed gives the same answers.",
        )
    return Sampling(temperature, top_p, top_k, seed)


def most_tokens(prefix: str) -> int | None:
    """Maximum tokens per answer; None means those of the longest row trained on."""
    return st.number_input(
        "Maximum tokens",
        1,
        None,
        None,
        key=f"{prefix}-tokens",
        placeholder="As trained",
        width=140,
        help="Maximum tokens per answer. Default: those of the longest row trained on.",
    )
