"""Logits of an export compared with those of the trained model."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from tunixrt_core.errors import ExportError
from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.sections import Method
from tunixrt_core.traces.rows import read_rows
from tunixrt_core.training.model_export import ExportCheck
from tunixrt_core.tunix_backend.data.rows import load_tokenizer
from tunixrt_core.tunix_backend.model.models import LoadedModel, load_model, make_mesh
from tunixrt_core.tunix_backend.model.precision import computing

PROMPTS = 8
_LONGEST = 128  # compared tokens per prompt: all logits are kept, and vocabularies are large
# Allowed differences, as shares of the largest logit (of 1 where that is smaller): a difference grows with the numbers
# that it comes from. With files and training in float32 only the order of additions differs, as LoRA is merged, and
# each layer adds to it: 8e-7 to 5.4e-6 were measured over the families with two layers, 1.9e-5 in Gemma 4 with four.
TOLERANCE = 1e-5  # of each layer
# Where either has 16 bits, each weight is off by up to 0.4 % (a bfloat16 keeps 8 bits), which adds up: 0.6 to
# 10.5 % were measured; a tensor in a wrong place is off by about 100 %.
COARSE_TOLERANCE = 0.15


def tolerance_of(manifest: RunManifest, dtype: str, layers: int, *, other_code: bool = False) -> float:
    """Allowed difference of an export of this run, in files of this type, of a model with this number of layers, as a
    share of the largest logit.

    Coarse where numbers are rounded to 16 bits during the export, or where the trained model computes in 16 bits and
    `other_code`, which computes in float32, reads the export.
    """
    trained = manifest.model.dtype.value
    # without LoRA nothing is added, so a file of the same or a larger width contains the exact weights
    exact = trained == "float32" == dtype if manifest.method.adapts or other_code else dtype in (trained, "float32")
    return min(TOLERANCE * layers, COARSE_TOLERANCE) if exact else COARSE_TOLERANCE


def compare(by: str, trained: Sequence[Any], exported: Sequence[Any], share: float) -> ExportCheck:
    """Compare the exported model with the trained one: logits [tokens, vocabulary] of each prompt.

    Raises ExportError where they differ by more than `share` of the largest logit, or where the export's top token is
    behind the trained model's own by more than that.
    """
    largest = max(float(np.abs(logits).max()) for logits in trained)
    tolerance = share * max(1.0, largest)
    pairs = list(zip(trained, exported, strict=True))
    difference = float(np.max([np.abs(a - b).max() for a, b in pairs]))
    behind = np.concatenate([_behind(a, b) for a, b in pairs])
    agreement = float(np.mean(behind == 0.0))
    # written so that a NaN fails
    if not (difference <= tolerance and float(np.max(behind)) <= tolerance):
        raise ExportError(
            f"The exported model, read by {by}, does not match the trained model: logits differ by up to "
            f"{difference:.2g} (allowed {tolerance:.2g}), the likeliest token is the same for {agreement:.1%} of the "
            "tokens. Nothing was exported; the weights are safe in the run's checkpoints."
        )
    return ExportCheck(by, difference, tolerance, agreement)


def _behind(trained: Any, exported: Any) -> Any:
    """For each token, how far the trained model's logit of the export's top token is below its own largest logit."""
    return trained.max(-1) - trained[np.arange(len(trained)), exported.argmax(-1)]


def proof_prompts(manifest: RunManifest, models_dir: Path) -> list[list[int]]:
    """Token ids of the first prompts of the data file, rendered as in training."""
    tokenizer = load_tokenizer(manifest, models_dir)
    texts = [manifest.rendering.asked(row.trace) for row in islice(read_rows(Path(manifest.data.path)), PROMPTS)]
    return [tokenizer.encode_prompt(text)[:_LONGEST] for text in texts]


def logits_of_files(
    manifest: RunManifest, folder: Path, models_dir: Path, prompts: Sequence[Sequence[int]]
) -> list[Any]:
    """The logits of the model in `folder`, loaded as any model is, on the run's mesh and in its type."""
    model = manifest.model.model_copy(update={"id": str(folder.absolute())})
    plain = manifest.model_copy(update={"model": model, "method": Method.FULL})
    mesh = make_mesh(manifest.mesh, manifest.batch.size)
    with mesh:
        return logits_of(load_model(plain, models_dir, mesh), prompts)


def logits_of(loaded: LoadedModel, prompts: Sequence[Sequence[int]]) -> list[Any]:
    """Logits [tokens, vocabulary] of each prompt, in float32; the loaded model's mesh must be entered."""
    length = max(len(prompt) for prompt in prompts)
    size = int(loaded.mesh.shape["fsdp"])  # rows per batch: the smallest number that can be spread over the mesh
    tokens: Any = np.zeros((-(-len(prompts) // size) * size, length), np.int32)
    for row, prompt in zip(tokens, prompts, strict=False):
        row[: len(prompt)] = prompt  # attention is causal: padding after a prompt does not change its logits
    done: list[Any] = []
    model = computing(loaded.model, loaded.dtype)
    # by default accelerators round float32 products to fewer bits
    with jax.default_matmul_precision("highest"):
        for first in range(0, len(tokens), size):
            done.extend(np.asarray(_forward(model, jnp.asarray(tokens[first : first + size])), np.float32))
    return [logits[: len(prompt)] for logits, prompt in zip(done, prompts, strict=False)]


@nnx.jit
def _forward(model: Any, tokens: Any) -> Any:
    count, length = tokens.shape
    positions = jnp.broadcast_to(jnp.arange(length), (count, length))
    causal = jnp.broadcast_to(jnp.tril(jnp.ones((length, length), bool)), (count, length, length))
    return model(tokens, positions, None, causal)[0]
