"""Cards of the manifest form: optimizer and length, LoRA, and more settings."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.manifest.hyper_fields import HyperFields
from app.ui.forms.fields import segments_field, text_field
from tunixrt_core.datasets.versions import DatasetVersion
from tunixrt_core.manifest.manifest import HYPERPARAMETERS

MAIN_FIELDS = ("learning_rate", "schedule", "batch_size", "max_seq_length", "too_long")
LORA_FIELDS = ("lora_rank", "lora_alpha", "quantization", "tile_size")
MORE_FIELDS = (
    *("chat", "train_on", "earlier_thinking", "gradient_accumulation", "warmup_share", "weight_decay"),
    *("max_grad_norm", "eval_every", "checkpoint_every", "seed"),
)


def main_fields(fields: HyperFields) -> dict[str, Any]:
    """Optimizer and length; values by flat name."""
    with st.grid(2, min_column_width=190):
        return {
            "learning_rate": fields.number("learning_rate", 1e-7, step=1e-5, format="%e"),
            "schedule": fields.choice("schedule"),
            "batch_size": fields.number("batch_size"),
            "max_seq_length": fields.number("max_seq_length"),
            "too_long": fields.choice("too_long"),
        }


def name_field(fields: HyperFields, dataset: DatasetVersion) -> str:
    """The name of the run; that of its model and dataset unless another is typed."""
    short = fields.model_id.rstrip("/").rsplit("/", 1)[-1]
    called = f"{short}-{dataset.name}-v{dataset.version}"
    return text_field(HYPERPARAMETERS["name"].label, placeholder=called, key=f"{fields.prefix}-name").strip() or called


def duration_fields(fields: HyperFields) -> dict[str, Any]:
    """Epochs or train steps; values by flat name."""
    prefix = fields.prefix
    by = segments_field("Train for", ["Epochs", "Train steps"], key=f"{prefix}-by", required=True)
    if by == "Epochs":
        st.session_state[f"{prefix}-epochs"] = float(st.session_state.get(f"{prefix}-epochs", 1.0))
        return {"epochs": fields.number("epochs", 0.01, step=1.0, format="%g"), "train_steps": None}
    st.session_state.setdefault(f"{prefix}-train_steps", 200)
    return {"epochs": None, "train_steps": fields.number("train_steps")}


def lora_fields(fields: HyperFields) -> dict[str, Any]:
    """Rank and alpha; values by flat name."""
    with st.grid(2, min_column_width=150):
        return {
            "lora_rank": fields.number("lora_rank"),
            "lora_alpha": fields.number("lora_alpha", 0.1, step=1.0, format="%g"),
        }


def more_fields(fields: HyperFields) -> tuple[str | None, dict[str, Any]]:
    """The output directory, if one is named, and the values by flat name."""
    with st.grid(3, min_column_width=135):
        output = text_field(
            "Output directory", placeholder="next run folder of the home", key=f"{fields.prefix}-output_dir"
        )
        values = {
            "chat": fields.choice("chat"),
            "train_on": fields.choice("train_on"),
            "earlier_thinking": fields.choice("earlier_thinking"),
            "gradient_accumulation": fields.number("gradient_accumulation"),
            "warmup_share": fields.number("warmup_share", high=0.99, step=0.01),
            "weight_decay": fields.number("weight_decay", step=0.01),
            "max_grad_norm": fields.number("max_grad_norm", step=0.1),
            "eval_every": fields.number("eval_every"),
            "checkpoint_every": fields.number("checkpoint_every"),
            "seed": fields.number("seed"),
        }
    return output.strip() or None, values
