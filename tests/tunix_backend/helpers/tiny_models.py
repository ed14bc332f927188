"""Tiny models of every family with random weights, a packed batch and their loss."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from tunixrt_core.manifest.training_sections import LossKind, LossSection
from tunixrt_core.tunix_backend.data.encoding import FIRST_TRAINED, NO_PART, PROMPT_PART

VOCAB, DIM, LENGTH, PARTS = 96, 32, 12, 6

SHAPE = {
    "num_layers": 1, "embed_dim": DIM, "hidden_dim": 48, "num_heads": 4, "head_dim": 8, "num_kv_heads": 2,
}  # fmt: skip
QWEN = {**SHAPE, "vocab_size": VOCAB, "rope_theta": 1_000_000, "norm_eps": 1e-6}


@dataclass(frozen=True)
class Case:
    family: str
    model: str
    config: dict[str, Any]


def gemma_2() -> dict[str, Any]:
    from tunix.models.gemma.model import AttentionType

    return {
        **SHAPE, "num_layers": 2, "num_embed": VOCAB, "final_logit_softcap": 3.0, "attn_logits_soft_cap": 5.0,
        "sliding_window_size": 4,
        "use_post_attn_norm": True, "use_post_ffw_norm": True,
        "attention_types": (AttentionType.LOCAL_SLIDING, AttentionType.GLOBAL),
    }  # fmt: skip


def gemma_3() -> dict[str, Any]:
    return {**SHAPE, "num_embed": VOCAB, "sliding_window_size": 4, "param_dtype": np.float32}


def gemma_4() -> dict[str, Any]:
    from tunix.models.gemma4.model import AttentionType

    return {
        **SHAPE, "num_layers": 3, "num_embed": VOCAB, "final_logit_softcap": 3.0, "sliding_window_size": 4,
        "global_key_size": 16, "per_layer_input_dim": 4, "frac_shared_layers": 1 / 3,  # the last one borrows
        "attention_pattern": (AttentionType.LOCAL_SLIDING, AttentionType.GLOBAL, AttentionType.GLOBAL),
    }  # fmt: skip


CASES = {
    "qwen2": lambda: Case("qwen2", "Qwen2", {**QWEN, "use_tied_embedding": True}),
    "qwen3": lambda: Case("qwen3", "Qwen3", {**QWEN, "use_tied_embedding": True}),
    "llama3 tied": lambda: Case("llama3", "Llama3", {**QWEN, "weight_tying": True}),
    "llama3 untied": lambda: Case("llama3", "Llama3", {**QWEN, "weight_tying": False}),
    "gemma3": lambda: Case("gemma3", "Gemma3", gemma_3()),
    "gemma2": lambda: Case("gemma", "Gemma", gemma_2()),
    "gemma4": lambda: Case("gemma4", "Gemma4", gemma_4()),
}


def make_model(case: Case, lora: str | None = None) -> Any:
    """A model whose weights, those of LoRA too, are random and far from zero."""
    import jax
    import jax.numpy as jnp
    import qwix
    from flax import nnx

    module = importlib.import_module(f"tunix.models.{case.family}.model")

    def build() -> Any:
        model = getattr(module, case.model)(module.ModelConfig(**case.config), rngs=nnx.Rngs(0))
        if lora is None:
            return model
        provider = qwix.LoraProvider(module_path=lora, rank=2, alpha=4.0)
        return qwix.apply_lora_to_model(model, provider, rngs=nnx.Rngs(1), **model.get_model_input())

    graph, shapes = nnx.split(nnx.eval_shape(build))  # nothing is compiled for weights that are replaced at once
    random = np.random.RandomState(3)
    return nnx.merge(
        graph,
        jax.tree.map(
            lambda x: jnp.asarray(random.standard_normal(x.shape) * 0.3 + (len(x.shape) == 1), jnp.float32), shapes
        ),
    )


def make_batch() -> Any:
    """Two rows of LENGTH tokens; the first holds two rows of the data, the second one and padding."""
    from tunixrt_core.tunix_backend.train.step.loss import ModelBatch

    random = np.random.RandomState(5)
    tokens = random.randint(1, VOCAB, (2, LENGTH)).astype(np.int32)
    segments = np.array([[1] * 7 + [2] * 5, [1] * 9 + [0] * 3], np.int32)
    positions = np.array([[*range(7), *range(5)], [*range(9), 0, 0, 0]], np.int32)
    parts = random.randint(FIRST_TRAINED, PARTS, (2, LENGTH)).astype(np.int32)
    parts[:, 1:3] = PROMPT_PART
    parts[segments == 0] = NO_PART
    parts[:, 0] = parts[0, 7] = NO_PART
    tokens[segments == 0] = 0
    return ModelBatch(tokens, segments, positions, parts, np.float32((parts >= FIRST_TRAINED).sum()))


def make_loss(name: str, kind: LossKind, *, train_head: bool, chunk: int = 5) -> Any:
    """The loss of the case of this name."""
    from tunixrt_core.tunix_backend.train.step.loss import LossFunction

    section = LossSection(kind=kind).model_copy(update={"chunk": chunk})  # smaller than a manifest may ask for
    return LossFunction(section, PARTS, train_head, running_positions=name == "gemma2")
