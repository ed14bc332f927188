"""Our loss says what Tunix's default loss says, value and gradient, for every family."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest

from tests.conftest import cases
from tunixrt_core.errors import ModelError
from tunixrt_core.manifest.sections import ALL_LORA_MODULES
from tunixrt_core.manifest.training_sections import LossKind, LossSection
from tunixrt_core.tunix_backend.data.encoding import ANSWER_PART, FIRST_TRAINED, NO_PART, PROMPT_PART

pytestmark = pytest.mark.tunix

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
        **SHAPE, "num_layers": 2, "num_embed": VOCAB, "final_logit_softcap": 3.0, "sliding_window_size": 4,
        "global_key_size": 16, "per_layer_input_dim": 4,
        "attention_pattern": (AttentionType.LOCAL_SLIDING, AttentionType.GLOBAL),
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


def make_loss(kind: LossKind, *, train_head: bool, chunk: int = 5) -> Any:
    from tunixrt_core.tunix_backend.train.step.loss import LossFunction

    section = LossSection(kind=kind).model_copy(update={"chunk": chunk})  # smaller than a manifest may ask for
    return LossFunction(section, PARTS, train_head)


def tunix_default(model: Any, batch: Any) -> Any:
    """Tunix's own loss, given the same mask and positions."""
    from tunix.sft.peft_trainer import _default_loss_fn

    from tunixrt_core.tunix_backend.train.step.loss import attention_mask

    trained = batch.parts >= FIRST_TRAINED
    return _default_loss_fn(model, batch.tokens, trained, batch.positions, attention_mask(batch.segments))


KEPT = {("qwen2", "lora"), ("qwen3", "full"), ("llama3 untied", "full"), ("gemma3", "lora"), ("gemma2", "full")}
KEPT |= {("gemma4", "full")}


@pytest.mark.parametrize(("name", "method"), cases(product(CASES, ("lora", "full")), KEPT))
def test_the_fused_loss_and_its_gradients_are_those_of_tunix(name: str, method: str) -> None:
    assert_equal_to_tunix(CASES[name](), LossKind.FUSED, lora=method == "lora")


def test_the_plain_loss_and_its_gradients_are_those_of_tunix() -> None:
    assert_equal_to_tunix(CASES["qwen3"](), LossKind.PLAIN, lora=False)


def assert_equal_to_tunix(case: Case, kind: LossKind, lora: bool) -> None:
    import jax
    from flax import nnx

    model = make_model(case, ALL_LORA_MODULES if lora else None)
    batch = make_batch()
    of = nnx.DiffState(0, nnx.LoRAParam) if lora else 0

    graph, state = nnx.split(model)

    @partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})  # a third of the time to compile
    def both(state: Any, batch: Any) -> Any:
        model = nnx.merge(graph, state)
        theirs = nnx.value_and_grad(tunix_default, argnums=of)(model, batch)
        mean = make_loss(kind, train_head=not lora).mean
        return theirs, nnx.value_and_grad(mean, argnums=of, has_aux=True)(model, batch)

    (wanted, expected), ((loss, _), slopes) = jax.tree.map(np.asarray, both(state, batch))
    assert max(float(np.abs(slope).max()) for slope in jax.tree.leaves(expected)) > 1e-2
    assert float(loss) == pytest.approx(float(wanted), abs=1e-5)
    for slope, other in zip(jax.tree.leaves(slopes), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(slope, other, atol=1e-6, rtol=1e-5)


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
        total, each = nll(hidden, Head(weight, vocab_first, softcap), targets, weights, chunk=chunk, train_head=True)
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
    fused, plain = (make_loss(kind, train_head=True).summed(model, batch) for kind in LossKind)
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
    loss = make_loss(LossKind.FUSED, train_head=True)
    running = replace(loss, running_positions=True)
    wanted = loss.summed(model, batch)
    np.testing.assert_allclose(running.summed(model, batch).trained, wanted.trained, rtol=1e-4)
