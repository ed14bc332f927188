"""Logits of an export compared with those of the trained model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
from tunixrt_core.tunix_backend.model.corrected.routing import routing
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


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a model computes for prompts, in float32."""

    logits: Sequence[Any]  # [tokens, vocabulary] of each prompt
    # the routers' scores of each prompt, [layers, tokens, experts], where there are experts; tokens may be filled up
    scores: Sequence[Any]


def compare(by: str, trained: Outputs, exported: Outputs, share: float) -> ExportCheck:
    """Compare the exported model, computed with the experts of the trained one, with it.

    Raises ExportError where logits differ by more than `share` of the largest one, or where the export's top token is
    behind the trained model's own by more than that. Scores of experts are held to the same, so that a router which
    would choose others, but for near ties, is found.
    """
    scores = [(mine[:, : its.shape[1]], its) for mine, its in zip(trained.scores, exported.scores, strict=False)]
    if scores:
        _compare(by, "scores of experts", scores, share)
    return _compare(by, "logits", list(zip(trained.logits, exported.logits, strict=True)), share)


def _compare(by: str, what: str, pairs: Sequence[tuple[Any, Any]], share: float) -> ExportCheck:
    tolerance = share * max(1.0, *(float(np.abs(trained).max()) for trained, _ in pairs))
    difference = float(np.max([np.abs(a - b).max() for a, b in pairs]))
    behind = np.concatenate([_behind(a, b).ravel() for a, b in pairs])
    agreement = float(np.mean(behind == 0.0))
    # written so that a NaN fails
    if not (difference <= tolerance and float(np.max(behind)) <= tolerance):
        raise ExportError(
            f"The exported model, read by {by}, does not match the trained model: {what} differ by up to "
            f"{difference:.2g} (allowed {tolerance:.2g}), the likeliest is the same for {agreement:.1%} of the "
            "tokens. Nothing was exported; the weights are safe in the run's checkpoints."
        )
    return ExportCheck(by, difference, tolerance, agreement)


def _behind(trained: Any, exported: Any) -> Any:
    """For each token, how far the trained model's logit of the export's top token is below its own largest logit."""
    return trained.max(-1) - np.take_along_axis(trained, exported.argmax(-1)[..., None], -1)[..., 0]


def proof_prompts(manifest: RunManifest, models_dir: Path) -> list[list[int]]:
    """Token ids of the first prompts of the data file, rendered as in training."""
    tokenizer = load_tokenizer(manifest, models_dir)
    texts = [manifest.rendering.asked(row.trace) for row in islice(read_rows(Path(manifest.data.path)), PROMPTS)]
    return [tokenizer.encode_prompt(text)[:_LONGEST] for text in texts]


def outputs_of_files(
    manifest: RunManifest, folder: Path, models_dir: Path, prompts: Sequence[Sequence[int]], trained: Outputs
) -> Outputs:
    """The outputs of the model in `folder`, loaded as any model is, on the run's mesh and in its type, with the experts
    of the trained model.
    """
    model = manifest.model.model_copy(update={"id": str(folder.absolute())})
    plain = manifest.model_copy(update={"model": model, "method": Method.FULL})
    mesh = make_mesh(manifest.mesh, manifest.batch.size)
    with mesh:
        loaded = load_model(plain, models_dir, mesh)
        found = outputs_of(loaded, prompts)
        # the same scores choose the same experts, and the same program gives the same bits
        alike = np.array_equal(found.scores, trained.scores)
        return found if alike else outputs_of(loaded, prompts, trained.scores)


def outputs_of(loaded: LoadedModel, prompts: Sequence[Sequence[int]], scores: Sequence[Any] = ()) -> Outputs:
    """The outputs of a model that recomputes no layers, with the experts that these scores choose, else its own.

    The loaded model's mesh must be entered.
    """
    length = max(len(prompt) for prompt in prompts)
    size = int(loaded.mesh.shape["fsdp"])  # rows per batch: the smallest number that can be spread over the mesh
    tokens: Any = np.zeros((-(-len(prompts) // size) * size, length), np.int32)
    for row, prompt in zip(tokens, prompts, strict=False):
        row[: len(prompt)] = prompt  # attention is causal: padding after a prompt does not change its logits
    logits: list[Any] = []
    noted: list[Any] = []
    model = computing(loaded.model, loaded.dtype)
    # by default accelerators round float32 products to fewer bits
    with jax.default_matmul_precision("highest"):
        for first in range(0, len(tokens), size):
            rows = slice(first, first + size)
            given = list(np.stack(scores[rows], 1)) if scores else None
            found, by_layer = _forward(model, jnp.asarray(tokens[rows]), given)
            logits.extend(np.asarray(found, np.float32))
            noted.extend(np.stack([np.asarray(layer, np.float32) for layer in by_layer], 1) if by_layer else ())
    return Outputs([each[: len(prompt)] for each, prompt in zip(logits, prompts, strict=False)], noted)


@nnx.jit
def _forward(model: Any, tokens: Any, given: Any) -> tuple[Any, list[Any]]:
    count, length = tokens.shape
    positions = jnp.broadcast_to(jnp.arange(length), (count, length))
    causal = jnp.broadcast_to(jnp.tril(jnp.ones((length, length), bool)), (count, length, length))
    with routing(given) as noted:
        logits, _ = model(tokens, positions, None, causal)
    return logits, noted
