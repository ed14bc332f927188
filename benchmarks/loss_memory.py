"""Memory and time of a train step with the fused loss, beside Tunix's default loss.

    python benchmarks/loss_memory.py [--rows 4] [--length 2048] [--vocabulary 262144] [--pairs 12]

Memory: peak temporary bytes that XLA plans for the train step of Tunix's PeftTrainer (`memory_analysis`), on a model
with almost no body, so that only the loss is measured; nothing is allocated. Time: both steps run, at a size that
fits, in turns, and the median ratio of neighbours is taken, so that the drift of the machine cancels out.
The bars: at most 1/9 of the memory, LoRA and full; with LoRA at most 1.05 times the time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import qwix
from flax import nnx
from tunix.models.qwen3 import model as qwen3
from tunix.sft import utils
from tunix.sft.peft_trainer import PeftTrainer, TrainingConfig

from tunixrt_core.manifest.sections import ALL_LORA_MODULES
from tunixrt_core.manifest.training_sections import LossSection
from tunixrt_core.tunix_backend.train.step.loss import LossFunction, ModelBatch, attention_mask

GIB = 2**30
PARTS = 8


def make_trainer(*, lora: bool, fused: bool, layers: int, dim: int, vocabulary: int) -> PeftTrainer:
    config = qwen3.ModelConfig(
        num_layers=layers, vocab_size=vocabulary, embed_dim=dim, hidden_dim=2 * dim, num_heads=4, head_dim=dim // 4,
        num_kv_heads=2, rope_theta=1_000_000, norm_eps=1e-6, use_tied_embedding=True,
    )  # fmt: skip
    model = qwen3.Qwen3(config, rngs=nnx.Rngs(0))
    if lora:
        provider = qwix.LoraProvider(module_path=ALL_LORA_MODULES, rank=16, alpha=32.0)
        model = qwix.apply_lora_to_model(model, provider, rngs=nnx.Rngs(1), **model.get_model_input())
    trainer = PeftTrainer(model, optax.adamw(1e-4), TrainingConfig(eval_every_n_steps=10**9))
    if not fused:
        return trainer.with_gen_model_input_fn(tunix_inputs)  # and Tunix's default loss
    loss = LossFunction(LossSection(), PARTS, train_head=not lora)
    return trainer.with_loss_fn(loss.mean, has_aux=True).with_gen_model_input_fn(loss.inputs)


def tunix_inputs(batch: ModelBatch) -> dict[str, Any]:
    mask = batch.segments > 0
    return {
        "input_tokens": batch.tokens,
        "input_mask": batch.parts >= 2,
        "positions": utils.build_positions_from_mask(mask),
        "attention_mask": attention_mask(batch.segments),
    }


def make_batch(rows: int, length: int, vocabulary: int) -> ModelBatch:
    tokens = np.random.RandomState(0).randint(1, vocabulary, (rows, length)).astype(np.int32)
    ones = np.ones((rows, length), np.int32)
    positions = np.broadcast_to(np.arange(length, dtype=np.int32), (rows, length))
    return ModelBatch(tokens, ones, positions, 3 * ones, np.float32(rows * (length - 1)))


def temporary_bytes(*, lora: bool, fused: bool, rows: int, length: int, vocabulary: int) -> int:
    trainer = make_trainer(lora=lora, fused=fused, layers=2, dim=64, vocabulary=vocabulary)
    step = nnx.jit(trainer.create_train_step_fn(), donate_argnames=("optimizer",))
    lowered = step.lower(trainer.model, trainer.optimizer, make_batch(rows, length, vocabulary))
    return int(lowered.compile().memory_analysis().temp_size_in_bytes)


def step_times(*, lora: bool, pairs: int) -> tuple[list[float], list[float]]:
    """Seconds of the default step and of the fused one, in turns."""
    shape = {"rows": 2, "length": 512, "vocabulary": 65_536}
    steps = []
    for fused in (False, True):
        trainer = make_trainer(lora=lora, fused=fused, layers=4, dim=256, vocabulary=shape["vocabulary"])
        step, _ = trainer.jit_train_and_eval_step(cache_nnx_graph=True)
        steps.append(step)
    batch = jax.tree.map(jnp.asarray, make_batch(**shape))
    seconds: tuple[list[float], list[float]] = ([], [])
    for pair in range(pairs + 2):
        for step, kept in zip(steps, seconds, strict=True):
            began = time.perf_counter()
            jax.block_until_ready(step(batch))
            if pair >= 2:  # the first ones compile
                kept.append(time.perf_counter() - began)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--length", type=int, default=2048)
    parser.add_argument("--vocabulary", type=int, default=262_144)
    parser.add_argument("--pairs", type=int, default=12)
    args = parser.parse_args()
    shape = {"rows": args.rows, "length": args.length, "vocabulary": args.vocabulary}
    print(f"{args.rows} rows of {args.length} tokens, vocabulary {args.vocabulary:,}, chunk {LossSection().chunk}")
    for lora in (True, False):
        default, ours = (temporary_bytes(lora=lora, fused=fused, **shape) for fused in (False, True))
        print(
            f"{'LoRA' if lora else 'full':>4}  temporary memory: default {default / GIB:6.2f} GiB   "
            f"fused {ours / GIB:5.2f} GiB   {default / ours:5.1f} x less",
            flush=True,
        )
    for lora in (True, False):
        default_times, ours_times = step_times(lora=lora, pairs=args.pairs)
        ratio = statistics.median(b / a for a, b in zip(default_times, ours_times, strict=True))
        print(
            f"{'LoRA' if lora else 'full':>4}  train step: default {statistics.median(default_times):.3f} s   "
            f"fused {statistics.median(ours_times):.3f} s   {ratio:.2f} x the time",
            flush=True,
        )


if __name__ == "__main__":
    main()
