"""The form of a manifest: model, dataset version and hyperparameters, with the preset of the model behind them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from app.components import address_select, card
from app.manifest_choice import ManifestChoice
from app.speed_fields import SPEED_DEFAULTS, quantization_fields, speed_fields
from app.state import get_pipeline
from tunixrt_core.datasets import DatasetVersion
from tunixrt_core.manifest_sections import LengthPolicy, Method, ScheduleKind
from tunixrt_core.presets import BUILTIN_MODEL_IDS, preset
from tunixrt_core.render import ChatFormat, ReasoningStyle

_STYLE_WORDS = {
    ReasoningStyle.TAGS: "Steps, then answer (tags)",
    ReasoningStyle.THINK: "Steps, then answer (<think>)",
    ReasoningStyle.NUMBERED: "Numbered steps, then answer",
    ReasoningStyle.PLAIN: "Steps, then answer (####)",
    ReasoningStyle.ANSWER: "Answer alone",
}
_LENGTH_WORDS = {LengthPolicy.DROP_ROW: "Leave the row out", LengthPolicy.DROP_STEPS: "Drop middle steps"}
_METHOD_WORDS = {Method.FULL: "All weights", Method.LORA: "LoRA", Method.QLORA: "QLoRA"}


def pick_dataset(versions: Sequence[DatasetVersion], key: str) -> DatasetVersion:
    """A select box of dataset versions; the choice stands in the address as `?dataset=name:version`."""
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


def manifest_form(versions: Sequence[DatasetVersion], prefix: str) -> ManifestChoice:
    """The fields of a run, in cards. Choosing another model or method brings that one's preset."""
    with card("Model and data", key=f"{prefix}-card-data"):
        with st.grid(2, min_column_width=190):
            model_id = _model_field(prefix)
            dataset = pick_dataset(versions, key=f"{prefix}-dataset")
            method = st.segmented_control(
                "Train",
                list(Method),
                default=_start_method(model_id),
                format_func=_METHOD_WORDS.__getitem__,
                key=f"{prefix}-method",
                required=True,
            )
            style = st.selectbox(
                "The model learns to write",
                list(ReasoningStyle),
                format_func=_STYLE_WORDS.__getitem__,
                key=f"{prefix}-reasoning",
            )
    assert method is not None, "the control is required"
    assert style is not None, "the box always holds a value"
    _load_preset(prefix, model_id, method)
    values: dict[str, Any] = {"method": method.value, "reasoning": style.value}
    with card("Optimizer and length", note="AdamW", key=f"{prefix}-card-optimizer"):
        values |= _main_fields(prefix)
    if method.adapts:
        with card("LoRA", key=f"{prefix}-card-lora"):
            values |= _lora_fields(prefix)
            if method is Method.QLORA:
                values |= quantization_fields(prefix)
    with st.expander("Speed, memory and checkpoints", key=f"{prefix}-speed"):
        values |= speed_fields(prefix)
    with st.expander("More settings", key=f"{prefix}-more"):
        name, output_dir, more = _more_fields(prefix, model_id, dataset)
    return ManifestChoice(dataset, model_id, output_dir, {"name": name, **values, **more})


def keep_fields(prefix: str) -> None:
    """Remember the fields over a visit to another page: Streamlit forgets what a page does not draw."""
    fields = [str(key) for key in st.session_state if str(key).startswith(f"{prefix}-")]
    st.session_state[f"kept {prefix}"] = {key: st.session_state[key] for key in fields}


def restore_fields(prefix: str) -> None:
    """Before the form is drawn: the fields as `keep_fields` found them, once."""
    for key, value in st.session_state.pop(f"kept {prefix}", {}).items():
        st.session_state[key] = value


def _model_field(prefix: str) -> str:
    chosen = st.selectbox(
        "Base model",
        local_models(get_pipeline().settings.models_dir),
        accept_new_options=True,
        key=f"{prefix}-model",
        help="`tiny` is built in and learns the example traces on a CPU in minutes. Or type the directory of a "
        "Hugging Face model, or org/name of one in the models folder.",
    )
    return str(chosen or "tiny").strip()


def _start_method(model_id: str) -> Method:
    return Method(preset(model_id)["method"])


def _load_preset(prefix: str, model_id: str, method: Method) -> None:
    """Write the preset into the fields, which are not built yet, when model or method changed or the fields are new."""
    wanted = (model_id, method.value)
    fresh = f"{prefix}-learning_rate" not in st.session_state
    if st.session_state.get(f"{prefix}-preset") == wanted and not fresh:
        return
    st.session_state[f"{prefix}-preset"] = wanted
    start = {**_DEFAULTS, **preset(model_id, method.value)}
    for name in _DEFAULTS:
        st.session_state[f"{prefix}-{name}"] = start[name]


