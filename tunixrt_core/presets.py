"""Hyperparameters by flat name: where each stands in a manifest, and what to start from for a model and a method."""

from __future__ import annotations

from typing import Any

from tunixrt_core.render import ChatFormat

# What the dashboard, the API and `tunixrt manifest` start from, by the model's kind and the method.
PRESETS: dict[str, dict[str, Any]] = {
    "tiny": {
        "method": "full",
        "learning_rate": 3e-3,
        "batch_size": 32,
        "max_seq_length": 512,  # rows are padded to the longest one there is, so room costs nothing
        "epochs": 20,
        "max_grad_norm": 1.0,
        "weight_decay": 0.01,
    },
    "lora": {
        "method": "lora",
        "lora_rank": 16,
        "lora_alpha": 32.0,
        "learning_rate": 2e-4,
        "batch_size": 8,
        "max_seq_length": 1024,
        "epochs": 2,
    },
    "full": {"method": "full", "learning_rate": 1e-5, "batch_size": 8, "max_seq_length": 1024, "epochs": 2},
}

# Flat names for hyperparameters, as forms, the API and the command line use them -> where they stand.
HYPERPARAMETERS: dict[str, tuple[str, ...]] = {
    "name": ("name",),
    "method": ("method",),
    "dtype": ("model", "dtype"),
    "tokenizer": ("tokenizer", "path"),
    "reasoning": ("rendering", "reasoning"),
    "chat": ("rendering", "chat"),
    "system": ("rendering", "system"),
    "remat": ("model", "remat"),
    "flash_attention": ("model", "flash_attention"),
    "max_seq_length": ("max_seq_length",),
    "too_long": ("too_long",),
    "lora_rank": ("lora", "rank"),
    "lora_alpha": ("lora", "alpha"),
    "lora_modules": ("lora", "modules"),
    "quantization": ("lora", "quantization"),
    "tile_size": ("lora", "tile_size"),
    "learning_rate": ("optimizer", "learning_rate"),
    "weight_decay": ("optimizer", "weight_decay"),
    "b1": ("optimizer", "b1"),
    "b2": ("optimizer", "b2"),
    "max_grad_norm": ("optimizer", "max_grad_norm"),
    "schedule": ("schedule", "kind"),
    "warmup_share": ("schedule", "warmup_share"),
    "final_share": ("schedule", "final_share"),
    "batch_size": ("batch", "size"),
    "gradient_accumulation": ("batch", "gradient_accumulation"),
    "packing": ("batch", "packing"),
    "length_buckets": ("batch", "length_buckets"),
    "loss": ("loss", "kind"),
    "loss_chunk": ("loss", "chunk"),
    "epochs": ("duration", "epochs"),
    "train_steps": ("duration", "train_steps"),
    "eval_every": ("cadence", "eval_every"),
    "checkpoint_every": ("cadence", "checkpoint_every"),
    "keep_checkpoints": ("cadence", "keep_checkpoints"),
    "early_stopping": ("cadence", "early_stopping"),
    "tensorboard": ("tracking", "tensorboard"),
    "wandb_project": ("tracking", "wandb_project"),
    "seed": ("seed",),
    "mesh_fsdp": ("mesh", "fsdp"),
    "mesh_tp": ("mesh", "tp"),
}

# Names that tunix_backend.tiny knows how to write; kept here because a manifest is made without Tunix too.
BUILTIN_MODEL_IDS = ("tiny", "tiny-micro")


def preset(model_id: str, method: str | None = None) -> dict[str, Any]:
    """The hyperparameters to start from for a model, by flat name."""
    from_name = {"chat": guess_chat_format(model_id).value}
    if model_id in BUILTIN_MODEL_IDS and method in (None, "full"):
        return {**PRESETS["tiny"], **from_name}
    kind = method if method in PRESETS else "lora"
    tiny = {k: PRESETS["tiny"][k] for k in ("max_seq_length", "batch_size", "epochs")}
    return {**PRESETS[kind], **(tiny if model_id in BUILTIN_MODEL_IDS else {}), **from_name}


def guess_chat_format(model_id: str) -> ChatFormat:
    """From the model's name; ChatML where the name tells nothing."""
    name = model_id.rstrip("/").rsplit("/", 1)[-1].casefold()
    if "gemma" in name:
        return ChatFormat.GEMMA
    if "llama" in name:
        return ChatFormat.LLAMA3
    return ChatFormat.CHATML
