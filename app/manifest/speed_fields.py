"""Cards of the manifest form: speed, memory and checkpoints; quantisation."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.manifest.hyper_fields import HyperFields
from tunixrt_core.manifest.sections import Dtype, Method

SPEED_FIELDS = ("packing", "length_buckets", "dtype", "trained_dtype", "remat", "keep_checkpoints", "early_stopping")


def speed_fields(fields: HyperFields) -> dict[str, Any]:
    """Packing, number types and checkpoints; values by flat name."""
    values: dict[str, Any] = {"packing": fields.toggle("packing")}
    with st.grid(3, min_column_width=135):
        if not values["packing"]:
            values["length_buckets"] = fields.number("length_buckets")
        values["dtype"] = fields.choice("dtype")
        if fields.method is Method.FULL and values["dtype"] == Dtype.BFLOAT16:
            values["trained_dtype"] = fields.choice("trained_dtype")
        values["remat"] = fields.choice("remat")
        values["keep_checkpoints"] = fields.number("keep_checkpoints")
        values["early_stopping"] = fields.number("early_stopping")
    return values


def quantization_fields(fields: HyperFields) -> dict[str, Any]:
    """Quantisation of the base weights of QLoRA; values by flat name."""
    with st.grid(2, min_column_width=150):
        return {"quantization": fields.choice("quantization"), "tile_size": fields.number("tile_size")}
