"""Every figure of a record is the one that its definition gives, computed in another way.

docs/explanation/training.md defines them. The gradient's norm is in step/test_peft.py.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tunix_backend.conftest import KeptReports, make_manifest, train
from tests.tunix_backend.model.test_models import load
from tunixrt_core.runs.metrics import EvalMetric, TrainMetric

pytestmark = pytest.mark.tunix

ROWS = 8


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> tuple[Any, TrainMetric, EvalMetric]:
    """A manifest, its first train step, and the evaluation before it."""
    manifest = make_manifest(tmp_path_factory.mktemp("metrics"), train_steps=1, batch_size=ROWS, eval_every=1)
    reports = KeptReports()
    train(manifest, models_dir, reports)
    (step,) = (record for record in reports.records if isinstance(record, TrainMetric))
    return manifest, step, next(record for record in reports.records if isinstance(record, EvalMetric))


def surprises(model: Any, rows: Sequence[Any]) -> dict[int, list[float]]:
    """-log p of each completion token by part of the text, in float64 from the logits of each row alone."""
    import jax.numpy as jnp

    found: dict[int, list[float]] = {}
    for row in rows:
        tokens, length = jnp.asarray(row.tokens)[None], len(row.tokens)
        mask = jnp.tril(jnp.ones((1, length, length), bool))
        logits = np.asarray(model(tokens, jnp.arange(length)[None], None, mask)[0][0], np.float64)
        top = logits.max(axis=1, keepdims=True)
        chances = logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
        for place in range(row.prompt_length, length):
            found.setdefault(int(row.parts[place]), []).append(-chances[place - 1, row.tokens[place]])
    return found


def batches_of(manifest: Any, models_dir: Path) -> tuple[Any, Any]:
    """The encoded rows of a manifest, and the batches of its train rows."""
    from tunixrt_core.tunix_backend.data.batches import train_batches
    from tunixrt_core.tunix_backend.data.rows import load_data

    data = load_data(manifest, models_dir)
    rows = data.train.rows
    return data, train_batches(
        rows, manifest.batch, max_length=manifest.max_seq_length, seed=manifest.seed, pad_id=data.pad_id
    )


def test_losses_perplexities_and_counts_are_those_of_the_rows(
    first: tuple[Any, TrainMetric, EvalMetric], models_dir: Path
) -> None:
    manifest, step, evaluation = first
    data, batches = batches_of(manifest, models_dir)
    model = load(manifest, models_dir).model
    trained = [data.train.rows[i] for chosen in batches.plan(0).bins for i in chosen]
    for record, rows in ((step, trained), (evaluation, data.eval.rows)):
        by_part = surprises(model, rows)
        every = [value for values in by_part.values() for value in values]
        assert record.trained_tokens == len(every)
        assert record.loss == pytest.approx(np.mean(every), rel=1e-5)
        assert record.perplexity == pytest.approx(math.exp(np.mean(every)), rel=1e-4)
        together: dict[str, list[float]] = {}
        for part, values in by_part.items():  # a step has a part per type
            together.setdefault(str(data.parts[part]), []).extend(values)
        parts = {name: np.mean(values) for name, values in together.items()}
        assert {name: value for name, value in record.parts.items() if name != "prompt"} == pytest.approx(
            parts, abs=1e-3
        )
    lengths = [len(row.tokens) for row in trained]
    assert step.tokens == sum(lengths)
    assert step.epoch == pytest.approx(ROWS / len(data.train.rows))


def test_the_utilisation_counts_the_arithmetic_of_a_train_step(models_dir: Path, tmp_path: Path) -> None:
    """XLA's own count of a forward and a backward pass; attention, which the definition leaves out, is small here."""
    import jax
    import jax.numpy as jnp
    from flax import nnx

    from tunixrt_core.tunix_backend.train.reporting.reports import model_flops_share

    model = load(make_manifest(tmp_path), models_dir).model
    rows, length = 4, 16
    tokens = jnp.ones((rows, length), jnp.int32)
    mask = jnp.broadcast_to(jnp.tril(jnp.ones((length, length), bool)), (rows, length, length))
    places = jnp.broadcast_to(jnp.arange(length), (rows, length))
    definition, state = nnx.split(model)

    def loss(state: Any) -> Any:
        return nnx.merge(definition, state)(tokens, places, None, mask)[0].astype(jnp.float32).sum()

    counted = jax.jit(jax.grad(loss)).lower(state).compile().cost_analysis()["flops"]
    parameters = sum(leaf.size for leaf in jax.tree.leaves(state))
    share = model_flops_share(rows * length, parameters, parameters, "TPU v5e", 1)
    assert share is not None
    assert share * 197e12 == pytest.approx(counted, rel=0.2)


class Slow:
    """Batches of which each takes a fifth of a second."""

    def __init__(self, batches: Any) -> None:
        self._batches = batches

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batches, name)

    def batch(self, k: int) -> Any:
        time.sleep(0.2)
        return self._batches.batch(k)


def test_the_wait_for_rows_is_the_time_in_which_none_was_ready(
    first: tuple[Any, TrainMetric, EvalMetric], models_dir: Path
) -> None:
    from tunixrt_core.tunix_backend.train.step.feeding import Feed

    data, batches = batches_of(first[0], models_dir)
    feed = Feed(Slow(batches), parts=len(data.parts), accumulation=1, first=0, end=1)  # type: ignore[arg-type]
    began = time.perf_counter()
    feed.next()
    assert 0.1 < feed.take_waited() <= time.perf_counter() - began
    assert feed.take_waited() == 0
    feed.close()
