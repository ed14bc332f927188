"""The fields of a manifest: what each holds at first, how it is called, and how its values are said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from app.manifest.speed_fields import REMAT_WORDS, SPEED_DEFAULTS
from app.ui.forms.fields import choice_field, number_field, segments_field, text_field
from app.ui.forms.source import Label
from tunixrt_core.datasets.versions import DatasetVersion
from tunixrt_core.manifest.sections import LengthPolicy, Method, ScheduleKind
from tunixrt_core.traces.rendering.chats import ChatFormat
from tunixrt_core.traces.rendering.styles import ReasoningStyle

STYLE_WORDS = {
    ReasoningStyle.TAGS: "Steps, then answer (tags)",
    ReasoningStyle.THINK: "Steps, then answer (<think>)",
    ReasoningStyle.NUMBERED: "Numbered steps, then answer",
    ReasoningStyle.PLAIN: "Steps, then answer (####)",
    ReasoningStyle.ANSWER: "Answer alone",
}
LENGTH_WORDS = {LengthPolicy.DROP_ROW: "Leave the row out", LengthPolicy.DROP_STEPS: "Drop middle steps"}
METHOD_WORDS = {Method.FULL: "All weights", Method.LORA: "LoRA", Method.QLORA: "QLoRA"}
# how the value of a field is said where it was changed
FIELD_WORDS: dict[str, Callable[[Any], str]] = {
    "reasoning": lambda name: STYLE_WORDS[ReasoningStyle(name)],
    "too_long": lambda name: LENGTH_WORDS[LengthPolicy(name)],
    "method": lambda name: METHOD_WORDS[Method(name)],
    "schedule": str.capitalize,
    "remat": REMAT_WORDS.__getitem__,
}

DEFAULTS: dict[str, Any] = {
    "learning_rate": 2e-4,
    "schedule": ScheduleKind.COSINE.value,
    "batch_size": 8,
    "max_seq_length": 1024,
    "epochs": 1.0,
    "lora_rank": 16,
    "lora_alpha": 32.0,
    "weight_decay": 0.0,
    "max_grad_norm": 1.0,
    "warmup_share": 0.05,
    "gradient_accumulation": 1,
    "eval_every": 50,
    "checkpoint_every": 100,
    "seed": 0,
    "chat": ChatFormat.CHATML.value,
    **SPEED_DEFAULTS,
}


def main_fields(prefix: str, label: Label) -> dict[str, Any]:
    with st.grid(2, min_column_width=190):
        rate = number_field(
            label("learning_rate", "Learning rate"),
            1e-7,
            1.0,
            step=1e-5,
            format="%e",
            key=f"{prefix}-learning_rate",
            help="The highest rate.",
        )
        schedule = choice_field(
            label("schedule", "Schedule"),
            [kind.value for kind in ScheduleKind],
            format_func=str.capitalize,
            key=f"{prefix}-schedule",
            help="How the rate falls after warm-up.",
        )
        batch = number_field(
            label("batch_size", "Batch size"), 1, 65536, key=f"{prefix}-batch_size", help="Rows of one batch."
        )
        length = number_field(
            label("max_seq_length", "Longest row (tokens)"),
            8,
            1_048_576,
            key=f"{prefix}-max_seq_length",
            help="The preflight counts the rows that are longer.",
        )
        too_long = choice_field(
            label("too_long", "Rows that are longer"),
            [policy.value for policy in LengthPolicy],
            format_func=lambda name: LENGTH_WORDS[LengthPolicy(name)],
            key=f"{prefix}-too_long",
            help="Neither cuts an answer, the end of a turn, or the first or last step.",
        )
        by = segments_field("Train for", ["Epochs", "Train steps"], key=f"{prefix}-by", required=True)
        if by == "Epochs":
            st.session_state[f"{prefix}-epochs"] = float(st.session_state.get(f"{prefix}-epochs", 1.0))
            epochs: float | None = number_field(
                label("epochs", "Epochs"), 0.01, 100_000.0, step=1.0, format="%g", key=f"{prefix}-epochs"
            )
            steps = None
        else:
            epochs = None
            st.session_state.setdefault(f"{prefix}-train_steps", 200)
            steps = number_field(label("train_steps", "Train steps"), 1, 100_000_000, key=f"{prefix}-train_steps")
    return {
        "learning_rate": rate,
        "schedule": schedule,
        "batch_size": batch,
        "max_seq_length": length,
        "too_long": too_long,
        "epochs": epochs,
        "train_steps": steps,
    }


def lora_fields(prefix: str, label: Label) -> dict[str, Any]:
    with st.grid(2, min_column_width=150):
        rank = number_field(label("lora_rank", "Rank"), 1, 1024, key=f"{prefix}-lora_rank")
        alpha = number_field(
            label("lora_alpha", "Alpha"), 0.1, 4096.0, step=1.0, format="%g", key=f"{prefix}-lora_alpha"
        )
    return {"lora_rank": rank, "lora_alpha": alpha}


def more_fields(
    prefix: str, model_id: str, dataset: DatasetVersion, label: Label
) -> tuple[str, str | None, dict[str, Any]]:
    short = model_id.rstrip("/").rsplit("/", 1)[-1]
    with st.grid(3, min_column_width=135):
        name = text_field("Run name", placeholder=f"{short}-{dataset.name}-v{dataset.version}", key=f"{prefix}-name")
        output = text_field("Output directory", placeholder="next run folder of the home", key=f"{prefix}-output_dir")
        chat = choice_field(
            label("chat", "Chat format"),
            [chat.value for chat in ChatFormat],
            key=f"{prefix}-chat",
            help="Whose control tokens stand around prompt and completion.",
        )
        values: dict[str, Any] = {"chat": chat}
        values["gradient_accumulation"] = number_field(
            label("gradient_accumulation", "Gradient accumulation"),
            1,
            4096,
            key=f"{prefix}-gradient_accumulation",
            help="Batches in one train step.",
        )
        values["warmup_share"] = number_field(
            label("warmup_share", "Warm-up share"),
            0.0,
            0.99,
            step=0.01,
            key=f"{prefix}-warmup_share",
            help="Of the train steps.",
        )
        values["weight_decay"] = number_field(
            label("weight_decay", "Weight decay"), 0.0, 1.0, step=0.01, key=f"{prefix}-weight_decay"
        )
        clip = number_field(
            label("max_grad_norm", "Clip gradients at"),
            0.0,
            1000.0,
            step=0.1,
            key=f"{prefix}-max_grad_norm",
            help="L2 norm; 0 never clips.",
        )
        values["max_grad_norm"] = clip or None
        values["eval_every"] = number_field(
            label("eval_every", "Evaluate every"), 1, key=f"{prefix}-eval_every", help="Train steps."
        )
        values["checkpoint_every"] = number_field(
            label("checkpoint_every", "Save every"), 1, key=f"{prefix}-checkpoint_every", help="Train steps."
        )
        values["seed"] = number_field(label("seed", "Seed"), 0, 2**32 - 1, key=f"{prefix}-seed")
    return name.strip() or f"{short}-{dataset.name}-v{dataset.version}", output.strip() or None, values
