"""The loss: the same for rows that share a row of the batch as for each alone, whatever computes it."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import cases
from tests.tunix_backend.conftest import make_manifest
from tests.tunix_backend.helpers.families import VOCAB, write_checkpoint
from tunixrt_core.manifest.training_sections import LossKind, LossSection
from tunixrt_core.tunix_backend.data.batches import TokenBatch, fill
from tunixrt_core.tunix_backend.data.encoding import ANSWER_PART, FORMAT_PART, PROMPT_PART, TokenRow
from tunixrt_core.tunix_backend.data.packing import BatchPlan

pytestmark = pytest.mark.tunix

LENGTHS = (21, 7, 14)  # of three rows; longer than the sliding window of the Gemma models made here
PARTS = 4


def some_rows() -> list[TokenRow]:
    rng = np.random.RandomState(3)
    made = []
    for n in LENGTHS:
        parts = [PROMPT_PART] * 3 + [FORMAT_PART] * (n - 5) + [ANSWER_PART] * 2
        made.append(TokenRow(rng.randint(5, VOCAB, n).astype(np.int32), np.array(parts, np.uint16), 3))
    return made


def alone() -> TokenBatch:
    return fill(some_rows(), BatchPlan(((0,), (1,), (2,)), 48), 3, 0)


def together() -> TokenBatch:
    return fill(some_rows(), BatchPlan(((0, 1, 2),), 48), 1, 0)


def load(folder: Path, kind: str, method: str, **config: Any) -> Any:
    """A model with random weights, and with LoRA that changes what it says."""
    import jax
    import jax.numpy as jnp
    from flax import nnx

    from tunixrt_core.tunix_backend.model.models import load_model, make_mesh

    write_checkpoint(folder / "model", kind, **config)
    manifest = make_manifest(folder, model=str(folder / "model"), method=method, lora_rank=4)
    mesh = make_mesh(manifest.mesh, 1)
    with mesh:
        loaded = load_model(manifest, folder, mesh)
    if method == "lora":
        rng = np.random.RandomState(1)
        state = nnx.state(loaded.model, nnx.LoRAParam)
        nnx.update(
            loaded.model, jax.tree.map(lambda x: jnp.asarray(rng.standard_normal(x.shape) * 0.1, x.dtype), state)
        )
    return loaded


def each_token(loaded: Any, batch: TokenBatch, kind: LossKind, method: str) -> list[Any]:
    """The loss of every token but the first of each row, row after row."""
    import jax.numpy as jnp
    from flax import nnx

    from tunixrt_core.tunix_backend.train.step.loss import LossFunction, model_batch, runs_on_positions

    function = LossFunction(
        LossSection(kind=kind, chunk=10),
        parts=PARTS,
        train_head=method == "full",
        running_positions=runs_on_positions(loaded.config),
    )
    given = model_batch(batch)

    @nnx.jit
    def run(model: Any, given: Any) -> Any:
        targets = jnp.pad(given.tokens[:, 1:], ((0, 0), (0, 1)))
        return function._nll(model, given, targets, jnp.ones(targets.shape, jnp.float32))[1]

    nll = np.asarray(run(loaded.model, given))
    found = []
    for r, numbers in enumerate(batch.segments):
        for number in range(1, numbers.max() + 1):
            (places,) = np.nonzero(numbers == number)
            found.append(nll[r, places[:-1]])
    return found


FAMILIES = [
    *(("qwen2", True), ("qwen3", False), ("llama", True), ("gemma3_text", True)),
    *(("qwen3_moe", False), ("gemma4_text", True)),
]
MATRIX = [(*family, method) for family, method in product(FAMILIES, ("full", "lora"))]
KEPT = {("qwen3", False, "full"), ("llama", True, "lora"), ("gemma3_text", True, "lora")}
KEPT |= {("qwen3_moe", False, "lora"), ("gemma4_text", True, "full")}


@pytest.mark.parametrize(("kind", "tied", "method"), cases(MATRIX, KEPT))
def test_a_row_that_shares_its_place_has_the_loss_that_it_has_alone(
    tmp_path: Path, kind: str, tied: bool, method: str
) -> None:
    loaded = load(tmp_path, kind, method, tied=tied)
    one = each_token(loaded, alone(), LossKind.FUSED, method)
    many = each_token(loaded, together(), LossKind.FUSED, method)
    assert [len(x) for x in one] == [n - 1 for n in LENGTHS]
    for a, b in zip(one, many, strict=True):
        assert np.abs(a - b).max() < 1e-5
    # the control: without the border between them, rows would see each other
    batch = together()
    open_border = TokenBatch(batch.tokens, (batch.segments > 0).astype(np.int32), batch.positions, batch.parts)
    leaked = each_token(loaded, open_border, LossKind.FUSED, method)[0]
    second = leaked[LENGTHS[0] : LENGTHS[0] + LENGTHS[1] - 1]
    assert np.abs(one[1] - second).max() > 0.01


def test_the_first_token_of_a_row_and_the_padding_are_never_targets(tmp_path: Path) -> None:
    from flax import nnx

    from tunixrt_core.tunix_backend.train.step.loss import LossFunction, model_batch

    loaded = load(tmp_path, "qwen3", "full")
    function = LossFunction(LossSection(), parts=PARTS, train_head=True)
    for batch in (alone(), together()):
        losses = nnx.jit(function.summed)(loaded.model, model_batch(batch))
        tokens = each_token(loaded, batch, LossKind.PLAIN, "full")
        # two prompt tokens have something before them, the rest of each row is trained on
        assert float(losses.trained) == pytest.approx(sum(float(x[2:].sum()) for x in tokens), rel=1e-5)
        assert float(losses.by_part[PROMPT_PART]) == pytest.approx(sum(float(x[:2].sum()) for x in tokens), rel=1e-5)
        assert float(losses.by_part[ANSWER_PART]) == pytest.approx(sum(float(x[-2:].sum()) for x in tokens), rel=1e-5)
