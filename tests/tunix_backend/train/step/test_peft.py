"""The reported norm is that of the gradient that is clipped, however it was accumulated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import LONG
from tests.tunix_backend.conftest import KeptReports, make_manifest, train
from tests.tunix_backend.model.test_models import load

pytestmark = pytest.mark.tunix

ROWS = 4


def norms(folder: Path, models_dir: Path, **hyper: Any) -> list[float]:
    manifest = make_manifest(folder, train_steps=3, schedule="constant", eval_every=100, checkpoint_every=100, **hyper)
    reports = KeptReports()
    train(manifest, models_dir, reports)
    return list(reports.of("train", "grad_norm").values())


@pytest.mark.parametrize("method", ["full", pytest.param("lora", marks=LONG)])
def test_the_norm_is_the_same_for_the_same_rows_however_they_are_accumulated(
    tmp_path: Path, models_dir: Path, method: str
) -> None:
    whole = norms(tmp_path / "whole", models_dir, batch_size=ROWS, method=method)
    parts = norms(tmp_path / "parts", models_dir, batch_size=1, gradient_accumulation=ROWS, method=method)
    assert parts == pytest.approx(whole, rel=1e-3)
    if method == "full":
        assert whole[0] == pytest.approx(first_norm(tmp_path / "other", models_dir), rel=1e-4)


def first_norm(folder: Path, models_dir: Path) -> float:
    """Of the first train step: from the logits of each row alone, with JAX's own gradient, without our loss."""
    import jax
    import jax.numpy as jnp
    from flax import nnx

    from tunixrt_core.tunix_backend.data.batches import train_batches
    from tunixrt_core.tunix_backend.data.rows import load_data

    manifest = make_manifest(folder, batch_size=ROWS)
    data = load_data(manifest, models_dir)
    batches = train_batches(
        data.train.rows, manifest.batch, max_length=manifest.max_seq_length, seed=manifest.seed, pad_id=data.pad_id
    )
    rows = [data.train.rows[i] for chosen in batches.plan(0).bins for i in chosen]
    trained = sum(row.trained for row in rows)

    def loss(model: Any) -> Any:
        total = jnp.float32(0)
        for row in rows:
            tokens, length = jnp.asarray(row.tokens)[None], len(row.tokens)
            mask = jnp.tril(jnp.ones((1, length, length), bool))
            logits = model(tokens, jnp.arange(length)[None], None, mask)[0][0]
            chances = jax.nn.log_softmax(logits[:-1])[jnp.arange(length - 1), tokens[0, 1:]]
            total -= chances[row.prompt_length - 1 :].sum()
        return total / trained

    gradients = nnx.jit(nnx.grad(loss))(load(manifest, models_dir).model)
    return float(np.sqrt(sum(float((leaf.astype(jnp.float32) ** 2).sum()) for leaf in jax.tree.leaves(gradients))))
