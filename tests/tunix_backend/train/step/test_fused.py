"""Our loss says what Tunix's default loss says, value and gradient, for every family."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest

from tests.conftest import cases
from tests.tunix_backend.helpers.tiny_models import CASES, DIM, LENGTH, PARTS, VOCAB, make_batch, make_loss, make_model
from tunixrt_core.errors import ModelError
from tunixrt_core.manifest.sections import ALL_LORA_MODULES
from tunixrt_core.manifest.training_sections import LossKind, LossSection
from tunixrt_core.tunix_backend.data.encoding import ANSWER_PART, FIRST_TRAINED, PROMPT_PART

pytestmark = pytest.mark.tunix


@pytest.fixture(autouse=True)
def _several_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attention of LENGTH tokens takes three blocks, the last one not full."""
    from tunixrt_core.tunix_backend.model.attention import blockwise

    monkeypatch.setattr(blockwise, "BLOCK", 5)


def of_tunix(model: Any, batch: Any, positions: Any) -> tuple[Any, Any]:
    """Tunix's own loss with its own attention, given the same mask and positions, and the loss of each token."""
    import jax
    import jax.numpy as jnp
    from tunix.sft.peft_trainer import _default_loss_fn

    from tunixrt_core.tunix_backend.train.step.loss import attention_mask

    trained, mask = batch.parts >= FIRST_TRAINED, attention_mask(batch.segments)
    logits, _ = model(batch.tokens, positions, None, mask)
    each = -jnp.take_along_axis(jax.nn.log_softmax(logits[:, :-1]), batch.tokens[:, 1:, None], -1)[..., 0]
    return _default_loss_fn(model, batch.tokens, trained, positions, mask), each


KEPT = {("qwen2", "lora"), ("qwen3", "full"), ("llama3 untied", "full"), ("gemma3", "lora"), ("gemma2", "full")}
KEPT |= {("gemma4", "full")}


@pytest.mark.parametrize(("name", "method"), cases(product(CASES, ("lora", "full")), KEPT))
def test_the_fused_loss_and_its_gradients_are_those_of_tunix(name: str, method: str) -> None:
    assert_equal_to_tunix(name, LossKind.FUSED, lora=method == "lora")


def test_the_plain_loss_and_its_gradients_are_those_of_tunix() -> None:
    assert_equal_to_tunix("qwen3", LossKind.PLAIN, lora=False)


