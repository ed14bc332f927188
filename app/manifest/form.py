"""The manifest form: model, dataset version and hyperparameters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.manifest.choice import ManifestChoice
from app.manifest.fields import (
    LORA_FIELDS,
    MAIN_FIELDS,
    MORE_FIELDS,
    duration_fields,
    lora_fields,
    main_fields,
    more_fields,
    name_field,
)
from app.manifest.hyper_fields import FIELD_WORDS, HyperFields, first_value
from app.manifest.speed_fields import SPEED_FIELDS, quantization_fields, speed_fields
from app.state import get_pipeline
from app.ui.boundary import escape_markdown
from app.ui.components import address_select, card
from app.ui.forms.fields import choice_field, segments_field
from app.ui.forms.source import Source, fill_from, labels, send, send_again
from tunixrt_core.datasets.versions import DatasetVersion
from tunixrt_core.manifest.manifest import HYPERPARAMETERS
from tunixrt_core.manifest.models import BUILTIN_MODEL_IDS
from tunixrt_core.manifest.presets import preset
from tunixrt_core.manifest.sections import Method

# Fields that another model or method fills from its preset.
PRESET_FIELDS = (
    "learning_rate",
    "schedule",
    "batch_size",
    "max_seq_length",
    "epochs",
    "lora_rank",
    "lora_alpha",
    "weight_decay",
    "max_grad_norm",
    "warmup_share",
    "gradient_accumulation",
    "eval_every",
    "checkpoint_every",
    "seed",
    "chat",
    "packing",
    "length_buckets",
    "dtype",
    "trained_dtype",
    "remat",
    "keep_checkpoints",
    "early_stopping",
    "quantization",
    "tile_size",
)
ALL_FIELDS = (*MAIN_FIELDS, *LORA_FIELDS, *SPEED_FIELDS, *MORE_FIELDS)
FIELDS = ("method", "reasoning", "train_on", "earlier_thinking", "too_long", "name", *PRESET_FIELDS)


def pick_dataset(versions: Sequence[DatasetVersion], key: str) -> DatasetVersion:
    """A select box of dataset versions; the address contains the choice as `?dataset=name:version`."""
    by_ref = {f"{v.name}:{v.version}": v for v in versions}

    def words(ref: str) -> str:
        version = by_ref[ref]
        return f"{version.name} v{version.version} ({version.train_rows:,} train, {version.eval_rows:,} eval)"

    return by_ref[address_select("Dataset version", list(by_ref), "dataset", words, key=key)]


def local_models(models_dir: Path) -> list[str]:
    """Built-in models, and directories in the models folder that hold a Hugging Face model."""
    configs = [path for pattern in ("*/config.json", "*/*/config.json") for path in models_dir.glob(pattern)]
    names = sorted(str(path.parent.relative_to(models_dir)) for path in configs)
    return [*BUILTIN_MODEL_IDS, *(name for name in names if name not in BUILTIN_MODEL_IDS)]


def manifest_form(versions: Sequence[DatasetVersion], prefix: str, source: Source | None = None) -> ManifestChoice:
    """The fields of a run, in cards, filled from the source if there is one. Changed fields are marked.

    Choosing another model or method loads its preset.
    """
    if source is not None:
        fill_from(source, prefix, FIELDS)
    if wanted := st.query_params.pop("find", ""):  # of a link to a setting
        st.session_state[f"find-{prefix}"] = wanted
    send(prefix)
    with card("Run", key=f"{prefix}-card-run"):
        with st.grid(2, min_column_width=190):
            model_id = _model_field(prefix, source)
            dataset = pick_dataset(versions, key=f"{prefix}-dataset")
            method = _method_field(prefix, model_id, source)
            _load_preset(prefix, model_id, method)
            start = {**{name: first_value(name) for name in FIELDS}, **preset(model_id, method.value)}
            label = labels(source, prefix, FIELD_WORDS, start)
            fields = HyperFields(prefix, label, model_id, method, st.session_state.get(f"find-{prefix}", ""))
            values: dict[str, Any] = {"method": method.value, "reasoning": fields.choice("reasoning")}
            name = name_field(fields, dataset)
            values |= duration_fields(fields)
    st.text_input(
        "Find a setting", placeholder="Find a setting", key=f"find-{prefix}", icon=":material/search:",
        label_visibility="collapsed",
    )  # fmt: skip
    if fields.search.strip() and not any(fields.found(name) for name in ALL_FIELDS):
        st.caption("No setting has these words.")
    with _folded("Optimizer and length", prefix, "optimizer", fields, MAIN_FIELDS):
        values |= main_fields(fields)
    if method.adapts:
        with _folded("LoRA", prefix, "lora", fields, LORA_FIELDS):
            values |= lora_fields(fields)
            if method is Method.QLORA:
                values |= quantization_fields(fields)
    with _folded("Speed, memory and checkpoints", prefix, "speed", fields, SPEED_FIELDS):
        values |= speed_fields(fields)
    with _folded("More settings", prefix, "more", fields, MORE_FIELDS):
        output_dir, more = more_fields(fields)
    rest = source.without_field((*FIELDS, "train_steps"), model_id) if source else {}
    return ManifestChoice(dataset, model_id, output_dir, {**rest, **values, **more, "name": name})


def _folded(title: str, prefix: str, part: str, fields: HyperFields, names: Sequence[str]) -> DeltaGenerator:
    """An expander, open where it has a setting that is being searched for."""
    found = any(fields.found(name) for name in names)
    # a browser takes `expanded` at the first sight of a key
    return st.expander(title, expanded=found, key=f"{prefix}-{part}{'-found' if found else ''}")


def _model_field(prefix: str, source: Source | None) -> str:
    key = f"{prefix}-model"
    options = local_models(get_pipeline().settings.models_dir)
    wanted = st.query_params.get("model") or st.session_state.get(key) or options[0]
    st.session_state[key] = wanted
    was = source.manifest.model.id if source else wanted

    def write() -> None:
        st.query_params["model"] = str(st.session_state[key] or options[0])

    chosen = choice_field(
        "Base model" if was == wanted else f"Base model :orange[● was {escape_markdown(was)}]",
        options if wanted in options else [*options, wanted],
        accept_new_options=True,
        key=key,
        on_change=write,
        help="`tiny` is built in and learns the example traces on a CPU in minutes. Or type the directory of a "
        "Hugging Face model, or org/name of one in the models folder.",
    )
    return str(chosen or options[0]).strip()


def _method_field(prefix: str, model_id: str, source: Source | None) -> Method:
    label = labels(source, prefix, FIELD_WORDS, {})
    key = f"{prefix}-method"
    asked = st.query_params.get("method")
    known = asked if asked in set(Method) else st.session_state.get(key)
    st.session_state[key] = known or preset(model_id)["method"]

    def write() -> None:
        st.query_params["method"] = str(st.session_state[key])

    chosen = segments_field(
        label("method", HYPERPARAMETERS["method"].label),
        HYPERPARAMETERS["method"].choices,
        format_func=FIELD_WORDS["method"],
        key=key,
        on_change=write,
        required=True,
    )
    return Method(str(chosen))


def _load_preset(prefix: str, model_id: str, method: Method) -> None:
    """Write the preset into the fields before they are drawn, if model or method changed or the fields are new."""
    wanted = (model_id, method.value)
    fresh = f"{prefix}-learning_rate" not in st.session_state
    if st.session_state.get(f"{prefix}-preset") == wanted and not fresh:
        return
    st.session_state[f"{prefix}-preset"] = wanted
    start = preset(model_id, method.value)
    for name in PRESET_FIELDS:
        st.session_state[f"{prefix}-{name}"] = start.get(name, first_value(name))
    send_again(prefix)
    # a loaded manifest may contain train steps
    st.session_state.setdefault(f"{prefix}-by", "Epochs")