_DEFAULTS: dict[str, Any] = {
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


def _main_fields(prefix: str) -> dict[str, Any]:
    with st.grid(2, min_column_width=190):
        rate = st.number_input(
            "Learning rate",
            1e-7,
            1.0,
            step=1e-5,
            format="%e",
            key=f"{prefix}-learning_rate",
            help="The highest rate.",
        )
        schedule = st.selectbox(
            "Schedule",
            [kind.value for kind in ScheduleKind],
            format_func=str.capitalize,
            key=f"{prefix}-schedule",
            help="How the rate falls after warm-up.",
        )
        batch = st.number_input("Batch size", 1, 65536, key=f"{prefix}-batch_size", help="Rows of one batch.")
        length = st.number_input(
            "Longest row (tokens)",
            8,
            1_048_576,
            key=f"{prefix}-max_seq_length",
            help="The preflight counts the rows that are longer.",
        )
        too_long = st.selectbox(
            "Rows that are longer",
            list(LengthPolicy),
            format_func=_LENGTH_WORDS.__getitem__,
            key=f"{prefix}-too_long",
            help="Neither cuts an answer, the end of a turn, or the first or last step.",
        )
        by = st.segmented_control(
            "Train for", ["Epochs", "Train steps"], default="Epochs", key=f"{prefix}-by", required=True
        )
        if by == "Epochs":
            st.session_state[f"{prefix}-epochs"] = float(st.session_state.get(f"{prefix}-epochs", 1.0))
            epochs: float | None = st.number_input(
                "Epochs", 0.01, 100_000.0, step=1.0, format="%g", key=f"{prefix}-epochs"
            )
            steps = None
        else:
            epochs = None
            steps = st.number_input("Train steps", 1, 100_000_000, 200, key=f"{prefix}-train_steps")
    return {
        "learning_rate": rate,
        "schedule": schedule,
        "batch_size": batch,
        "max_seq_length": length,
        "too_long": too_long.value if too_long else None,
        "epochs": epochs,
        "train_steps": steps,
    }


def _lora_fields(prefix: str) -> dict[str, Any]:
    with st.grid(2, min_column_width=150):
        rank = st.number_input("Rank", 1, 1024, key=f"{prefix}-lora_rank")
        alpha = st.number_input("Alpha", 0.1, 4096.0, step=1.0, format="%g", key=f"{prefix}-lora_alpha")
    return {"lora_rank": rank, "lora_alpha": alpha}


def _more_fields(prefix: str, model_id: str, dataset: DatasetVersion) -> tuple[str, str | None, dict[str, Any]]:
    short = model_id.rstrip("/").rsplit("/", 1)[-1]
    with st.grid(3, min_column_width=135):
        name = st.text_input("Run name", placeholder=f"{short}-{dataset.name}-v{dataset.version}", key=f"{prefix}-name")
        output = st.text_input(
            "Output directory", placeholder="next run folder of the home", key=f"{prefix}-output_dir"
        )
        chat = st.selectbox(
            "Chat format",
            [chat.value for chat in ChatFormat],
            key=f"{prefix}-chat",
            help="Whose control tokens stand around prompt and completion.",
        )
        values: dict[str, Any] = {"chat": chat}
        values["gradient_accumulation"] = st.number_input(
            "Gradient accumulation", 1, 4096, key=f"{prefix}-gradient_accumulation", help="Batches in one train step."
        )
        values["warmup_share"] = st.number_input(
            "Warm-up share", 0.0, 0.99, step=0.01, key=f"{prefix}-warmup_share", help="Of the train steps."
        )
        values["weight_decay"] = st.number_input("Weight decay", 0.0, 1.0, step=0.01, key=f"{prefix}-weight_decay")
        values["max_grad_norm"] = st.number_input(
            "Clip gradients at", 0.01, 1000.0, step=0.1, key=f"{prefix}-max_grad_norm", help="L2 norm."
        )
        values["eval_every"] = st.number_input("Evaluate every", 1, key=f"{prefix}-eval_every", help="Train steps.")
        values["checkpoint_every"] = st.number_input(
            "Save every", 1, key=f"{prefix}-checkpoint_every", help="Train steps."
        )
        values["seed"] = st.number_input("Seed", 0, 2**32 - 1, key=f"{prefix}-seed")
    return name.strip() or f"{short}-{dataset.name}-v{dataset.version}", output.strip() or None, values