def assert_equal_to_tunix(name: str, kind: LossKind, lora: bool) -> None:
    import jax
    import jax.numpy as jnp
    from flax import nnx

    model = make_model(CASES[name](), ALL_LORA_MODULES if lora else None)
    batch = make_batch()
    of = nnx.DiffState(0, nnx.LoRAParam) if lora else 0
    loss = make_loss(name, kind, train_head=not lora)
    graph, state = nnx.split(model)

    def ours(model: Any, batch: Any) -> tuple[Any, Any]:
        targets = jnp.pad(batch.tokens[:, 1:], ((0, 0), (0, 1)))
        total, each = loss._nll(model, batch, targets, (jnp.roll(batch.parts, -1, 1) >= FIRST_TRAINED) * 1.0)
        return total / batch.norm, each[:, :-1]

    @partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})  # a third of the time to compile
    def both(state: Any, batch: Any) -> Any:
        model = nnx.merge(graph, state)
        theirs = nnx.value_and_grad(partial(of_tunix, positions=loss._positions(batch)), argnums=of, has_aux=True)
        return theirs(model, batch), nnx.value_and_grad(ours, argnums=of, has_aux=True)(model, batch)

    ((wanted, each_wanted), expected), ((found, each), slopes) = jax.tree.map(np.asarray, both(state, batch))
    assert max(float(np.abs(slope).max()) for slope in jax.tree.leaves(expected)) > 1e-2
    assert float(found) == pytest.approx(float(wanted), abs=1e-5)
    # Gemma 4 does not scale its scores, which are several times as large here, and so is what they are rounded by
    noise = 8 if name == "gemma4" else 1
    np.testing.assert_allclose(each, each_wanted, atol=2e-5 * noise)
    # float32 rounds sums of this many terms by a few millionths of the largest of them
    for slope, other in zip(jax.tree.leaves(slopes), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(slope, other, atol=4e-6 * noise * max(0.25, np.abs(other).max()), rtol=1e-5)


@pytest.mark.parametrize(
    ("chunk", "vocab_first", "softcap"),
    cases(
        product([1, 5, LENGTH, 100], [True, False], [None, 2.0]),
        {(1, True, None), (5, False, 2.0), (LENGTH, True, 2.0), (100, False, None)},
    ),
)
def test_any_chunk_size_gives_the_same(chunk: int, vocab_first: bool, softcap: float | None) -> None:
    import jax
    import jax.numpy as jnp

    from tunixrt_core.tunix_backend.train.step.fused import Head, nll

    section = LossSection().model_copy(update={"chunk": chunk})
    random = np.random.RandomState(1)
    hidden = random.standard_normal((2, LENGTH, DIM)).astype(np.float32)
    weight = random.standard_normal((VOCAB, DIM) if vocab_first else (DIM, VOCAB)).astype(np.float32) * 0.3
    targets = random.randint(0, VOCAB, (2, LENGTH))
    weights = random.uniform(size=(2, LENGTH)).astype(np.float32)

    def whole(hidden: Any, weight: Any) -> Any:
        logits = hidden @ (weight.T if vocab_first else weight)
        logits = logits if softcap is None else jnp.tanh(logits / softcap) * softcap
        each = -jnp.take_along_axis(jax.nn.log_softmax(logits), targets[..., None], -1)[..., 0]
        return jnp.sum(each * weights) / 7, each

    def chunked(hidden: Any, weight: Any) -> Any:
        total, each = nll(
            hidden, Head(weight, vocab_first, softcap), targets, weights, section=section, train_head=True
        )
        return total / 7, each

    (wanted, wanted_each), expected = jax.value_and_grad(whole, (0, 1), has_aux=True)(hidden, weight)
    (total, each), slopes = jax.value_and_grad(chunked, (0, 1), has_aux=True)(hidden, weight)
    assert each.shape == (2, LENGTH)
    np.testing.assert_allclose(total, wanted, rtol=1e-6)
    np.testing.assert_allclose(each, wanted_each, atol=1e-5)
    for slope, other in zip(slopes, expected, strict=True):
        np.testing.assert_allclose(slope, other, atol=1e-6)


def test_lora_on_the_output_head_is_refused_with_the_way_out() -> None:
    from tunixrt_core.tunix_backend.train.step.fused import head_of

    with pytest.raises(ModelError, match=r"Leave the head out of lora\.modules, or set loss\.kind to plain"):
        head_of(make_model(CASES["llama3 untied"](), f"{ALL_LORA_MODULES}|.*lm_head"))


def test_sums_by_part_are_those_made_by_hand() -> None:
    import jax

    model, batch = make_model(CASES["qwen3"]()), make_batch()
    fused, plain = (make_loss("qwen3", kind, train_head=True).summed(model, batch) for kind in LossKind)
    from tunixrt_core.tunix_backend.train.step.loss import attention_mask

    logits, _ = model(batch.tokens, batch.positions, None, attention_mask(batch.segments))
    log_shares = np.asarray(jax.nn.log_softmax(logits))
    by_hand = np.zeros(PARTS)
    for row in range(2):
        for place in range(LENGTH - 1):
            by_hand[batch.parts[row, place + 1]] -= log_shares[row, place, batch.tokens[row, place + 1]]
    for losses in (fused, plain):
        # the last place of a row, which says nothing, counts for NO_PART, which nobody reads
        np.testing.assert_allclose(losses.by_part[PROMPT_PART:], by_hand[PROMPT_PART:], rtol=1e-5)
        assert float(losses.trained) == pytest.approx(by_hand[FIRST_TRAINED:].sum(), rel=1e-5)
    assert by_hand[ANSWER_PART] > 0


def test_the_model_is_as_before_after_its_head_was_put_aside() -> None:
    from tunixrt_core.tunix_backend.train.step.fused import hidden_states
    from tunixrt_core.tunix_backend.train.step.loss import attention_mask

    batch = make_batch()
    for name in ("llama3 untied", "qwen3"):
        model = make_model(CASES[name]())
        call = (batch.tokens, batch.positions)
        mask = attention_mask(batch.segments)
        before, _ = model(*call, None, mask)
        assert hidden_states(model, *call, mask).shape == (2, LENGTH, DIM)
        with pytest.raises(TypeError):
            hidden_states(model, *call, mask, no_such_argument=1)
        np.testing.assert_array_equal(model(*call, None, mask)[0], before)


def test_running_positions_say_the_same_where_only_distances_matter() -> None:
    model, batch = make_model(CASES["qwen3"]()), make_batch()
    loss = make_loss("qwen3", LossKind.FUSED, train_head=True)
    running = replace(loss, running_positions=True)
    wanted = loss.summed(model, batch)
    np.testing.assert_allclose(running.summed(model, batch).trained, wanted.trained, rtol=1e-4)
