"""The train step works in place: the same numbers as Tunix's own, without a second copy of the model."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tunix_backend.train.step.test_fused import CASES, make_batch, make_loss, make_model
from tunixrt_core.manifest.sections import ALL_LORA_MODULES
from tunixrt_core.manifest.training_sections import LossKind

pytestmark = pytest.mark.tunix


def make_trainer(kind: type, *, lora: bool) -> Any:
    import optax
    from tunix.sft.peft_trainer import TrainingConfig

    model = make_model(CASES["qwen3"](), ALL_LORA_MODULES if lora else None)
    loss = make_loss(LossKind.FUSED, train_head=not lora)
    config = TrainingConfig(eval_every_n_steps=99, gradient_accumulation_steps=2)
    return kind(model, optax.adamw(0.05), config).with_loss_fn(loss.mean, has_aux=True).with_gen_model_input_fn(
        loss.inputs
    )  # fmt: skip


@pytest.mark.parametrize("lora", [True, False], ids=["lora", "full"])
def test_losses_are_those_of_tunix_and_the_weights_stay_where_they_lie(lora: bool) -> None:
    from tunix.sft.peft_trainer import PeftTrainer

    from tunixrt_core.tunix_backend.train.step.compiled import InPlaceTrainer

    losses, moved = [], []
    for kind in (PeftTrainer, InPlaceTrainer):
        trainer = make_trainer(kind, lora=lora)
        step, _ = trainer.jit_train_and_eval_step(cache_nnx_graph=True)
        assert trainer.jit_train_and_eval_step(cache_nnx_graph=True)[0] is step
        before = [embedding_place(trainer.model)]
        losses.append([])
        for _ in range(4):
            losses[-1].append(float(step(make_batch())[0]))
            before.append(embedding_place(trainer.model))
        moved.append(len(set(before)) > 1)
    assert losses[0] == losses[1]
    assert losses[0][0] != losses[0][-1]
    assert moved == [True, False]


def embedding_place(model: Any) -> int:
    return int(model.embedder.input_embedding.value.unsafe_buffer_pointer())


def test_with_lora_the_frozen_weights_are_not_held_twice() -> None:
    import jax
    from flax import nnx

    from tunixrt_core.tunix_backend.train.step.compiled import InPlaceTrainer, compile_in_place

    trainer = make_trainer(InPlaceTrainer, lora=True)
    batch = make_batch()
    theirs = nnx.jit(trainer.create_train_step_fn(), donate_argnames=("optimizer",))
    ours = compile_in_place(trainer.create_train_step_fn())
    peaks = []
    for step in (theirs, ours):
        found = step.lower(trainer.model, trainer.optimizer, batch).compile().memory_analysis()
        peaks.append(found.argument_size_in_bytes + found.output_size_in_bytes - found.alias_size_in_bytes)
    weights = sum(int(x.size) * 4 for x in jax.tree.leaves(nnx.state(trainer.model, nnx.Param)))
    assert peaks[0] - peaks[1] == pytest.approx(weights, rel=0.02)
