"""The fields of a manifest that say how fast and in how much memory it trains, and when it saves and ends early."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.ui.forms.fields import choice_field, number_field, toggle_field
from app.ui.forms.source import Label
from tunixrt_core.manifest.sections import Dtype, Quantization, Remat

# What the fields hold where the preset of the model says nothing else, by the flat names of hyperparameters.
SPEED_DEFAULTS: dict[str, Any] = {
    "packing": False,
    "length_buckets": 1,
    "dtype": Dtype.FLOAT32.value,
    "remat": Remat.NONE.value,
    "keep_checkpoints": 2,
    "early_stopping": 0,
    "quantization": Quantization.NF4.value,
    "tile_size": 32,
}

REMAT_WORDS = {
    Remat.NONE.value: "Nothing",
    Remat.BLOCK.value: "Attention of each layer",
    Remat.DECODER.value: "Each layer",
}


def speed_fields(prefix: str, label: Label) -> dict[str, Any]:
    """The fields, filled from the session; values by flat name."""
    values: dict[str, Any] = {}
    values["packing"] = toggle_field(
        label("packing", "Pack several rows into one"),
        key=f"{prefix}-packing",
        help="Fills each row of the batch with several rows of the data, which do not see each other. Less padding, "
        "fewer train steps an epoch.",
    )
    with st.grid(3, min_column_width=135):
        if not values["packing"]:
            values["length_buckets"] = number_field(
                label("length_buckets", "Row lengths"),
                1,
                16,
                key=f"{prefix}-length_buckets",
                help="Each is compiled once; more pad less.",
            )
        values["dtype"] = choice_field(
            label("dtype", "Weights"),
            [kind.value for kind in Dtype],
            key=f"{prefix}-dtype",
            help="bfloat16 takes half the memory.",
        )
        values["remat"] = choice_field(
            label("remat", "Compute again"),
            list(REMAT_WORDS),
            format_func=REMAT_WORDS.__getitem__,
            key=f"{prefix}-remat",
            help="In the backward pass, instead of keeping it: less memory, more time.",
        )
        values["keep_checkpoints"] = number_field(
            label("keep_checkpoints", "Checkpoints kept"),
            1,
            1000,
            key=f"{prefix}-keep_checkpoints",
            help="The last ones; the best stays too.",
        )
        patience = number_field(
            label("early_stopping", "End early after"),
            0,
            1000,
            key=f"{prefix}-early_stopping",
            help="So many evaluations in a row without a better eval loss; 0 never ends early.",
        )
    values["early_stopping"] = patience or None
    return values


def quantization_fields(prefix: str, label: Label) -> dict[str, Any]:
    """How the base weights of QLoRA are kept."""
    with st.grid(2, min_column_width=150):
        kind = choice_field(
            label("quantization", "Base weights"), [kind.value for kind in Quantization], key=f"{prefix}-quantization"
        )
        tile = number_field(
            label("tile_size", "Tile size"),
            8,
            4096,
            key=f"{prefix}-tile_size",
            help="Weights that share a scale; it divides their inputs.",
        )
    return {"quantization": kind, "tile_size": tile}
