"""Memory and time of a train step with attention by segments, beside Tunix's own.

    python benchmarks/attention.py [--rows 4] [--length 2048] [--pairs 3] [--full]

A Qwen 3 of 2 layers (4 heads of 64, 2 for keys and values, vocabulary of 512) on packed rows, float32, LoRA or all
weights. Memory: temporary bytes that XLA plans for the train step (`memory_analysis`). Time: CPU seconds of this
process for one train step, in turns, and the median ratio of neighbours, so that other work on the machine cancels
out. Then one row of four times the length, as many tokens per train step. The bars: 0.4 x the memory and 1.05 x the
time of `attention: reference`, 1.3 x the memory of the shorter rows.
"""

from __future__ import annotations

import argparse
import statistics
import time

import jax
import numpy as np
import optax
import qwix
from flax import nnx
from tunix.models.qwen3 import model as qwen3

from tunixrt_core.manifest.sections import ALL_LORA_MODULES, Attention
from tunixrt_core.manifest.training_sections import LossSection
from tunixrt_core.tunix_backend.train.step.loss import LossFunction, ModelBatch
from tunixrt_core.tunix_backend.train.step.peft import compiled_step

GB, PARTS, VOCABULARY = 1e9, 8, 512
SIZES = {
    "num_layers": 2, "vocab_size": VOCABULARY, "embed_dim": 256, "hidden_dim": 768, "num_heads": 4, "head_dim": 64,
    "num_kv_heads": 2, "rope_theta": 1_000_000, "norm_eps": 1e-6, "use_tied_embedding": True,
}  # fmt: skip


def make_batch(rows: int, length: int) -> ModelBatch:
    """Rows of the data of 160 tokens on average, packed, and a little padding."""
    random = np.random.RandomState(0)
    segments = np.cumsum(random.uniform(size=(rows, length)) < 1 / 160, axis=1).astype(np.int32) + 1
    segments[:, -length // 40 :] = 0
    begins = np.diff(segments, axis=1, prepend=-1) != 0
    places = np.broadcast_to(np.arange(length), segments.shape)
    positions = (places - np.maximum.accumulate(np.where(begins, places, 0), axis=1)).astype(np.int32)
    parts = np.where((segments > 0) & ~begins, 3, 0).astype(np.int32)
    tokens = random.randint(1, VOCABULARY, segments.shape).astype(np.int32)
    return ModelBatch(tokens, segments, positions, parts, np.float32((parts == 3).sum()))


class Step:
    """A compiled train step with its model and optimizer."""

    def __init__(self, attention: Attention, batch: ModelBatch, *, lora: bool) -> None:
        model = qwen3.Qwen3(qwen3.ModelConfig(**SIZES), rngs=nnx.Rngs(0))
        if lora:
            provider = qwix.LoraProvider(module_path=ALL_LORA_MODULES, rank=16, alpha=32.0)
            model = qwix.apply_lora_to_model(model, provider, rngs=nnx.Rngs(1), **model.get_model_input())
        optimizer = nnx.Optimizer(model, optax.adamw(1e-4), wrt=nnx.LoRAParam if lora else nnx.Param)
        loss = LossFunction(LossSection(), PARTS, train_head=not lora, attention=attention)
        self._given = model, optimizer, batch
        self._step = compiled_step(loss, lora=lora)
        self.memory = int(self._step.lower(*self._given).compile().memory_analysis().temp_size_in_bytes)

    def seconds(self) -> float:
        """CPU seconds of one train step, over all cores."""
        began = time.process_time()
        jax.block_until_ready(self._step(*self._given))
        return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--length", type=int, default=2048)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--full", action="store_true")
    args = parser.parse_args()
    batch = jax.tree.map(jax.numpy.asarray, make_batch(args.rows, args.length))
    steps = {attention: Step(attention, batch, lora=not args.full) for attention in Attention}
    auto, reference = steps[Attention.AUTO], steps[Attention.REFERENCE]
    print(
        f"{args.rows} x {args.length:,}  temporary memory: reference {reference.memory / GB:.3f} GB   "
        f"auto {auto.memory / GB:.3f} GB   {auto.memory / reference.memory:.2f} x",
        flush=True,
    )
    long = Step(Attention.AUTO, make_batch(1, args.rows * args.length), lora=not args.full)
    print(
        f"1 x {args.rows * args.length:,}  temporary memory: auto {long.memory / GB:.3f} GB   "
        f"{long.memory / auto.memory:.2f} x that of {args.rows} x {args.length:,}",
        flush=True,
    )
    times = [(reference.seconds(), auto.seconds()) for _ in range(args.pairs + 1)][1:]  # the first ones compile
    of_reference, of_auto = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(b / a for a, b in times)
    print(f"train step, CPU seconds: reference {of_reference:.2f}   auto {of_auto:.2f}   {ratio:.2f} x the time")


if __name__ == "__main__":
    main()
