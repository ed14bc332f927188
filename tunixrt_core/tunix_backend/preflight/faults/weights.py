"""Faults of the weights themselves, and updates that would be lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from tunixrt_core.manifest.manifest import RunManifest
from tunixrt_core.manifest.sections import Dtype
from tunixrt_core.training.preflight.report import Finding, about_rows, blocking, many, warning
from tunixrt_core.tunix_backend.data.tokenizer import TextTokenizer
from tunixrt_core.tunix_backend.model.files.values import (
    EMBEDDING,
    dead_embeddings,
    look_at_values,
    share_of_lost_updates,
)
from tunixrt_core.tunix_backend.preflight.rows import FileRows

CHECKED = ("weights_not_finite", "weights_constant", "updates_lost")
CHECKED_WITH_ROWS = ("dead_embedding",)

_SHOWN = 4  # names in a message
_FEW_LOST = 0.01  # share of the weights
_BFLOAT16_DECAY = 2.0**-9  # a smaller relative change of a bfloat16 is lost


def weight_faults(manifest: RunManifest, directory: Path) -> Iterator[Finding]:
    """`weights_not_finite`, `weights_constant` and `updates_lost`, from the weight files in the directory."""
    values = look_at_values(directory)
    if values.not_finite:
        yield blocking(
            "weights_not_finite",
            f"The base's weights hold {_named(values.not_finite)}, so no loss would be a number.",
            "Download or save the model again.",
            keys=("model.id",),
        )
    if values.constant:
        which = "Every matrix" if len(values.constant) == values.matrices else _count(len(values.constant))
        yield warning(
            "weights_constant",
            f"{which} of the base's weights holds one value only: {_named(values.constant)}. Such a model has learned "
            "nothing there, and where all is zero no gradient reaches it.",
            "Use a pretrained model, or save this one again.",
            keys=("model.id",),
        )
    if not values.not_finite:
        yield from _lost_updates(manifest, directory)


def embedding_faults(directory: Path, tokenizer: TextTokenizer, rows: FileRows) -> Iterator[Finding]:
    """`dead_embedding`: tokens of the rows that the model cannot tell from nothing, or from another."""
    used: set[int] = set()
    for _, row in rows.numbered():
        used.update(np.unique(row.tokens).tolist())
    if not used or EMBEDDING in look_at_values(directory).constant:  # which is named already
        return
    faded, shared = dead_embeddings(directory, sorted(used))
    for ids, what in ((faded, "that is zero, or nearly so"), (shared, "that another of them has too")):
        if not ids:
            continue
        dead = np.asarray(ids)
        numbers = [number for number, row in rows.numbered() if np.isin(row.tokens, dead).any()]
        names = [repr(tokenizer.control_tokens.get(i) or tokenizer.decode([i])) for i in ids[:_SHOWN]]
        more = f" and {len(ids) - _SHOWN:,} more" if len(ids) > _SHOWN else ""
        yield warning(
            "dead_embedding",
            f"{many(numbers, 'row uses', 'rows use')} {', '.join(names)}{more}, with an embedding {what}: the base "
            "model was not trained on such tokens.",
            "Use the instruction-tuned model or a chat format of tokens that this one knows, or train all weights.",
            keys=("model.id", "rendering.chat"),
            **about_rows(numbers),
        )


def _lost_updates(manifest: RunManifest, directory: Path) -> Iterator[Finding]:
    if manifest.trained_dtype is not Dtype.BFLOAT16:
        return
    rate, decay = manifest.optimizer.learning_rate, 1 - manifest.optimizer.b2
    share = share_of_lost_updates(directory, rate)
    said = []
    if share >= _FEW_LOST:
        said.append(
            f"an update of the size of the learning rate, {rate:g}, is less than half a unit in the last place of "
            f"{share:.1%} of the weights, which would not move"
        )
    if 0 < decay < _BFLOAT16_DECAY:
        said.append(
            f"the mean squared gradient decays by {decay:.2g} a train step, which is less than a bfloat16 shows"
        )
    if said:
        yield warning(
            "updates_lost",
            f"With trained weights and moments held in bfloat16, {'; and '.join(said)}.",
            "Set model.trained_dtype to float32, its default; the model still computes in bfloat16.",
            keys=("model.trained_dtype", "optimizer.learning_rate"),
        )


def _count(n: int) -> str:
    return f"{n:,} matrix" if n == 1 else f"Each of {n:,} matrices"


def _named(found: Mapping[str, str] | Mapping[str, float]) -> str:
    """`NaN in model.layers.0.mlp.up_proj.weight`, for the first few."""
    names = [f"{value if isinstance(value, str) else format(value, 'g')} in {name}" for name, value in found.items()]
    more = f" and {len(names) - _SHOWN:,} more tensors" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"
